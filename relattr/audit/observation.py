"""What an audit finds: single observations, and all those on one version of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Severity = Literal["leak", "warning", "note"]
VERSION = 2
TRAINING = "training"
"""The name of the training pairs in `Observation.where`, after the name of the task."""
RELEASED = "released files"
"""The prefix of `Observation.kind` for observations in the released files."""
ONE_ORIENTATION = "one orientation"
"""The kind of observation that the side determines the label."""


class Observation(msgspec.Struct, frozen=True):
    """One result of an audit.

    A leak affects every number of its test sets, a warning may do so, and a note is for information. ``where`` names at
    most three places, for display; ``places`` has all of them.
    """

    severity: Severity
    kind: str
    where: str
    text: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity:7}  {self.where}: {self.text}"


class Audit(msgspec.Struct, frozen=True):
    """The observations in one version of a dataset; ``images`` is whether the contents of images were compared."""

    version: int
    dataset: str
    fingerprint: str
    images: bool
    observations: tuple[Observation, ...]
    code: str = ""
    """Fingerprint of the code that creates its tasks."""


def listed(items: Iterable[str], limit: int = 5) -> str:
    """The first of these items as text, and how many more there are."""
    texts = list(items)
    more = f" and {len(texts) - limit:,} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
