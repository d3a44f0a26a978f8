"""Numbers as files and options write them: ASCII digits, and nothing that Python's `float` and `int` read besides.

Python reads ``1_000``, digits of other scripts, ``infinity``, and integers beyond 2^53 that a float rounds.
"""

from __future__ import annotations

import math
import re

_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_EXACT_DIGITS = 15
"""Integers of at most so many digits are exact as floats."""


def parse_float(text: str) -> tuple[float | None, str]:
    """The number that this text is, or None and what was expected.

    Not accepted are infinity and NaN, a number too large or too small for a float, and an integer that a float would
    round: different integers would become equal.
    """
    if not _FLOAT.fullmatch(text):
        return None, _expectation(text)
    value = float(text)
    if math.isinf(value):
        return None, "expected a finite number; the largest is about 1.8e308"
    if value == 0 and any(c in "123456789" for c in re.split("[eE]", text)[0]):
        return None, "it is too small for a double-precision number, which would be 0"
    if len(text) > _EXACT_DIGITS and _INTEGER.fullmatch(text) and int(text) != value:
        return None, "an integer beyond 2^53 is rounded, so that different values become equal; subtract a constant"
    return value, ""


def parse_integer(text: str) -> int | None:
    """The integer that this text is, in ASCII digits with an optional sign; None for anything else."""
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= 4300 else None


def is_digits(text: str) -> bool:
    """Whether a text is a number of ASCII digits without a sign; `str.isdecimal` accepts those of all scripts."""
    return text.isascii() and text.isdecimal()


def _expectation(text: str) -> str:
    """What was expected in place of this text, with its likely cause."""
    if re.fullmatch(r"[+-]?[0-9.]*,[0-9]+", text):
        return "expected a finite number with a decimal point, not a comma"
    if "_" in text or any(c.isdigit() and not c.isascii() for c in text):
        return "expected a finite number in the digits 0 to 9, without other characters"
    if text.startswith("\N{MINUS SIGN}"):
        return "expected a finite number with the minus sign '-' (U+002D)"
    return "expected a finite number"
