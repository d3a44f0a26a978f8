"""The orientation in EXIF data, read alone: other tags may have any type, size and value."""

from __future__ import annotations

import struct

ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"
_FORMATS = {1: "B", 3: "H", 4: "I"}
"""By the type of a value (TIFF 6.0): unsigned integers of 8, 16 and 32 bits."""


def find_orientation(exif: bytes) -> int | None:
    """Return the value of the orientation tag of the first image (JEITA CP-3451); None if there is none."""
    while exif.startswith(_PREFIX):
        exif = exif[len(_PREFIX) :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", exif, start)
        for position in range(start + 2, start + 2 + 12 * n_entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", exif, position)
            if tag == ORIENTATION and kind in _FORMATS and count == 1:
                return int(struct.unpack_from(order + _FORMATS[kind], exif, position + 8)[0])
    except struct.error:  # it ends earlier than it says
        return None
    return None
