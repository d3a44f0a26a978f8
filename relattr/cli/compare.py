"""``relattr compare``: which of two photographs shows more of an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.output import echo
from relattr.cli.own_model import use_options


@click.command("compare")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@use_options
def command(
    model: Path, one: Path, other: Path, device: str, threads: int | None, plugin_folders: Sequence[Path]
) -> None:
    """Say which of two photographs shows more of the attribute that MODEL was fitted on.

    MODEL is a file written by `relattr train`. The difference of the two strengths has no unit and is not a
    probability; compare it with the differences of other photographs.

    \b
    relattr compare openness.npz one.jpg other.jpg
    """
    from relattr.interface.model_file import load_model

    fitted = load_model(model, plugins=plugin_folders, device=device, threads=threads)
    attribute = fitted.fitted_on.attribute if fitted.fitted_on is not None else ""
    amount, quality = (f"more {attribute}", attribute) if attribute else ("more of the attribute", "the attribute")
    if not fitted.has_strength:
        margin = float(fitted.compare([one, other], [(0, 1)])[0])
        strengths = ""
    else:
        first, second = fitted.strength([one, other]).tolist()
        margin = first - second
        strengths = f"; strengths {max(first, second):.4g} and {min(first, second):.4g}"
    if margin == 0:
        echo(f"{one} and {other}: no difference in {quality}")
        return
    more, less = (one, other) if margin > 0 else (other, one)
    echo(f"{more} shows {amount} than {less}: difference {abs(margin):.4g}{strengths}")
