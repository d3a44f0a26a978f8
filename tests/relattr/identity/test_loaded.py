"""Modules detected only at run time are added to the fingerprint, and are found again for a stored result."""

from __future__ import annotations

import importlib
import os
import sys
import time

import pytest

from relattr.identity.code import clear_caches, module_digests
from relattr.identity.loaded import CHANGED, LoadedModules, current_digest, is_code

DYNAMIC = "import importlib\ndef run(name):\n    return importlib.import_module(name)\n"


YEAR = 365 * 24 * 3600.0


def date(folder, seconds):
    """Give all files a modification time so many seconds from now."""
    for path in folder.rglob("*.py"):
        os.utime(path, (time.time() + seconds,) * 2)
    time.sleep(0.02)  # the clock of the file system is coarse: what is written later must be newer than the cell


@pytest.fixture
def cell(project, tmp_path):
    """``cell(files, helper)`` -> the module ``plugin``, and what it loads beyond its imports when it runs."""

    def run(files, helper):
        name = project(files)
        date(tmp_path, -60)
        plugin = importlib.import_module(f"{name}.plugin")
        known = {f"code {m}": digest for m, digest in module_digests(plugin.__name__).items()}
        loaded = LoadedModules()
        plugin.run(helper.replace("PROJ", name))
        return name, loaded.fingerprints(known, plugin.__name__)

    return run


def test_a_module_under_a_computed_name_is_found(cell, tmp_path):
    files = {"plugin.py": DYNAMIC, "helper.py": "from . import deep", "deep.py": "V = 1", "other.py": ""}
    name, extra = cell(files, "PROJ.helper")
    # earlier tests of the process may have loaded other files, which are added by their path
    assert {key for key in extra if key.startswith(f"code {name}")} == {f"code {name}.{m}" for m in ("deep", "helper")}
    for key, digest in extra.items():
        assert is_code(key)
        assert current_digest(key) == digest
    (tmp_path / name / "deep.py").write_text("V = 2")
    clear_caches()
    assert current_digest(f"code {name}.deep") != extra[f"code {name}.deep"]
    (tmp_path / name / "deep.py").unlink()
    clear_caches()
    assert current_digest(f"code {name}.deep") is None


def test_a_module_that_another_cell_loaded_is_found(project, tmp_path):
    name = project({"plugin.py": DYNAMIC, "helper.py": "V = 1"})
    plugin = importlib.import_module(f"{name}.plugin")
    importlib.import_module(f"{name}.helper")
    assert f"code {name}.helper" in LoadedModules().fingerprints({}, plugin.__name__)


def test_a_module_on_a_path_added_at_run_time_is_found(cell, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "late_lib.py").write_text("V = 1")
    text = "import sys\ndef run(path):\n    sys.path.insert(0, path)\n    import late_lib\n"
    name, extra = cell({"plugin.py": text}, str(lib))
    key = f"loaded {name}.plugin ../lib/late_lib.py"
    assert list(extra) == [key]
    sys.path.remove(str(lib))
    del sys.modules["late_lib"]
    clear_caches()
    assert current_digest(key) == extra[key]
    (lib / "late_lib.py").write_text("V = 2")
    assert current_digest(key) not in (None, extra[key])
    (lib / "late_lib.py").unlink()
    assert current_digest(key) is None


def test_libraries_and_harness_code_are_left_out(cell):
    text = "def run(name):\n    import colorsys, pygments, relattr.harness.estimate\n"
    assert cell({"plugin.py": text}, "")[1] == {}


@pytest.mark.parametrize("seconds", [-YEAR, -60, 60, YEAR])
def test_a_file_that_changes_during_the_cell_never_matches(project, tmp_path, seconds):
    """Whatever modification time it gets, as from a program that copies files with theirs."""
    name = project({"plugin.py": DYNAMIC, "helper.py": "V = 1"})
    date(tmp_path, -60)
    plugin = importlib.import_module(f"{name}.plugin")
    loaded = LoadedModules()
    plugin.run(f"{name}.helper")
    time.sleep(0.02)
    (tmp_path / name / "helper.py").write_text("V = 2")
    date(tmp_path, seconds)
    assert loaded.fingerprints({}, plugin.__name__)[f"code {name}.helper"] == CHANGED


@pytest.mark.parametrize("seconds", [-YEAR, 60, YEAR])
def test_the_date_of_a_file_that_does_not_change_is_ignored(project, tmp_path, seconds):
    """Files of a machine whose clock is wrong are dated in the future; their results are not stale for ever."""
    name = project({"plugin.py": DYNAMIC, "helper.py": "V = 1"})
    date(tmp_path, seconds)
    plugin = importlib.import_module(f"{name}.plugin")
    loaded = LoadedModules()
    plugin.run(f"{name}.helper")
    key = f"code {name}.helper"
    assert loaded.fingerprints({}, plugin.__name__)[key] == current_digest(key) != CHANGED
