"""The definition of a benchmark: its methods, datasets and seeds, and its table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from relattr.bounds import MAX_SEED, MAX_THREADS
from relattr.errors import BadInput, UnknownName
from relattr.harness.limits import Limits
from relattr.system.paths import package_folder
from relattr.system.reading import read_bytes

RESERVED_NAMES = ("macros", "preamble", "tables")
"""Names of files that are written beside the tables of every benchmark."""


class RowSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the table: a method, its name in the published table, and its label if that is not the method's own."""

    method: str
    published: str = ""
    label: str = ""


class ColumnSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the table: the mean accuracy on one test set of a dataset, over its attributes and splits.

    ``*`` is all attributes or all splits, any other text is one of them. ``published`` is the name of the column in
    the published table.
    """

    label: str
    dataset: str
    attribute: str = "*"
    split: str = "*"
    test: str = "test"
    published: str = ""


class ImprovementSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The relative improvement of the method ``proposed`` over the best of the methods ``earlier``.

    ``note`` is what the publication says about its improvement.
    """

    proposed: str
    earlier: tuple[str, ...]
    note: str = ""


class TableSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table of a benchmark.

    ``published`` is the name of the table in ``paper_tables/published.csv``, ``source`` its publication.
    """

    caption: str
    rows: tuple[RowSpec, ...] = ()
    columns: tuple[ColumnSpec, ...] = ()
    published: str = ""
    source: str = ""
    improvement: ImprovementSpec | None = None
    only_results: bool = False
    """Whether methods without a result have no row."""


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A benchmark: every method on every task of every dataset, with every seed."""

    title: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    table: TableSpec
    name: str = ""
    folder: str = ""
    """The folder of the file, to which its paths are relative; empty for the benchmarks of relattr."""
    description: str = ""
    seeds: tuple[int, ...] = (0,)
    threads: int = 0
    """Threads of each cell. A fixed number lets small cells run in parallel and makes results independent of the
    number of processors; 0 leaves the number to the machine."""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    """Parameters: ``KEY`` for every method that has it, ``PLUGIN.KEY`` for one method or dataset."""
    variants: dict[str, tuple[dict[str, Any], ...]] = msgspec.field(default_factory=dict)
    """By method, sets of parameters that replace those of ``set``; each makes cells and a row of its own, beside those
    with the parameters of ``set``."""
    dataset: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Parameters of datasets by name of dataset."""
    limits: Limits = Limits()
    """Limits of every cell."""
    method_limits: dict[str, Limits] = msgspec.field(default_factory=dict)
    """Limits by shell pattern of method name; they take precedence over ``limits``."""

    @property
    def rows(self) -> tuple[RowSpec, ...]:
        """The rows of the table; if the file defines none, one for each method."""
        return self.table.rows or tuple(RowSpec(method) for method in self.methods)


def benchmark_folder() -> Path:
    """Return the folder of the benchmarks that are part of relattr."""
    return package_folder("relattr.benchmarks")


def benchmark_names() -> list[str]:
    """Return the names of the benchmarks that are part of relattr."""
    return sorted(path.stem for path in benchmark_folder().glob("*.toml"))


def load_benchmark(name: str) -> Benchmark:
    """Read the benchmark of this name, or in this ``.toml`` file. Its paths are as in the file.

    Raises `UnknownName` for an unknown name, `BadInput` with the file and the field for a definition that is not valid.
    """
    path = Path(name) if name.endswith(".toml") else benchmark_folder() / f"{name}.toml"
    if not name.endswith(".toml") and name not in benchmark_names():
        raise UnknownName("benchmark", name, benchmark_names())
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem) or path.stem in RESERVED_NAMES:
        raise BadInput(
            f"benchmark {path}: files and LaTeX labels are named after it, so its name should consist of letters, "
            f"digits, dots, hyphens and underscores, and not be one of {', '.join(RESERVED_NAMES)}"
        )
    try:
        benchmark = msgspec.toml.decode(read_bytes(path), type=Benchmark)
    except OSError as error:
        raise BadInput(f"cannot read benchmark {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise BadInput(f"benchmark {path} is not valid: {reason}") from error
    seeds = benchmark.seeds
    if not seeds or min(seeds) < 0 or max(seeds) > MAX_SEED or len(set(seeds)) != len(seeds):
        raise BadInput(f"benchmark {path}: seeds must be different integers from 0 to {MAX_SEED}; got {list(seeds)}")
    if not 0 <= benchmark.threads <= MAX_THREADS:
        raise BadInput(f"benchmark {path}: threads must be between 0 and {MAX_THREADS}; got {benchmark.threads}")
    rows = Counter(row.method for row in benchmark.table.rows)
    for method in (method for method, n in rows.items() if n > 1):
        raise BadInput(f"benchmark {path}: table.rows has the method {method} {rows[method]} times; expected one row")
    improvement = benchmark.table.improvement
    for method in (improvement.proposed, *improvement.earlier) if improvement is not None else ():
        if method not in benchmark.methods:
            raise BadInput(f"benchmark {path}: table.improvement names {method}, which is not one of its methods")
    folder = str(path.parent) if name.endswith(".toml") else ""
    return msgspec.structs.replace(benchmark, name=path.stem, folder=folder)
