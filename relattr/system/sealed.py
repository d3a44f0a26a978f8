"""JSON records with a SHA-256 of their content, for files that are stored with results and shared.

The digest is the member ``sha256`` of the record. It is of the other members as compact JSON with sorted keys, so it
does not depend on spaces, line ends or order: a file stays valid when git or an editor changes those.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

MEMBER = "sha256"


def seal_record(record: bytes) -> bytes:
    """Return a JSON object, indented, with its digest as the last member."""
    values = msgspec.json.decode(record)
    values.pop(MEMBER, None)
    values[MEMBER] = _digest(values)
    return msgspec.json.format(msgspec.json.encode(values), indent=1) + b"\n"


def open_sealed(content: bytes) -> tuple[dict[str, Any], bool]:
    """Return the members of a JSON object without its digest, and whether it had one.

    Raises ValueError for content that is not a JSON object or nested too deeply, and if the digest does not match.
    """
    try:
        values = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError(f"it is a {type(values).__name__}, not an object")
    if MEMBER not in values:
        return values, False
    digest = values.pop(MEMBER)
    if digest != _digest(values):
        raise ValueError("its content does not have the SHA-256 that is stored with it: it was changed or damaged")
    return values, True


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()
