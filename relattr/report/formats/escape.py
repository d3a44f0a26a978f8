"""Any text, made safe for LaTeX, Markdown and names of macros."""

from __future__ import annotations

import re
import unicodedata

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "−": r"\ensuremath{-}",
    "→": r"\ensuremath{\to}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
    "≈": r"\ensuremath{\approx}",
    "∞": r"\ensuremath{\infty}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "•": r"\textbullet{}",
    "[": "{[}",
    "]": "{]}",  # after a line break of a table, a bracket would be its argument
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "²": r"\ensuremath{^2}",
    "³": r"\ensuremath{^3}",
    "°": r"\ensuremath{^\circ}",
    "\N{NO-BREAK SPACE}": r"\,",
    "µ": r"\ensuremath{\mu}",
    "·": r"\ensuremath{\cdot}",
    "`": r"\textasciigrave{}",
    "'": "'",
    "¡": "!`",
    "¿": "?`",
}
_GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "o",
    "pi",
    "rho",
    "varsigma",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
)
_LATIN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿĂăĄąĆćČčĎďĘęĚěĞğŁłŃńŇňŐőŒœŘřŚśŞşŠšŤťŮůŰűŹźŻżŽž"
)


def escape_latex(text: str) -> str:
    """Text that any LaTeX prints as it stands, in one line.

    Control characters become spaces. Accented Latin letters stay (T1 has them), Greek ones become
    mathematics; of other letters the plain form is taken where there is one, else the code point is
    printed, ``[U+4E2D]`` in braces, since no font can be counted on.
    """
    text = " ".join(text.split())  # a thin space that does not break, before a per cent sign
    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
    return "".join(_latex(c) for c in unicodedata.normalize("NFC", text))


def _latex(c: str) -> str:
    if c in _LATEX:
        return _LATEX[c]
    if c in _LATIN or " " <= c <= "~":
        return c
    if "α" <= c <= "ω":
        name = _GREEK[ord(c) - ord("α")]
        return "o" if name == "o" else rf"\ensuremath{{\{name}}}"
    if unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn"):
        return " " if c.isspace() or unicodedata.category(c) == "Cc" else ""
    plain = "".join(p for p in unicodedata.normalize("NFKD", c) if " " <= p <= "~")
    return "".join(_LATEX.get(p, p) for p in plain) or f"{{[}}U+{ord(c):04X}{{]}}"


def escape_markdown(text: str) -> str:
    """Text in one line that Markdown shows as it stands, also inside a table."""
    for character in "\\`*_{}[]<>|#&~$":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
