from __future__ import annotations

import itertools
import sys
import textwrap

import pytest

from relattr.identity.code import clear_caches

_numbers = itertools.count()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """``project(files)`` -> the name of a package with these files; ``PROJ`` in them stands for that name."""
    names = []

    def write(files, name=None):
        name = name or f"proj{next(_numbers)}"
        for path, text in {"__init__.py": "", **files}.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text).replace("PROJ", name))
        clear_caches()
        names.append(name)
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in [n for n in sys.modules if n.partition(".")[0] in names]:
        del sys.modules[name]
    clear_caches()
