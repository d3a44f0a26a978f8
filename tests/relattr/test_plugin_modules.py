"""Plugins are found in this project and in folders without importing them; a folder is imported as a package."""

from __future__ import annotations

import sys

import pytest

from relattr.errors import BadInput
from relattr.plugin_modules import find_plugins, forget_modules, is_imported, plugin_packages


@pytest.fixture(autouse=True)
def plugin_modules_are_removed():
    yield
    for name in [n for n in sys.modules if n.startswith("relattr_plugins_")]:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """A function that writes files of a plugin folder and returns the folder."""

    def write(folder, **files):
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (path / f"{name}.py").write_text(text)
        return path

    return write


def of_folders(*folders):
    """What imports each plugin of these folders, by place."""
    return {where: load for where, load in find_plugins(folders) if where.startswith("relattr_plugins_")}


def test_finding_plugins_imports_none(write):
    folder = write("plugins", one="raise RuntimeError", two="raise RuntimeError", _helper="raise RuntimeError")
    (folder / "notes.txt").write_text("no plugin")
    (folder / "big").mkdir()
    (folder / "big" / "__init__.py").write_text("raise RuntimeError")
    assert list(of_folders(folder, folder)) == [
        f"relattr_plugins_plugins.big ({folder / 'big'})",
        f"relattr_plugins_plugins.one ({folder / 'one.py'})",
        f"relattr_plugins_plugins.two ({folder / 'two.py'})",
    ]
    assert plugin_packages() == {"relattr_plugins_plugins": folder}
    assert not is_imported("relattr_plugins_plugins.one")


def test_plugins_of_this_project_come_first(write):
    places = [where for where, _ in find_plugins([write("plugins", one="")])]
    assert [where.split()[0] for where in places][-1] == "relattr_plugins_plugins.one"
    assert {"relattr.methods.chance", "relattr.datasets.glyphs"} <= {where.split()[0] for where in places}


def test_module_names_do_not_depend_on_the_parent_folder(write):
    names = []
    for parent in ("here", "there"):
        (load,) = of_folders(write(f"{parent}/my plugins", a=f"PARENT = {parent!r}")).values()
        module = load()
        assert parent == module.PARENT
        names.append(module.__name__)
        for name in [n for n in sys.modules if n.startswith("relattr_plugins_")]:
            del sys.modules[name]
    assert names == 2 * ["relattr_plugins_my_plugins.a"]


def test_two_folders_of_the_same_name_are_distinct(write):
    folders = [write(f"{parent}/plugins", a=f"PARENT = {parent!r}") for parent in ("here", "there")]
    modules = [load() for load in of_folders(*folders).values()]
    assert [module.PARENT for module in modules] == ["here", "there"]
    assert sorted(plugin_packages().values()) == folders


def test_a_missing_plugin_folder_raises(tmp_path):
    with pytest.raises(BadInput, match="nowhere is not a folder"):
        find_plugins([tmp_path / "nowhere"])


def test_forgotten_modules_are_read_again(write):
    folder = write("plugins", a="from . import _b\nfrom ._b import VALUE", _b="VALUE = 1")
    (load,) = of_folders(folder).values()
    assert load().VALUE == 1
    write("plugins", _b="VALUE = 1234")
    assert load().VALUE == 1
    forget_modules("relattr_plugins_plugins")
    assert not is_imported("relattr_plugins_plugins._b")
    assert load().VALUE == 1234
