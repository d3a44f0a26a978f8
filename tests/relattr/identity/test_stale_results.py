"""A result is stale after a change of code or declared files that it used, and after no other change."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")

PACKAGE = "relattr_plugins_plugins"
"""The name under which the workspace's folder of plugins is imported."""
FITS = {
    "relative": "import importlib\nself.v_ = importlib.import_module('._h_relative', __package__).V",
    "absolute": f"import importlib\nself.v_ = importlib.import_module('{PACKAGE}._h_absolute').V",
    "builtin": f"self.v_ = __import__('{PACKAGE}._h_builtin', fromlist=['V']).V",
    "late": "import sys\nsys.path.insert(0, LATE)\nimport late_helper\nself.v_ = late_helper.V",
    "computed": "import importlib\nself.v_ = importlib.import_module('.'.join(['', '_h_computed']), __package__).V",
    "early": "self.v_ = early_helper.V",
    "star": "self.v_ = core.V",
    "star-of-imports": "self.v_ = tail.V",
    "file": "from pathlib import Path\nself.v_ = float(Path(__file__).with_name('weights.txt').read_text())",
    "plain": "pass",
}
IMPORTS = {
    "early": "import sys\nsys.path.insert(0, {lib!r})\nimport early_helper",
    "late": "LATE = {late!r}",
    "star": "from ._named import *",
    "star-of-imports": "from ._imported import *",
}
HELPERS = {
    "relative": "plugins/_h_relative.py",
    "absolute": "plugins/_h_absolute.py",
    "builtin": "plugins/_h_builtin.py",
    "computed": "plugins/_h_computed.py",
    "early": "lib/early_helper.py",
    "late": "late/late_helper.py",
    "star": "plugins/_named/core.py",
    "star-of-imports": "plugins/_imported/tail.py",
}


def states(workspace) -> dict[str, str]:
    """Method -> state and reason, as ``relattr plan`` prints them."""
    lines = [line.split() for line in workspace.relattr("plan", "--verbose").splitlines()]
    return {words[1]: f"{words[0]} {' '.join(words[5:])}" for words in lines if len(words) > 4 and words[3] == "seed"}


def stale(digests: dict[str, str]) -> set[str]:
    return {name for name, state in digests.items() if not state.startswith("done")}


@pytest.fixture
def methods(workspace):
    """A method for each way to use a helper, and a helper for each."""
    for name, body in FITS.items():
        imports = IMPORTS.get(name, "").format(lib=str(workspace.folder / "lib"), late=str(workspace.folder / "late"))
        parameters = "files = ('weights.txt',)" if name == "file" else ""
        workspace.write_method(name, body, imports=imports, parameters=parameters)
    for path in HELPERS.values():
        (workspace.folder / path).parent.mkdir(exist_ok=True)
        (workspace.folder / path).write_text("V = 1.0\n")
    (workspace.plugins / "_named" / "__init__.py").write_text("__all__ = ['core']\n")
    (workspace.plugins / "_imported" / "__init__.py").write_text("from . import tail\n")
    (workspace.plugins / "weights.txt").write_text("1.0")
    workspace.write_benchmark()
    return workspace


@pytest.mark.parametrize("backend", ["local", "inline"])
def test_a_change_in_a_helper_makes_its_results_stale(methods, backend):
    methods.relattr("run", "--backend", backend)
    for path in HELPERS.values():
        (methods.folder / path).write_text('"""A helper."""\n\nV = 1.0  # as before\n')
    for name in FITS:
        plugin = methods.plugins / f"{name.replace('-', '_')}.py"
        plugin.write_text(plugin.read_text() + "\n# a comment\n")
    assert stale(states(methods)) == set()
    for path in HELPERS.values():
        (methods.folder / path).write_text("V = 2.0\n")
    (methods.plugins / "weights.txt").write_text("2.0")
    reasons = states(methods)
    assert stale(reasons) == {*HELPERS, "file"}
    assert "file weights.txt changed" in reasons["file"]
    assert "../late/late_helper.py changed" in reasons["late"]
    assert f"{PACKAGE}._h_computed changed" in reasons["computed"]


def test_a_missing_declared_file_blocks_only_its_cells(methods):
    (methods.plugins / "weights.txt").unlink()
    reasons = states(methods)
    assert reasons["file"].startswith("blocked")
    assert "Generated declares the file 'weights.txt'" in reasons["file"]
    assert {name for name, state in reasons.items() if state.startswith("blocked")} == {"file"}
    done = methods.relattr("check", "method", "file", "--law", "identity", code=1)
    assert "correct Generated.files" in done


def test_check_lists_what_cannot_be_followed(workspace):
    workspace.write_method("runs-text", "exec(open('code.txt').read())")
    workspace.write_method("plain")
    output = workspace.relattr("check", "method", "runs-text", "plain", "--law", "identity")
    assert "runs_text.py:14 runs text as code with exec()" in output
    assert "reads a file with open(); list it in `files`" in output
    assert "plain.py" not in output
