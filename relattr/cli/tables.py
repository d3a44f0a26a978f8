"""``relattr tables``: the paper's tables from stored results."""

from __future__ import annotations

from collections.abc import Sequence
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
from relattr.cli.outputs import require_outside_data
from relattr.cli.shown_benchmark import shown_benchmark


@click.command("tables")
@click.argument("benchmark", nargs=-1, required=True)
@chosen_results_options
@benchmark_data_option
@stored_results_option
@plugins_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("paper_tables/out"),
    show_default=True,
    metavar="DIR",
    help="The folder to write to.",
)
@click.option(
    "--against",
    default="",
    metavar="METHOD",
    help="Also write an ablation table: the difference of every other method from this one, with intervals. METHOD is "
    "a method's name, or the key of a row in the CSV file.",
)
@click.option(
    "--notes",
    type=click.Choice(["none", "short", "full"]),
    default="short",
    show_default=True,
    help="The notes in the LaTeX tables and on the terminal: none; one mark for each kind of note; or every note. "
    "NAME-notes.tex and the Markdown file have every note in any case.",
)
@click.option("--audit/--no-audit", default=True, show_default=True, help="Mark leaks that the datasets' audits find.")
def command(
    benchmark: Sequence[str],
    out: Path,
    against: str,
    notes: Any,
    audit: bool,
    **options: Any,
) -> None:
    """Write the tables of each BENCHMARK as LaTeX (booktabs, siunitx), CSV and Markdown.

    Writes two tables for each benchmark: one as in the paper, with measured numbers, and one with measured next to
    published numbers, with intervals and verdicts. For each column that is a mean over attributes, both are also
    written attribute by attribute. macros.tex defines every number by name, for use in text. If LaTeX is installed,
    tables.pdf contains all tables. Tables are made from stored results; nothing is trained. --methods, --datasets,
    --attributes and --seeds choose rows, columns and results. Every difference from the paper's setting (another
    backbone, other labels, some of the attributes) is noted.

    \b
    relattr tables table3
    relattr tables table3 --methods 'viralnet*' --datasets osr
    relattr tables glyphs --against viralnet     the effect of scales and categories
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness.own_data import paths_of_data
    from relattr.harness.release import open_results
    from relattr.report.formats.files import write_tables
    from relattr.report.formats.text import ablation_to_text, table_to_text
    from relattr.report.tables.audits import benchmark_leak_notes
    from relattr.report.tables.builder import build_table

    registry = load_registry(options["plugin_folders"])
    store = open_results(options["results"])
    selection = chosen_results(options)
    paper_tables = []
    for name in benchmark:
        definition = shown_benchmark(name, registry, store, selection, options)
        require_outside_data("--out", out / f"{definition.name}.csv", paths_of_data(definition, registry))
        leaks = benchmark_leak_notes(definition, registry, store) if audit else None
        table = build_table(definition, registry, store, leaks, against, selection)
        for line in table.unreadable:
            echo(f"left out, not a result: {line}", err=True)
        echo(table_to_text(table, notes))
        if table.ablation is not None:
            echo(ablation_to_text(table.ablation))
        paper_tables.append(table)
    paths = write_tables(paper_tables, out, notes)
    for path in paths:
        echo(f"wrote {path}")
    if not any(path.suffix == ".pdf" for path in paths):
        echo("no tables.pdf: pdflatex is not installed (Debian: texlive-latex-recommended texlive-science lmodern)")
