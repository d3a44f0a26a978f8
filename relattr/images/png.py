"""The chunks of a PNG file that decide its pixels."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

from relattr.system.reading import MAX_IMAGE, read_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_TEXT = b"Raw profile type exif\0"
_XMP_TEXT = b"XML:com.adobe.xmp\0\0"


def essential_chunks(path: Path) -> BytesIO | None:
    """Return a PNG file without the chunks that only describe it, such as long texts and colour profiles.

    Kept are the chunks that decide pixels and orientation, the latter only if they are intact. Returns None if the file
    is not a PNG file, cannot be read, or has no other chunks.
    """
    try:
        content = read_bytes(path, MAX_IMAGE)
    except OSError:
        return None
    if not content.startswith(_SIGNATURE):
        return None
    parts, position, n_dropped = [_SIGNATURE], len(_SIGNATURE), 0
    while position + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        end = position + 12 + length
        data = content[position + 8 : end - 4]
        is_critical = kind[:1].isupper() or kind == b"tRNS"
        if is_critical or (_is_about_orientation(kind, data) and _is_intact(content[position:end])):
            parts.append(content[position:end])
        else:
            n_dropped += 1
        position = end
    return BytesIO(b"".join(parts)) if n_dropped else None


def _is_about_orientation(kind: bytes, data: bytes) -> bool:
    return kind == b"eXIf" or data.startswith((_EXIF_TEXT, _XMP_TEXT))


def _is_intact(chunk: bytes) -> bool:
    return len(chunk) >= 12 and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
