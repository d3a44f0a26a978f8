"""``relattr tables``: the paper's tables from the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import load_registry, plugins_option, results_option
from relattr.harness import benchmark as benchmarks
from relattr.harness.store import Store


@click.command()
@click.argument("benchmark", nargs=-1, required=True)
@results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("paper_tables/out"),
    show_default=True,
    metavar="DIR",
    help="The folder to write into.",
)
@click.option(
    "--against",
    default="",
    metavar="METHOD",
    help="Also a table of what every other method adds to this one, with intervals: an ablation. A method's name, or "
    "the key of a row in the CSV file.",
)
@click.option("--audit/--no-audit", default=True, show_default=True, help="Mark leaks that the datasets' audit finds.")
def tables(
    benchmark: Sequence[str], results: Path, plugin_folders: Sequence[Path], out: Path, against: str, audit: bool
) -> None:
    """Write the tables of each BENCHMARK as LaTeX (booktabs, siunitx), CSV and Markdown.

    Two of each: as in the paper with measured numbers, and measured beside published with interval and
    verdict; likewise for each attribute behind a column. macros.tex has every number by name, for prose.
    With a LaTeX installed, tables.pdf shows them all. Reads the results and trains nothing. Every way in
    which a number is not the paper's (another backbone, other labels, part of the attributes) is a note.

    \b
    relattr tables table3
    relattr tables glyphs --against viralnet     what scales and categories add to it
    """
    from relattr.report.formats import write_ablation
    from relattr.report.formats.write import to_text, write_all
    from relattr.report.tables.audits import flags_of
    from relattr.report.tables.builder import build

    registry = load_registry(plugin_folders)
    store = Store(results)
    made = []
    for name in benchmark:
        definition = benchmarks.load(name)
        table = build(definition, registry, store, flags_of(definition, registry, store) if audit else None, against)
        for line in table.unreadable:
            click.echo(f"left out, not a result: {line}", err=True)
        click.echo(to_text(table))
        if table.gains is not None:
            click.echo(write_ablation.to_text(table.gains))
        made.append(table)
    written = write_all(made, out)
    for path in written:
        click.echo(f"wrote {path}")
    if not any(path.suffix == ".pdf" for path in written):
        click.echo(
            "no tables.pdf: no pdflatex is installed (Debian: texlive-latex-recommended texlive-science lmodern)"
        )
