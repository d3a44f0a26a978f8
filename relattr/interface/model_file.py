"""Saved models: one file with the fitted state of a method and everything needed to use it again, without pickle.

The file is an ``.npz`` archive. Its array `DESCRIPTION` is the text of a JSON object, sealed with a SHA-256, which
names the method and its parameters and has a digest of each other array.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import relattr
from relattr.errors import MAYBE_PLUGIN, BadInput, RelattrError, describe_error
from relattr.interface.changed_code import code_when_loaded
from relattr.interface.model import FitRecord, Model, make_run
from relattr.interface.plugins import Folders, loaded_registry
from relattr.registry import Registry, registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

DESCRIPTION = "relattr model"
"""Name of the array that describes the others."""
FORMAT = 1
"""Version of the format of the file."""
MAX_DESCRIPTION = 64 * 1024**2
"""Bytes of the description at most, with four for each character."""
_OTHER_ARRAYS = "its arrays are not those that were saved"


class _Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The description of a saved model."""

    format: int
    method: str
    parameters: dict[str, Any]
    label: str
    fitted_on: FitRecord
    fingerprints: dict[str, str]
    """Digests of the method's code and of the weights and files that it uses; empty if its code has no file."""
    relattr: str
    """The version of relattr."""
    commit: str
    arrays: dict[str, str]
    """Digest of each array."""


def save_model(model: Model, file: str | os.PathLike[str]) -> None:
    """Write a fitted model to a file, from which `load_model` restores it.

    The file has the name and the parameters of the method, what it has learned, what it was fitted on, and the version
    of the code. Nothing is pickled, and the file is written atomically. Raises `BadInput` if the model is not fitted,
    or has learned something that cannot be stored as an array.

    Examples
    --------
    >>> import relattr, tempfile, pathlib
    >>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "chance.npz"
    >>> save_model(relattr.load_method("chance").fit(task.train), file)
    >>> load_model(file).fitted_on.attribute
    'global'
    """
    import numpy as np

    from relattr.harness.versions import relattr_revision
    from relattr.system.atomic import write_arrays
    from relattr.system.digests import digest_array
    from relattr.system.sealed import seal_record

    if model.fitted_on is None:
        raise BadInput(f"{model.name} is not fitted, so there is nothing to save; call fit(task.train) first")
    arrays = model.method.state_arrays()
    description = _Description(
        format=FORMAT,
        method=model.name,
        parameters=model.parameters,
        label=model.label,
        fitted_on=model.fitted_on,
        fingerprints=_fingerprints(model, registry),
        relattr=relattr.__version__,
        commit=relattr_revision()[0],
        arrays={name: digest_array(array) for name, array in arrays.items()},
    )
    text = seal_record(msgspec.json.encode(description)).decode()
    write_arrays(Path(file), {**arrays, DESCRIPTION: np.array(text)})


def load_model(
    file: str | os.PathLike[str], *, plugins: Folders = (), device: str = "auto", threads: int | None = None
) -> Model:
    """Read a fitted model from a file of `save_model`.

    ``plugins`` are folders with further plugin files (.py), if the method is in one. ``device`` and ``threads`` are
    those with which it is applied; see `Model.fit`.

    Raises `BadInput` if the file is missing or damaged, was not written by `save_model`, is of a later version, or
    names a method or parameter that does not exist here. Warns if the code of the method, or its pretrained weights,
    have changed since it was fitted.
    """
    path = Path(file)
    description = _read_description(path)
    arrays = _read_fitted(path, description)
    loaded_registry(plugins)
    if description.method not in registry.methods:  # a name in a file is not misspelt
        raise BadInput(
            f"{path} was fitted with the method {description.method!r}, and no method here is called so; {MAYBE_PLUGIN}"
        )
    try:
        plugin = registry.method(description.method)
        method = plugin.create(description.parameters)
    except RelattrError as error:
        raise BadInput(f"{path}: {error}") from error
    for name in arrays:
        if name.startswith("_") or hasattr(type(method), name) or name in description.parameters:
            raise BadInput(f"{path} has an array {name!r}, which is not fitted state of {description.method}")
    model = Model(method, plugin.label)
    method.set_run(make_run(description.fitted_on.seed, device, threads))
    try:
        method.restore_arrays(arrays)
    except Exception as error:  # the method may be newer than the file
        raise BadInput(
            f"{path} does not fit the method {description.method} as it is now: {describe_error(error)}"
        ) from error
    model.fitted_on = description.fitted_on
    _warn_about_changes(path, description, model, registry)
    return model


def _read_description(path: Path) -> _Description:
    """The description of the file, which is read before any other array: the file may be no model, or hostile."""
    from relattr.system.sealed import open_sealed

    try:
        text = _read_arrays(path, [DESCRIPTION], MAX_DESCRIPTION)[DESCRIPTION]
    except KeyError:
        text = None
    if text is None or text.ndim or text.dtype.kind != "U":
        raise BadInput(f"{path} is not a saved model: it does not name its method; write it with save_model")
    try:
        values, is_sealed = open_sealed(str(text).encode())
        version = values.get("format")
        if isinstance(version, int) and version > FORMAT:
            raise BadInput(
                f"{path} is a saved model of format {version}, by relattr {values.get('relattr')}; this one, "
                f"{relattr.__version__}, reads format {FORMAT}"
            )
        description = msgspec.convert(values, _Description)
    except BadInput:
        raise
    except (ValueError, msgspec.ValidationError) as error:
        raise BadInput(f"{path} is a damaged saved model: {error}") from error
    if not is_sealed:
        raise BadInput(f"{path} is a damaged saved model: {_OTHER_ARRAYS}")
    return description


def _read_fitted(path: Path, description: _Description) -> dict[str, NDArray[Any]]:
    """The fitted state: all arrays of the file but the description, which names them and has their digests."""
    from relattr.system.digests import digest_array
    from relattr.system.npz import array_names

    with _errors_about(path):
        names = array_names(path)
    if {*names} == {*description.arrays, DESCRIPTION}:
        arrays = _read_arrays(path, description.arrays)
        if {name: digest_array(array) for name, array in arrays.items()} == description.arrays:
            return arrays
    raise BadInput(f"{path} is a damaged saved model: {_OTHER_ARRAYS}")


def _read_arrays(path: Path, names: Iterable[str], max_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """These arrays of the file. Raises KeyError if it does not have one."""
    from relattr.system.npz import read_npz

    with _errors_about(path):
        return read_npz(path, names, max_bytes)


@contextlib.contextmanager
def _errors_about(path: Path) -> Iterator[None]:
    """Raise the errors of reading an ``.npz`` file as `BadInput` with its path."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{path} is not a saved model, or is damaged: {error}") from error


def _fingerprints(model: Model, registry: Registry) -> dict[str, str]:
    """What decides the strengths besides the parameters; empty for a method without a file, defined in a notebook."""
    from relattr.harness.fingerprints import is_recorded, method_fingerprints

    plugin = registry.methods.get(model.name)
    if plugin is None:
        return {}
    try:
        fingerprints = method_fingerprints(plugin, model.parameters)
    except BadInput:
        return {}
    if not is_recorded(fingerprints):
        return {}
    return code_when_loaded(type(model.method), plugin, fingerprints)


def _warn_about_changes(path: Path, description: _Description, model: Model, registry: Registry) -> None:
    from relattr.harness.fingerprints import fingerprint_differences

    current: Mapping[str, str] = _fingerprints(model, registry)
    if not description.fingerprints or not current:
        return
    differences = fingerprint_differences(description.fingerprints, current)
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        warnings.warn(
            f"{path} was fitted with other code or weights of {description.method} ({', '.join(differences[:3])}{more}"
            "); its strengths may differ from those at that time. Fit it again to be sure",
            stacklevel=3,
        )
