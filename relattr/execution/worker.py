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
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, TextIO

import msgspec

from relattr import progress
from relattr.errors import clean_text
from relattr.execution.determinism import limit_thread_pools, seed_global_generators, set_thread_variables
from relattr.execution.evaluate import evaluate_cell
from relattr.execution.ipc import send_message
from relattr.execution.job import CellProgress, CellResult, Job
from relattr.execution.processes import set_parent_death_signal
from relattr.harness.machine import device_name
from relattr.harness.provenance import record_provenance
from relattr.harness.result import Provenance
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


@dataclass(frozen=True)
class PreparedCell:
    """A job, with what does not depend on the process that computes it.

    The supervisor prepares it before it forks the cell: what runs in a new process writes to memory that the kernel
    must copy first, and takes several times as long.
    """

    job: Job
    run: Run
    provenance: Provenance
    max_file_size: int | None


def prepare_cell(job: Job, scratch: str) -> PreparedCell:
    """Prepare a cell, and set the environment variables that it will inherit: threads, folder for temporary files."""
    set_thread_variables(job.threads)
    if tempfile.tempdir != scratch:
        os.environ["TMPDIR"] = scratch
        tempfile.tempdir = scratch
    return PreparedCell(
        job,
        Run(seed=job.cell.seed, device=job.device, threads=job.threads, checkpoint=Path(job.checkpoint)),
        record_provenance(job.device, job.threads, job.origin, job.gpu),
        parse_size(job.limits.file) if job.limits.file else None,
    )


def run_cell(cell: PreparedCell, supervisor: int, output: int, reports: int, trace: int) -> NoReturn:
    """Compute a cell in this process, which was forked for it, and end the process.

    ``output``, ``reports`` and ``trace`` are the writing ends of pipes: for stdout and stderr, for progress and the
    result, and for the stack at a fatal signal or at SIGUSR1.
    """
    try:
        set_parent_death_signal(supervisor)
        os.setsid()
        _redirect_output(output)
        faulthandler.enable(trace, all_threads=True)
        faulthandler.register(signal.SIGUSR1, trace, all_threads=True)
        _apply_limits(cell)
        gc.freeze()  # so that the first collection does not touch what the supervisor has created
        gc.enable()
        _compute(cell, Connection(reports, readable=False))
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


def _apply_limits(cell: PreparedCell) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if cell.max_file_size is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (cell.max_file_size, hard))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", 0) as file:
        file.write(b"1000")  # if memory runs out, the kernel ends this process and not its supervisor
    if cell.job.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = cell.job.gpu
    limit_thread_pools(cell.job.threads)
    seed_global_generators(cell.job.cell.seed)


def _compute(cell: PreparedCell, reports: Connection) -> None:
    job, row_provenance = cell.job, cell.provenance
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

    warnings.showwarning = show_warning
    with progress.listening(_progress_listener(reports)):
        result, cell_arrays = evaluate_cell(job.cell, registry, job.fingerprints, row_provenance, cell.run)
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
