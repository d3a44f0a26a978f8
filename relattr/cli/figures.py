"""``relattr figures``: what methods look at and what they hold to be alike, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from relattr.cli.shared import choice_of, load_registry, matrix_options
from relattr.harness import benchmark as benchmarks
from relattr.harness.store import Store


@click.command()
@matrix_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write into.  [default: paper_tables/out/figures/BENCHMARK]",
)
def figures(benchmark: str, out: Path | None, **chosen: Any) -> None:
    """Draw the figures of BENCHMARK that are made of images, as PNG and PDF, from results that are there.

    \b
    figure4-*  what spatial transformers look at, over the range of strengths
    figure5-*  nearest neighbours, in the trained network and in its backbone
    chains-*   the patches of visual chains, weakest to strongest

    `relattr report` shows them on its page.
    """
    from relattr.report.figures.draw import draw_all

    definition = benchmarks.load(benchmark)
    registry = load_registry(chosen["plugin_folders"])
    folder = out or Path("paper_tables/out/figures") / definition.name
    found = False
    for figure in draw_all(definition, registry, Store(chosen["results"]), choice_of(chosen), folder):
        found = True
        if figure.why:
            click.echo(f"not drawn: {figure.what}: {figure.why}", err=True)
            continue
        click.echo(f"{figure.what}: {figure.says}" if figure.says else figure.what)
        for path in figure.files:
            click.echo(f"  wrote {path}")
    if not found:
        click.echo("nothing to draw: no result here has boxes, neighbours or chains; run the benchmark first")
