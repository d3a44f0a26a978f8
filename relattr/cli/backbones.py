"""``relattr list backbones``: the pretrained networks, and whether their weights are here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from relattr.cli.output import echo
from relattr.cli.text_table import aligned, print_table

if TYPE_CHECKING:
    from relattr.backbones.overview import BackboneOverview

DECIDES_RESULTS = False

COLUMNS = ("name", "weights", "from", "size", "parameters", "ImageNet top-1", "input")
UNKNOWN = "–"


def print_backbones() -> None:
    """Print a table of all backbones but timm's, those with weights here first."""
    from relattr.backbones.names import DEFAULT_BACKBONE
    from relattr.backbones.overview import list_backbones

    print_table(COLUMNS, [_row(backbone) for backbone in list_backbones()])
    echo(
        f"The default is {DEFAULT_BACKBONE}. Networks of timm can be used too: relattr list backbones NAME shows one.",
        err=True,
    )


def print_backbone_details(names: Sequence[str]) -> None:
    """Print the details of these backbones, one after the other. Raises `UnknownName` before any is printed."""
    from relattr.backbones.names import DEFAULT_BACKBONE
    from relattr.backbones.overview import describe_backbone

    for backbone in [describe_backbone(name) for name in names]:
        figures = backbone.figures
        fields = [
            ("default", "of every method that is not tied to another" if backbone.name == DEFAULT_BACKBONE else ""),
            ("library", backbone.library),
            ("weights", "here" if backbone.is_here else "not here"),
            ("from", backbone.origin),
            ("file", str(backbone.path or "")),
            ("size", _megabytes(backbone)),
            ("parameters", UNKNOWN if figures is None else f"{figures.parameters:,}"),
            ("ImageNet top-1", _top1(backbone)),
            ("input", _input(backbone)),
            ("missing", backbone.problem),
        ]
        echo(backbone.name)
        echo(aligned([(field, text) for field, text in fields if text], indent="    "))


def _row(backbone: BackboneOverview) -> tuple[str, ...]:
    figures = backbone.figures
    return (
        backbone.name,
        "here" if backbone.is_here else "not here",
        "package" if backbone.origin.startswith("package ") else backbone.origin,  # the details have its name
        _megabytes(backbone),
        UNKNOWN if figures is None else f"{figures.parameters / 1e6:.1f} million",
        _top1(backbone),
        _input(backbone),
    )


def _megabytes(backbone: BackboneOverview) -> str:
    return UNKNOWN if backbone.megabytes is None else f"{backbone.megabytes:.1f} MB"


def _top1(backbone: BackboneOverview) -> str:
    figures = backbone.figures
    return UNKNOWN if figures is None or figures.top1 is None else f"{figures.top1:.1f} % ({figures.source})"


def _input(backbone: BackboneOverview) -> str:
    return UNKNOWN if backbone.input_size is None else f"{backbone.input_size} px"
