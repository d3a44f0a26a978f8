"""The runner tries lost and refused cells again, and blames a cell only for what may be its fault."""

from __future__ import annotations

import msgspec
import pytest

from relattr.cli.run import lost_results
from relattr.dataset import Dataset
from relattr.errors import RelattrError
from relattr.execution import runner as module
from relattr.execution.job import CompletedCell, LostCell, RefusedCell, imports_slowly, preload_by_method
from relattr.execution.runner import Runner
from relattr.harness.cell import Cell
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import record_provenance
from relattr.harness.result import VERSION, Result
from relattr.harness.store import Store, Unreadable
from relattr.method import Method
from relattr.registry import Plugin, Registry
from relattr.registry import registry as built_in

CELLS = [Cell("m", {}, "d", {}, "a", "standard", seed) for seed in range(3)]


def result(cell, **fields):
    provenance = record_provenance("cpu", 1)
    values = {"status": "ok", "fingerprints": {}, "label": "M", "dataset_label": "D", **fields}
    return Result(version=VERSION, cell=cell, provenance=provenance, **values)


@pytest.fixture
def passes():
    """How many outcomes the executor has yielded each time that it was called."""
    return []


@pytest.fixture
def run(tmp_path, monkeypatch, passes):
    """``run(outcomes)``: the messages, and the results after each cell had these outcomes, then completed."""
    registry = Registry()
    registry.methods["m"] = Plugin("m", "M", Method, {})
    registry.datasets["d"] = Plugin("d", "D", Dataset, {})
    monkeypatch.setattr(module, "LOCK_POLL_INTERVAL", 0.0)
    monkeypatch.setattr(module, "preload_by_method", lambda cells, registry: {"m": ()})

    def run(outcomes):
        messages, remaining = [], {seed: list(of_cell) for seed, of_cell in outcomes.items()}
        planned = [PlannedCell(cell, "missing", "", {}) for cell in CELLS]
        store = Store(tmp_path / "results")

        def execute(next_job):
            passes.append(0)
            while (job := next_job()) is not None:
                passes[-1] += 1
                left = remaining.get(job.cell.seed, [])
                yield job, left.pop(0) if left else CompletedCell(msgspec.json.encode(result(job.cell)))

        written = Runner(planned, registry, store, on_message=messages.append).run(execute)
        return messages, {item.cell.seed: item for item in written}

    return run


def test_a_refused_process_is_tried_again_and_counts_for_no_cell(run):
    messages, results = run({1: [RefusedCell("the system refuses another process: EAGAIN")] * 7})
    assert [item.status for item in results.values()] == ["ok"] * 3
    assert results[1].attempts == 1
    assert "EAGAIN; it is tried again" in messages[0]


def test_a_run_stops_if_all_processes_are_refused_for_long(run, monkeypatch):
    monkeypatch.setattr(module, "REFUSAL_PATIENCE", 0.05)
    refused = [RefusedCell("EAGAIN")] * 100_000
    with pytest.raises(RelattrError, match="has refused new processes for"):
        run(dict.fromkeys(range(3), refused))


def test_the_last_words_of_a_lost_supervisor_are_in_the_row(run):
    lost = LostCell("its supervisor failed: ValueError: x", 2, traceback="Traceback ...\nValueError: x")
    _, results = run({0: [lost] * 2, 2: [LostCell("its supervisor died")] * 4})
    assert results[0].status == "crashed"
    assert results[0].reason == "its supervisor failed: ValueError: x, 2 times in a row"
    assert results[0].traceback == lost.traceback
    assert (results[2].status, results[2].attempts) == ("ok", 5)


def test_a_lost_cell_runs_again_without_waiting_for_the_others(run, passes):
    _, results = run({0: [LostCell("its worker was lost")] * 2})
    assert passes == [5]
    assert {seed: item.attempts for seed, item in results.items()} == {0: 3, 1: 1, 2: 1}


def test_a_refused_cell_waits_until_the_executor_has_no_other(run, passes):
    run({0: [RefusedCell("EAGAIN")]})
    assert passes == [3, 1]


def test_a_lost_cell_may_have_another_status(run):
    _, results = run({0: [LostCell("took longer than its limit of 3s", 1, "timeout")]})
    assert (results[0].status, results[0].reason) == ("timeout", "took longer than its limit of 3s")


@pytest.mark.parametrize("row", [b"", b"{}", b"[" * 100_000, b'{"version": 1}', b"\xff"])
def test_an_unreadable_row_is_a_crashed_cell(run, row):
    _, results = run({1: [CompletedCell(row)]})
    assert {seed: item.status for seed, item in results.items()} == {0: "ok", 1: "crashed", 2: "ok"}
    assert "sent no readable result" in results[1].reason


def test_results_that_are_not_on_disk_at_the_end_are_lost(tmp_path):
    store = Store(tmp_path)
    written = [result(cell, fingerprints={"data": "now"}) for cell in CELLS]
    planned = [PlannedCell(cell, "missing", "", {"data": "now"}) for cell in CELLS]

    def lost(*stored):
        return lost_results(planned, dict(zip([c.key for c in CELLS], stored, strict=True)), written)

    for item in written:
        store.write(item)
    assert lost(*(store.read(cell) for cell in CELLS)) == {}
    other = result(CELLS[1], fingerprints={"data": "other"})
    same = msgspec.structs.replace(written[2], seconds=99.0)  # by another run, on the same code and data
    reasons = lost(None, other, same)
    assert set(reasons) == {CELLS[0].key, CELLS[1].key}
    assert reasons[CELLS[0].key] == "its result was stored and is not there any more"
    assert reasons[CELLS[1].key] == "its result was overwritten by that of another run: data changed"
    reasons = lost(Unreadable(tmp_path, "truncated"), Unreadable(tmp_path, "EIO", inaccessible=True), written[2])
    assert "is not a result: truncated" in reasons[CELLS[0].key]
    assert "cannot be read: EIO" in reasons[CELLS[1].key]


def test_cells_run_by_method_and_light_ones_first(tmp_path, monkeypatch):
    registry = Registry()
    registry.datasets["d"] = Plugin("d", "D", Dataset, {})
    for name in ("network", "chance", "linear"):
        registry.methods[name] = Plugin(name, name, Method, {})
    modules = {"network": ("torch", "x"), "chance": ("numpy",), "linear": ("torch", "x")}
    monkeypatch.setattr(module, "preload_by_method", lambda cells, registry: modules)
    cells = [Cell(name, {}, "d", {}, attribute, "standard", 0) for attribute in "ab" for name in modules]
    planned = [PlannedCell(cell, "missing", "", {}) for cell in cells]
    order = []

    def execute(next_job):
        while (job := next_job()) is not None:
            order.append((job.cell.method, job.cell.attribute, job.preload))
            yield job, CompletedCell(msgspec.json.encode(result(job.cell)))

    Runner(planned, registry, Store(tmp_path), on_message=print).run(execute)
    methods = ["chance", "network", "linear"]
    assert order == [(name, attribute, modules[name]) for name in methods for attribute in "ab"]


def test_a_light_method_preloads_no_slow_package():
    built_in.discover()
    cells = [Cell(name, {}, "glyphs", {}, "global", "standard", 0) for name in ("chance", "siamese-alexnet")]
    modules = preload_by_method([PlannedCell(cell, "missing", "", {}) for cell in cells], built_in)
    assert not imports_slowly(modules["chance"])
    assert {"numpy", "relattr.datasets.glyphs.drawing"} <= set(modules["chance"])
    assert {"torch", "relattr.datasets.glyphs"} <= set(modules["siamese-alexnet"])
