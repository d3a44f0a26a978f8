"""The catalogue lists plugins without importing them, and detects every change of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from relattr import plugin_files
from relattr.catalogue import load_catalogue
from relattr.errors import BadInput
from relattr.method import Method
from relattr.registry import BrokenPlugin, Plugin, Registry

METHOD = '''
"""A plugin of a test."""
from relattr import Method, register_method

print("imported")

@register_method("{name}", label="{name}", summary="{summary}")
class Plugin(Method):
    """A method."""
'''


class CountingRegistry(Registry):
    """Instead of importing the files of a folder, registers a method for each, summarised by the file's text."""

    n_discoveries = 0

    def candidates(self, folders=()):
        self.folders = list(folders)
        return []

    def load(self, candidates):
        type(self).n_discoveries += 1
        for folder in self.folders:
            for path in sorted(folder.glob("[!_]*.py")):
                self.methods[path.stem] = Plugin(path.stem, path.stem, Method, {}, path.read_text())
        self.broken.append(BrokenPlugin("bad.py", "ZeroDivisionError: division by zero", "Traceback"))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "mine.py").write_text("First.")
    (folder / "_helper.py").write_text("X = 1")
    (folder / "table.csv").write_text("1,2")
    return folder


@pytest.fixture
def load(folder, monkeypatch):
    """``load()``: the catalogue as a new process loads it, and whether that imported plugins."""

    def load(*, registry=None):
        CountingRegistry.n_discoveries = 0
        monkeypatch.setattr("relattr.registry.registry", registry or CountingRegistry())
        return load_catalogue([folder]), bool(CountingRegistry.n_discoveries)

    return load


def cache_file(cache):
    (path,) = (cache / "catalogue").glob("*.json")
    return path


def test_only_the_first_load_imports_plugins(load):
    first, imported = load()
    assert imported
    assert [(entry.name, entry.summary, entry.origin) for entry in first.methods] == [
        ("mine", "First.", Method.__module__)
    ]
    assert load() == (first, False)


def test_broken_plugins_are_cached_too(load):
    for _ in range(2):
        assert load()[0].broken == (("bad.py", "ZeroDivisionError: division by zero"),)


@pytest.mark.parametrize(
    ("name", "content"),
    [("mine.py", "Other."), ("_helper.py", "X = 2"), ("table.csv", "3,4"), ("new.py", "New."), ("table.csv", None)],
)
def test_every_change_in_a_plugin_folder_is_noticed(load, folder, name, content):
    load()
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)  # changed files keep their size
    changed, imported = load()
    assert imported
    assert {entry.name for entry in changed.methods} == {path.stem for path in folder.glob("[!_]*.py")}
    assert {entry.summary for entry in changed.methods} == {path.read_text() for path in folder.glob("[!_]*.py")}
    assert load() == (changed, False)


@pytest.mark.parametrize("version", ["relattr", "python"])
def test_another_version_imports_plugins_again(load, monkeypatch, version):
    load()
    if version == "relattr":
        monkeypatch.setattr(plugin_files, "__version__", "99")
    else:
        monkeypatch.setattr(sys, "version", "99")
    assert load()[1]


def test_another_set_of_distributions_imports_plugins_again(load, tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    load()
    info = site / "elsewhere-1.0.dist-info"
    info.mkdir()
    assert load()[1]
    (info / "entry_points.txt").write_text("[relattr.methods]\n")
    assert load()[1]
    assert not load()[1]


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"state": 1}', "truncated", "wrong type", "missing field"])
def test_a_damaged_cache_is_rebuilt(load, cache, damage):
    expected, _ = load()
    path = cache_file(cache)
    content = json.loads(path.read_text())
    if damage == "truncated":
        path.write_text(path.read_text()[:-20])
    elif damage == "wrong type":
        content["value"]["catalogue"]["methods"][0]["label"] = 3
        path.write_text(json.dumps(content))
    elif damage == "missing field":
        del content["value"]["catalogue"]["methods"][0]["origin"]
        path.write_text(json.dumps(content))
    else:
        path.write_text(damage)
    assert load() == (expected, True)
    assert load() == (expected, False)


def test_a_process_with_other_plugins_does_not_write_the_cache(load, cache):
    used = CountingRegistry()
    used.methods["other"] = Plugin("other", "Other", Method, {}, "Of another folder.")
    assert {entry.name for entry in load(registry=used)[0].methods} == {"other", "mine"}
    assert not (cache / "catalogue").exists()


def test_a_cache_that_cannot_be_written_is_not_needed(load, cache):
    (cache / "catalogue").write_text("a file, not a folder")
    assert load()[1]
    assert load()[1]


def test_a_folder_with_too_many_files_is_not_cached(load, cache, monkeypatch):
    monkeypatch.setattr(plugin_files, "MAX_FILES", 2)
    assert load()[1]
    assert not (cache / "catalogue").exists()


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="nowhere is not a folder"):
        load_catalogue([tmp_path / "nowhere"])


def test_the_command_lists_plugins_of_folders_and_entry_points(tmp_path, cache):
    """In new processes, with real imports: plugins are imported once, and again after a change."""
    plugins, site = tmp_path / "plugins", tmp_path / "site"
    plugins.mkdir()
    info = site / "elsewhere-1.0.dist-info"
    info.mkdir(parents=True)
    (plugins / "mine.py").write_text(METHOD.format(name="mine", summary="In a folder."))
    (plugins / "bad.py").write_text("1 / 0")
    (site / "elsewhere.py").write_text(METHOD.format(name="elsewhere", summary="Installed."))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[relattr.methods]\nelsewhere = elsewhere\n")

    def shown() -> str:
        code = "from relattr.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "list", "methods", "--plugins", str(plugins)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "bad.py) could not be loaded and is left out: ZeroDivisionError" in done.stderr
        return done.stdout

    first, second = shown(), shown()
    assert first.count("imported\n") == 2
    assert first.replace("imported\n", "") == second
    for text in ("In a folder.", "Installed.", "chance"):
        assert text in second
    (site / "elsewhere.py").write_text(METHOD.format(name="elsewhere", summary="Upgraded."))
    assert "Upgraded." in shown()


def test_every_registered_name_has_a_summary_of_its_own():
    catalogue = load_catalogue()
    for entries in (catalogue.methods, catalogue.datasets):
        names: dict[str, str] = {}
        for entry in entries:
            assert entry.summary not in names, f"{entry.name} and {names[entry.summary]} have the same summary"
            names[entry.summary] = entry.name
            assert entry.summary.strip()
