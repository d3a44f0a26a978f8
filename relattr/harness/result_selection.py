"""Which stored results a user chooses: by shell patterns of methods, datasets and attributes, and by seeds."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from relattr.errors import UnknownName
from relattr.harness.cell import Cell
from relattr.harness.result import Result
from relattr.harness.selection import Selection
from relattr.name_patterns import match_names
from relattr.registry import Registry


@dataclass(frozen=True)
class ResultSelection:
    """A choice of results; an empty field chooses all. It does not depend on which plugins are loaded."""

    methods: Sequence[str] = ()
    """Shell patterns of method names."""
    datasets: Sequence[str] = ()
    """Shell patterns of dataset names."""
    attributes: Sequence[str] = ()
    """Shell patterns of attribute names."""
    seeds: Sequence[int] = ()
    variants: Mapping[str, Collection[str]] | None = None
    """By method: the `variant_key` of each choice of its parameters; None for any parameters."""

    def __bool__(self) -> bool:
        return any(self.options().values()) or self.variants is not None

    def options(self) -> dict[str, Sequence[Any]]:
        """The values of the options of commands that make this choice, by name of the option."""
        return {"methods": self.methods, "datasets": self.datasets, "attributes": self.attributes, "seeds": self.seeds}

    def includes_method(self, name: str) -> bool:
        """Whether results of this method are chosen."""
        return _matches(name, self.methods)

    def includes_attribute(self, name: str) -> bool:
        """Whether results on this attribute are chosen."""
        return _matches(name, self.attributes)

    def includes(self, cell: Cell) -> bool:
        """Whether the result of this cell is chosen."""
        return (
            self.includes_method(cell.method)
            and _matches(cell.dataset, self.datasets)
            and self.includes_attribute(cell.attribute)
            and (not self.seeds or cell.seed in self.seeds)
            and (self.variants is None or variant_key(cell) in self.variants.get(cell.method, ()))
        )

    def require_matches(self, results: Iterable[Result], *, also: Mapping[str, Iterable[object]] | None = None) -> None:
        """Raise `UnknownName`, with similar names, for a pattern that matches nothing, or a seed without a result.

        The names are those of the results, and of ``also`` by kind: ``method``, ``dataset``, ``attribute`` or ``seed``.
        """
        cells = [result.cell for result in results]
        for option, values in self.options().items():
            kind, patterns = option.removesuffix("s"), [str(value) for value in values]
            if patterns:
                names = dict.fromkeys(str(getattr(cell, kind)) for cell in cells)
                names |= dict.fromkeys(map(str, (also or {}).get(kind, ())))
                if not names:
                    raise UnknownName(f"{kind} with results", patterns[0], ())
                match_names(names, patterns, kind)


ALL_RESULTS = ResultSelection()
"""The choice of everything."""


def of_loaded_plugins(selection: Selection, registry: Registry) -> Selection:
    """Return a selection without attributes, and without the patterns that match no loaded plugin.

    These may match results of a plugin that is not loaded, and attributes of which there are results only.
    """
    return replace(
        selection,
        methods=[pattern for pattern in selection.methods if fnmatch.filter(registry.methods, pattern)],
        datasets=[pattern for pattern in selection.datasets if fnmatch.filter(registry.datasets, pattern)],
        attributes=(),
    )


def variant_key(cell: Cell) -> str:
    """Return text that is the same for two cells of one method if and only if it has the same parameters in both."""
    return json.dumps(cell.identifying_parameters, sort_keys=True)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
