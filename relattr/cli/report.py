"""``relattr report``: a benchmark on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from relattr.cli.options import (
    benchmark_data_option,
    chosen_results,
    chosen_results_options,
    plugins_option,
    stored_results_option,
)
from relattr.cli.output import echo
from relattr.cli.outputs import require_suffix
from relattr.cli.shown_benchmark import shown_benchmark


@click.command("report")
@click.argument("benchmark")
@chosen_results_options
@benchmark_data_option
@stored_results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The page to write.  [default: paper_tables/out/<benchmark>.html]",
)
@click.option("--audit/--no-audit", default=True, show_default=True, help="Include the audits of the datasets.")
def command(benchmark: str, out: Path | None, audit: bool, **options: Any) -> None:
    """Write one self-contained HTML page about BENCHMARK: tables, figures, and every cell with its log.

    The page requires no network and no other file. --methods, --datasets, --attributes and --seeds choose
    what it shows.
    Figures that `relattr figures` wrote into figures/<benchmark>/ beside the page are included in it.
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness.release import open_results
    from relattr.report.formats.page import benchmark_to_html
    from relattr.system.atomic import write_text

    if out is not None:
        require_suffix("--out", out, ".html", ".htm")
    registry = load_registry(options["plugin_folders"])
    selection, store = chosen_results(options), open_results(options["results"])
    definition = shown_benchmark(benchmark, registry, store, selection, options)
    path = out or Path("paper_tables/out") / f"{definition.name}.html"
    figures = path.parent / "figures" / definition.name
    page = benchmark_to_html(definition, registry, store, audit=audit, figures=figures, selection=selection)
    write_text(path, page)
    echo(f"wrote {path}")
