"""``relattr export``: all results as one tidy file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.options import plugins_option, results_option
from relattr.cli.output import echo
from relattr.cli.wording import counted


@click.command("export")
@click.argument("benchmark", required=False)
@results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("results.csv"),
    show_default=True,
    metavar="FILE",
    help="The file to write: .csv, or .parquet if pyarrow is installed (relattr[parquet]).",
)
@click.option(
    "--strengths",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the strength of each test image (for methods without strengths, the margin of each pair).",
)
@click.option("--keep-stale", is_flag=True, help="Also write stale results; the column `state` marks them.")
def command(
    benchmark: str | None,
    results: Path,
    plugin_folders: Sequence[Path],
    out: Path,
    strengths: Path | None,
    keep_stale: bool,
) -> None:
    """Write all results, or those on the datasets of BENCHMARK, as one tidy table.

    It has one row for each cell and test set, with the numbers, everything that determines them, and their origin. A
    cell without numbers has one row, with its status and the reason. As in the tables, results with any parameters
    are included. Nothing is computed.
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness import export as exporting
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.result import Result
    from relattr.harness.scope import benchmark_scope
    from relattr.harness.store import Store

    registry, store = load_registry(plugin_folders), Store(results)
    scope = None if benchmark is None else benchmark_scope(load_benchmark(benchmark), registry)
    selected: list[Result] = []
    for item in store:
        if not isinstance(item, Result):
            echo(f"left out, not a result: {item.path}: {item.reason}", err=True)
        else:
            selected.append(item)
    if scope is not None:
        selected = scope.select(selected)
    frame = exporting.results_frame(selected, registry, store)
    stale = set(frame.loc[frame["state"] == "stale", "key"])
    if stale and not keep_stale:
        echo(f"left out, stale: {counted(len(stale), 'cell')}; --keep-stale includes them, marked", err=True)
        selected = [result for result in selected if result.cell.key not in stale]
        frame = frame[~frame["key"].isin(stale)]
    n = exporting.write_frames(out, [frame], exporting.RESULT_COLUMNS)
    echo(f"wrote {out}: {counted(n, 'row')} of {counted(len(selected), 'cell')}")
    if strengths is not None:
        n = exporting.write_frames(
            strengths, exporting.strengths_frames(selected, registry, store), exporting.STRENGTH_COLUMNS
        )
        echo(f"wrote {strengths}: {n:,} rows")
