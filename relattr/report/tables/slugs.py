"""Identifiers of rows and columns, for CSV files, file names and LaTeX macros."""

from __future__ import annotations

import re


def slugify(text: str) -> str:
    """Return text reduced to lower-case letters, digits, dots and hyphens; ``x`` if nothing is left."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"


def unique_slug(slug: str, taken: set[str]) -> str:
    """Return ``slug``, with a number appended if it is in ``taken``; the result is added to ``taken``."""
    number, candidate = 2, slug
    while candidate in taken:
        candidate = f"{slug}-{number}"
        number += 1
    taken.add(candidate)
    return candidate
