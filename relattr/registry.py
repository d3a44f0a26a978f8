"""Where methods and datasets register, and how they are found.

Plugins come from three places: the folders ``methods/`` and ``datasets/`` of this project, a folder
given with ``--plugins``, and the entry-point groups ``relattr.methods`` and ``relattr.datasets`` of any
installed package. A broken plugin is kept as a `Broken` with its traceback and breaks no other one.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import BadInput, UnknownName
from relattr.method import Method

M = TypeVar("M", bound=type[Method])
D = TypeVar("D", bound=type[Dataset])
P = TypeVar("P", Method, Dataset)


@dataclass(frozen=True)
class Entry(Generic[P]):
    """One registered plugin: a class under a name, with the parameters that make it this row."""

    name: str
    label: str
    cls: type[P]
    preset: Mapping[str, Any]

    def create(self, overrides: Mapping[str, Any] | None = None) -> P:
        """An instance with the registered parameters, changed by these."""
        made = parameters.create(self.cls, self.kind, self.name, {**self.preset, **(overrides or {})})
        vars(made)["name"] = self.name  # one class may be registered under several names
        return made

    @property
    def types(self) -> dict[str, Any]:
        """The name and type of each of its parameters."""
        return parameters.types_of(self.cls)

    @property
    def kind(self) -> str:
        return "dataset" if issubclass(self.cls, Dataset) else "method"

    @property
    def module(self) -> str:
        return self.cls.__module__

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.cls.__doc__ or "").strip().split("\n")[0]


@dataclass(frozen=True)
class Constant:
    """A row that is only published: shown as such, never run."""

    name: str
    label: str
    reason: str


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be loaded."""

    where: str
    error: str
    trace: str


class Registry:
    """All plugins found so far, by name."""

    def __init__(self) -> None:
        self.methods: dict[str, Entry[Method]] = {}
        self.datasets: dict[str, Entry[Dataset]] = {}
        self.constants: dict[str, Constant] = {}
        self.broken: list[Broken] = []
        self._found: set[str] = set()

    def method(self, name: str) -> Entry[Method]:
        """The method of this name. Raises `UnknownName` with the nearest ones."""
        if name not in self.methods:
            raise UnknownName("method", name, self.methods)
        return self.methods[name]

    def dataset(self, name: str) -> Entry[Dataset]:
        """The dataset of this name. Raises `UnknownName` with the nearest ones."""
        if name not in self.datasets:
            raise UnknownName("dataset", name, self.datasets)
        return self.datasets[name]

    # ------------------------------------------------------------------ finding them

    def discover(self, folders: Iterable[Path] = ()) -> None:
        """Load the plugins of this project, of installed packages, and of these folders; each once."""
        for package in ("relattr.methods", "relattr.datasets"):
            self._discover_package(package)
            for point in importlib.metadata.entry_points(group=package):
                self._load(f"entry point {point.name} = {point.value}", point.load)
        for folder in folders:
            if not folder.is_dir():
                raise BadInput(f"--plugins {folder} is not a folder")
            for path in sorted(folder.glob("*.py")):
                if not path.name.startswith("_"):
                    self._load(str(path.absolute()), lambda path=path: _import_file(path.absolute()))  # type: ignore[misc]

    def _discover_package(self, package: str) -> None:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            raise BadInput(f"{package} is not there; install relattr with 'pip install .' or 'pip install -e .'")
        for module in pkgutil.iter_modules(list(spec.submodule_search_locations)):
            if not module.name.startswith("_"):
                name = f"{package}.{module.name}"
                self._load(name, lambda name=name: importlib.import_module(name))  # type: ignore[misc]

    def _load(self, where: str, load: Callable[[], object]) -> None:
        if where in self._found:
            return
        self._found.add(where)
        before = dict(self.methods), dict(self.datasets), dict(self.constants)
        try:
            load()
        except Exception as error:  # whatever a plugin does wrong is its own failure
            self.methods, self.datasets, self.constants = before
            self.broken.append(Broken(where, f"{type(error).__name__}: {error}", traceback.format_exc()))


def _import_file(path: Path) -> None:
    name = f"relattr_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


registry = Registry()
"""The plugins of this process."""


def _check_name(kind: str, name: str, taken: Mapping[str, Any], new: object) -> None:
    if not name or name != name.strip() or "/" in name or any(ord(c) < 32 for c in name):
        raise BadInput(f"{kind} name {name!r} must be text without '/', control characters or outer spaces")
    if name in taken:
        old = getattr(taken[name], "module", "the published constants")
        raise BadInput(f"two {kind}s are called {name!r}: one in {old}, one in {getattr(new, '__module__', new)}")


def register_method(name: str, *, label: str, **preset: Any) -> Callable[[M], M]:
    """Register a `Method` class under a name, as the row ``label`` of a table.

    ``preset`` are parameters that make it this row; a class may be registered several times.
    """

    def register(cls: M) -> M:
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise BadInput(f"@register_method({name!r}) is for subclasses of relattr.Method, not {cls!r}")
        _check_name("method", name, {**registry.methods, **registry.constants}, cls)
        parameters.create(cls, "method", name, preset)
        registry.methods[name] = Entry(name, label, cls, preset)
        return cls

    return register


def register_constant(name: str, *, label: str, reason: str) -> None:
    """Register a row that is only published, and why it cannot be measured."""
    _check_name("method", name, {**registry.methods, **registry.constants}, "a constant")
    registry.constants[name] = Constant(name, label, reason)


def register_dataset(name: str, *, label: str, **preset: Any) -> Callable[[D], D]:
    """Register a `Dataset` class under a name, shown as ``label``."""

    def register(cls: D) -> D:
        if not (isinstance(cls, type) and issubclass(cls, Dataset)):
            raise BadInput(f"@register_dataset({name!r}) is for subclasses of relattr.Dataset, not {cls!r}")
        _check_name("dataset", name, registry.datasets, cls)
        parameters.create(cls, "dataset", name, preset)
        registry.datasets[name] = Entry(name, label, cls, preset)
        return cls

    return register


def matching(names: Iterable[str], patterns: Iterable[str], kind: str) -> list[str]:
    """The names that match any of these shell patterns, in the order of ``names``.

    Raises `UnknownName` for a pattern that matches none.
    """
    names = list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern)
        if not found:
            raise UnknownName(kind, pattern, names)
        chosen.update(found)
    return [name for name in names if name in chosen]
