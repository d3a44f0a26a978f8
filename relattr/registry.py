"""The registry of methods and datasets: what plugins register, and the loading of all plugins into it.

A plugin that fails to load is recorded as a `BrokenPlugin` with its traceback and does not affect the others.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Generic, Protocol, TypeVar

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import MAYBE_PLUGIN, BadInput, UnknownName, clean_text, describe_error, shortened
from relattr.method import Method
from relattr.plugin_modules import Candidate, find_plugins, forget_modules, is_imported
from relattr.system.unchanged import unchanged_package, unchanged_process

DECIDES_RESULTS = False

M = TypeVar("M", bound=type[Method])
D = TypeVar("D", bound=type[Dataset])
P = TypeVar("P", Method, Dataset)


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a plugin was registered: the module, and the code that called the decorator."""

    module: str
    code: CodeType
    """Compiled anew when a cell of a notebook runs again and when a module is reloaded."""

    @classmethod
    def of_caller(cls) -> Registration:
        """That of the caller of the function that calls this."""
        frame = sys._getframe(2)
        return cls(str(frame.f_globals.get("__name__")), frame.f_code)

    def is_run_again(self, other: Registration) -> bool:
        """Whether ``other`` is another run of the same cell or module, perhaps edited, and not a second definition."""
        if self.code is other.code or self.module != other.module:
            return False
        return self.module == "__main__" or self.code.co_filename == other.code.co_filename


@dataclass(frozen=True, eq=False)
class Plugin(Generic[P]):
    """One registered plugin: a class, the name it is registered under, and its preset parameters."""

    name: str
    label: str
    cls: type[P]
    preset: Mapping[str, Any]
    description: str = ""
    origin: Registration | None = None

    def create(self, overrides: Mapping[str, Any] | None = None) -> P:
        """An instance with the preset parameters, some of them overridden."""
        if _creation_hook is not None:
            _creation_hook.before_creation(self, overrides or {})
        instance = parameters.create_plugin(self.cls, self.kind, self.name, {**self.preset, **(overrides or {})})
        vars(instance)["name"] = self.name  # one class may be registered under several names
        if _creation_hook is not None:
            _creation_hook.after_creation(self, instance)
        return instance

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
    def place(self) -> str:
        """The module and the class."""
        return _place(self.cls)

    @property
    def summary(self) -> str:
        """One line about it: the ``summary`` it was registered with, or the first line of its docstring."""
        text = self.description or (self.cls.__doc__ or "").strip().split("\n")[0]
        return clean_text(text, 1000)


class CreationHook(Protocol):
    """What is called whenever a plugin is created."""

    def before_creation(self, plugin: Plugin[Any], values: Mapping[str, Any]) -> None:
        """Called with the parameters to override; may raise an exception, and the plugin is not created."""

    def after_creation(self, plugin: Plugin[Any], instance: Any) -> None:
        """Called with the new instance."""


_creation_hook: CreationHook | None = None


def set_creation_hook(hook: CreationHook | None) -> None:
    """Call ``hook`` whenever a plugin is created from now on; None: no longer."""
    global _creation_hook
    _creation_hook = hook


def creation_hook() -> CreationHook | None:
    """What `set_creation_hook` has set."""
    return _creation_hook


@dataclass(frozen=True)
class Constant:
    """A published row that cannot be measured: tables show the published numbers, and it is never run."""

    name: str
    label: str
    reason: str
    module: str
    origin: Registration | None = None

    @property
    def place(self) -> str:
        """The module that registered it."""
        return self.module


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that failed to load: where it is, the error in one line, and the traceback."""

    where: str
    error: str
    trace: str


class Registry:
    """All plugins loaded so far, by name."""

    def __init__(self) -> None:
        self.methods: dict[str, Plugin[Method]] = {}
        self.datasets: dict[str, Plugin[Dataset]] = {}
        self.constants: dict[str, Constant] = {}
        self.broken: list[BrokenPlugin] = []
        self.left_out: list[str] = []
        """The places of plugins that must not be imported; see `leave_out`."""
        self._loaded: set[str] = set()

    def method(self, name: str) -> Plugin[Method]:
        """The method of this name. Raises `UnknownName`, which suggests similar names."""
        if name not in self.methods:
            raise UnknownName("method", name, self.methods, MAYBE_PLUGIN)
        return self.methods[name]

    def dataset(self, name: str) -> Plugin[Dataset]:
        """The dataset of this name. Raises `UnknownName`, which suggests similar names."""
        if name not in self.datasets:
            raise UnknownName("dataset", name, self.datasets, MAYBE_PLUGIN)
        return self.datasets[name]

    @property
    def is_empty(self) -> bool:
        """Whether no plugin has been registered or loaded yet."""
        return not self._loaded and not any(self._tables)

    @property
    def _tables(self) -> tuple[dict[str, Any], ...]:
        return self.methods, self.datasets, self.constants

    def discover(
        self,
        folders: Iterable[Path] = (),
        *,
        skip: Container[str] = (),
        announce: Callable[[str], None] = lambda where: None,
    ) -> None:
        """Load the plugins of this project, of installed packages, and of these folders, each once.

        Plugins whose place (`BrokenPlugin.where`) is in ``skip`` are left out. ``announce`` is called with the place of
        each plugin before it is imported.
        """
        for where, load in self.candidates(folders):
            if where not in skip:
                announce(where)
                self.load([(where, load)])

    def load(self, candidates: Iterable[Candidate]) -> None:
        """Import these plugins, each once. One whose import raises an exception is recorded as broken."""
        for where, load in candidates:
            self._load(where, load)

    def candidates(self, folders: Iterable[Path] = ()) -> list[Candidate]:
        """The place of each plugin that has not been loaded, and what imports it. Nothing is imported here."""
        return [(where, load) for where, load in find_plugins(folders) if where not in self._loaded]

    def forget(self, package: str) -> None:
        """Remove the plugins and the modules of a plugin folder, so that `discover` loads them again."""
        for table in self._tables:
            for name in [name for name, row in table.items() if _is_registered_in(row, package)]:
                del table[name]
        self._loaded = {where for where in self._loaded if not where.startswith(f"{package}.")}
        self.broken = [plugin for plugin in self.broken if not plugin.where.startswith(f"{package}.")]
        forget_modules(package)

    def leave_out(self, where: str, error: str) -> None:
        """Record a plugin as broken that must not be imported in this process."""
        self._loaded.add(where)
        self.left_out.append(where)
        self.broken.append(BrokenPlugin(where, error, error))

    def _load(self, where: str, load: Callable[[], object]) -> None:
        if where in self._loaded:
            return
        self._loaded.add(where)
        before = {id(row) for table in self._tables for row in table.values()}
        try:
            is_own = where.startswith(("relattr.methods.", "relattr.datasets."))
            with contextlib.nullcontext() if is_own else unchanged_package("relattr"), unchanged_process():
                load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an error in a plugin must not affect the others; pytest.skip is no Exception
            self.broken.append(BrokenPlugin(where, describe_error(error), clean_text(traceback.format_exc(), 50_000)))
            # remove what the failed module itself registered, but not the plugins that it imported successfully
            for table in self._tables:
                for name, row in list(table.items()):
                    if id(row) not in before and not is_imported(row.module):
                        del table[name]


def _is_registered_in(row: Any, package: str) -> bool:
    """Whether a module of this package registered a plugin, whose class may be of another one."""
    module = row.module if row.origin is None else row.origin.module
    return f"{module}.".startswith(f"{package}.")


registry = Registry()
"""The registry of this process, to which the decorators add plugins."""


def _check_text(kind: str, what: str, text: Any) -> None:
    """Raise `BadInput` unless this is text that can be written as UTF-8."""
    if not isinstance(text, str):
        raise BadInput(f"the {what} of a {kind} must be a string; got {shortened(repr(text))}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"the {what} of a {kind} cannot be written as UTF-8: {text!r}") from None


def _others(table: Mapping[str, Any], name: str, place: str, origin: Registration) -> Mapping[str, Any]:
    """The table without this plugin, if it is registered again: a cell of a notebook run again, a module reloaded."""
    row = table.get(name)
    if row is None or row.origin is None or row.place != place or not row.origin.is_run_again(origin):
        return table
    return {key: other for key, other in table.items() if key != name}


def _check_name(kind: str, name: str, taken: Mapping[str, Any], place: str) -> None:
    _check_text(kind, "name", name)
    if not name or name != name.strip() or any(ord(c) < 32 or c in "/=*?[]" for c in name):
        raise BadInput(
            f"{kind} name {name!r} is not valid: it must not be empty, start or end with a space, or contain "
            "/ = * ? [ ] or control characters"
        )
    if name in taken:
        advice = (
            "rename one, or restart Python to forget the first"
            if place.partition(".")[0] == "__main__"
            else "rename one"
        )
        raise BadInput(f"two {kind}s are called {name!r}: one is {taken[name].place}, one is {place}; {advice}")


def _place(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def register_method(name: str, *, label: str, summary: str = "", **preset: Any) -> Callable[[M], M]:
    """Class decorator that registers a `Method`.

    ``name`` identifies it on the command line and in results, ``label`` is its row in tables, and ``summary`` is its
    line in ``relattr list`` (by default the first line of the docstring). ``preset`` sets parameters of the class,
    which may be registered several times with different ones.

    A class that is defined again, as when a cell of a notebook is run again or its module is reloaded, replaces the
    earlier one. Raises `BadInput` for the name of another method.
    """
    origin = Registration.of_caller()

    def register(cls: M) -> M:
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise BadInput(f"@register_method({name!r}) is for subclasses of relattr.Method, not {cls!r}")
        others = _others(registry.methods, name, _place(cls), origin)
        _check_name("method", name, {**others, **registry.constants}, _place(cls))
        _check_text("method", "label", label)
        _check_text("method", "summary", summary)
        parameters.create_plugin(cls, "method", name, preset)
        registry.methods[name] = Plugin(name, label, cls, preset, summary, origin)
        return cls

    return register


def register_constant(name: str, *, label: str, reason: str) -> None:
    """Register a published row that cannot be measured, with the reason."""
    origin = Registration.of_caller()
    others = _others(registry.constants, name, origin.module, origin)
    _check_name("method", name, {**registry.methods, **others}, origin.module)
    _check_text("method", "label", label)
    _check_text("method", "reason", reason)
    registry.constants[name] = Constant(name, label, reason, origin.module, origin)


def register_dataset(name: str, *, label: str, summary: str = "", **preset: Any) -> Callable[[D], D]:
    """Class decorator that registers a `Dataset`; see `register_method`."""
    origin = Registration.of_caller()

    def register(cls: D) -> D:
        if not (isinstance(cls, type) and issubclass(cls, Dataset)):
            raise BadInput(f"@register_dataset({name!r}) is for subclasses of relattr.Dataset, not {cls!r}")
        _check_name("dataset", name, _others(registry.datasets, name, _place(cls), origin), _place(cls))
        _check_text("dataset", "label", label)
        _check_text("dataset", "summary", summary)
        parameters.create_plugin(cls, "dataset", name, preset)
        registry.datasets[name] = Plugin(name, label, cls, preset, summary, origin)
        return cls

    return register
