"""The sources of a module are those it runs: no more, no fewer."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap

import pytest

from relattr import sources
from relattr.errors import BadInput
from relattr.sources import fingerprint_of, sources_of

_count = itertools.count()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """``project(files)`` -> the name of a package with these files; each test has one of its own name."""
    made = []

    def write(files, name=None):
        name = name or f"proj{next(_count)}"
        for path, text in {"__init__.py": "", **files}.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text).replace("PROJ", name))
        forget()
        made.append(name)
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in [n for n in sys.modules if n.partition(".")[0] in made]:
        del sys.modules[name]
    forget()


def forget():
    for cached in (sources.sources_of, sources._file_of, sources._spec_of):
        cached.cache_clear()


def inside(name, module):
    """The modules of the project ``name`` that ``module`` runs, without its prefix."""
    return {m.removeprefix(name).removeprefix(".") for m in sources_of(f"{name}.{module}") if m.startswith(name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import PROJ.b", {"b"}),
        ("import PROJ.sub.c as c", {"sub", "sub.c"}),
        ("from PROJ import b", {"b"}),
        ("from PROJ.b import thing", {"b"}),
        ("from PROJ.sub import c", {"sub", "sub.c"}),
        ("from PROJ.sub.c import thing", {"sub", "sub.c"}),
        ("from . import b", {"b"}),
        ("from .b import thing", {"b"}),
        ("from .sub.c import thing", {"sub", "sub.c"}),
        ("from .b import *", {"b"}),
        ("def f():\n    from .b import thing", {"b"}),
        ("class A:\n    def f(self):\n        if self:\n            import PROJ.b", {"b"}),
        ("try:\n    import PROJ.b\nexcept ImportError:\n    import PROJ.sub.c", {"b", "sub", "sub.c"}),
        ("import json, numpy, PROJ.b", {"b"}),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import PROJ.b\nelse:\n    import PROJ.sub.c",
            {"sub", "sub.c"},
        ),
        ("import typing\nif typing.TYPE_CHECKING:\n    import PROJ.b", set()),
        (
            "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import PROJ.b\nelse:\n    import PROJ.sub.c",
            {"b"},
        ),
        ("x = 1\nif x:\n    import PROJ.b\nelse:\n    import PROJ.sub.c", {"b", "sub", "sub.c"}),
        ("import PROJ.gone", set()),
        ("'import PROJ.b'", set()),
    ],
)
def test_every_form_of_import(project, text, expected):
    name = project({"a.py": text, "b.py": "thing = 1", "sub/__init__.py": "", "sub/c.py": "thing = 1"})
    assert inside(name, "a") == {"", "a"} | expected


def test_imports_are_followed_from_module_to_module_and_in_circles(project):
    name = project(
        {
            "a.py": "from . import b",
            "b.py": "from .sub import c",
            "sub/__init__.py": "from .. import d",
            "sub/c.py": "from ..a import x",
            "d.py": "",
            "e.py": "from . import a",
        }
    )
    assert inside(name, "a") == {"", "a", "b", "sub", "sub.c", "d"}
    assert inside(name, "e") == {"", "a", "b", "sub", "sub.c", "d", "e"}
    assert inside(name, "d") == {"", "d"}


def test_a_change_is_seen_by_exactly_those_that_depend_on_it(project):
    files = {
        "a.py": "from . import b",
        "b.py": "from .c import x",
        "c.py": "x = 1",
        "d.py": "def f():\n    from .b import c",
        "e.py": "import json",
        "f.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import c",
    }
    name = project(files)
    modules = [f"{name}.{m}" for m in "abcdef"]
    before = {m: fingerprint_of(m) for m in modules}
    assert len(set(before.values())) == len(modules)
    project({"c.py": "x = 2"}, name)
    after = {m: fingerprint_of(m) for m in modules}
    assert {m[-1] for m in modules if before[m] != after[m]} == set("abcd")
    project({"c.py": "x = 1"}, name)
    assert {m: fingerprint_of(m) for m in modules} == before


def test_line_endings_are_no_change_and_comments_are(project, tmp_path):
    name = project({"a.py": "x = 1\ny = 2\n"})
    before = fingerprint_of(f"{name}.a")
    (tmp_path / name / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    forget()
    assert fingerprint_of(f"{name}.a") == before
    (tmp_path / name / "a.py").write_bytes(b"x = 1\ny = 2  # why\n")
    forget()
    assert fingerprint_of(f"{name}.a") != before


def test_a_name_that_becomes_a_module_is_followed_though_its_importer_has_not_changed(project):
    name = project({"a.py": "from .sub import thing", "sub/__init__.py": "thing = 1"})
    assert inside(name, "a") == {"", "a", "sub"}
    project({"sub/__init__.py": "", "sub/thing.py": ""}, name)
    assert inside(name, "a") == {"", "a", "sub", "sub.thing"}


def test_nothing_is_imported_to_find_out(project):
    name = project(
        {
            "a.py": "from .heavy import thing\nfrom .pkg.part import x",
            "heavy.py": "1 / 0",
            "pkg/__init__.py": "1 / 0",
            "pkg/part.py": "1 / 0",
        }
    )
    assert inside(name, "a") == {"", "a", "heavy", "pkg", "pkg.part"}
    assert not [m for m in sys.modules if m.startswith(name)]


@pytest.mark.parametrize("text", ["def (", "x = '\x00'"])
def test_a_helper_that_cannot_be_parsed_is_still_fingerprinted(project, text):
    name = project({"a.py": "def f():\n    from . import broken", "broken.py": text})
    assert inside(name, "a") == {"", "a", "broken"}


def test_names_of_relattr_stand_for_their_modules(project):
    name = project(
        {
            "a.py": "from relattr import Pairs",
            "b.py": "import relattr\nrelattr.Pairs",
            "c.py": "from relattr import seeds",
            "d.py": "from relattr.pairs import Pairs",
            "e.py": "from relattr import BadInput",
        }
    )
    of = {m: {s for s in sources_of(f"{name}.{m}") if s.startswith("relattr")} for m in "abcde"}
    assert of["a"] == of["d"] == {"relattr.pairs", "relattr.sampling", "relattr.random"}
    assert of["a"] < of["b"]
    assert of["c"] == {"relattr.random"}
    assert of["e"] == set()


def test_a_standard_module_of_the_same_name_as_a_neighbour_is_not_taken_for_it(project, tmp_path):
    """relattr has a module `statistics` of its own; who imports Python's does not depend on a Python version."""
    name = project({"a.py": "import statistics, json", "statistics.py": "", "json.py": ""})
    assert inside(name, "a") == {"", "a"}
    assert "statistics" not in sources_of(f"{name}.a")


def test_a_module_beside_a_single_file_plugin_belongs_to_it(project, tmp_path):
    (tmp_path / f"single{next(_count)}.py").write_text("")
    n = next(_count)
    (tmp_path / f"plugin{n}.py").write_text(f"import helper{n}, numpy, json")
    (tmp_path / f"helper{n}.py").write_text("x = 1")
    forget()
    assert set(sources_of(f"plugin{n}")) == {f"plugin{n}", f"helper{n}"}


def test_other_packages_do_not_count():
    found = sources_of("relattr.pairs")
    assert set(found) == {"relattr.pairs", "relattr.sampling", "relattr.random"}


def test_a_module_without_source_is_refused():
    with pytest.raises(BadInput, match=r"source of no\.such\.module cannot be found"):
        sources_of("no.such.module")
    with pytest.raises(BadInput, match="source of math cannot be found"):
        sources_of("math")


@pytest.mark.parametrize("content", ["", "{", "5", '["numpy"]', "[[1]]"])
def test_a_damaged_memory_of_imports_is_made_anew(project, cache, content):
    name = project({"a.py": "from . import b", "b.py": ""})
    before = sources_of(f"{name}.a")
    for path in (cache / "imports").iterdir():
        path.write_text(content)
    forget()
    assert sources_of(f"{name}.a") == before


def test_fingerprints_of_the_projects_own_plugins_need_no_numpy():
    code = (
        "import sys\n"
        "from relattr.registry import registry\n"
        "from relattr.sources import sources_of\n"
        "registry.discover()\n"
        "entries = [*registry.methods.values(), *registry.datasets.values()]\n"
        "assert entries and all(sources_of(entry.module) for entry in entries)\n"
        "print([name for name in ('numpy', 'torch', 'scipy', 'PIL') if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
