"""Commands on several names, where the failure of one does not stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from relattr.errors import RelattrError


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
        except (RelattrError, OSError) as error:
            click.echo(f"{name}: {error}", err=True)
            self._any = True

    def add(self) -> None:
        """Record a failure that has already been reported."""
        self._any = True
