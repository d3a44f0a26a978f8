"""What the parameters of a plugin mean, read from the docstrings of its classes."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from typing import Any

DECIDES_RESULTS = False

_SECTION = re.compile(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\w+(?:, \w+)*) ?: ")


def _strings_below(cls: type[Any]) -> dict[str, str]:
    """The string literals directly below the annotated attributes of a class."""
    if "__annotations__" not in vars(cls):
        return {}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, SyntaxError, TypeError):  # its source is not available
        return {}
    meanings = {}
    body = getattr(tree.body[0], "body", [])
    for definition, below in itertools.pairwise(body):
        if (
            isinstance(definition, ast.AnnAssign)
            and isinstance(definition.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            meanings[definition.target.id] = " ".join(below.value.value.split())
    return meanings


def parameter_meanings(cls: type[Any]) -> dict[str, str]:
    """Return the meaning of each documented parameter of a class, by name.

    Read from the string below its definition, or from the section ``Parameters`` of the docstring of the class or a
    base class, as in numpydoc: ``name : meaning``, continued in indented lines. ``a, b : meaning`` documents both.
    """
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(vars(base).get("__doc__") or "")
        section = _SECTION.search(text)
        names: list[str] = []
        for line in section[1].splitlines() if section else ():
            entry = _ENTRY.match(line)
            if entry:
                names = entry[1].split(", ")
                meanings |= dict.fromkeys(names, line[entry.end() :].strip())
            elif line.startswith(" "):
                meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
            elif line.strip():
                names = []
        meanings |= _strings_below(base)
    return {name: text.replace("``", "") for name, text in meanings.items()}
