"""``relattr cite``: what to cite, as BibTeX."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.options import plugins_option
from relattr.cli.output import echo
from relattr.errors import UnknownName

DECIDES_RESULTS = False


@click.command("cite")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@plugins_option
def command(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Print BibTeX entries of relattr and of the papers of the methods, datasets and benchmarks NAME.

    What a dataset states in words is printed as a comment. Names for which there is nothing to cite are listed.

    \b
    relattr cite
    relattr cite viralnet osr > references.bib
    relattr cite table3
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness.benchmark import benchmark_names, load_benchmark
    from relattr.report.bibliography import bibliography, without_citation

    registry = load_registry(plugin_folders)
    known = {
        "method": [*registry.methods, *registry.constants],
        "dataset": list(registry.datasets),
        "benchmark": benchmark_names(),
    }
    methods: list[str] = []
    datasets: list[str] = []
    chosen: list[str] = []
    for name in names:
        matches = {kind: fnmatch.filter(of_kind, name) for kind, of_kind in known.items()}
        benchmarks = [load_benchmark(match) for match in matches["benchmark"]]
        if name.endswith(".toml"):
            benchmarks.append(load_benchmark(name))
        if not benchmarks and not any(matches.values()):
            raise UnknownName("method, dataset or benchmark", name, [n for of_kind in known.values() for n in of_kind])
        chosen += [benchmark.name for benchmark in benchmarks]
        methods += [*matches["method"], *(method for benchmark in benchmarks for method in benchmark.methods)]
        datasets += [*matches["dataset"], *(dataset for benchmark in benchmarks for dataset in benchmark.datasets)]
    datasets = [name for name in datasets if name in registry.datasets]
    echo(bibliography(methods, datasets, registry, benchmarks=chosen).rstrip())
    if uncited := without_citation(methods, datasets, registry):
        echo(f"nothing else to cite for {', '.join(uncited)}", err=True)
