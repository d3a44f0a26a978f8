"""Durations and sizes as people write and read them: ``45m``, ``6G``, ``3 h 20 min``, ``1.5 GB``."""

from __future__ import annotations

import re

from relattr.errors import BadInput, shortened

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MAX_DURATION = 10_000 * 86400
"""The longest duration in seconds, 10,000 days: the system's clocks and timers hold it."""
MAX_SIZE = 1 << 60
"""The largest size in bytes, 1,048,576T: the system's limits hold it."""


def parse_duration(text: str) -> float | None:
    """Return a duration such as ``45m``, ``1h30m``, ``90s``, ``2d`` or ``90`` in seconds, ``none`` as None.

    Raises `BadInput` for text that is not a duration, for 0, and for more than `MAX_DURATION`.
    """
    if text.strip() == "none":
        return None
    if re.fullmatch(r"\s*[0-9]+(\.[0-9]+)?\s*", text):
        total = float(text)
    else:
        parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*([dhms])", text)
        if not parts or re.sub(r"([0-9]+(?:\.[0-9]+)?)\s*[dhms]", "", text).strip():
            raise BadInput(f"{text!r} is not a duration; expected for example 45m, 1h30m, 90s, 2d or none")
        total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if total <= 0:
        raise BadInput(f"a time limit must be more than 0; got {text!r} (use none for no limit)")
    if total > MAX_DURATION:
        limit = f"{MAX_DURATION // 86400}d"
        raise BadInput(f"a time limit can be at most {limit}; got {shortened(text)!r} (use none for no limit)")
    return total


def parse_size(text: str) -> int | None:
    """Return a size such as ``6G``, ``512M``, ``1.5GiB`` or ``100000`` in bytes (K = 1024), ``none`` as None.

    Raises `BadInput` for text that is not a size, for 0, and for more than `MAX_SIZE`.
    """
    if text.strip() == "none":
        return None
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise BadInput(f"{text!r} is not a size; expected for example 6G, 512M, 1.5G or none")
    exact = float(match[1]) * _BYTES[match[2].upper()]
    if exact > MAX_SIZE:
        limit = f"{MAX_SIZE >> 40}T"
        raise BadInput(f"a size limit can be at most {limit}; got {shortened(text)!r} (use none for no limit)")
    size = int(exact)
    if size <= 0:
        raise BadInput(f"a size limit must be more than 0; got {text!r} (use none for no limit)")
    return size


def format_duration(seconds: float) -> str:
    """Return a duration as text with a precision of about 1 %: ``0.3 s``, ``12 s``, ``5 min``, ``3 h 20 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def format_size(n_bytes: float) -> str:
    """Return a size as text: ``12 MB``, ``1.5 GB`` (1 GB = 1024 MB)."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while n_bytes >= 1000 and len(units) > 1:
        n_bytes /= 1024
        del units[0]
    unit = units[0]
    return f"{n_bytes:.0f} {unit}" if n_bytes >= 10 or unit == "bytes" else f"{n_bytes:.1f} {unit}"
