"""The process of one cell: applies the limits, computes the cell, and reports to the supervisor."""

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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, TextIO

import msgspec

from relattr import progress
from relattr.errors import clean_text
from relattr.execution.determinism import seed_global_generators, set_threads
from relattr.execution.evaluate import evaluate_cell
from relattr.execution.ipc import send_message
from relattr.execution.job import CellProgress, CellResult, Job
from relattr.execution.processes import set_parent_death_signal
from relattr.harness.machine import device_name
from relattr.harness.provenance import record_provenance
from relattr.harness.units import parse_size
from relattr.harness.versions import imported_versions
from relattr.registry import registry
from relattr.run_settings import Run

MAX_WARNINGS = 50
"""Maximum number of different warnings in a result."""
MAX_WARNING_LENGTH = 2000
"""Maximum length of a stored warning, in characters."""
MAX_PROGRESS_LENGTH = 1000
"""Characters of a progress message."""
EXIT_ERROR = 70
"""Exit code of a cell that an exception outside the method ended; its traceback is in the trace pipe."""


def run_cell(job: Job, supervisor: int, output: int, reports: int, trace: int, scratch: str) -> NoReturn:
    """Compute a cell in this process, which was forked for it, and end the process.

    ``output``, ``reports`` and ``trace`` are the writing ends of pipes: for stdout and stderr, for progress and the
    result, and for the stack at a fatal signal or at SIGUSR1. ``scratch`` is the folder for temporary files.
    """
    try:
        set_parent_death_signal(supervisor)
        os.setsid()
        _redirect_output(output)
        faulthandler.enable(trace, all_threads=True)
        faulthandler.register(signal.SIGUSR1, trace, all_threads=True)
        _apply_limits(job, scratch)
        gc.enable()
        _compute(job, Connection(reports, readable=False))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # not of the method: `evaluate_cell` turns those into a result
        import traceback

        with contextlib.suppress(OSError):
            os.write(trace, traceback.format_exc().encode(errors="replace")[-60_000:])
        os._exit(EXIT_ERROR)
    os._exit(0)  # without the destructors and exit handlers of libraries, which could fail


def _redirect_output(output: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)


def _apply_limits(job: Job, scratch: str) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    max_file_size = parse_size(job.limits.file) if job.limits.file else None
    if max_file_size is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_size, hard))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if memory runs out, the kernel ends this process and not its supervisor
    os.environ["TMPDIR"] = scratch
    tempfile.tempdir = scratch
    if job.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpu
    set_threads(job.threads)
    seed_global_generators(job.cell.seed)


def _compute(job: Job, reports: Connection) -> None:
    seen: dict[str, None] = {}

    def show_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = clean_text(f"{category.__name__}: {message}", MAX_WARNING_LENGTH)
        if text not in seen and len(seen) < MAX_WARNINGS:
            seen[text] = None
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings(), progress.listening(_progress_listener(reports)):
        warnings.showwarning = show_warning
        checkpoint = Path(job.checkpoint)
        run = Run(seed=job.cell.seed, device=job.device, threads=job.threads, checkpoint=checkpoint)
        row_provenance = record_provenance(job.device, job.threads, job.origin, job.gpu)
        result, cell_arrays = evaluate_cell(job.cell, registry, job.fingerprints, row_provenance, run)
        result = msgspec.structs.replace(result, warnings=tuple(seen))
        if result.status == "ok":  # includes the libraries that the cell has imported
            row_provenance = msgspec.structs.replace(
                row_provenance, versions=imported_versions(), device=device_name(job.device)
            )
            result = msgspec.structs.replace(result, provenance=row_provenance)
    content = cell_arrays.to_npz()
    del cell_arrays  # the message is a copy of its content
    send_message(reports, CellResult(msgspec.json.encode(result), content))


def _bounded(count: int) -> int:
    return min(max(count, -(2**53)), 2**53)


def _progress_listener(reports: Connection) -> progress.Listener:
    """A listener that sends progress to the supervisor, at most five times a second."""

    @contextmanager
    def listen(description: str, total: int) -> Iterator[progress.Advance]:
        done, last_sent, last_note = 0, 0.0, ""

        def advance(n: int, note: str = "") -> None:
            nonlocal done, last_sent, last_note
            done += int(n)  # may be a NumPy integer
            last_note = str(note) or last_note
            now = time.monotonic()
            if now - last_sent >= 0.2:
                last_sent = now
                text = f"{description}: {last_note}" if last_note else description
                text = clean_text(text, MAX_PROGRESS_LENGTH)
                send_message(reports, CellProgress(text, _bounded(done), _bounded(int(total))))

        yield advance

    return listen
