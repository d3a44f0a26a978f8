"""The default number of parallel cells, and the threads and memory of each."""

from __future__ import annotations

import json

import pytest

from relattr.errors import BadInput
from relattr.execution import resources
from relattr.harness.machine import machine_memory
from relattr.harness.units import parse_size


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("threads", [0, 1, 2, 100])
def test_cells_use_each_cpu_once(monkeypatch, n, threads):
    monkeypatch.setattr(resources, "visible_gpus", list)
    monkeypatch.setattr(resources, "available_cpus", lambda: n)
    jobs = resources.default_jobs(threads, "auto")
    assert 1 <= jobs <= resources.MAX_DEFAULT_JOBS
    if threads:
        assert jobs == 1 or jobs * threads <= n
        assert jobs == resources.MAX_DEFAULT_JOBS or (jobs + 1) * threads > n  # another one would not fit
    else:
        assert jobs == 1


@pytest.mark.parametrize(("device", "jobs"), [("auto", 3), ("cuda", 3), ("cpu", 5)])
def test_each_gpu_has_one_cell(monkeypatch, device, jobs):
    monkeypatch.setattr(resources, "visible_gpus", lambda: ["0", "1", "2"])
    monkeypatch.setattr(resources, "available_cpus", lambda: 5)
    assert resources.default_jobs(1, device) == jobs


def test_parallel_cells_have_the_threads_of_their_benchmark(workspace):
    body = (
        "import pathlib, time\n"
        "mark = pathlib.Path(%r) / f'{type(self).__name__}{run.seed}'\n"
        "mark.touch()\n"
        "end = time.monotonic() + 20\n"
        "while len(list(mark.parent.glob('*'))) < 2 and time.monotonic() < end: time.sleep(0.02)\n"
        "assert len(list(mark.parent.glob('*'))) == 2, 'did not run in parallel'"
    )
    meeting = workspace.folder / "meeting"
    meeting.mkdir()
    workspace.write_method("meets", body % str(meeting))
    workspace.write_benchmark(seeds=(0, 1), more="threads = 1")
    if resources.available_cpus() < 2:
        pytest.skip("one CPU runs one cell at a time")
    workspace.relattr("run")  # each cell waits for the other, so they run in parallel
    rows = [json.loads(path.read_text()) for path in workspace.folder.glob("results/tiny/meets/*.json")]
    assert [row["provenance"]["threads"] for row in rows] == [1, 1]
    half = 0.9 * machine_memory() / 2
    assert [parse_size(row["limits"]["memory"]) for row in rows] == [pytest.approx(half, rel=0.1)] * 2


def test_threads_of_the_benchmark_and_a_memory_limit_apply(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(more="threads = 3")
    workspace.relattr("run", "--jobs", "1", "--memory-limit", "1G")
    (path,) = workspace.folder.glob("results/tiny/plain/*.json")
    row = json.loads(path.read_text())
    assert row["provenance"]["threads"] == 3
    assert row["limits"]["memory"] == "1G"  # and not the share of the machine


def test_a_negative_number_of_threads_is_refused(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(more="threads = -1")
    output = workspace.relattr("plan", code=2)
    assert "bench.toml" in output
    assert "threads must be between 0 and 4096; got -1" in output


@pytest.mark.parametrize(
    "device", ["gpu", "banana", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "mps:1", "", "cuda 0"]
)
def test_another_word_is_not_a_device(device):
    with pytest.raises(BadInput, match="is not a device; expected auto, cpu, cuda"):
        resources.check_device(device, here=False)


def test_a_device_must_exist_on_this_machine(monkeypatch):
    asked = []

    def count(kind):
        asked.append(kind)
        return {"cuda": 3, "mps": 0}[kind]

    monkeypatch.setattr(resources, "_count_torch_devices", count)
    monkeypatch.setattr(resources, "visible_gpus", lambda: ["4", "6"])
    for device in ("auto", "cpu", "cuda", "cuda:0", "cuda:1"):
        resources.check_device(device)
    assert asked == []  # PyTorch is slow to import
    resources.check_device("cuda:2")
    with pytest.raises(BadInput, match=r"cuda:7: this machine has 3 cuda devices, cuda:0 to cuda:2"):
        resources.check_device("cuda:7")
    with pytest.raises(BadInput, match="mps: this machine has no mps device"):
        resources.check_device("mps")
    resources.check_device("cuda:7", here=False)  # of another machine


def test_the_name_of_a_device_never_fails(monkeypatch):
    import sys
    import types

    from relattr.harness.machine import device_name

    def fail(*arguments):
        raise RuntimeError("no driver")

    for initialised in (fail, lambda: True):
        cuda = types.SimpleNamespace(is_initialized=initialised, get_device_name=fail)
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
        assert device_name("cuda:1") == "cuda:1"
    cuda = types.SimpleNamespace(is_initialized=lambda: False, get_device_name=lambda device: "Model X")
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert device_name("cuda") == "cuda"  # CUDA is not initialised in a process that forks cells
    cuda.is_initialized = lambda: True
    assert device_name("cuda") == "cuda (Model X)"
