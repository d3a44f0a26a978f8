"""``relattr figures``: transformer boxes, nearest neighbours and visual chains as images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from relattr.cli.options import selection_from_options, stored_benchmark_options
from relattr.cli.output import echo


@click.command("figures")
@stored_benchmark_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write to.  [default: paper_tables/out/figures/BENCHMARK]",
)
@click.option(
    "--order",
    type=click.Choice(["strength", "score"]),
    default="strength",
    show_default=True,
    help="Order figure 4 by the predicted strength, or by the dataset's own score of the test images.",
)
@click.option(
    "--queries",
    type=click.Choice(["training", "test"]),
    default="training",
    show_default=True,
    help="The query images of figure 5; the neighbours are training images in any case.",
)
def command(benchmark: str, out: Path | None, order: Any, queries: Any, **options: Any) -> None:
    """Draw the figures of BENCHMARK that show images, as PNG and PDF, from stored results.

    \b
    figure4-*  where spatial transformers attend, over the range of strengths (or scores: --order score)
    figure5-*  nearest training images, in the trained network and in its backbone
    chains-*   the patches of visual chains, weakest to strongest

    `relattr report` includes them in its page.
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.benchmark_paths import with_resolved_paths
    from relattr.harness.own_data import own_benchmark
    from relattr.harness.release import open_results
    from relattr.report.figures.cell_figures import FigureOptions
    from relattr.report.figures.draw import draw_figures

    definition = load_benchmark(benchmark)
    registry = load_registry(options["plugin_folders"])
    folder = out or Path("paper_tables/out/figures") / definition.name
    any_figure = False
    store = open_results(options["results"])
    definition = own_benchmark(with_resolved_paths(definition, registry), registry, store, options["data"])
    selection, shown = selection_from_options(options), FigureOptions(order, queries)
    for figure in draw_figures(definition, registry, store, selection, folder, shown):
        any_figure = True
        if figure.error:
            echo(f"not drawn: {figure.subject}: {figure.error}", err=True)
            continue
        echo(f"{figure.subject}: {figure.summary}" if figure.summary else figure.subject)
        for path in figure.files:
            echo(f"  wrote {path}")
    if not any_figure:
        echo("nothing to draw: no stored result has boxes, neighbours or chains; run the benchmark first")
