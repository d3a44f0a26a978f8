"""``relattr export``: every result as one tidy file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import load_registry, plugins_option, results_option
from relattr.harness import benchmark as benchmarks
from relattr.harness.result import Result
from relattr.harness.scope import cells_in_scope
from relattr.harness.store import Store


@click.command()
@click.argument("benchmark", required=False)
@results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("results.csv"),
    show_default=True,
    metavar="FILE",
    help="Where to: .csv, or .parquet where pyarrow is installed (relattr[parquet]).",
)
@click.option(
    "--strengths",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the strength of each test image (the margin of each pair, for methods without strengths).",
)
@click.option("--keep-stale", is_flag=True, help="Also rows that something has changed since; column state marks them.")
def export(
    benchmark: str | None,
    results: Path,
    plugin_folders: Sequence[Path],
    out: Path,
    strengths: Path | None,
    keep_stale: bool,
) -> None:
    """Write every result, or those on the datasets of BENCHMARK's table, as one tidy table.

    Results with any parameters are in it, as they are in the tables. One row for each cell and test set, with its
    numbers, what decided them and where they come from; a cell without numbers
    has one row with its status and reason. Computes nothing.
    """
    from relattr.harness import export as exporting

    registry, store = load_registry(plugin_folders), Store(results)
    own = None if benchmark is None else cells_in_scope(benchmarks.load(benchmark), registry)
    found: list[Result] = []
    for item in store:
        if not isinstance(item, Result):
            click.echo(f"left out, not a result: {item.path}: {item.why}", err=True)
        elif own is None or own(item.cell):
            found.append(item)
    frame = exporting.results_frame(found, registry, store)
    stale = set(frame.loc[frame["state"] == "stale", "key"])
    if stale and not keep_stale:
        click.echo(f"left out, stale: {len(stale)} cells; --keep-stale writes them too, marked", err=True)
        found = [result for result in found if result.cell.key not in stale]
        frame = frame[~frame["key"].isin(stale)]
    n = exporting.write_frames(out, [frame], exporting.RESULT_COLUMNS)
    click.echo(f"wrote {out}: {n:,} rows of {len(found):,} cells")
    if strengths is not None:
        n = exporting.write_frames(
            strengths, exporting.strengths_frames(found, registry, store), exporting.STRENGTH_COLUMNS
        )
        click.echo(f"wrote {strengths}: {n:,} rows")
