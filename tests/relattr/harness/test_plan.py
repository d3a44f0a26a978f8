"""What would run and why; what is stale when something changes, and what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")


def states(workspace) -> dict[str, str]:
    """Method and seed -> state and why, as plan says."""
    found = {}
    for line in workspace.relattr("plan").splitlines():
        words = line.split()
        if len(words) > 4 and words[3] == "seed":
            found[f"{words[1]} {words[4]}"] = f"{words[0]}: {' '.join(words[5:])}"
    return found


def test_the_states_of_cells(workspace):
    workspace.write_method("good")
    workspace.write_method("bad", "raise ValueError('first line\\nsecond')")
    workspace.write_method("late", "from relattr import Blocked\nraise Blocked('needs a moon')")
    workspace.write_benchmark()
    assert states(workspace) == {f"{name} 0": "missing: no result yet" for name in ("good", "bad", "late")}
    assert "3 cells are of methods that were never timed" in workspace.relattr("plan")
    said = workspace.relattr("run", code=1)
    assert "blocked: late on tiny/a0/standard, seed 0: needs a moon" in said
    found = states(workspace)
    assert found["good 0"].startswith("done")
    assert found["bad 0"].startswith("failed: failed: ValueError: first line")
    assert found["late 0"] == "blocked: ~0.0 s needs a moon" or found["late 0"].endswith("needs a moon")

    (row,) = (workspace.folder / "results").glob("tiny/good/*.json")
    row.write_text(row.read_text()[:-40])
    (workspace.folder / "results" / "tiny" / "good" / "foreign.json").write_text("{}")
    assert states(workspace)["good 0"].startswith("unreadable:")
    assert "foreign.json" in workspace.relattr("status")
    said = workspace.relattr("run", code=1)
    assert f"set aside as {row.name}.bad" in said
    assert states(workspace)["good 0"].startswith("done")
    workspace.write_method("bad")
    assert states(workspace)["bad 0"].startswith("stale:")


def test_failures_run_again_when_asked_and_exit_codes_say_so(workspace, record_start):
    workspace.write_method("bad", record_start + "\nif not pathlib.Path('mended').exists(): raise ValueError('no')")
    workspace.write_benchmark()
    workspace.relattr("run", code=1)
    workspace.relattr("run", code=1)
    workspace.relattr("run", "--retry", "timeout", code=1)
    assert workspace.n_starts == {"bad 0": 1}
    (workspace.folder / "mended").touch()
    workspace.relattr("run", "--retry", "failed")
    assert workspace.n_starts == {"bad 0": 2}
    workspace.relattr("run", code=0)
    workspace.relattr("plan", "--methods", "nothing-like-it", code=2)
    workspace.relattr("run", "--set", "gamma", code=2)
    workspace.relattr("run", "--set", "gamma=1", code=2)
    workspace.relattr("run", "--time-limit", "soon", code=2)
    workspace.relattr("run", "--address", "tcp://x:1", code=2)


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
    assert states(workspace)["deep 0"].startswith("done")  # and it is known with which weights it was made
    workspace.relattr("run")
    weights.unlink()
    assert states(workspace)["deep 0"].startswith("done")  # nothing says that they are others
    workspace.relattr("run")
    assert "changed since" not in workspace.relattr("tables", "--out", str(workspace.folder / "out"))
    assert workspace.n_starts == {"deep 0": 1}
    weights.write_text("second")
    assert states(workspace)["deep 0"].startswith("stale")


def test_the_table_after_a_run_shows_what_was_set(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark()
    said = workspace.relattr("run", "--set", "tiny.fingerprint_text=other")
    (line,) = [line for line in said.splitlines() if line.startswith("plain")]
    assert "100.00" in line
    assert "put what you chose into a benchmark file" in said


def test_a_method_may_be_called_like_its_dataset(workspace):
    path = workspace.write_method("other", parameters="gamma: float = 1.0")
    path.write_text(path.read_text().replace('"other"', '"tiny"'))
    workspace.write_benchmark(methods=["tiny"])
    assert "missing" in workspace.relattr("plan", "--set", "tiny.n_attributes=2", "--set", "tiny.gamma=2")
    assert "gamma" in workspace.relattr("plan", "--set", "tiny.gama=2", code=2)


def test_a_dataset_that_fails_at_its_attributes_costs_its_own_cells_only(workspace):
    workspace.write_method("plain")
    text = (
        (workspace.plugins / "tiny.py").read_text().replace('"tiny"', '"broken"').replace("class Tiny", "class Broken")
    )
    text = text.replace("    def attributes(self):", "    def attributes(self):\n        raise OSError('no such disk')")
    (workspace.plugins / "broken.py").write_text(text)
    path = workspace.write_benchmark()
    path.write_text(path.read_text().replace("datasets = ['tiny']", "datasets = ['tiny', 'broken']"))
    said = workspace.relattr("run")
    assert "no such disk" in said
    assert states(workspace) == {"plain 0": "done:"} or states(workspace)["plain 0"].startswith("done")
    text = text.replace("raise OSError", "return ['a0']\n\n    def missing(self):\n        raise OSError")
    (workspace.plugins / "broken.py").write_text(text)
    said = workspace.relattr("plan")
    assert "OSError: no such disk" in said
    assert "blocked" in said


def test_progress_in_numpy_integers_and_a_benchmark_that_is_no_utf8(workspace):
    workspace.write_method(
        "steps",
        "import numpy as np\nfrom relattr.progress import track\n"
        "with track('steps', np.int64(3)) as advance:\n"
        "    for n in np.ones(3, np.int64): advance(n)",
    )
    path = workspace.write_benchmark()
    workspace.relattr("run")
    path.write_bytes(path.read_bytes() + "# é".encode("latin-1"))
    assert "is not valid" in workspace.relattr("plan", code=2)


def test_settings_make_other_cells(workspace):
    workspace.write_method("has-c", parameters="C: float = 1.0")
    workspace.write_benchmark()
    workspace.relattr("run")
    assert states(workspace)["has-c 0"].startswith("done")
    assert "missing" in workspace.relattr("plan", "--set", "C=2")
    assert "missing" not in workspace.relattr("plan", "--set", "has-c.C=1.0")
    assert "is not valid" in workspace.relattr("plan", "--set", "C=much", code=2)
    assert "did you mean" in workspace.relattr("plan", "--set", "has-d.C=1", code=2)


def test_kept_stale_rows_are_marked_and_not_computed(workspace, record_start):
    workspace.write_method("m", record_start)
    workspace.write_benchmark()
    workspace.relattr("run")
    workspace.write_method("m", record_start + "\n# changed")
    assert "stale, kept" in workspace.relattr("plan", "--keep-stale")
    said = workspace.relattr("run", "--keep-stale")
    assert "1 of them stale" in said
    assert "100.00" in workspace.relattr("status", "--keep-stale")
    assert "100.00" not in workspace.relattr("status")
    assert workspace.n_starts == {"m 0": 1}
    out = str(workspace.folder / "all.csv")
    assert "left out, stale: 1 cells" in workspace.relattr("export", "--out", out)
    workspace.relattr("export", "--out", out, "--keep-stale")
    assert ",stale," in Path(out).read_text()
    workspace.relattr("run")
    assert workspace.n_starts == {"m 0": 2}


def test_a_change_of_source_while_a_cell_runs_leaves_it_stale(workspace):
    path = workspace.write_method(
        "edits", "import pathlib\nfile = pathlib.Path(__file__)\nfile.write_text(file.read_text() + '#')"
    )
    workspace.write_benchmark()
    workspace.relattr("run")
    path.write_text(path.read_text().rstrip("#"))  # back again: still nobody knows which of the two it ran
    assert states(workspace)["edits 0"].startswith("stale:")


def test_a_helper_makes_stale_exactly_the_cells_that_depend_on_it(workspace, tmp_path):
    """An outside package: two methods, one of which imports a helper that imports another, inside a function."""
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
    assert all(state.startswith("done") for state in states(workspace).values())
    (package / "deep.py").write_text("FACTOR = 2.0\n")
    found = states(workspace)
    assert found["uses 0"].startswith("stale:")
    assert "outside.deep changed" in found["uses 0"]
    assert found["plain 0"].startswith("done")
    assert found["chance 0"].startswith("done")
    assert "1 cells computed, 2 already available" in workspace.relattr("run")


def test_the_command_line_decides_no_number():
    """No identity of a built-in plugin holds a module of the command line or of the harness."""
    code = (
        "from relattr.registry import registry; from relattr.identity import module_digests; registry.discover();"
        "import json; print(json.dumps({n: list(module_digests(e.module)) for n, e in registry.methods.items()}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    for name, modules in json.loads(said).items():
        assert modules, name
        assert not [m for m in modules if m.startswith(("relattr.cli", "relattr.harness", "relattr.report"))], name


@pytest.mark.parametrize("command", [["--help"], ["list", "methods"], ["plan"], ["status"]])
def test_light_commands_load_nothing_heavy(workspace, command):
    (workspace.plugins / "tiny.py").write_text(
        (workspace.plugins / "tiny.py")
        .read_text()
        .replace(
            "from relattr import Dataset, Images, Pairs, Task, TestSet, TrainingSet, UnknownName, register_dataset",
            "from relattr import Dataset, register_dataset",
        )
    )
    workspace.write_method("m")
    workspace.write_benchmark()
    if len(command) == 1 and command[0] != "--help":
        command = workspace.command(*command)[3:]
    code = (
        "import sys\nfrom relattr.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'torch', 'joblib', 'rich', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        cwd=workspace.folder,
        timeout=60,
        env=workspace.environment,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_only_the_attributes_asked_for(tmp_path):
    from click.testing import CliRunner

    from relattr.cli import cli

    def plan(*arguments):
        command = ["plan", "quick", "--methods", "chance", *arguments, "--results", str(tmp_path)]
        return CliRunner().invoke(cli, command)

    def attributes(*arguments):
        lines = plan(*arguments).output.splitlines()
        return {line.split()[2].split("/")[1] for line in lines if line.startswith("missing")}

    assert attributes() == {"global", "local", "multiscale", "category"}
    assert attributes("--attributes", "*l*l") == {"global", "local"}
    assert attributes("--attributes", "cat*", "--attributes", "local") == {"category", "local"}
    wrong = plan("--attributes", "lokal")
    assert wrong.exit_code != 0
    assert "did you mean" in str(wrong.exception) + wrong.output


def test_only_the_seeds_asked_for(tmp_path):
    from click.testing import CliRunner

    from relattr.cli import cli

    def seeds(*arguments):
        command = ["plan", "glyphs", "--attributes", "global", "--methods", "siamese-alexnet", *arguments]
        lines = CliRunner().invoke(cli, [*command, "--results", str(tmp_path)]).output.splitlines()
        return [int(line.split()[4]) for line in lines if line.startswith("missing")]

    assert seeds() == [0, 1, 2]
    assert seeds("--seeds", "2", "--seeds", "7", "--seeds", "2") == [2, 7]


def test_a_cell_that_lacks_something_is_blocked_before_it_runs_and_a_stale_one_says_both(workspace):
    path = workspace.write_method("needy")
    have = "\n\n    def needs(self):\n        from relattr.needs import Packages\n        return [Packages(('json',), 'x')]\n"
    text = path.read_text().rstrip()
    path.write_text(text + have.replace("json", "no_such_package"))
    workspace.write_benchmark()
    found = states(workspace)["needy 0"]
    assert found.startswith("blocked:")
    assert "no_such_package" in found
    path.write_text(text + have)
    workspace.relattr("run")
    assert states(workspace)["needy 0"].startswith("done")
    path.write_text(text + have.replace("json", "no_such_package"))
    found = states(workspace)["needy 0"]
    assert found.startswith("stale:")
    assert "no_such_package" in found
    assert "changed" in found.partition("no_such_package")[0]
    assert "stale, kept" in workspace.relattr("plan", "--keep-stale")
