"""Options that several commands share, and aligned columns of text."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from relattr.errors import RelattrError
from relattr.harness.limits import Limits, parse_options
from relattr.harness.selection import Selection, parse_settings
from relattr.registry import Registry, registry

F = TypeVar("F", bound=Callable[..., Any])

plugins_option = click.option(
    "--plugins",
    "plugin_folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of plugin files (.py) to load beside the built-in ones. May be repeated.",
)
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    metavar="DIR",
    help="The folder of results.",
)


limit_options = [
    click.option(
        f"--{what}-limit",
        f"{what}_limits",
        multiple=True,
        metavar="[GLOB=]" + example,
        help=f"{text} May be given for the methods that match GLOB, and repeated.",
    )
    for what, example, text in (
        ("time", "45m", "Wall-clock time a cell may take (90s, 45m, 1h30m, none)."),
        (
            "memory",
            "6G",
            "Memory its processes may have together (512M, 6G, none); where none is named, nine tenths "
            "of the machine's, shared equally by the cells at once.",
        ),
        ("file", "2G", "Size of the largest file it may write."),
    )
]


def limits_from(
    time_limits: Sequence[str], memory_limits: Sequence[str], file_limits: Sequence[str]
) -> dict[str, Limits]:
    """The limits of the command line by pattern of method name. Raises `BadInput`."""
    found: dict[str, Limits] = {}
    for what, options in (("time", time_limits), ("memory", memory_limits), ("file", file_limits)):
        for pattern, limits in parse_options(options, what).items():
            found[pattern] = limits.over(found.get(pattern, Limits()))
    return found


def matrix_options(command: F) -> F:
    """The options that choose cells of a benchmark."""
    for option in reversed(
        [
            click.argument("benchmark"),
            click.option(
                "--methods",
                multiple=True,
                metavar="GLOB",
                help="Only methods that match; where none of the benchmark's do, others. May be repeated.",
            ),
            click.option(
                "--datasets", multiple=True, metavar="GLOB", help="Only datasets that match. May be repeated."
            ),
            click.option(
                "--attributes", multiple=True, metavar="GLOB", help="Only attributes that match. May be repeated."
            ),
            click.option(
                "--seeds",
                multiple=True,
                type=click.IntRange(0),
                metavar="N",
                help="These seeds in place of the benchmark's. May be repeated.",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="KEY=VALUE",
                help="Set a parameter of every method that has it (backbone=squeezenet1_0), or of one plugin "
                "(ranksvm-hog2x2.C=1). May be repeated.",
            ),
            *limit_options,
            click.option("--keep-stale", is_flag=True, help="Leave stale results as they are, and mark them."),
            results_option,
            plugins_option,
        ]
    ):
        command = option(command)
    return command


def choice_of(chosen: Mapping[str, Any]) -> Selection:
    """What the `matrix_options` of a command ask for. Raises `BadInput`."""
    return Selection(
        chosen["methods"],
        chosen["datasets"],
        parse_settings(chosen["settings"]),
        limits_from(chosen["time_limits"], chosen["memory_limits"], chosen["file_limits"]),
        chosen["keep_stale"],
        chosen["attributes"],
        tuple(dict.fromkeys(chosen["seeds"])),
    )


class OneByOne:
    """Several names, each of which may fail without the others losing their turn; exit code 1 if any did."""

    def __init__(self) -> None:
        self._failed = False

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._failed and kind is None:
            raise click.exceptions.Exit(1)

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[None]:
        """What is done for one of them; an error is said, and noted."""
        try:
            yield
        except (RelattrError, OSError) as error:
            click.echo(f"{name}: {error}", err=True)
            self._failed = True

    def fail(self) -> None:
        """Note that something was found wrong, which was said already."""
        self._failed = True


def load_registry(folders: Sequence[Path]) -> Registry:
    """All plugins; those that are broken are named on stderr."""
    registry.discover(folders)
    for broken in registry.broken:
        click.echo(f"plugin {broken.where} could not be loaded and is left out: {broken.error}", err=True)
    return registry


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of text as aligned columns, the last one ragged."""
    if not rows:
        return ""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
