"""A benchmark as it is written down: which methods, datasets and seeds, and what its table looks like."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import msgspec

from relattr.errors import BadInput, UnknownName
from relattr.harness.limits import Limits

RESERVED = ("macros", "preamble", "tables")
"""Files that stand beside the tables of every benchmark."""


class RowSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the paper's table: a method, and what the published table calls it."""

    method: str
    published: str = ""


class ColumnSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column: the mean over a dataset's attributes and splits (or one of them), on one of its test sets."""

    label: str
    dataset: str
    attribute: str = "*"
    split: str = "*"
    test: str = "test"
    published: str = ""


class TableSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the table looks like, and where its published numbers are."""

    caption: str
    rows: tuple[RowSpec, ...] = ()
    columns: tuple[ColumnSpec, ...] = ()
    published: str = ""
    source: str = ""


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named matrix of methods, tasks and seeds."""

    title: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    table: TableSpec
    name: str = ""
    description: str = ""
    seeds: tuple[int, ...] = (0,)
    threads: int = 0
    """Processor threads of a cell, so that small cells run beside each other and give the same numbers
    however many processors there are; 0 leaves it to whoever runs them."""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    dataset: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    limits: Limits = Limits()
    """What each cell may use."""
    method_limits: dict[str, Limits] = msgspec.field(default_factory=dict)
    """The same for the methods that match a pattern; wins over ``limits``."""

    @property
    def rows(self) -> tuple[RowSpec, ...]:
        """The rows of its table; where none are written down, one for each method."""
        return self.table.rows or tuple(RowSpec(method) for method in self.methods)


def folder() -> Path:
    """The folder of the benchmarks that come with relattr."""
    spec = importlib.util.find_spec("relattr.benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("relattr.benchmarks is not there; install relattr with 'pip install .' or 'pip install -e .'")
    return Path(next(iter(spec.submodule_search_locations)))


def names() -> list[str]:
    """The names of the benchmarks that come with relattr."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str) -> Benchmark:
    """The benchmark of this name, or in this ``.toml`` file of the user's own.

    Raises `UnknownName` for a name that is not there, `BadInput` naming file and field for a definition
    that is not valid.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise UnknownName("benchmark", name, names())
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem) or path.stem in RESERVED:
        raise BadInput(
            f"benchmark {path}: files and LaTeX labels are called after it, so its name should be of letters, digits, "
            f"dots, hyphens and underscores, and none of {', '.join(RESERVED)}"
        )
    try:
        benchmark = msgspec.toml.decode(path.read_bytes(), type=Benchmark)
    except OSError as error:
        raise BadInput(f"cannot read benchmark {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, BadInput) as error:
        raise BadInput(f"benchmark {path} is not valid: {error}") from error
    if not benchmark.seeds or min(benchmark.seeds) < 0 or len(set(benchmark.seeds)) != len(benchmark.seeds):
        raise BadInput(f"benchmark {path}: seeds must be different integers >= 0; got {list(benchmark.seeds)}")
    if benchmark.threads < 0:
        raise BadInput(f"benchmark {path}: threads must be 0 or more; got {benchmark.threads}")
    return msgspec.structs.replace(benchmark, name=path.stem)
