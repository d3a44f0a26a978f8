"""The process of one cell: forked, limited, computing, reporting, gone."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

import msgspec

from relattr import progress
from relattr.execution.determinism import seed_globals, set_threads
from relattr.execution.evaluate import evaluate_cell
from relattr.execution.ipc import pack, write_all
from relattr.execution.job import Job
from relattr.execution.processes import die_with_parent
from relattr.harness.limits import size
from relattr.harness.provenance import provenance, versions
from relattr.registry import registry
from relattr.run import Run

WARNINGS = 50
"""How many different warnings a row keeps."""


def run_cell(job: Job, supervisor: int, output: int, reports: int, trace: int, scratch: str) -> NoReturn:
    """Compute a cell in this process, just forked, and end it.

    What is printed goes to the pipe ``output``, progress and result to ``reports``, and the stack at a
    fatal signal or at SIGUSR1 to ``trace``.
    """
    try:
        die_with_parent(supervisor)
        os.setsid()
        _redirect(output)
        faulthandler.enable(trace, all_threads=True)
        faulthandler.register(signal.SIGUSR1, trace, all_threads=True)
        _restrict(job, scratch)
        gc.enable()
        _compute(job, reports)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # reported by execute where it is the method's; this is ours, or a SystemExit
        import traceback

        with contextlib.suppress(OSError):
            write_all(trace, traceback.format_exc().encode(errors="replace")[-60_000:])
        os._exit(70)
    os._exit(0)  # no destructor or exit handler of a library can spoil a finished cell


def _redirect(output: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)


def _restrict(job: Job, scratch: str) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    largest = size(job.limits.file) if job.limits.file else None
    if largest is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory ends, the kernel is to end this process and not its supervisor
    os.environ["TMPDIR"] = scratch
    tempfile.tempdir = scratch
    if job.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpu
    set_threads(job.threads)
    seed_globals(job.cell.seed)


def _compute(job: Job, reports: int) -> None:
    seen: dict[str, None] = {}

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = f"{category.__name__}: {message}"
        if text not in seen and len(seen) < WARNINGS:
            seen[text] = None
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings(), progress.listening(_listener(reports)):
        warnings.showwarning = show
        checkpoint = Path(job.checkpoint)
        run = Run(seed=job.cell.seed, device=job.device, threads=job.threads, checkpoint=checkpoint)
        about = provenance(job.device, job.threads, job.origin, job.gpu)
        result, arrays = evaluate_cell(job.cell, registry, job.fingerprints, about, run)
        result = msgspec.structs.replace(result, warnings=tuple(seen))
        if result.status == "ok":  # libraries that came with the cell count too
            about = msgspec.structs.replace(about, versions=versions())
            result = msgspec.structs.replace(result, provenance=about)
    write_all(reports, pack(["result", msgspec.json.encode(result), arrays.to_npz()]))


def _listener(reports: int) -> progress.Listener:
    """Sends progress to the supervisor, at most five times a second."""

    @contextmanager
    def inside(description: str, total: int) -> Iterator[progress.Advance]:
        done, said, last = 0, 0.0, ""

        def advance(n: int, note: str = "") -> None:
            nonlocal done, said, last
            done += int(n)  # of NumPy, for one
            last = str(note) or last
            now = time.monotonic()
            if now - said >= 0.2:
                said = now
                write_all(
                    reports, pack(["progress", f"{description}: {last}" if last else description, done, int(total)])
                )

        yield advance

    return inside
