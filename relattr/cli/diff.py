"""``relattr diff``: two folders of results, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relattr.cli.options import chosen_results, chosen_results_options, plugins_option
from relattr.cli.output import echo
from relattr.cli.outputs import require_apart, require_replaceable, require_suffix
from relattr.cli.text_table import aligned
from relattr.cli.wording import counted
from relattr.errors import BadInput
from relattr.harness.release import open_results
from relattr.system.spreadsheet import csv_text

if TYPE_CHECKING:
    from relattr.harness.result import Result
    from relattr.report.tables.comparison import AccuracyChange

DECIDES_RESULTS = False
HEADER = [
    "method",
    "setting",
    "dataset",
    "attribute",
    "test",
    "first",
    "second",
    "difference",
    "95 % interval",
    "cells",
]
CSV_HEADER = [*HEADER[:5], "first_percent", "second_percent", "difference_points", "low_points", "high_points", "p"]


@click.command("diff")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@chosen_results_options
@click.option("--by-attribute", is_flag=True, help="One line for each attribute, not one for their mean.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write a CSV file.")
@plugins_option
def command(
    first: Path, second: Path, by_attribute: bool, out: Path | None, plugin_folders: Sequence[Path], **options: Any
) -> None:
    """Compare two results folders: accuracies on the same test pairs, and what is only in one of them.

    Each is a folder, or one file that `relattr release` has written.

    The difference is second minus first, over the cells that both have: the same method with the same
    parameters, on the same data, attribute, split and seed. Its 95 % interval is that of a paired comparison over test
    images. A star marks differences that are significant at the 5 % level, without correction for their number.

    \b
    relattr diff results/reference results
    relattr diff old new --methods 'viralnet*' --by-attribute
    """
    from relattr.cli.plugins import load_registry
    from relattr.report.tables.comparison import compare_results
    from relattr.system.atomic import write_text

    for path in (first, second):
        if not path.exists():
            raise BadInput(f"{path} does not exist; expected a folder of results, or a file of `relattr release`")
    if out is not None:
        require_suffix("--out", out, ".csv")
        require_apart("--out", [out], {"a file to compare": [first, second]})
        require_replaceable("--out", out, CSV_HEADER)
    one, other = open_results(first), open_results(second)
    registry = load_registry(plugin_folders)
    comparison = compare_results(registry, one, other, chosen_results(options), by_attribute=by_attribute)
    for item in dict.fromkeys(comparison.unreadable):  # a folder may be compared with itself
        echo(f"left out, not a result: {item.path}: {item.reason}", err=True)
    if comparison.changes:
        has_settings = any(change.setting for change in comparison.changes)
        lines = [HEADER, *(_line(change) for change in comparison.changes)]
        echo(aligned(lines if has_settings else [[line[0], *line[2:]] for line in lines]))
        echo()
    reasons = Counter(change.reason for change in comparison.changes if change.reason)
    for reason, n in reasons.items():
        echo(f"no interval in {counted(n, 'row')}: {reason}")
    if comparison.changes or comparison.n_identical or comparison.other_status or comparison.n_without_numbers:
        echo(f"{counted(comparison.n_identical, 'cell')} with the same counts in both.")
    else:
        echo("No cell is in both folders.")
    if comparison.n_without_numbers:
        echo(f"{counted(comparison.n_without_numbers, 'cell')} without a number, with the same status in both.")
    for a, b in comparison.other_status:
        echo(f"{a.cell}: {a.status} in {first}, {b.status} in {second}")
    for folder, results in ((first, comparison.only_first), (second, comparison.only_second)):
        for method, n in _by_method(results):
            echo(f"only in {folder}: {method}: {counted(n, 'cell')}")
    if _on_other_data(comparison.only_first, comparison.only_second):
        echo("Own data differs between the two folders. Only results on the same data are compared.")
    if out is not None:
        write_text(out, csv_text(CSV_HEADER, map(_csv_line, comparison.changes)))
        echo(f"wrote {out}")


def _line(change: AccuracyChange) -> list[str]:
    star = "*" if change.is_significant else ""
    return [
        change.method,
        change.setting,
        change.dataset,
        change.attribute,
        change.test,
        f"{change.first:.2f}",
        f"{change.second:.2f}",
        f"{_signed(change.difference)}{star}",
        "-" if change.lower is None or change.upper is None else f"[{_signed(change.lower)}, {_signed(change.upper)}]",
        str(change.n_cells),
    ]


def _signed(points: float) -> str:
    """With sign and two decimals; never -0.00."""
    return f"{round(points, 2) + 0.0:+.2f}"


def _csv_line(change: AccuracyChange) -> list[str]:
    numbers = (change.first, change.second, change.difference, change.lower, change.upper, change.p)
    texts = (change.method, change.setting, change.dataset, change.attribute, change.test)
    return [*texts, *("" if number is None else f"{number:.6f}" for number in numbers)]


def _on_other_data(first: Iterable[Result], second: Iterable[Result]) -> bool:
    """Whether two folders have results of one method on one task of own data, with other data."""
    places = [{(r.cell.method, r.cell.task): r.cell.data for r in results} for results in (first, second)]
    return any(places[0][place] != places[1][place] for place in places[0].keys() & places[1].keys())


def _by_method(results: Iterable[Result]) -> list[tuple[str, int]]:
    return sorted(Counter(f"{result.cell.method} on {result.cell.dataset}" for result in results).items())
