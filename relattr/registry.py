"""Where methods and datasets register, and how they are found.

Plugins come from three places: the folders ``methods/`` and ``datasets/`` of this project, a folder
given with ``--plugins``, and the entry-point groups ``relattr.methods`` and ``relattr.datasets`` of any
installed package. A broken plugin is kept as a `Broken` with its traceback and breaks no other one.
A plugin folder is imported as a package, so that its files share helpers: ``from ._helper import ...``.
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.metadata
import importlib.util
import itertools
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Generic, TypeVar

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import BadInput, UnknownName
from relattr.method import Method

M = TypeVar("M", bound=type[Method])
D = TypeVar("D", bound=type[Dataset])
P = TypeVar("P", Method, Dataset)


@dataclass(frozen=True, eq=False)
class Plugin(Generic[P]):
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
    def types(self) -> Mapping[str, Any]:
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
    module: str


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be loaded."""

    where: str
    error: str
    trace: str


class Registry:
    """All plugins found so far, by name."""

    def __init__(self) -> None:
        self.methods: dict[str, Plugin[Method]] = {}
        self.datasets: dict[str, Plugin[Dataset]] = {}
        self.constants: dict[str, Constant] = {}
        self.broken: list[Broken] = []
        self._found: set[str] = set()

    def method(self, name: str) -> Plugin[Method]:
        """The method of this name. Raises `UnknownName` with the nearest ones."""
        if name not in self.methods:
            raise UnknownName("method", name, self.methods)
        return self.methods[name]

    def dataset(self, name: str) -> Plugin[Dataset]:
        """The dataset of this name. Raises `UnknownName` with the nearest ones."""
        if name not in self.datasets:
            raise UnknownName("dataset", name, self.datasets)
        return self.datasets[name]

    @property
    def _tables(self) -> tuple[dict[str, Any], ...]:
        return self.methods, self.datasets, self.constants

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
            self._discover_package(_package_of(folder.resolve()))

    def _discover_package(self, package: str) -> None:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            raise BadInput(f"{package} is not there; install relattr with 'pip install .' or 'pip install -e .'")
        for module in pkgutil.iter_modules(list(spec.submodule_search_locations)):
            if not module.name.startswith("_"):
                name = f"{package}.{module.name}"
                place = Path(getattr(module.module_finder, "path", "")) / module.name
                where = f"{name} ({place if module.ispkg else place.with_name(module.name + '.py')})"
                self._load(where, partial(importlib.import_module, name))

    def _load(self, where: str, load: Callable[[], object]) -> None:
        if where in self._found:
            return
        self._found.add(where)
        before = {id(row) for table in self._tables for row in table.values()}
        try:
            load()
        except (Exception, SystemExit) as error:  # whatever a plugin does wrong is its own failure
            self.broken.append(Broken(where, f"{type(error).__name__}: {error}", traceback.format_exc()))
            # what the failed module itself registered goes; another plugin that it had imported stays
            for table in self._tables:
                for name, row in list(table.items()):
                    if id(row) not in before and not _is_imported(row.module):
                        del table[name]


def _is_imported(module: str) -> bool:
    """Whether a module and the packages it lies in are imported; Python forgets those that failed."""
    parts = module.split(".")
    return all(".".join(parts[: k + 1]) in sys.modules for k in range(len(parts)))


def _package_of(folder: Path) -> str:
    """The name under which a plugin folder is a package; it is the same wherever the folder lies."""
    stem = "relattr_plugins_" + re.sub(r"\W", "_", folder.name)
    for name in itertools.chain([stem], (f"{stem}_{k}" for k in itertools.count(2))):
        if name not in sys.modules:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(folder)]
            sys.modules[name] = importlib.util.module_from_spec(spec)
            importlib.invalidate_caches()  # its files may have just been written
        if list(sys.modules[name].__path__) == [str(folder)]:
            return name
    raise AssertionError("unreachable")


registry = Registry()
"""The plugins of this process."""


def _check_name(kind: str, name: str, taken: Mapping[str, Any], module: str) -> None:
    if not name or name != name.strip() or any(ord(c) < 32 or c in "/=*?[]" for c in name):
        raise BadInput(f"{kind} name {name!r} must be text without / = * ? [ ], control characters or outer spaces")
    if name in taken:
        raise BadInput(f"two {kind}s are called {name!r}: one in {taken[name].module}, one in {module}")


def register_method(name: str, *, label: str, **preset: Any) -> Callable[[M], M]:
    """Register a `Method` class under a name, as the row ``label`` of a table.

    ``preset`` are parameters that make it this row; a class may be registered several times.
    """

    def register(cls: M) -> M:
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise BadInput(f"@register_method({name!r}) is for subclasses of relattr.Method, not {cls!r}")
        _check_name("method", name, {**registry.methods, **registry.constants}, cls.__module__)
        parameters.create(cls, "method", name, preset)
        registry.methods[name] = Plugin(name, label, cls, preset)
        return cls

    return register


def register_constant(name: str, *, label: str, reason: str) -> None:
    """Register a row that is only published, and why it cannot be measured."""
    module = sys._getframe(1).f_globals["__name__"]
    _check_name("method", name, {**registry.methods, **registry.constants}, module)
    registry.constants[name] = Constant(name, label, reason, module)


def register_dataset(name: str, *, label: str, **preset: Any) -> Callable[[D], D]:
    """Register a `Dataset` class under a name, shown as ``label``."""

    def register(cls: D) -> D:
        if not (isinstance(cls, type) and issubclass(cls, Dataset)):
            raise BadInput(f"@register_dataset({name!r}) is for subclasses of relattr.Dataset, not {cls!r}")
        _check_name("dataset", name, registry.datasets, cls.__module__)
        parameters.create(cls, "dataset", name, preset)
        registry.datasets[name] = Plugin(name, label, cls, preset)
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
