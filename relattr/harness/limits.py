"""Limits of a cell: wall-clock time, memory, and the size of the files it writes."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

import msgspec

from relattr.errors import BadInput, shortened
from relattr.harness.machine import machine_memory
from relattr.harness.units import parse_duration, parse_size

DEFAULT_TIME = "24h"
"""Time limit of a cell for which none is set, so that a cell that hangs becomes a row.
See `relattr.harness.estimate.extend_time_limits`."""
_UNITS = {"G": 1 << 30, "M": 1 << 20}


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a cell, as text such as ``45m`` or ``6G``.

    An empty limit is unset (see `with_defaults`), ``none`` is no limit. Raises `BadInput` for a limit
    that is not valid.
    """

    time: str = ""
    """Wall-clock time of the whole cell."""
    memory: str = ""
    """Memory of all processes of the cell together."""
    file: str = ""
    """Size of the largest file that it may write."""

    def __post_init__(self) -> None:
        for text, parse in ((self.time, parse_duration), (self.memory, parse_size), (self.file, parse_size)):
            if text:
                parse(text)

    def with_defaults(self, defaults: Limits) -> Limits:
        """Return these limits, with unset ones replaced by those of ``defaults``."""
        return Limits(self.time or defaults.time, self.memory or defaults.memory, self.file or defaults.file)

    def __str__(self) -> str:
        limits = [("time", self.time), ("memory", self.memory), ("file", self.file)]
        return ", ".join(f"{quantity} {text}" for quantity, text in limits if text and text != "none") or "no limit"


def parse_limit_options(options: Iterable[str], quantity: str) -> dict[str, Limits]:
    """Parse limits of the command line: ``45m``, for all methods, or ``GLOB=45m``.

    ``quantity`` is ``time``, ``memory`` or ``file``. Returns the limits by shell pattern of method name. Raises
    `BadInput` for a value that is not valid.
    """
    limits = {}
    for option in options:
        pattern, equals, value = option.rpartition("=")
        try:
            limits[pattern if equals else "*"] = Limits(**{quantity: value.strip()})
        except BadInput as error:
            raise BadInput(f"--{quantity}-limit {shortened(option)!r}: {error}") from None
    return limits


def limits_of_method(name: str, *sources: Mapping[str, Limits]) -> Limits:
    """Return the limits of a method, from limits by shell pattern of method name.

    Earlier sources take precedence over later ones, and in one source more specific patterns over less specific ones
    (fewer ``*``, then more characters).
    """
    limits = Limits()
    for source in sources:
        for pattern in sorted(source, key=lambda p: (p.count("*"), -len(p))):
            if fnmatch.fnmatchcase(name, pattern):
                limits = limits.with_defaults(source[pattern])
    return limits


def memory_share(n_cells: int) -> Limits:
    """Return the memory limit of each of ``n_cells`` cells that run at the same time: an equal share of the machine.

    Nine tenths of the memory that this process may use are shared; no limit if that is unknown.
    """
    share = 0.9 * machine_memory() / max(1, n_cells)
    for unit, n_bytes in _UNITS.items():
        if share >= n_bytes:
            return Limits(memory=f"{int(10 * share / n_bytes) / 10:g}{unit}")
    return Limits(memory="none")
