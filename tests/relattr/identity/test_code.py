"""A fingerprint contains exactly the modules that the code runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from relattr.errors import BadInput
from relattr.identity import code_digest, module_digests
from relattr.identity.code import clear_caches, clear_outdated_caches, decides_results, notes_of, project_code


def inside(name, module):
    """The modules of the project ``name`` that ``module`` runs, without its prefix."""
    return {m.removeprefix(name).removeprefix(".") for m in module_digests(f"{name}.{module}") if m.startswith(name)}


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
        ("import importlib\ndef f():\n    importlib.import_module('.b', __package__)", {"b"}),
        ("import importlib\nimportlib.import_module('.sub.c', package=__package__)", {"sub", "sub.c"}),
        ("import importlib\nimportlib.import_module('.b', 'PROJ')", {"b"}),
        ("import importlib\nimportlib.import_module('.b', __spec__.parent)", {"b"}),
        ("import importlib\nimportlib.import_module('PROJ.b')", {"b"}),
        ("import importlib\nimportlib.import_module(__package__ + '.b')", {"b"}),
        ("import importlib\nimportlib.import_module(f'{__package__}.b')", {"b"}),
        ("import importlib\nHELPER = '.b'\nimportlib.import_module(HELPER, __package__)", {"b"}),
        ("import importlib as il\nil.import_module('PROJ.b')", {"b"}),
        ("from importlib import import_module as load\nload('PROJ.b')", {"b"}),
        ("__import__('PROJ.b')", {"b"}),
        ("__import__('b', globals(), locals(), [], 1)", {"b"}),
        ("__import__('PROJ.sub', fromlist=['c'])", {"sub", "sub.c"}),
        ("__import__('PROJ.sub', fromlist=names())", {"sub", "sub.c"}),
        ("import importlib\nimportlib.import_module(f'.{name}', __package__)", {"b", "sub"}),
        ("import importlib\nimportlib.import_module('PROJ.sub.%s' % name)", {"sub", "sub.c"}),
        ("import importlib\nimportlib.import_module('PROJ.sub.{}'.format(name))", {"sub", "sub.c"}),
        ("from .sub import *", {"sub"}),
    ],
)
def test_every_form_of_import_is_followed(project, text, expected):
    name = project({"a.py": text, "b.py": "thing = 1", "sub/__init__.py": "", "sub/c.py": "thing = 1"})
    assert inside(name, "a") == {"", "a"} | expected


def test_imports_are_followed_across_modules_and_circles(project):
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


def test_a_change_reaches_exactly_what_depends_on_it(project):
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
    before = {m: code_digest(m) for m in modules}
    assert len(set(before.values())) == len(modules)
    project({"c.py": "x = 2"}, name)
    after = {m: code_digest(m) for m in modules}
    assert {m[-1] for m in modules if before[m] != after[m]} == set("abcd")
    project({"c.py": "x = 1"}, name)
    assert {m: code_digest(m) for m in modules} == before


@pytest.mark.parametrize("text", [b"x = 1\r\ny = 2\r\n", b'"""Doc."""\nx = 1\ny = 2  # why\n', b"x=1; y  =  (2)"])
def test_layout_and_comments_change_no_digest(project, tmp_path, text):
    name = project({"a.py": "x = 1\ny = 2\n"})
    before = code_digest(f"{name}.a")
    (tmp_path / name / "a.py").write_bytes(text)
    clear_caches()
    assert code_digest(f"{name}.a") == before


def test_a_name_that_becomes_a_module_is_followed(project):
    name = project({"a.py": "from .sub import thing", "sub/__init__.py": "thing = 1"})
    assert inside(name, "a") == {"", "a", "sub"}
    project({"sub/__init__.py": "", "sub/thing.py": ""}, name)
    assert inside(name, "a") == {"", "a", "sub", "sub.thing"}


def test_nothing_is_imported_to_follow_imports(project):
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
def test_a_helper_that_cannot_be_parsed_counts(project, text):
    name = project({"a.py": "def f():\n    from . import broken", "broken.py": text})
    assert inside(name, "a") == {"", "a", "broken"}


@pytest.mark.parametrize(
    ("exports", "expected"),
    [
        ("__all__ = ['c']", {"sub", "sub.c"}),
        ("__all__ = ('c', 'd')", {"sub", "sub.c", "sub.d"}),
        ("__all__ = [name for name in ('c', 'd')]", {"sub", "sub.c", "sub.d"}),
        ("__all__ = []\n__all__ += ['c']", {"sub", "sub.c", "sub.d"}),
        ("from . import c", {"sub", "sub.c"}),
        ("x = 1", {"sub"}),
    ],
)
def test_a_star_import_follows_what_is_exported(project, exports, expected):
    name = project({"a.py": "from .sub import *", "sub/__init__.py": exports, "sub/c.py": "", "sub/d.py": ""})
    assert inside(name, "a") == {"", "a"} | expected


def test_a_package_without_init_is_followed(project):
    name = project({"a.py": "from .space import b\nfrom .space.c import V", "space/b.py": "", "space/c.py": ""})
    assert inside(name, "a") == {"", "a", "space.b", "space.c"}


def test_a_module_on_an_added_path_is_followed(project, tmp_path, monkeypatch):
    name = project({"a.py": "import sys\nsys.path.insert(0, 'lib')\nimport outside_lib"})
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "outside_lib.py").write_text("V = 1")
    assert "outside_lib" in project_code(f"{name}.a").unresolved
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))  # as importing a.py does
    clear_caches()
    before = module_digests(f"{name}.a")
    assert "outside_lib" in before
    (tmp_path / "lib" / "outside_lib.py").write_text("V = 2")
    clear_caches()
    assert {m for m, digest in module_digests(f"{name}.a").items() if digest != before[m]} == {"outside_lib"}


def test_modules_with_a_common_prefix_are_all_followed(project):
    text = "import importlib\ndef f(k):\n    return importlib.import_module(f'._h_{k}', __package__)"
    name = project({"a.py": text, "_h_1.py": "", "_h_2.py": "", "other.py": ""})
    assert inside(name, "a") == {"", "a", "_h_1", "_h_2"}


def test_a_name_of_which_nothing_is_known_is_reported(project):
    name = project({"a.py": "import importlib\ndef f(k):\n    return importlib.import_module(k)"})
    assert project_code(f"{name}.a").dynamic_importers == (f"{name}.a",)
    assert notes_of(f"{name}.a")[f"{name}.a"][0].text == "imports a module whose name is computed"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exec(text())", "runs text as code with exec()"),
        ("eval(text())", "runs text as code with eval()"),
        ("runpy.run_path(place)", "loads code from a place that is computed, with run_path()"),
        ("util.spec_from_file_location('m', place)", "with spec_from_file_location()"),
        ("open('weights.txt')", "reads a file with open()"),
        ("open('weights.txt', 'rb')", "reads a file with open()"),
        ("Path('weights.txt').read_text()", "reads a file with read_text()"),
        ("np.load('weights.npy')", "reads a file with np.load()"),
        ("os.environ['V']", "reads an environment variable"),
        ("subprocess.run(['make'])", "starts a program with run()"),
        ("os.getenv('V')", "reads an environment variable"),
    ],
)
def test_a_line_that_cannot_be_followed_is_noted(project, line, words):
    name = project({"a.py": "from . import b", "b.py": f"x = 1\ny = {line}"})
    (note,) = notes_of(f"{name}.a")[f"{name}.b"]
    assert words in note.text
    assert note.line == 2


@pytest.mark.parametrize("line", ["eval('1')", "net.eval()", "open('log', 'w')", "path.open('ab')", "json.load(file)"])
def test_a_line_that_can_be_followed_is_not_noted(project, line):
    assert notes_of(f"{project({'a.py': line})}.a") == {}


@pytest.mark.parametrize("terms", [2_000, 100_000])
def test_a_deeply_nested_source_has_a_digest(project, terms):
    name = project({"a.py": f"from . import b\nx = {'+'.join(['1'] * terms)}", "b.py": ""})
    assert "" in inside(name, "a")
    assert (terms > 50_000) == module_digests(f"{name}.a")[f"{name}.a"].startswith("bytes ")


def test_names_of_relattr_stand_for_their_modules(project):
    name = project(
        {
            "a.py": "from relattr import Pairs",
            "b.py": "import relattr\nrelattr.Pairs",
            "c.py": "from relattr import random",
            "d.py": "from relattr.pairs import Pairs",
            "e.py": "from relattr import BadInput",
        }
    )
    of = {m: {s for s in module_digests(f"{name}.{m}") if s.startswith("relattr")} for m in "abcde"}
    assert of["a"] == of["d"] == {"relattr.pairs", "relattr.readonly", "relattr.sampling", "relattr.random"}
    assert of["a"] < of["b"]
    assert of["c"] == {"relattr.random"}
    assert of["e"] == set()


def test_a_re_exported_name_stands_for_its_module(project):
    name = project({"a.py": "from relattr.statistics import count_margins", "b.py": "import relattr.statistics"})
    first, second = (set(module_digests(f"{name}.{m}")) for m in "ab")
    assert "relattr.statistics.counts" in first
    assert "relattr.statistics.bootstrap" not in first
    assert "relattr.statistics.bootstrap" in second


PLUMBING = ("cli", "check", "execution", "harness", "identity", "report", "system")


def test_planning_and_reporting_code_is_in_no_fingerprint():
    """Their package, or the module itself, sets `DECIDES_RESULTS = False`."""
    for package in PLUMBING:
        assert not decides_results(f"relattr.{package}")
    for module in ("relattr.harness.store", "relattr.system.http", "relattr.registry", "relattr.errors"):
        assert not decides_results(module)
    for module in ("relattr.pairs", "relattr.ranksvm.newton", "relattr.methods.ranksvm", "relattr.new", "other"):
        assert decides_results(module)


def test_a_plugin_cannot_exclude_itself(project):
    name = project({"a.py": "from . import b", "b.py": "DECIDES_RESULTS = False"})
    assert inside(name, "a") == {"", "a", "b"}


def test_the_standard_library_wins_over_a_neighbour(project):
    """relattr has its own module `statistics`; code that imports Python's does not depend on the Python version."""
    name = project({"a.py": "import statistics, json", "statistics.py": "", "json.py": ""})
    assert inside(name, "a") == {"", "a"}
    assert "statistics" not in module_digests(f"{name}.a")


def test_a_module_beside_a_single_file_plugin_counts(project, tmp_path):
    n = project({})
    (tmp_path / f"plugin{n}.py").write_text(f"import helper{n}, numpy, json")
    (tmp_path / f"helper{n}.py").write_text("x = 1")
    clear_caches()
    assert set(module_digests(f"plugin{n}")) == {f"plugin{n}", f"helper{n}"}


def test_other_packages_do_not_count():
    digests = module_digests("relattr.pairs")
    assert set(digests) == {"relattr.pairs", "relattr.readonly", "relattr.sampling", "relattr.random"}


def test_a_module_without_source_is_refused():
    with pytest.raises(BadInput, match=r"cannot find the source file of no\.such\.module"):
        module_digests("no.such.module")
    with pytest.raises(BadInput, match="cannot find the source file of sys"):
        module_digests("sys")


@pytest.mark.parametrize("edited", ["a.py", "b.py"])
def test_outdated_caches_are_cleared(project, tmp_path, edited):
    name = project({"a.py": "from . import b", "b.py": ""})
    before = module_digests(f"{name}.a")
    clear_outdated_caches()
    assert module_digests(f"{name}.a") is before
    with (tmp_path / name / edited).open("a") as file:
        file.write("\nfrom . import c\n")
    (tmp_path / name / "c.py").write_text("")
    clear_outdated_caches()
    assert inside(name, "a") == {"", "a", "b", "c"}


@pytest.mark.parametrize("content", ["", "{", "5", '["numpy"]', "[[1]]"])
def test_a_damaged_cache_file_is_replaced(project, cache, content):
    name = project({"a.py": "from . import b", "b.py": ""})
    before = module_digests(f"{name}.a")
    for path in (cache / "imports").rglob("*.json"):
        path.write_text(content)
    clear_caches()
    assert module_digests(f"{name}.a") == before


def test_following_imports_of_all_plugins_imports_no_library():
    code = (
        "import sys\n"
        "from relattr.registry import registry\n"
        "from relattr.identity import module_digests\n"
        "registry.discover()\n"
        "before = set(sys.modules)\n"
        "entries = [*registry.methods.values(), *registry.datasets.values()]\n"
        "assert entries and all(module_digests(entry.module) for entry in entries)\n"
        "print([name for name in ('numpy', 'torch', 'scipy', 'PIL') if name in {*sys.modules} - before])\n"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "[]"
