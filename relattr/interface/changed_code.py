"""Code that is edited while a session runs: changed plugin folders are loaded again, other changes need a restart.

The fingerprint of a result has the digests of the files, so the code in memory must be that in the files.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from relattr.errors import BadInput
from relattr.plugin_files import Stamps, stamps
from relattr.plugin_modules import plugin_packages
from relattr.registry import Plugin, Registry

CHANGED = "changed since it was loaded"
"""Stands for the digest of code whose file is another one now, so that no digest matches."""


class _ImportTimes:
    """A finder that finds no module, and notes when each one is imported or reloaded."""

    def __init__(self) -> None:
        self._installed = time.time_ns()
        self._times: dict[str, int] = {}
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        self._times[name] = time.time_ns()

    def __getitem__(self, module: str) -> int:
        return self._times.get(module, self._installed)


class _Source(NamedTuple):
    """The file of a loaded module."""

    path: str
    stamp: list[int]
    imported: int
    """When it was imported, in ns."""


_import_times = _ImportTimes()
_loaded: dict[str, _Source] = {}
"""By module: its file as it was when the module was loaded."""
_folders: WeakKeyDictionary[ModuleType, Stamps] = WeakKeyDictionary()
"""By package: the source files of a plugin folder as they were when it was loaded."""
_code: WeakKeyDictionary[type, dict[str, str]] = WeakKeyDictionary()
"""By class of a plugin in a folder: the digests of the modules of that folder when it was loaded."""


def load_current_plugins(registry: Registry, folders: Sequence[Path]) -> list[str]:
    """Load all plugins like `Registry.discover`, and those folders again in which a file has changed.

    Returns the packages that were loaded again. Raises `BadInput` if other code that a plugin runs has changed since
    it was loaded.
    """
    from relattr.identity.code import clear_caches, clear_outdated_caches

    clear_outdated_caches()
    changed = set(_changed_modules())
    packages = {name: folder for name, folder in plugin_packages().items() if folder.is_dir()}
    again = [name for name, folder in packages.items() if _has_changed(name, folder, changed)]
    for package in again:
        _remove_byte_code(package, packages[package])
        registry.forget(package)
    if again:
        clear_caches()
    given = [*folders, *(packages[name] for name in again)]
    before = {folder.resolve(): stamps(_sources(folder)) for folder in given}
    registry.discover(given)
    for name, folder in plugin_packages().items():
        if folder in before and sys.modules[name] not in _folders:
            _folders[sys.modules[name]] = before[folder]
            _record_code(name, registry)
    _require_unused(sorted(name for name in changed if name in sys.modules and not _is_in(name, again)), registry)
    for name, source in _project_modules():
        if name not in _loaded or _loaded[name].imported != source.imported:
            _loaded[name] = source
    return again


def code_when_loaded(cls: type, plugin: Plugin[Any], fingerprints: Mapping[str, str]) -> dict[str, str]:
    """The fingerprints of a plugin with the code that ``cls`` has, which may be the class before it was edited."""
    changed = {*_changed_modules()} | ({plugin.module} if cls is not plugin.cls else set())
    loaded = dict.fromkeys(changed, CHANGED) | _code.get(cls, {})
    return {key: loaded.get(key.removeprefix("code "), digest) for key, digest in fingerprints.items()}


def _record_code(package: str, registry: Registry) -> None:
    from relattr.identity import source_digest

    modules = [name for name, _ in _project_modules() if _is_in(name, [package])]
    digests = {name: source_digest(name) for name in modules}
    for plugin in _plugins(registry):
        if plugin.module in digests:
            _code[plugin.cls] = digests


def _plugins(registry: Registry) -> list[Plugin[Any]]:
    return [*registry.methods.values(), *registry.datasets.values()]


def _project_modules() -> Iterator[tuple[str, _Source]]:
    """The loaded modules that have a file and are not of a library."""
    from relattr.identity.code import is_library_file

    for name, module in list(sys.modules.items()):
        values = getattr(module, "__dict__", {})
        path = values.get("__file__")
        if name not in ("__main__", "__mp_main__") and isinstance(path, str) and not is_library_file(path):
            yield name, _Source(path, stamps([path])[path], _import_times[name])


def _changed_modules() -> Iterator[str]:
    """The loaded modules whose file has changed since they were imported, also if they were reloaded."""
    now = time.time_ns()
    for name, source in _project_modules():
        is_later = source.imported < source.stamp[1] < now  # another clock may have set a time in the future
        if is_later or source.stamp != _loaded.get(name, source).stamp:
            yield name


def _has_changed(package: str, folder: Path, changed: Iterable[str]) -> bool:
    """Whether a file of a plugin folder is new, gone or another one, also one that could not be loaded."""
    known = _folders.get(sys.modules[package])
    return any(_is_in(name, [package]) for name in changed) or (known is not None and stamps(_sources(folder)) != known)


def _sources(folder: Path) -> list[str]:
    """The plugins and helpers of a folder. It may be large: other folders in it are not searched."""
    files = {*folder.glob("*.py")}
    for package in folder.glob("*/__init__.py"):
        files |= {*package.parent.rglob("*.py")}
    return sorted(map(str, files))


def _remove_byte_code(package: str, folder: Path) -> None:
    """Python takes byte code for current if the file has the same size and was changed in the same second."""
    loaded = [source.path for name, source in _project_modules() if _is_in(name, [package])]
    for path in {*_sources(folder), *loaded}:
        with contextlib.suppress(OSError, NotImplementedError):
            Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def _require_unused(changed: Sequence[str], registry: Registry) -> None:
    """Raise `BadInput` if a plugin, or the evaluation, runs one of these modules."""
    from relattr.harness.fingerprints import EVALUATION_MODULE
    from relattr.identity.code import project_code

    if not changed:
        return
    used: set[str] = set()
    for module in {EVALUATION_MODULE, *(plugin.module for plugin in _plugins(registry))}:
        with contextlib.suppress(BadInput):  # it has no file: defined in this session
            code = project_code(module)
            reloaded = module in _loaded and _loaded[module].imported != _import_times[module]
            used |= {*code.digests, *code.unresolved} - ({module} if reloaded else set())
    files = [str(vars(sys.modules[name])["__file__"]) for name in changed if name in used]
    if files:
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        raise BadInput(
            f"code has changed since it was imported: {', '.join(files[:3])}{more}; restart Python (in a notebook, the "
            "kernel), or numbers would be of the earlier code"
        )


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)
