"""Parameters of plugins: annotated class attributes with defaults, validated when they are set."""

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

from relattr.bounds import MAX_SEED
from relattr.errors import BadInput, UnknownName, shortened
from relattr.system.text import is_utf8

T = TypeVar("T")
Value = bool | int | float | str | None | list[Any] | tuple[Any, ...]


_types: WeakKeyDictionary[Any, Mapping[str, Any]] = WeakKeyDictionary()
"""Cache by class: evaluating type hints takes a millisecond, and a plan needs them for every cell."""


def types_of(cls: Any) -> Mapping[str, Any]:
    """The name and type of each parameter of a plugin class."""
    if cls not in _types:
        hints = typing.get_type_hints(cls)
        _types[cls] = MappingProxyType({f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init})
    return _types[cls]


def create_plugin(cls: type[T], kind: str, name: str, values: Mapping[str, Any]) -> T:
    """An instance of a plugin class with these parameters.

    A string for a parameter of another type is converted: "2" to a float, "true" to a bool. Raises `UnknownName` for an
    unknown parameter, and `BadInput` for a value of the wrong type or a parameter without default and value.
    """
    types = types_of(cls)
    checked = {}
    for key, value in values.items():
        if key not in types:
            raise UnknownName(f"parameter of {kind} {name}", key, types)
        try:
            checked[key] = _convert(value, types[key])
        except msgspec.ValidationError as error:
            choices = choices_of(types[key])
            problem = f"expected {choices}" if choices else error
            raise BadInput(f"{kind} {name}: {key}={shortened(repr(value))} is not valid: {problem}") from None
        if not _fits(checked[key]):
            raise BadInput(f"{kind} {name}: {key} is not valid: an integer can be at most {MAX_SEED} in absolute value")
        if not _is_unicode(checked[key]):
            raise BadInput(
                f"{kind} {name}: {key}={shortened(repr(value))} is not valid: results, which are JSON, hold UTF-8 text "
                "only; rename the file or folder, or make a link to it"
            )
        if not _is_finite(checked[key]):  # JSON, the format of results, has no other numbers
            raise BadInput(f"{kind} {name}: {key}={shortened(repr(value))} is not valid: expected a finite number")
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and no_default and field.name not in checked:
            raise BadInput(f"{kind} {name}: the parameter {field.name} has no default and no value")
    return cls(**checked)


def choices_of(kind: Any) -> str:
    """``one of a, b``, or ``a number or a``, for the type of a parameter that takes certain words; else empty."""
    words: list[str] = []
    has_number = False
    for part in (kind, *typing.get_args(kind)):
        if typing.get_origin(part) is typing.Literal:
            words += [str(word) for word in typing.get_args(part) if str(word) not in words]
        has_number |= part in (int, float)
    if not words:
        return ""
    return f"a number or {' or '.join(words)}" if has_number else f"one of {', '.join(words)}"


def values_of(plugin: Any) -> dict[str, Any]:
    """The parameters of an instance, as values that survive a round trip through JSON: tuples become lists."""
    return {key: _plain(msgspec.to_builtins(getattr(plugin, key))) for key in types_of(type(plugin))}


def changed_parameters(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """``name=value`` of each value that differs from the default, sorted by name."""
    return [f"{key}={value}" for key, value in sorted(values.items()) if defaults.get(key) != value]


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class UnparsedValue(str):
    """The value of ``key=value`` on the command line: parsed as JSON if the parameter accepts the result, else text."""

    __slots__ = ()


def _convert(value: Any, kind: Any) -> Any:
    """Convert a value to this type. Raises `msgspec.ValidationError`."""
    if isinstance(value, UnparsedValue):
        value = str(value)
        # text such as a folder called 2024, or brackets without end
        with contextlib.suppress(ValueError, RecursionError, msgspec.ValidationError):
            parsed = json.loads(value)
            return msgspec.convert(parsed, kind, strict=not isinstance(parsed, str))
    return msgspec.convert(value, kind, strict=not isinstance(value, str))


def _fits(value: Any) -> bool:
    """Whether all integers fit into 64 bits, as in messages and files."""
    if isinstance(value, (list, tuple)):
        return all(_fits(item) for item in value)
    return not isinstance(value, int) or abs(value) <= MAX_SEED


def _is_unicode(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_unicode(item) for item in value)
    return not isinstance(value, str) or is_utf8(value)


def _is_finite(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
