"""Escaping: no character of any text is active in LaTeX, Markdown or a spreadsheet."""

import re

import pytest

from relattr.report.formats.escape import escape_latex, escape_markdown

NASTY = r"a_b & <script>alert(1)</script> 100% $x$ #1 {y} ~z ^w \end{document} é 中 α “q”"
TEXTS = [NASTY, "_", "\\", "a\nb\tc", "\x00\x1b[31m", "``''", "−±½²", "[x]", "x % y", "ﬁ"]
COMMANDS = "textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|textasciigrave"


@pytest.mark.parametrize("text", TEXTS)
def test_latex_has_no_active_characters(text):
    rest = re.sub(rf"\\({COMMANDS})\{{\}}", "", escape_latex(text))
    rest = re.sub(r"\{[\[\]]\}", "", rest)
    rest = re.sub(r"\\(ensuremath\{\\?[a-z^0-9-]+\}|dots\{\}|textbullet\{\}|[&%$#_{},])", "", rest)
    assert not set(rest) & set("\\&%$#_{}~^[]\n\t\x00\x1b")


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_stays_in_its_table_cell(text):
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    assert "|" not in escaped.replace("\\|", "")
