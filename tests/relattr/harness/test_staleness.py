"""The state of a cell: missing, valid, stale, blocked; and what a change makes stale."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from relattr.harness.staleness import UNCHECKED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells run in separate processes on Linux only")


def test_a_state_follows_from_the_stored_result(workspace):
    workspace.write_method("good")
    workspace.write_method("bad", "raise ValueError('first line\\nsecond')")
    workspace.write_method("late", "from relattr import Blocked\nraise Blocked('needs a moon')")
    workspace.write_benchmark()
    assert workspace.states() == {f"{name} 0": "missing: no result yet" for name in ("good", "bad", "late")}
    assert "no estimate for 3, whose methods were never timed with these parameters" in workspace.relattr("plan")
    output = workspace.relattr("run", code=1)
    assert "blocked: late on tiny/a0/standard, seed 0: needs a moon" in output
    states = workspace.states()
    assert states["good 0"].startswith("done")
    assert states["bad 0"].startswith("failed: failed: ValueError: first line")
    assert states["late 0"].startswith("blocked:")
    assert states["late 0"].endswith("needs a moon")

    (path,) = (workspace.folder / "results").glob("tiny/good/*.json")
    path.write_text(path.read_text()[:-40])
    (workspace.folder / "results" / "tiny" / "good" / "foreign.json").write_text("{}")
    assert workspace.states()["good 0"].startswith("unreadable:")
    assert "foreign.json" in workspace.relattr("status")
    output = workspace.relattr("run", code=1)
    assert f"set aside as {path.name}.bad" in output
    assert workspace.states()["good 0"].startswith("done")
    workspace.write_method("bad")
    assert workspace.states()["bad 0"].startswith("stale:")


def test_weights_downloaded_by_a_cell_do_not_make_it_stale(workspace, record_start):
    weights = workspace.folder / "weights"
    need = (
        "import pathlib\n"
        f"WEIGHTS = pathlib.Path({str(weights)!r})\n"
        "class Net:\n"
        "    def missing(self): return None\n"
        "    def fingerprint(self): return WEIGHTS.read_text() if WEIGHTS.exists() else 'undownloaded:net'\n"
    )
    workspace.write_method(
        "deep",
        f"{record_start}\nWEIGHTS.write_text('first')",
        imports=need,
        parameters="def needs(self): return [Net()]",
    )
    workspace.write_benchmark()
    workspace.relattr("run")
    assert workspace.states()["deep 0"].startswith("done")  # the weights that the cell used are recorded
    workspace.relattr("run")
    weights.unlink()
    assert workspace.states()["deep 0"].startswith("done")  # missing weights count as unchanged
    workspace.relattr("run")
    assert "changed since" not in workspace.relattr("tables", "--out", str(workspace.folder / "out"))
    assert workspace.n_starts == {"deep 0": 1}
    weights.write_text("second")
    assert workspace.states()["deep 0"].startswith("stale")


def test_a_source_changed_during_the_run_makes_it_stale(workspace):
    change = "import pathlib\nfile = pathlib.Path(__file__)\nfile.write_text(file.read_text() + 'CHANGED = 1')"
    path = workspace.write_method("edits", change)
    original = path.read_text()
    workspace.write_benchmark()
    workspace.relattr("run")
    path.write_text(original)  # which of the two versions ran remains unknown
    assert workspace.states()["edits 0"].startswith("stale:")


def test_a_helper_makes_stale_only_what_depends_on_it(workspace, tmp_path):
    """Two methods of an installed package; one imports a helper that imports another inside a function."""
    site = tmp_path / "site"
    package = site / "outside"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "deep.py").write_text("FACTOR = 1.0\n")
    (package / "helper.py").write_text("def scale():\n    from outside.deep import FACTOR\n    return FACTOR\n")
    method = (
        "from relattr import Method, register_method\n@register_method('{0}', label='{0}')\nclass {1}(Method):\n"
        "    'Doc.'\n    def fit(self, train, run):\n        {2}\n    def strength(self, images):\n"
        "        import numpy as np\n        return np.array([images[k].mean() for k in range(len(images))])\n"
    )
    (package / "uses.py").write_text(method.format("uses", "Uses", "from .helper import scale; self.s_ = scale()"))
    (package / "plain.py").write_text(method.format("plain", "Plain", "pass"))
    info = site / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[relattr.methods]\nuses = outside.uses\nplain = outside.plain\n")
    workspace.environment["PYTHONPATH"] = str(site)
    workspace.write_benchmark(methods=["uses", "plain", "chance"])
    workspace.relattr("run", "--jobs", "2")
    assert all(state.startswith("done") for state in workspace.states().values())
    (package / "deep.py").write_text("FACTOR = 2.0\n")
    states = workspace.states()
    assert states["uses 0"].startswith("stale:")
    assert "outside.deep changed" in states["uses 0"]
    assert states["plain 0"].startswith("done")
    assert states["chance 0"].startswith("done")
    assert "1 cell computed, 2 already available" in workspace.relattr("run")


def test_keep_stale_marks_results_and_computes_nothing(workspace, record_start):
    workspace.write_method("m", record_start)
    workspace.write_benchmark()
    workspace.relattr("run")
    workspace.write_method("m", record_start + "\nchanged = True")
    assert "stale, kept" in workspace.relattr("plan", "--keep-stale")
    output = workspace.relattr("run", "--keep-stale")
    assert "1 of them stale" in output
    assert "100.00" in workspace.relattr("status", "--keep-stale")
    assert "100.00" not in workspace.relattr("status")
    assert workspace.n_starts == {"m 0": 1}
    out = str(workspace.folder / "all.csv")
    assert "left out, stale: 1 cell;" in workspace.relattr("export", "--out", out)
    workspace.relattr("export", "--out", out, "--keep-stale")
    assert ",stale," in Path(out).read_text()
    workspace.relattr("run")
    assert workspace.n_starts == {"m 0": 2}


def test_an_unmet_need_blocks_a_cell_and_is_shown_if_stale(workspace):
    path = workspace.write_method("needy")
    needs = "\n\n    def needs(self):\n        from relattr.needs import Packages\n        return [Packages(('json',), 'x')]\n"
    text = path.read_text().rstrip()
    path.write_text(text + needs.replace("json", "no_such_package"))
    workspace.write_benchmark()
    state = workspace.states()["needy 0"]
    assert state.startswith("blocked:")
    assert "no_such_package" in state
    path.write_text(text + needs)
    workspace.relattr("run")
    assert workspace.states()["needy 0"].startswith("done")
    path.write_text(text + needs.replace("json", "no_such_package"))
    state = workspace.states()["needy 0"]
    assert state.startswith("stale:")
    assert "no_such_package" in state
    assert "changed" in state.partition("no_such_package")[0]
    assert "stale, kept" in workspace.relattr("plan", "--keep-stale")


def without_data(plugin, how="return 'gone'"):
    """The file of a dataset whose images are away."""
    text = plugin.read_text()
    plugin.write_text(
        text.replace("    def fingerprint", f"    def missing(self):\n        {how}\n\n    def fingerprint")
    )
    assert how in plugin.read_text()


@pytest.fixture
def moved(workspace):
    """A benchmark whose dataset is missing while a file exists; the path of that file."""
    flag = workspace.folder / "away"
    workspace.write_method("m")
    without_data(
        workspace.plugins / "tiny.py",
        f"import pathlib; return 'gone' if pathlib.Path({str(flag)!r}).exists() else None",
    )
    workspace.write_benchmark()
    return flag


def stored_result(workspace, method="m"):
    (path,) = (workspace.folder / "results").glob(f"tiny/{method}/*.json")
    return path


def test_numbers_are_kept_while_the_data_are_away(workspace, moved):
    """As with an unmounted disk: the number counts and is not computed again, and code is compared all the same."""
    workspace.relattr("run")
    stored = stored_result(workspace).read_bytes()
    moved.touch()
    assert workspace.states()["m 0"] == f"done: {UNCHECKED}"
    assert "0 cells computed, 1 already available. " in workspace.relattr("run")
    assert "computed with code or data that has changed" not in workspace.relattr("tables", "--notes", "full")
    workspace.write_method("m", "self.changed_ = 1")
    state = workspace.states()["m 0"]
    assert state.startswith("stale:")
    assert "m changed" in state
    assert state.endswith(UNCHECKED)
    assert "computed with code or data that has changed" in workspace.relattr("tables", "--notes", "full")
    assert "0 cells computed, 1 already available (1 of them stale). " in workspace.relattr("run")
    assert stored_result(workspace).read_bytes() == stored
    moved.unlink()
    assert "1 cell computed" in workspace.relattr("run")


def test_a_failure_is_kept_while_the_data_are_away(workspace, moved):
    workspace.write_method("m", "raise ValueError('of the method')")
    workspace.relattr("run", code=1)
    stored = stored_result(workspace).read_bytes()
    moved.touch()
    assert "m on tiny/a0/standard, seed 0 is blocked now: its stored result is kept" in workspace.relattr("run", code=1)
    assert stored_result(workspace).read_bytes() == stored


def test_a_number_is_kept_if_the_data_cannot_be_read(workspace):
    workspace.write_method("m")
    workspace.write_benchmark()
    workspace.relattr("run")
    stored, plugin = stored_result(workspace).read_bytes(), workspace.plugins / "tiny.py"
    text = plugin.read_text()
    plugin.write_text(text.replace("return self.fingerprint_text", "raise OSError(5, 'cannot read', 'disk')"))
    output = workspace.relattr("run")
    assert "its stored result is kept" in output
    assert "lost:" not in output
    assert stored_result(workspace).read_bytes() == stored


def test_a_blocked_run_does_not_replace_a_number(workspace):
    """Not even a stale one, whose method lacks something now."""
    path = workspace.write_method("needy")
    workspace.write_benchmark()
    workspace.relattr("run")
    content = stored_result(workspace, "needy").read_bytes()
    path.write_text(
        f"{path.read_text().rstrip()}\n\n    def needs(self):\n        from relattr.needs import Packages\n"
        "        return [Packages(('no_such_package',), 'x')]\n"
    )
    output = workspace.relattr("run")
    assert "is blocked now: its stored result is kept" in output
    assert "0 cells computed, 1 already available (1 of them stale). " in output
    assert "lost:" not in output
    assert stored_result(workspace, "needy").read_bytes() == content
    assert workspace.states()["needy 0"].startswith("stale:")


def test_an_unreadable_dataset_blocks_its_own_cells_only(workspace):
    workspace.write_method("plain")
    other = (workspace.plugins / "tiny.py").read_text().replace("tiny", "torn").replace("Tiny", "Torn")
    raises = "raise OSError(2, 'cannot read', '3.png')"
    (workspace.plugins / "torn.py").write_text(other.replace("return self.fingerprint_text", raises))
    workspace.write_benchmark()
    path = workspace.folder / "bench.toml"
    path.write_text(path.read_text().replace("['tiny']", "['tiny', 'torn']"))
    output = workspace.relattr("plan", "--verbose")
    assert re.search(r"blocked +plain +torn.*cannot read: '3.png'", output)
    assert re.search(r"missing +plain +tiny", output)
