"""The files that a ranking leaves out, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relattr.cli.wording import counted
from relattr.system.text import printable

MAX_NAMED = 20
"""Names that the page lists at most of one kind of file."""


@dataclass(frozen=True)
class LeftOut:
    """The files that are not in a ranking."""

    unreadable: Mapping[str, str]
    """Why a file cannot be read, by its name."""
    not_finite: Mapping[str, str]
    """What the strength of a file is that is not a finite number, by its name."""
    others: str
    """What else was not considered: how many files have other formats, which folders are links; empty if nothing."""

    def lines(self, method: str) -> list[str]:
        """What the terminal says: a line for each file, and one for all in other formats."""
        return [
            *(f"left out: {problem}" for problem in self.unreadable.values()),
            *(
                f"left out: {name}: its strength by {method} is {value}, not a finite number"
                for name, value in self.not_finite.items()
            ),
            *([f"not considered: {self.others}"] if self.others else []),
        ]

    def sentences(self) -> list[str]:
        """What the page says, with names."""
        return [
            *_named([*self.unreadable], "could not be read and"),
            *_named([*self.not_finite], "without a finite strength"),
            *([f"Not considered: {self.others}."] if self.others else []),
        ]


def _named(names: Sequence[str], problem: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    shown = ", ".join(map(printable, names[:MAX_NAMED]))
    verb = "was" if len(names) == 1 else "were"
    return [f"{counted(len(names), 'file')} {problem} {verb} left out: {shown}{more}."]
