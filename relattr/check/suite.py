"""All laws of a plugin, as checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relattr.check.law import Check, Law
from relattr.errors import UnknownName
from relattr.registry import Registry, registry


def method_laws() -> tuple[Law, ...]:
    """The laws of methods."""
    from relattr.check import methods

    return methods.LAWS


def dataset_laws() -> tuple[Law, ...]:
    """The laws of datasets."""
    from relattr.check import datasets

    return datasets.LAWS


def method_checks(
    name: str, *, plugins: Iterable[str | Path] = (), values: Mapping[str, Any] | None = None
) -> list[Check]:
    """One check for each law of methods, for the method of this name.

    ``plugins`` are folders of plugin files to load first. ``values`` are parameters to check the method with; they
    take precedence over its ``check_with``.

    Raises `UnknownName` for an unknown method, or if its ``exempt`` names an unknown law.
    """
    from relattr.check import methods

    plugin = _discovered(plugins).method(name)
    subject = cache(lambda: methods.MethodUnderTest(plugin, values))
    return _checks(name, methods.LAWS, subject, plugin.cls.exempt)


def dataset_checks(
    name: str, *, plugins: Iterable[str | Path] = (), values: Mapping[str, Any] | None = None
) -> list[Check]:
    """One check for each law of datasets, for the dataset of this name; see `method_checks`."""
    from relattr.check import datasets

    plugin = _discovered(plugins).dataset(name)
    subject = cache(lambda: datasets.DatasetUnderTest(plugin, values))
    return _checks(name, datasets.LAWS, subject, plugin.cls.exempt)


def _discovered(plugins: Iterable[str | Path]) -> Registry:
    registry.discover([Path(folder) for folder in plugins])
    return registry


def _checks(name: str, laws: Iterable[Law], subject: Any, exempt: Mapping[str, str]) -> list[Check]:
    laws = list(laws)
    under_test = subject()
    under_test.plugin.create(under_test.values)  # an unknown parameter is the caller's error, not a broken law
    known = [law.name for law in laws]
    for law_name in exempt:
        if law_name not in known:
            raise UnknownName(f"law (in the exemptions of {name})", law_name, known)
    return [Check(law, name, subject, exempt.get(law.name)) for law in laws]
