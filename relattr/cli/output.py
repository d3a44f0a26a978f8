"""Standard output and error, whatever they are: closed, full, or in an encoding without some characters.

A line that cannot be written to stderr is lost, and nothing else. A failure of stdout is reported at the end, with exit
code 1, after the command has done its work.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from contextlib import suppress

import click

from relattr.system.text import encodable, printable


def echo(text: object = "", *, err: bool = False) -> None:
    """Print a line on stdout, or on stderr, without characters that act on the terminal."""
    stream = sys.stderr if err else sys.stdout
    line = printable(str(text))
    if stream is not None:
        line = encodable(line, getattr(stream, "encoding", None) or "utf-8")
    click.echo(line, err=err)


def discard_stdout() -> None:
    """Send what is still printed to /dev/null: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Descriptor(io.FileIO):
    """A file descriptor for writing, where a failure is recorded and raises nothing."""

    failure: OSError | None = None

    def __init__(self, descriptor: int, *, raises_broken_pipe: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._raises_broken_pipe = raises_broken_pipe

    def write(self, content: object, /) -> int:
        size = memoryview(content).nbytes  # type: ignore[arg-type]
        try:
            written = super().write(content)  # type: ignore[arg-type]
            while written is None:  # it is not blocking, and full
                select.select([], [self.fileno()], [], 1.0)
                written = super().write(content)  # type: ignore[arg-type]
            return written
        except BrokenPipeError as error:
            if self._raises_broken_pipe:
                raise
            self.failure = error
        except OSError as error:
            self.failure = error
        return size


class Streams:
    """Replaces stdout and stderr of this process by streams that never raise an error; see the module."""

    def __init__(self) -> None:
        _open_standard_descriptors()
        self._stdout = self._replace("stdout", 1, raises_broken_pipe=True)
        self._replace("stderr", 2, raises_broken_pipe=False)

    def _replace(self, name: str, descriptor: int, *, raises_broken_pipe: bool) -> _Descriptor | None:
        previous = getattr(sys, name)
        if previous is not None and previous is not getattr(sys, f"__{name}__"):
            return None  # somebody else's
        encoding = getattr(previous, "encoding", None) or "utf-8"
        with suppress(OSError, LookupError):
            codecs.lookup(encoding)
            raw = _Descriptor(descriptor, raises_broken_pipe=raises_broken_pipe)
            is_line_buffered = name == "stderr" or raw.isatty()
            stream = io.TextIOWrapper(
                io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=is_line_buffered
            )
            if previous is not None:
                with suppress(OSError, ValueError):
                    previous.flush()
            setattr(sys, name, stream)
            return raw
        return None

    def exit_code(self, code: int) -> int:
        """Return the exit code of the command, 1 instead of 0 if stdout could not be written."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            discard_stdout()
        failure = None if self._stdout is None else self._stdout.failure
        if failure is not None:
            echo(f"relattr: standard output could not be written: {failure.strerror}", err=True)
        return code or int(failure is not None)


def _open_standard_descriptors() -> None:
    """Open /dev/null in place of closed ones, or the next file that is opened would receive what is printed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
