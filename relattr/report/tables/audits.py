"""Audits stored with the results, and the leaks they report as notes of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from relattr.audit import ONE_ORIENTATION, RELEASED, TRAINING, VERSION, Audit, Observation, audit_dataset, code_of
from relattr.dataset import Dataset
from relattr.harness.benchmark import Benchmark
from relattr.harness.data_identity import DataIdentity, identify_data
from relattr.harness.result import Result
from relattr.harness.stored_audits import audit_key, audit_keys_of
from relattr.harness.stored_results import StoredResults
from relattr.registry import Registry
from relattr.report.tables import short_notes
from relattr.system.sealed import open_sealed, seal_record


@dataclass(frozen=True)
class NoAudit:
    """Why a dataset has no audit."""

    reason: str
    failed: bool = False
    """Whether the audit raised an exception although the dataset is available: it may have leaks."""


@dataclass(frozen=True)
class LeakNote:
    """A leak as a note for the numbers that it affects."""

    text: str
    places: frozenset[str] = frozenset()
    """Tasks (``dataset/attribute/split``) or their test sets (task, space, name); if empty, all of the dataset."""
    short: str = short_notes.OVERLAP
    """The same in a few words."""

    def affects(self, task: str, test: str) -> bool:
        """Whether a number on this test set is affected; a leak within the training pairs affects the whole task."""
        return not self.places or not self.places.isdisjoint({f"{task} {test}", f"{task} {TRAINING}", task})


def cached_audit(store: StoredResults, dataset: Dataset, *, recompute: bool = False) -> Audit:
    """Return the audit of this version of a dataset and its code.

    It is the one that is stored with the results; if there is none, or ``recompute`` is set, it is computed and stored.
    """
    if dataset.missing() is not None:  # the part of an audit that needs no files is cheap: it is not stored
        return audit_dataset(dataset)
    key = audit_key(dataset.name, identify_data(dataset).dataset_parameters, dataset.fingerprint())
    stored = None if recompute else _read(store, key)
    if stored is not None and stored.code == code_of(dataset):
        return stored
    audit = audit_dataset(dataset)
    store.keep_audit_record(key, seal_record(msgspec.json.encode(audit)))
    return audit


def audit_benchmark(benchmark: Benchmark, registry: Registry, store: StoredResults) -> dict[str, Audit | NoAudit]:
    """Return the audit of each dataset of a benchmark, or why there is none."""
    audits: dict[str, Audit | NoAudit] = {}
    for name in dict.fromkeys(column.dataset for column in benchmark.table.columns):
        if name not in registry.datasets:
            audits[name] = NoAudit(f"no dataset {name} is installed")
            continue
        try:
            dataset = registry.dataset(name).create(benchmark.dataset.get(name, {}))
            missing = dataset.missing()
            if missing is None:
                audits[name] = cached_audit(store, dataset)
            else:
                audits[name] = _stored_with_results(store, name, identify_data(dataset)) or NoAudit(missing)
        except Exception as error:  # an error in a plugin must not prevent the tables
            audits[name] = NoAudit(f"the audit failed: {type(error).__name__}: {error}", failed=True)
    return audits


def audits_for_run(
    benchmark: Benchmark, registry: Registry, store: StoredResults, datasets: Iterable[str]
) -> dict[str, Audit | NoAudit]:
    """Return the audits that a run on these datasets shows: of a user's own data, and others where they are stored.

    Released data is verified by its checksums, and its audit may take longer than the run.
    """
    audits: dict[str, Audit | NoAudit] = {}
    for name in dict.fromkeys(datasets):
        if name not in registry.datasets:
            continue
        try:
            dataset = registry.dataset(name).create(benchmark.dataset.get(name, {}))
            if dataset.missing() is not None:
                continue
            if dataset.location_parameters:
                audits[name] = cached_audit(store, dataset)
                continue
            stored = _read(store, audit_key(name, identify_data(dataset).dataset_parameters, dataset.fingerprint()))
            if stored is not None and stored.code == code_of(dataset):
                audits[name] = stored
        except Exception as error:  # an error in a plugin must not prevent the run
            audits[name] = NoAudit(f"the audit failed: {type(error).__name__}: {error}", failed=True)
    return audits


def leak_notes(audits: Mapping[str, Audit | NoAudit]) -> dict[str, list[LeakNote]]:
    """Return the leaks of each dataset, and the audits that failed, as notes for the numbers in a table."""
    notes: dict[str, list[LeakNote]] = {}
    for name, audit in audits.items():
        if isinstance(audit, Audit):
            # released files are not what is scored: an adapter orients pairs at random and splits them again
            observations = (o for o in audit.observations if not o.kind.startswith(RELEASED))
            notes[name] = [
                LeakNote(f"audit: {o.text}", frozenset(o.places), _short_note(o))
                for o in observations
                if o.severity == "leak"
            ]
        elif audit.failed:
            notes[name] = [LeakNote(audit.reason, short=short_notes.NOT_AUDITED)]
    return notes


def _short_note(leak: Observation) -> str:
    return short_notes.SIDES if leak.kind == ONE_ORIENTATION else short_notes.OVERLAP


def benchmark_leak_notes(benchmark: Benchmark, registry: Registry, store: StoredResults) -> dict[str, list[LeakNote]]:
    """Return the leaks in the datasets of a benchmark, as `leak_notes`."""
    return leak_notes(audit_benchmark(benchmark, registry, store))


def _read(store: StoredResults, key: str) -> Audit | None:
    content = store.audit_record(key)
    if content is None:
        return None
    try:
        record, _ = open_sealed(content)  # older files have no digest
        audit = msgspec.convert(record, Audit)
    except (ValueError, msgspec.ValidationError):
        return None
    return audit if audit.version == VERSION and audit.images else None


def _stored_with_results(store: StoredResults, name: str, data: DataIdentity) -> Audit | None:
    """The stored audit of the data that results were computed on, for a dataset whose files are not available."""
    for result in store:
        if (
            isinstance(result, Result)
            and result.cell.dataset == name
            and result.cell.dataset_parameters == data.dataset_parameters
            and result.cell.location == data.location
        ):
            for key in audit_keys_of(result):
                audit = _read(store, key)
                if audit is not None:
                    return audit
    # results of methods that see no pixels do not identify it
    of_dataset = [
        audit
        for key in store.audit_keys()
        if (audit := _read(store, key)) is not None
        and audit.dataset == name
        and key == audit_key(name, data.dataset_parameters, audit.fingerprint)
    ]
    return of_dataset[0] if len(of_dataset) == 1 and not data.location else None
