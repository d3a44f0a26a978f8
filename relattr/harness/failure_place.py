"""Where in the code a cell failed, from the text of its traceback."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from pathlib import Path

DECIDES_RESULTS = False

_FRAMEWORK = str(Path(__file__).resolve().parents[1])
_FRAME = re.compile(r'^\s*File "([^"\n]+)", line (\d+)(?:, in (\S+))?', re.MULTILINE)


def failure_place(traceback: str) -> str:
    """Return ``methods/mine.py, line 12, in fit``; empty if the traceback names no file.

    It is the innermost frame in code of a plugin: neither of Python, of installed packages, nor of the framework. If
    there is none, it is the innermost frame, unless that is in the framework, which reports errors of others.
    """
    frames = _FRAME.findall(traceback)
    own = [frame for frame in frames if not _is_foreign(frame[0])]
    last = [frame for frame in frames[-1:] if not Path(frame[0]).is_relative_to(_FRAMEWORK)]
    if not (own or last):
        return ""
    path, line, function = (own or last)[-1]
    return f"{_short(path)}, line {line}{f', in {function}' if function else ''}"


def _is_foreign(path: str) -> bool:
    return path.startswith("<") or any(Path(path).is_relative_to(folder) for folder in _foreign_folders())


def _foreign_folders() -> list[str]:
    """The folders of Python, of installed packages and of the framework."""
    paths = sysconfig.get_paths()
    packages = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    return [_FRAMEWORK, paths["stdlib"], paths["platstdlib"], os.path.dirname(sys.executable), *packages]


def _short(path: str) -> str:
    """The path relative to the working folder if it is below it."""
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return path if relative.startswith("..") else relative
