"""Whether the stored result of a cell is valid, stale or missing, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from relattr.errors import RelattrError
from relattr.harness.cell import Cell
from relattr.harness.fingerprints import (
    dataset_code_fingerprints,
    dataset_fingerprints,
    differences_without_data,
    fingerprint_differences,
    is_recorded,
    method_fingerprints,
)
from relattr.harness.result import FAILURES, Result
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.needs import needs_of
from relattr.registry import Plugin, Registry

T = TypeVar("T")
State = Literal["done", "missing", "stale", "unreadable", "inaccessible", "failed", "blocked", "skipped", "unverified"]

IN_SESSION = "its code was defined in a Python session and is not recorded, so each run computes it again"
"""Said of a result of which nobody can tell whether its code has changed."""
UNCHECKED = "not compared with the data, which are not on this machine"
"""Said of a stored number of which only the code and the weights can be compared."""


@dataclass(frozen=True)
class CellState:
    """The state of a cell in the store, and the reason for it."""

    state: State
    reason: str
    fingerprints: Mapping[str, str]
    """What decides the cell's result now; empty where it cannot be determined."""
    result: Result | None = None
    """The stored result, valid or stale."""


def look_up_cell(cell: Cell, registry: Registry, store: StoredResults) -> CellState:
    """Read the stored result of a cell and compare its fingerprints with the current ones.

    A number whose data are not on this machine is ``done`` if code and weights are those that it was computed with. An
    error of the cell's plugins makes it ``blocked``, with the error as the reason. Raises `UnknownName` for a
    plugin that is not registered.
    """
    stored = store.read(cell)
    result = stored if isinstance(stored, Result) else None
    method, dataset = registry.method(cell.method), registry.dataset(cell.dataset)
    if isinstance(stored, Unreadable) and stored.inaccessible:
        return CellState("inaccessible", f"{stored.path} cannot be read: {stored.reason}", {})
    cache = _cache_of(registry, store)
    method_key = "method", cell.method, _json(cell.method_parameters)
    dataset_key = "dataset", cell.dataset, _json(cell.all_dataset_parameters)
    try:
        pixels = cache.get(("pixels", *method_key), lambda: method.create(cell.method_parameters).uses_pixels)
        data_key = "pixels" if pixels else "labels", *dataset_key
        unavailable = cache.get(
            ("missing", *data_key), lambda: missing_data(dataset, cell.all_dataset_parameters, pixels=pixels)
        )
        if unavailable is not None:
            if result is None or result.status != "ok":
                return CellState("blocked", unavailable, {}, result)
            code = {
                **cache.get(("code", cell.dataset), lambda: dataset_code_fingerprints(dataset)),
                **cache.get(method_key, lambda: method_fingerprints(method, cell.method_parameters)),
            }
            if differences := differences_without_data(result.fingerprints, code):
                return CellState("stale", f"{', '.join(differences)}; {UNCHECKED}", {}, result)
            return CellState("done", UNCHECKED, {}, result)
        fingerprints = {
            **cache.get(data_key, lambda: dataset_fingerprints(dataset, cell.all_dataset_parameters, pixels=pixels)),
            **cache.get(method_key, lambda: method_fingerprints(method, cell.method_parameters)),
        }
    except Exception as error:  # an unreadable file or a broken plugin blocks its own cells, not the benchmark
        reason = str(error) if isinstance(error, RelattrError) else f"{type(error).__name__}: {error}"
        return CellState("blocked", reason, {}, result)
    if isinstance(stored, Unreadable):
        return CellState("unreadable", f"{stored.path} is not a result: {stored.reason}", fingerprints)
    state, reason = _compare(result, fingerprints)
    if state in ("done", "failed", "skipped"):
        return CellState(state, reason, fingerprints, result)

    def unmet_need() -> str | None:
        needs = (need.missing() for need in needs_of(method.create(cell.method_parameters)))
        return next((need for need in needs if need is not None), None)

    need = cache.get(("needs", *method_key), unmet_need)
    if need is not None:
        state, reason = (state, f"{reason}; {need}") if state in ("stale", "unverified") else ("blocked", need)
    return CellState(state, reason, fingerprints, result)


def _compare(result: Result | None, fingerprints: Mapping[str, str]) -> tuple[State, str]:
    """The state of a result that would have these fingerprints if it were computed now, and the reason."""
    if result is None:
        return "missing", "no result yet"
    if differences := fingerprint_differences(result.fingerprints, fingerprints):
        return "stale", ", ".join(differences)
    if not is_recorded(fingerprints):
        outcome = "" if result.status == "ok" else f"{result.status}: {result.reason}; "
        return "unverified", f"{outcome}{IN_SESSION}"
    if result.status == "ok":
        return "done", ""
    if result.status in FAILURES:
        return "failed", f"{result.status}: {result.reason}"
    # what was missing when the cell was blocked may be available now
    return ("skipped" if result.status == "skipped" else "blocked"), result.reason


def missing_data(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool) -> str | None:
    """Return why a dataset is not available to methods that read images (``pixels``) or only labels; None if it is."""
    instance = dataset.create(values)
    reason: str | None = instance.missing() if pixels else instance.missing_labels()
    return reason


class _Cache:
    """Values that many cells share, such as fingerprints by plugin and parameters; each is computed once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._values: dict[tuple[str, ...], tuple[Any, Exception | None]] = {}

    def get(self, key: tuple[str, ...], compute: Callable[[], T]) -> T:
        """Return the value of this key; an error that ``compute`` raises is stored and raised again."""
        if key not in self._values:
            try:
                self._values[key] = compute(), None
            except Exception as error:
                self._values[key] = None, error
        value: T
        value, failure = self._values[key]
        if failure is not None:
            raise failure.with_traceback(None)
        return value


_caches: WeakKeyDictionary[StoredResults, _Cache] = WeakKeyDictionary()


def _cache_of(registry: Registry, store: StoredResults) -> _Cache:
    """Return the cache that lives as long as this store is open; a new `Store` computes everything again."""
    cache = _caches.get(store)
    if cache is None or cache.registry is not registry:
        cache = _caches[store] = _Cache(registry)
    return cache


def _json(values: Mapping[str, Any]) -> str:
    return msgspec.json.encode(values, order="sorted").decode()
