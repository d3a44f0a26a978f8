"""Escaping of arbitrary text for LaTeX and Markdown."""

from __future__ import annotations

import re
import unicodedata

from relattr.system.text import one_line

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
    "]": "{]}",  # a bracket after the line break of a table row would be read as its optional argument
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
    """Return text that LaTeX prints unchanged, on one line.

    Control characters become spaces. Accented Latin letters are kept (the T1 encoding has them), Greek letters become
    mathematics. Any other character is replaced by its compatibility form if that is ASCII, and else by its code
    point, ``[U+4E2D]``, because no font can be relied on.
    """
    text = " ".join(text.split())
    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)  # becomes a thin space that does not break
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
    """Return text that Markdown shows unchanged, on one line, also in a table."""
    text = one_line(text)
    for character in "\\`*_{}[]<>|#&~$":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
