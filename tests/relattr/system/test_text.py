"""Text that is shown has no character that acts on a terminal, a page or a spreadsheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.report.formats.escape import escape_markdown
from relattr.system.text import encodable, is_utf8, one_line, printable

ACTIVE = ["\x1b", "\x07", "\x00", "\x7f", "\x9b", "\r", "\u202e", "\u2066", "\u200f", "\u2028", "\U000e0041", "\udcff"]


@pytest.mark.parametrize("c", ACTIVE)
def test_active_characters_are_escaped(c):
    for text in (printable(f"a{c}b"), one_line(f"a{c}b"), escape_markdown(f"a{c}b")):
        assert c not in text
        assert text.startswith("a")
        assert text.endswith("b")
    assert printable("\x1b]0;x\x07") == r"\x1b]0;x\x07"
    assert printable("\udcff") == r"\xff"


@given(st.text())
def test_other_text_stays_as_it_is(text):
    shown = printable(text)
    if all(c.isprintable() for c in text):
        assert shown == text
    assert printable(shown) == shown
    shown.encode()


def test_line_breaks_remain_only_in_text_of_several_lines():
    assert printable("a\r\nb\tc") == "a\nb\tc"
    assert one_line("a\r\nb\tc\nd") == "a b c d"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "koi8-r", "shift-jis"])
def test_any_text_can_be_encoded(encoding):
    text = "50 – 60 ± 1 %, ≤ 中, é"
    shown = encodable(text, encoding)
    shown.encode(encoding)
    assert encodable(shown, encoding) == shown
    if encoding == "ascii":
        assert shown == "50 - 60 +/- 1 %, <= \\u4e2d, \\xe9"
    if encoding == "utf-8":
        assert shown == text


@pytest.mark.parametrize(("text", "valid"), [("", True), ("é中😀?", True), ("a\udcff", False), ("\ud83d\ude00", False)])
def test_bytes_of_a_file_name_are_not_utf8(text, valid):
    assert is_utf8(text) is valid
