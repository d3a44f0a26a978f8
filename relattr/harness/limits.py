"""What a cell may use: wall-clock time, memory, file size; written ``45m``, ``6G``, or ``none``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from relattr.errors import BadInput

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits as a person writes them; an empty one is not set here, ``none`` lifts it.

    ``time`` is wall-clock time of the whole cell, ``memory`` that of all its processes together,
    ``file`` the size of the largest file it may write.
    """

    time: str = ""
    memory: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        for text, parse in ((self.time, seconds), (self.memory, size), (self.file, size)):
            if text:
                parse(text)

    def over(self, other: Limits) -> Limits:
        """These limits, and where one is not set, the other's."""
        return Limits(self.time or other.time, self.memory or other.memory, self.file or other.file)

    def __str__(self) -> str:
        named = [("time", self.time), ("memory", self.memory), ("file", self.file)]
        return ", ".join(f"{what} {text}" for what, text in named if text and text != "none") or "no limit"


def seconds(text: str) -> float | None:
    """``45m``, ``1h30m``, ``90s``, ``2d``, ``90`` -> seconds; ``none`` -> None. Raises `BadInput`."""
    if text.strip() == "none":
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        total = float(text)
    else:
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*([dhms])", text)
        if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*[dhms]", "", text).strip():
            raise BadInput(f"{text!r} is not a time; expected for example 45m, 1h30m, 90s, 2d or none")
        total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if total <= 0:
        raise BadInput(f"a time limit must be more than 0; got {text!r} (none lifts it)")
    return total


def size(text: str) -> int | None:
    """``6G``, ``512M``, ``1.5GiB``, ``100000`` -> bytes (K = 1024); ``none`` -> None. Raises `BadInput`."""
    if text.strip() == "none":
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise BadInput(f"{text!r} is not a size; expected for example 6G, 512M, 1.5G or none")
    found = int(float(match[1]) * _BYTES[match[2].upper()])
    if found <= 0:
        raise BadInput(f"a size limit must be more than 0; got {text!r} (none lifts it)")
    return found


def show_seconds(value: float) -> str:
    """Seconds as a person says them: ``0.3 s``, ``12 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def show_size(value: float) -> str:
    """Bytes as a person says them: ``12 MB``, ``1.5 GB`` (1 GB = 1024 MB)."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1024
        del units[0]
    unit = units[0]
    return f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"


def parse_options(options: Iterable[str], what: str) -> dict[str, Limits]:
    """``45m`` (for all methods) or ``GLOB=45m`` of the command line -> limits by pattern of method name.

    ``what`` is ``time``, ``memory`` or ``file``. Raises `BadInput` for a value that is none.
    """
    found = {}
    for option in options:
        pattern, equals, value = option.rpartition("=")
        try:
            found[pattern if equals else "*"] = Limits(**{what: value.strip()})
        except BadInput as error:
            raise BadInput(f"--{what}-limit {option!r}: {error}") from None
    return found


def limits_of_method(name: str, *sources: Mapping[str, Limits]) -> Limits:
    """The limits of a method; earlier sources win over later ones, and in one, a longer pattern over a shorter."""
    found = Limits()
    for source in sources:
        for pattern in sorted(source, key=lambda p: (p.count("*"), -len(p))):
            if fnmatch.fnmatchcase(name, pattern):
                found = found.over(source[pattern])
    return found


def share_of_memory(cells: int) -> Limits:
    """An equal share of this machine's memory for each of ``cells`` at once: together they never take it all.

    Nine tenths of what the machine, or the control group this process is in, has are shared out.
    """
    share = 0.9 * machine_memory() / max(1, cells)
    for unit in ("G", "M"):
        if share >= _BYTES[unit]:
            return Limits(memory=f"{int(10 * share / _BYTES[unit]) / 10:g}{unit}")
    return Limits(memory="none")


def machine_memory() -> int:
    """Bytes of memory that processes here may use; 0 where that cannot be told."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return 0
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found = min(found, int(Path(place).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return found
