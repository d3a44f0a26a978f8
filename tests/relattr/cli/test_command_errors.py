"""Commands with wrong arguments: the message, and that one failure does not stop the rest."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("tables", ["--out", "{file}/x"]), ("export", ["--out", "{file}/x.csv"]), ("report", ["--out", "{file}/x.html"])],
)
def test_an_unwritable_output_is_reported_in_one_line(workspace, verb, arguments):
    workspace.write_method("plain")
    workspace.write_benchmark()
    workspace.relattr("run")
    file = workspace.folder / "file"
    file.write_text("no folder")
    output = workspace.relattr(verb, *(a.format(file=file) for a in arguments), code=2)
    assert "Traceback" not in output
    assert re.search(rf"relattr: {re.escape(str(file))}\S*: (Not a directory|File exists); choose another", output)
    assert file.read_text() == "no folder"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--methods", "nothing-like-it"],
        ["run", "--set", "gamma"],
        ["run", "--set", "gamma=1"],
        ["run", "--time-limit", "soon"],
        ["run", "--address", "tcp://x:1"],
    ],
)
def test_wrong_options_end_with_exit_code_2(workspace, arguments):
    workspace.write_method("plain")
    workspace.write_benchmark()
    workspace.relattr(*arguments, code=2)


def test_new_refuses_the_name_of_an_existing_method(workspace, tmp_path):
    completed = workspace.run_command(
        [*workspace.command("check")[:3], "new", "method", "chance", "--dir", str(tmp_path / "own")]
    )
    assert completed.returncode == 2
    assert "a method called chance already exists" in completed.stderr
    assert not (tmp_path / "own").exists()


def test_an_audit_takes_parameters(workspace):
    base = workspace.command("check")[:3]
    more = ["--results", str(workspace.folder / "results"), "--plugins", str(workspace.plugins)]
    completed = workspace.run_command([*base, "audit", "tiny", "--set", "n_attributes=0", *more])
    assert completed.returncode in (0, 2)
    assert "n_attributes" not in completed.stderr
    completed = workspace.run_command([*base, "audit", "tiny", "--set", "n_atributes=2", *more])
    assert completed.returncode == 2
    assert "n_attributes" in completed.stderr  # the similar name


def test_a_broken_dataset_is_listed_with_the_others(workspace):
    text = (workspace.plugins / "tiny.py").read_text().replace("tiny", "torn").replace("Tiny", "Torn")
    broken = "def missing(self):\n        return 1 / 0\n\n    def fingerprint"
    (workspace.plugins / "atorn.py").write_text(text.replace("def fingerprint", broken, 1))

    def listed(*names):
        command = [*workspace.command("check")[:3], "data", "list", *names, "--plugins", str(workspace.plugins)]
        completed = workspace.run_command(command)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    lines = {line.split()[0]: line.split() for line in listed().splitlines() if line}
    assert lines["torn"][1] == "broken"
    assert lines["tiny"][1] == lines["glyphs"][1] == "here"
    details = listed("t*")
    assert "torn  Torn: broken\n    ZeroDivisionError" in details
    assert re.search(r"tiny  Tiny\n.*n_attributes +default 1\n", details, re.DOTALL)


def test_an_error_with_one_name_does_not_stop_the_others(workspace):
    need = "class Moon:\n    def missing(self): return 'needs the moon'\n    def fingerprint(self): return ''\n"
    workspace.write_method("x-moon", imports=need, parameters="def needs(self): return [Moon()]")
    workspace.write_method("x-zeal")
    base = workspace.command("check")[:3]
    more = ["--plugins", str(workspace.plugins)]
    completed = workspace.run_command([*base, "check", "method", "x-*", "--law", "margins", *more])
    assert "x-moon  blocked" in completed.stdout, completed.stdout + completed.stderr
    assert "needs the moon" in completed.stdout
    assert "x-zeal  " in completed.stdout

    text = (workspace.plugins / "tiny.py").read_text().replace('"tiny"', '"a-gone"').replace("class Tiny", "class Gone")
    text += "\n    def missing(self):\n        return 'it is gone'\n"
    (workspace.plugins / "gone.py").write_text(text)
    results = ["--results", str(workspace.folder / "results")]
    completed = workspace.run_command([*base, "audit", "a-gone", "tiny", *results, *more])
    assert completed.returncode == 1
    assert "a-gone: a-gone cannot be audited: it is gone" in completed.stderr
    assert "tiny: nothing found" in completed.stdout
    completed = workspace.run_command([*base, "data", "verify", "a-gone", "tiny", *more])
    assert completed.returncode == 1
    assert "a-gone: nothing to verify: it is gone" in completed.stderr
    assert "tiny: nothing to verify" in completed.stderr
