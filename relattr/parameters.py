"""Parameters of plugins: typed class attributes with defaults, checked when they are set."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from relattr.errors import BadInput, UnknownName

T = TypeVar("T")
Value = bool | int | float | str | None | list[Any] | tuple[Any, ...]


_types: WeakKeyDictionary[Any, Mapping[str, Any]] = WeakKeyDictionary()
"""Of each class that was asked for: evaluating its hints takes a millisecond, and a plan asks for every cell."""


def types_of(cls: Any) -> Mapping[str, Any]:
    """Name and type of each parameter of a plugin class."""
    if cls not in _types:
        hints = typing.get_type_hints(cls)
        _types[cls] = MappingProxyType({f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init})
    return _types[cls]


def create(cls: type[T], kind: str, name: str, values: Mapping[str, Any]) -> T:
    """An instance of a plugin class with these parameters.

    Text for a parameter that is not text is read as such: "2" for a float, "true" for a bool. Raises
    `UnknownName` for a parameter it does not have, `BadInput` for a value of the wrong type and for a
    parameter without a value.
    """
    types = types_of(cls)
    checked = {}
    for key, value in values.items():
        if key not in types:
            raise UnknownName(f"parameter of {kind} {name}", key, types)
        try:
            checked[key] = _read(value, types[key])
        except msgspec.ValidationError as error:
            raise BadInput(f"{kind} {name}: {key}={value!r} is not valid: {error}") from None
        if not _is_finite(checked[key]):  # JSON, which rows are kept as, has no such number
            raise BadInput(f"{kind} {name}: {key}={value!r} is not valid: expected a finite number")
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and no_default and field.name not in checked:
            raise BadInput(f"{kind} {name}: the parameter {field.name} has no default and no value")
    return cls(**checked)


def values_of(plugin: Any) -> dict[str, Any]:
    """The parameters of an instance, as values that JSON gives back as they were: a tuple is a list."""
    return {key: _plain(msgspec.to_builtins(getattr(plugin, key))) for key in types_of(type(plugin))}


def changes(values: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """``name=value`` of each that is not the usual one, by name."""
    return [f"{key}={value}" for key, value in sorted(values.items()) if usual.get(key) != value]


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class Typed(str):
    """The value in ``key=value`` of a command line: JSON where its parameter takes what that says, else the text."""

    __slots__ = ()


def _read(value: Any, kind: Any) -> Any:
    """The value as one of this type. Raises `msgspec.ValidationError`."""
    if isinstance(value, Typed):
        value = str(value)
        with contextlib.suppress(ValueError, msgspec.ValidationError):  # a folder may be called 2024
            parsed = json.loads(value)
            return msgspec.convert(parsed, kind, strict=not isinstance(parsed, str))
    return msgspec.convert(value, kind, strict=not isinstance(value, str))


def _is_finite(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
