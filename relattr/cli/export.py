"""``relattr export``: all results as one tidy file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from relattr.cli.options import chosen_results, chosen_results_options, plugins_option, stored_results_option
from relattr.cli.output import echo
from relattr.cli.outputs import require_apart, require_outside_data, require_replaceable, require_suffix
from relattr.cli.wording import counted


@click.command("export")
@click.argument("benchmark", required=False)
@chosen_results_options
@stored_results_option
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
    **options: Any,
) -> None:
    """Write all results, or those on the datasets of BENCHMARK, as one tidy table.

    It has one row for each cell and test set, with the numbers, everything that determines them, and their origin. A
    cell without numbers has one row, with its status and the reason. As in the tables, results with any parameters
    are included. --methods, --datasets, --attributes and --seeds choose results. Nothing is computed.
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness import export as exporting
    from relattr.harness.benchmark_paths import read_benchmark
    from relattr.harness.own_data import locations_of_data, own_benchmark
    from relattr.harness.release import open_results

    written = {"--out": (out, exporting.RESULT_COLUMNS)}
    if strengths is not None:
        written["--strengths"] = strengths, exporting.STRENGTH_COLUMNS
    for option, (file, columns) in written.items():
        require_suffix(option, file, ".csv", ".parquet")
        require_apart(option, [file], {"the file of --results": [results]})
        require_replaceable(option, file, [*columns])
    registry, store, selection = load_registry(plugin_folders), open_results(results), chosen_results(options)
    definition = None if benchmark is None else own_benchmark(read_benchmark(benchmark, registry), registry, store)
    exported = exporting.export_results(registry, store, definition, selection=selection, keep_stale=keep_stale)
    for option, (file, _) in written.items():
        require_outside_data(option, file, locations_of_data(exported.results), "the data of these results")
    for item in exported.unreadable:
        echo(f"left out, not a result: {item.path}: {item.reason}", err=True)
    if exported.n_stale and not keep_stale:
        echo(f"left out, stale: {counted(exported.n_stale, 'cell')}; --keep-stale includes them, marked", err=True)
    n = exporting.write_frames(out, [exported.frame], exporting.RESULT_COLUMNS)
    echo(f"wrote {out}: {counted(n, 'row')} of {counted(len(exported.results), 'cell')}")
    if strengths is not None:
        n = exporting.write_frames(
            strengths, exporting.strengths_frames(exported.results, registry, store), exporting.STRENGTH_COLUMNS
        )
        echo(f"wrote {strengths}: {n:,} rows")
