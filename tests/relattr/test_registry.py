"""Plugins are registered under unique names; a broken plugin does not affect the others."""

from __future__ import annotations

import importlib
import sys
import textwrap
from types import ModuleType

import pytest

from relattr import plugin_modules
from relattr import registry as module
from relattr.errors import BadInput, UnknownName
from relattr.method import Method
from relattr.registry import Registry, register_constant, register_dataset, register_method

METHOD = """
from relattr import Method, register_method

@register_method({name!r}, label="A method")
class Plugin(Method):
    '''Says so.

    And more.'''
    gamma: float = 1.0
"""


@pytest.fixture
def registry(monkeypatch):
    """An empty registry in place of the global one; the plugins it loads are removed afterwards."""
    empty = Registry()
    monkeypatch.setattr(module, "registry", empty)
    # only what a test brings along: the project's plugins are imported already and register no second time
    monkeypatch.setattr(plugin_modules, "modules_of", _only_folders(plugin_modules.modules_of))
    yield empty
    for name in [n for n in sys.modules if n.startswith(("relattr_plugins_", "elsewhere_"))]:
        del sys.modules[name]


def _only_folders(original):
    def modules_of(package):
        return [] if package.startswith("relattr.") else original(package)

    return modules_of


@pytest.fixture
def write(tmp_path):
    def file(name, text, folder="plugins"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return tmp_path / folder

    return file


# ---------------------------------------------------------------------- loading


def test_the_plugins_of_this_project_are_loaded():
    registry = module.registry
    registry.discover()
    assert registry.broken == []
    assert {"chance", "ranksvm-hog2x2"} <= set(registry.methods)
    assert "glyphs" in registry.datasets
    known = set(registry.methods), set(registry.datasets)
    registry.discover()  # again: nothing comes twice, nothing goes
    assert (set(registry.methods), set(registry.datasets)) == known


def test_a_plugin_folder_is_loaded_once(registry, write):
    folder = write("mine.py", METHOD.format(name="mine"))
    write("_private.py", "raise RuntimeError('files with an underscore are helpers, not plugins')")
    write("notes.txt", "no plugin")
    registry.discover([folder])
    registry.discover([folder, folder])
    assert registry.broken == []
    entry = registry.method("mine")
    assert (entry.label, entry.kind, entry.summary) == ("A method", "method", "Says so.")
    assert entry.create({"gamma": "2"}).gamma == 2.0
    assert entry.create().name == "mine"


def test_plugins_share_helpers_and_may_be_packages(registry, write):
    folder = write("_shared.py", "NAME = 'shared'")
    write("one.py", "from ._shared import NAME" + METHOD.format(name="one").replace("'one'", "NAME"))
    write("big/__init__.py", "from .part import *")
    write("big/part.py", METHOD.format(name="big"))
    registry.discover([folder])
    assert registry.broken == []
    assert set(registry.methods) == {"shared", "big"}


def test_entry_points_of_installed_packages_are_loaded(registry, write, tmp_path, monkeypatch):
    site = write("elsewhere_plugin.py", METHOD.format(name="elsewhere"), folder="site")
    write(
        "elsewhere_data.py",
        """
        from relattr import Dataset, register_dataset
        @register_dataset("elsewhere", label="Elsewhere")
        class Data(Dataset):
            "Data."
        """,
        folder="site",
    )
    info = site / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[relattr.methods]\nelsewhere = elsewhere_plugin\ngone = elsewhere_gone\n"
        "[relattr.datasets]\nd = elsewhere_data:Data\n"
    )
    monkeypatch.syspath_prepend(str(site))
    registry.discover()
    registry.discover()
    assert set(registry.methods) == {"elsewhere"}
    assert set(registry.datasets) == {"elsewhere"}
    (broken,) = registry.broken
    assert "gone" in broken.where
    assert "ModuleNotFoundError" in broken.error


# ---------------------------------------------------------------------- broken ones


@pytest.mark.parametrize(
    "failure",
    [
        "1 / 0",
        "def (",
        "import no_such_package",
        "raise SystemExit(3)",
        "from relattr import NoSuchName",
        "class Bad(Method):\n    x: list = []",
    ],
)
def test_a_broken_plugin_does_not_affect_others(registry, write, failure):
    folder = write("a_good.py", METHOD.format(name="good"))
    write("b_bad.py", METHOD.format(name="half") + "\n" + failure)
    write("c_fine.py", METHOD.format(name="fine"))
    registry.discover([folder])
    assert set(registry.methods) == {"good", "fine"}  # nor does half of it stay
    (broken,) = registry.broken
    assert str(folder / "b_bad.py") in broken.where
    assert "b_bad.py" in broken.trace
    assert broken.error.split(":")[0] in broken.trace


def test_a_plugin_imported_by_a_broken_one_is_kept(registry, write):
    folder = write("a_bad.py", "from .b_good import Plugin" + METHOD.format(name="bad") + "\n1 / 0")
    write("b_good.py", METHOD.format(name="good"))
    registry.discover([folder])
    assert set(registry.methods) == {"good"}
    assert len(registry.broken) == 1


def test_constants_of_a_broken_plugin_are_removed(registry, write):
    folder = write(
        "bad.py", "from relattr import register_constant\nregister_constant('human', label='H', reason='r')\n1 / 0"
    )
    registry.discover([folder])
    assert registry.constants == {}


def test_a_keyboard_interrupt_is_not_a_broken_plugin(registry, write):
    with pytest.raises(KeyboardInterrupt):
        registry.discover([write("slow.py", "raise KeyboardInterrupt")])


def test_a_duplicate_name_raises_an_error_that_names_both(registry, write):
    folder = write("a.py", METHOD.format(name="same"))
    write("b.py", METHOD.format(name="other") + METHOD.format(name="same"))
    registry.discover([folder])
    assert set(registry.methods) == {"same"}
    (broken,) = registry.broken
    assert "two methods are called 'same'" in broken.error
    assert "plugins.a" in broken.error
    assert "plugins.b" in broken.error


# ---------------------------------------------------------------------- registering


def test_a_class_can_be_registered_several_times(registry):
    @register_method("small", label="Small", size=1)
    @register_method("large", label="Large", size=9)
    class Sized(Method):
        size: int = 5

    assert [registry.method(name).create().size for name in ("small", "large")] == [1, 9]
    assert registry.method("small").create({"size": 3}).size == 3
    assert registry.method("small").create().size == 1
    assert [registry.method(name).create().name for name in ("small", "large")] == ["small", "large"]


def test_a_constant_and_a_method_cannot_share_a_name(registry):
    register_constant("human", label="Human", reason="needs people")
    assert registry.constants["human"].module == __name__
    with pytest.raises(BadInput, match="two methods are called 'human'"):
        register_method("human", label="Human")(type("Robot", (Method,), {}))


DEFINITIONS = """
from relattr import Dataset, Method, register_dataset, register_method
from relattr.registry import register_constant

register_constant("human", label="Human", reason="version {version}")

@register_method("small", label="Small {version}", size=1)
@register_method("large", label="Large {version}", size=9)
class {cls}(Method):
    size: int = 5
    version = {version}

@register_dataset("own", label="Own {version}")
class Own(Dataset):
    version = {version}
"""


def run_cell(version, *, cls="Sized", module="__main__", file="<cell>"):
    """Execute the definitions like a cell of a notebook, or a module."""
    text = DEFINITIONS.format(version=version, cls=cls)
    exec(compile(text, file.format(version), "exec"), {"__name__": module})


@pytest.mark.parametrize("file", ["<cell>", "<cell {}>"])
def test_a_cell_that_runs_again_replaces_its_plugins(registry, file):
    for version in (1, 1, 2):
        run_cell(version, file=file)
        rows = [registry.method("small"), registry.method("large"), registry.dataset("own")]
        assert [row.label for row in rows] == [f"Small {version}", f"Large {version}", f"Own {version}"]
        assert {row.create().version for row in rows} == {version}
        assert registry.constants["human"].reason == f"version {version}"


@pytest.mark.parametrize("version", [1, 2])
def test_a_reloaded_module_replaces_its_plugins(registry, write, monkeypatch, version):
    monkeypatch.syspath_prepend(write("elsewhere_reloaded.py", DEFINITIONS.format(version=1, cls="Sized")))
    reloaded = importlib.import_module("elsewhere_reloaded")
    write("elsewhere_reloaded.py", "# edited\n" + DEFINITIONS.format(version=version, cls="Sized"))
    importlib.reload(reloaded)
    assert registry.method("small").cls is reloaded.Sized
    assert registry.method("small").create().version == registry.dataset("own").create().version == version


@pytest.mark.parametrize(
    "other",
    [{"cls": "Renamed"}, {"module": "another"}, {"module": "same", "file": "another.py"}],
    ids=["class", "module", "file"],
)
def test_another_class_never_replaces_a_plugin(registry, monkeypatch, other):
    for name in ("first", "another", "same"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    first = {"module": other.get("module", "__main__").replace("another", "first")}
    run_cell(1, **first)
    with pytest.raises(BadInput, match=r"two methods are called '\w+': one is \w+(\.Sized)?, one is "):
        run_cell(2, **other)
    assert registry.method("large").label == "Large 1"


def test_a_name_taken_twice_in_one_cell_raises(registry):
    twice = 2 * DEFINITIONS.format(version=1, cls="Sized")
    with pytest.raises(BadInput, match=r"two methods are called 'human'.* restart Python to forget the first"):
        exec(compile(twice, "<cell>", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", ["", " x", "x ", "a/b", "a\nb", "a=b", "a*", "a?", "[a]"])
def test_a_name_unsuitable_for_paths_and_patterns_raises(registry, name):
    with pytest.raises(BadInput, match="name"):
        register_method(name, label="x")(type("X", (Method,), {}))
    with pytest.raises(BadInput, match="name"):
        register_constant(name, label="x", reason="x")


def test_only_methods_and_datasets_can_be_registered(registry):
    for wrong in (object, Method(), print):
        with pytest.raises(BadInput, match=r"subclasses of relattr\.Method"):
            register_method("x", label="x")(wrong)
    with pytest.raises(BadInput, match=r"subclasses of relattr\.Dataset"):
        register_dataset("x", label="x")(type("X", (Method,), {}))


def test_an_invalid_preset_raises_on_registration(registry):
    class Sized(Method):
        size: int = 5

    with pytest.raises(BadInput, match="size='big' is not valid"):
        register_method("a", label="a", size="big")(Sized)
    with pytest.raises(UnknownName, match="did you mean size"):
        register_method("a", label="a", sise=1)(Sized)
    assert registry.methods == {}


def test_unknown_names_suggest_similar_ones():
    module.registry.discover()
    with pytest.raises(UnknownName, match=r"no method is called 'ranksvm-hog2x'; did you mean ranksvm-hog2x2"):
        module.registry.method("ranksvm-hog2x")
    with pytest.raises(UnknownName, match=r"no dataset is called 'glyph'; did you mean glyphs"):
        module.registry.dataset("glyph")
    with pytest.raises(UnknownName, match="known: none"):
        Registry().method("anything")
