"""Text of plugins, files and arguments that is printed or written into a page: no character acts on what shows it."""

from __future__ import annotations

import re
import unicodedata

_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, among them ESC, with which terminals are controlled
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they change the direction of the text around them
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f"  # line separators, annotations, invisible letters
    "\ud800-\udfff]"  # no characters: bytes of a file name that is not UTF-8, or mistakes
)
_SIMILAR = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "±": "+/-", "×": "x", "≤": "<=", "≥": ">=", "…": "...", "─": "-"}
)


def printable(text: str) -> str:
    """Return text in which line breaks and tabs are the only control characters; others are escaped as ``\\x1b``."""
    return _ACTIVE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return printable text without line breaks and tabs, which become spaces."""
    return printable(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def is_utf8(text: str) -> bool:
    """Whether text can be written as UTF-8, as JSON requires: a file name on Linux may not be."""
    return text.encode(errors="replace").decode() == text


def encodable(text: str, encoding: str) -> str:
    """Return text in an encoding that may lack some characters: similar ones stand for those, or escapes."""
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        pass
    return "".join(_encodable(c, encoding) for c in unicodedata.normalize("NFC", text))


def _encodable(c: str, encoding: str) -> str:
    for candidate in (c, c.translate(_SIMILAR)):
        try:
            candidate.encode(encoding)
            return candidate
        except UnicodeEncodeError:
            continue
    return c.encode("ascii", "backslashreplace").decode()


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
