"""All laws of one plugin, as checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relattr.check.law import Check, Law
from relattr.errors import UnknownName
from relattr.registry import Registry, registry


def method_laws() -> tuple[Law, ...]:
    """The laws of a method, by name."""
    from relattr.check import methods

    return methods.LAWS


def dataset_laws() -> tuple[Law, ...]:
    """The laws of a dataset, by name."""
    from relattr.check import datasets

    return datasets.LAWS


def method_checks(
    name: str, *, plugins: Iterable[str | Path] = (), values: Mapping[str, Any] | None = None
) -> list[Check]:
    """A check for each law of a method.

    ``plugins`` are folders of plugin files to load first, ``values`` parameters to check it with, over those in
    its ``check_with``.

    Raises `UnknownName` for a method that is not there, or an exemption from a law that is none.
    """
    from relattr.check import methods

    entry = _discovered(plugins).method(name)
    subject = cache(lambda: methods.MethodUnderTest(entry, values))
    return _checks(name, methods.LAWS, subject, entry.cls.exempt)


def dataset_checks(
    name: str, *, plugins: Iterable[str | Path] = (), values: Mapping[str, Any] | None = None
) -> list[Check]:
    """A check for each law of a dataset; see `method_checks`."""
    from relattr.check import datasets

    entry = _discovered(plugins).dataset(name)
    subject = cache(lambda: datasets.DatasetUnderTest(entry, values))
    return _checks(name, datasets.LAWS, subject, entry.cls.exempt)


def _discovered(plugins: Iterable[str | Path]) -> Registry:
    registry.discover([Path(folder) for folder in plugins])
    return registry


def _checks(name: str, laws: Iterable[Law], subject: Any, exempt: Mapping[str, str]) -> list[Check]:
    laws = list(laws)
    made = subject()  # a parameter that it does not have is a mistake of whoever asks, not of the plugin
    made.entry.create(made.values)
    for law in exempt:
        if law not in {known.name for known in laws}:
            raise UnknownName(f"law (in the exemptions of {name})", law, [known.name for known in laws])
    return [Check(law, name, subject, exempt.get(law.name)) for law in laws]
