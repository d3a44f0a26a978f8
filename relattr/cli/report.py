"""``relattr report``: everything about a benchmark on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import load_registry, plugins_option, results_option
from relattr.harness import benchmark as benchmarks
from relattr.harness.store import Store


@click.command()
@click.argument("benchmark")
@results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The page to write.  [default: paper_tables/out/<benchmark>.html]",
)
@click.option("--audit/--no-audit", default=True, show_default=True, help="Show what the datasets' audit finds.")
def report(benchmark: str, results: Path, plugin_folders: Sequence[Path], out: Path | None, audit: bool) -> None:
    """Write one self-contained HTML page about BENCHMARK: tables, figures, and every cell with its log.

    It needs no network and no other file: send it, print it, put it anywhere. Pictures that `relattr figures` wrote
    into figures/<benchmark>/ beside it are put into it.
    """
    from relattr.report.formats.page import to_html
    from relattr.system.atomic import write_text

    definition = benchmarks.load(benchmark)
    path = out or Path("paper_tables/out") / f"{definition.name}.html"
    exhibits = path.parent / "figures" / definition.name
    write_text(
        path,
        to_html(definition, load_registry(plugin_folders), Store(results), audit=audit, exhibits=exhibits),
    )
    click.echo(f"wrote {path}")
