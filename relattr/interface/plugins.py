"""Methods, datasets and benchmarks by name: `list_methods`, `load_method`, `load_dataset` and the like."""

from __future__ import annotations

import fnmatch
import os
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, near_names
from relattr.interface.changed_code import load_current_plugins
from relattr.registry import Registry, registry

if TYPE_CHECKING:
    from relattr.interface.loaded_dataset import LoadedDataset
    from relattr.interface.model import Model

Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""One folder of plugins, or several."""

_warned: set[str] = set()


def list_methods(pattern: str = "*", *, plugins: Folders = ()) -> list[str]:
    """The names of the methods that match a shell pattern, in alphabetical order.

    ``plugins`` are folders with further plugin files (.py). Raises `BadInput` if one of them does not exist.

    Examples
    --------
    >>> list_methods("ranksvm-hog*")
    ['ranksvm-hog2x2']
    """
    return _matching(loaded_registry(plugins).methods, pattern)


def list_datasets(pattern: str = "*", *, plugins: Folders = ()) -> list[str]:
    """The names of the datasets that match a shell pattern, in alphabetical order.

    A dataset is listed whether or not its files are on this machine; see `LoadedDataset.is_available`. ``plugins`` as
    in `list_methods`.

    Examples
    --------
    >>> list_datasets("glyphs*")
    ['glyphs', 'glyphs-aligned']
    """
    return _matching(loaded_registry(plugins).datasets, pattern)


def list_benchmarks(pattern: str = "*") -> list[str]:
    """The names of the benchmarks that match a shell pattern, in alphabetical order.

    Examples
    --------
    >>> list_benchmarks("table[12]")
    ['table1', 'table2']
    """
    from relattr.harness.benchmark import benchmark_names

    return _matching(benchmark_names(), pattern)


def load_method(name: str, *, plugins: Folders = (), **parameters: Any) -> Model:
    """A method of this name with these parameters, to be fitted.

    Parameters
    ----------
    name : str
        One of `list_methods`.
    plugins : path or sequence of paths
        Folders with further plugin files (.py).
    **parameters
        Parameters of the method; those that are not given have their defaults, see `Model.parameters`. A relative path
        of a file means the same file when the working folder changes later.

    Raises `UnknownName` for a method or parameter that does not exist, with suggestions, and `BadInput` for a value
    that is not valid.

    Examples
    --------
    >>> load_method("ranksvm-hog2x2", C=1.0).parameters
    {'C': 1.0, 'loss': 'squared_hinge', 'words': 256}
    """
    from relattr.interface.model import Model

    plugin = loaded_registry(plugins).method(name)
    return Model(plugin.create(_fixed_paths(parameters, plugin.cls.file_parameters)), plugin.label)


def load_dataset(name: str, *, plugins: Folders = (), **parameters: Any) -> LoadedDataset:
    """The dataset of this name with these parameters, such as ``path`` for your own photographs.

    Parameters
    ----------
    name : str
        One of `list_datasets`. The images of ``glyphs`` are drawn; ``relattr data fetch NAME`` in a terminal downloads
        the files of other datasets. ``folder`` is for your own images (docs/folder.md).
    plugins : path or sequence of paths
        Folders with further plugin files (.py).
    **parameters
        Parameters of the dataset. A relative path means the same file when the working folder changes later.

    Raises `UnknownName` for a dataset or parameter that does not exist, with suggestions, and `BadInput` for a value
    that is not valid, or a path in place of the name.

    Examples
    --------
    >>> load_dataset("glyphs", n_train=50, n_test=40).attributes
    ['global', 'local', 'multiscale', 'category']
    """
    from relattr.interface.loaded_dataset import LoadedDataset

    known = loaded_registry(plugins)
    _refuse_path(name, known.datasets)
    plugin = known.dataset(name)
    return LoadedDataset(plugin.create(_fixed_paths(parameters, plugin.cls.location_parameters)), plugin.label)


def loaded_registry(plugins: Folders = ()) -> Registry:
    """The registry of this process with all plugins loaded, those in the folders ``plugins`` included.

    A plugin folder in which code has changed is loaded again. Warns once about each plugin that could not be loaded.
    Raises `BadInput` if a folder does not exist, or other code of a plugin has changed since it was loaded.
    """
    for package in load_current_plugins(registry, plugin_folders(plugins)):
        _warned.difference_update([where for where in _warned if where.startswith(f"{package}.")])
    for plugin in registry.broken:
        if plugin.where not in _warned:
            _warned.add(plugin.where)
            text = f"plugin {plugin.where} could not be loaded and is left out: {plugin.error}"
            warnings.warn(text, stacklevel=3)
    return registry


def plugin_folders(plugins: Folders) -> list[Path]:
    """The folders of plugins as paths. Raises `BadInput` if one does not exist."""
    given = [plugins] if isinstance(plugins, (str, os.PathLike)) else plugins
    folders = [Path(folder) for folder in given]
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"plugins: {folder} is not a folder")
    return folders


def _refuse_path(name: object, known: Collection[str]) -> None:
    """Raise `BadInput`, with how to open own photographs, for a path in place of the name of a dataset."""
    if not isinstance(name, (str, os.PathLike)) or name in known:
        return
    if isinstance(name, os.PathLike) or os.path.exists(name):
        near = near_names(name, known) if isinstance(name, str) else []  # a folder may be called almost as a dataset
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise BadInput(
            f"load_dataset takes the name of a dataset, not a path; {meant}for your own photographs: "
            f"load_dataset('folder', path={os.fspath(name)!r})"
        )


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))


def _fixed_paths(parameters: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The parameters with text in place of path objects, where those called ``names`` are paths.

    Files are read when they are needed. Relative paths that exist now become absolute: a program that changes its
    working folder would otherwise read other files of the same names, without an error.
    """
    from relattr.harness.file_identity import absolute_paths

    plain = {key: _plain(value) for key, value in parameters.items()}
    return {key: absolute_paths(value) if key in names else value for key, value in plain.items()}


def _plain(value: Any) -> Any:
    """Text in place of a path object, also in a list."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
