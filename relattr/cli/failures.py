"""Commands on several names, where the failure of one does not stop the others."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import click

from relattr.cli.output import echo
from relattr.errors import RelattrError
from relattr.system.paths import cache_dir


def describe_os_error(error: OSError) -> str:
    """The file, what is wrong with it, and what to do, in one line."""
    path = Path(os.fsdecode(error.filename))
    folder = cache_dir().absolute()
    if path.absolute().is_relative_to(folder):
        advice = "set RELATTR_CACHE to a folder that can be read and written and has free space"
    elif error.errno == errno.ENOSPC:
        advice = "free some space, or choose another folder or file (--out, --results)"
    else:
        advice = "choose another folder or file (--out, --results), or make this one readable and writable"
    return f"{path}: {error.strerror}; {advice}"


class Failures:
    """Collects failures; at the end of the block the exit code is 1 if there was any."""

    def __init__(self) -> None:
        self._any = False

    def __enter__(self) -> Failures:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._any and kind is None:
            raise click.exceptions.Exit(1)

    @contextlib.contextmanager
    def caught(self, name: str) -> Iterator[None]:
        """Report an error raised inside the block on stderr, and continue after it."""
        try:
            yield
        except RelattrError as error:
            echo(f"{name}: {error}", err=True)
            self._any = True
        except OSError as error:
            echo(f"{name}: {error if error.filename is None else describe_os_error(error)}", err=True)
            self._any = True

    def add(self) -> None:
        """Record a failure that has already been reported."""
        self._any = True
