"""``relattr tables``: the paper's table from the store."""

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
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("paper_tables"), show_default=True,
    metavar="DIR", help="The folder to write into.",
)  # fmt: skip
def tables(benchmark: str, results: Path, plugin_folders: Sequence[Path], out: Path) -> None:
    """Write the table of BENCHMARK as LaTeX (booktabs), CSV and Markdown, measured beside published.

    Reads the results and computes nothing. Every way in which a number is not the paper's (another
    backbone, other labels, part of the attributes) is a note under the table.
    """
    from relattr.report.model import build
    from relattr.report.write import to_text, write

    table = build(benchmarks.load(benchmark), load_registry(plugin_folders), Store(results))
    for line in table.unreadable:
        click.echo(f"left out, not a result: {line}", err=True)
    click.echo(to_text(table))
    for path in write(table, out):
        click.echo(f"wrote {path}")
