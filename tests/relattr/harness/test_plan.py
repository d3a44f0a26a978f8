"""The cells of a plan, and which of them a run computes."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells run in separate processes on Linux only")


def test_failures_run_again_only_with_retry(workspace, record_start):
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


def test_variants_of_a_method_have_cells_and_rows_of_their_own(workspace):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    workspace.write_method("other", parameters="gamma: float = 1.0")
    workspace.write_benchmark(more="[set]\ngamma = 2.0\n[variants]\nplain = [{gamma = 3.0}, {gamma = 2.0}]")
    assert "3 cells: 3 missing" in workspace.relattr("plan")
    table = workspace.relattr("run")
    assert "plain [gamma=3.0]" in table
    assert "gamma=2.0" not in table
    assert "3 cells: 3 done" in workspace.relattr("plan")
    assert "1 cell: 1 missing" in workspace.relattr("plan", "--set", "plain.gamma=4", "--methods", "plain")
    workspace.write_benchmark(more="[variants]\nplain = [{gamma = 'no'}]")
    assert "method plain: gamma='no' is not valid" in workspace.relattr("plan", code=2)


def test_a_broken_dataset_affects_only_its_cells(workspace):
    workspace.write_method("plain")
    text = (workspace.plugins / "tiny.py").read_text()
    text = text.replace('"tiny"', '"broken"').replace("class Tiny", "class Broken")
    text = text.replace("    def attributes(self):", "    def attributes(self):\n        raise OSError('no such disk')")
    (workspace.plugins / "broken.py").write_text(text)
    path = workspace.write_benchmark()
    path.write_text(path.read_text().replace("datasets = ['tiny']", "datasets = ['tiny', 'broken']"))
    output = workspace.relattr("run")
    assert "no such disk" in output
    assert [state.partition(":")[0] for state in workspace.states().values()] == ["done"]
    text = text.replace("raise OSError", "return ['a0']\n\n    def missing(self):\n        raise OSError")
    (workspace.plugins / "broken.py").write_text(text)
    output = workspace.relattr("plan")
    assert "OSError: no such disk" in output
    assert "blocked" in output


@pytest.mark.parametrize("command", [["--help"], ["list", "methods"], ["plan"], ["status"]])
def test_light_commands_import_no_heavy_library(workspace, command):
    path = workspace.plugins / "tiny.py"
    imports = "from relattr import Dataset, Images, Pairs, Task, TestSet, TrainingSet, UnknownName, register_dataset"
    path.write_text(path.read_text().replace(imports, "from relattr import Dataset, register_dataset"))
    workspace.write_method("m")
    workspace.write_benchmark()
    heavy = ["torch", "sklearn", "scipy", "numba", "joblib", "rich", "pandas"]
    if command[0] == "--help":
        heavy.append("numpy")  # plugins, which the other commands may import, import NumPy at their top
    if len(command) == 1 and command[0] != "--help":
        command = workspace.command(*command)[3:]
    code = (
        "import sys\nfrom relattr import cli\ncli._has_foreign_plugins = lambda: False  # main() returns here\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        cwd=workspace.folder,
        timeout=60,
        env=workspace.environment,
        check=True,
    )
    assert completed.stdout.splitlines()[-1] == "[]", completed.stdout + completed.stderr
