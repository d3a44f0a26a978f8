"""Names of rows and columns, as they are used in CSV files and file names."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """Text as a name of lower-case letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"


def free(key: str, taken: set[str]) -> str:
    """A name like this one that is not taken yet; it is from now on."""
    k, made = 2, key
    while made in taken:
        made = f"{key}-{k}"
        k += 1
    taken.add(made)
    return made
