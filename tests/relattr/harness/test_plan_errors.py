"""What the command line says when it is used wrongly, and what it says to do next."""

from __future__ import annotations

import json
import re
import shlex

import pytest


@pytest.mark.parametrize("name", ["my bench", "50%", "tables", "macros", "preamble", "-x", "a&b"])
def test_a_benchmark_whose_name_is_no_file_name_or_label(workspace, name):
    workspace.write_method("plain")
    path = workspace.write_benchmark()
    other = path.rename(path.with_name(f"{name}.toml"))
    done = workspace.run_command([str(other) if word == str(path) else word for word in workspace.command("plan")])
    assert done.returncode == 2
    assert "letters, digits, dots, hyphens and underscores" in done.stderr
    assert str(other) in done.stderr


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("tables", ["--out", "{file}/x"]), ("export", ["--out", "{file}/x.csv"]), ("report", ["--out", "{file}/x.html"])],
)
def test_a_place_that_cannot_be_written_is_one_line(workspace, verb, arguments):
    workspace.write_method("plain")
    workspace.write_benchmark()
    workspace.relattr("run")
    file = workspace.folder / "file"
    file.write_text("no folder")
    said = workspace.relattr(verb, *(a.format(file=file) for a in arguments), code=2)
    assert "Traceback" not in said
    assert re.search(rf"relattr: {re.escape(str(file))}\S*: (Not a directory|File exists); choose another", said)
    assert file.read_text() == "no folder"


def test_a_new_method_is_not_called_like_one_that_is_there(workspace, tmp_path):
    done = workspace.run_command(
        [*workspace.command("check")[:3], "new", "method", "chance", "--dir", str(tmp_path / "own")]
    )
    assert done.returncode == 2
    assert "a method called chance already exists" in done.stderr
    assert not (tmp_path / "own").exists()


def test_leaks_stay_in_the_tables_where_the_data_is_not_here_any_more(workspace):
    workspace.write_method("plain")
    path = workspace.plugins / "tiny.py"
    leaking = path.read_text().replace("order[20:]", "order[10:]").replace("images[20:]", "images[10:]")
    path.write_text(leaking)
    workspace.write_benchmark()
    workspace.relattr("run")
    note = "audit: "
    assert note in workspace.relattr("tables")
    gone = "    def missing(self):\n        return 'it is gone'\n\n    def fingerprint(self):"
    path.write_text(leaking.replace("    def fingerprint(self):", gone))
    assert note in workspace.relattr("tables")
    (kept,) = workspace.folder.glob("results/.audit/*.json")
    kept.unlink()
    assert note not in workspace.relattr("tables")


def test_an_audit_takes_parameters(workspace):
    base = workspace.command("check")[:3]
    more = ["--results", str(workspace.folder / "results"), "--plugins", str(workspace.plugins)]
    done = workspace.run_command([*base, "audit", "tiny", "--set", "n_attributes=0", *more])
    assert done.returncode in (0, 2)
    assert "n_attributes" not in done.stderr
    done = workspace.run_command([*base, "audit", "tiny", "--set", "n_atributes=2", *more])
    assert done.returncode == 2
    assert "n_attributes" in done.stderr  # what it may have meant


def test_the_next_command_shows_the_same_table(workspace):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    workspace.write_benchmark()
    said = workspace.relattr("run", "--set", "gamma=2")
    (hint,) = re.findall(r"^LaTeX, CSV and Markdown: relattr (.*)$", said, re.M)
    done = workspace.run_command(
        [*workspace.command("check")[:3], *shlex.split(hint), "--out", str(workspace.folder / "out")]
    )
    assert done.returncode == 0, done.stderr
    assert "plain [gamma=2.0]" in said
    assert "plain [gamma=2.0]" in done.stdout


def test_a_table_of_what_no_file_lists_says_how_to_keep_it(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(more="")
    path = workspace.folder / "bench.toml"
    text = path.read_text()
    path.write_text(text.replace("['tiny']", "['glyphs']").replace("'tiny'", "'glyphs'"))
    said = workspace.relattr("run", "--datasets", "tiny")
    assert "put what you chose into a benchmark file of your own" in said
    assert "Markdown: relattr tables" not in said


def test_a_run_in_this_process_has_the_threads_and_seeds_of_any_other(workspace):
    body = "import numpy as np\nself.r_ = np.random.random()"
    workspace.write_method("draws", body, noise="self.r_ * (np.arange(len(images)) % 2)")
    workspace.write_benchmark()
    rows = []
    for backend in ("local", "inline"):
        workspace.relattr("run", "--backend", backend, "--threads", "3")
        (path,) = workspace.folder.glob("results/tiny/draws/*.json")
        rows.append(json.loads(path.read_text()))
        path.unlink()
    local, inline = rows
    assert local["arrays"]["sha256"] == inline["arrays"]["sha256"]
    assert inline["provenance"]["threads"] == 3
    assert inline["seconds"] >= 0


def test_a_dataset_that_cannot_be_read_stops_its_own_cells_only(workspace):
    workspace.write_method("plain")
    other = (workspace.plugins / "tiny.py").read_text().replace("tiny", "torn").replace("Tiny", "Torn")
    raises = "raise OSError(2, 'cannot read', '3.png')"
    (workspace.plugins / "torn.py").write_text(other.replace("return self.fingerprint_text", raises))
    workspace.write_benchmark()
    path = workspace.folder / "bench.toml"
    path.write_text(path.read_text().replace("['tiny']", "['tiny', 'torn']"))
    said = workspace.relattr("plan")
    assert re.search(r"blocked +plain +torn.*cannot read: '3.png'", said)
    assert re.search(r"missing +plain +tiny", said)


def test_a_broken_dataset_is_named_and_the_others_are_listed(workspace):
    text = (workspace.plugins / "tiny.py").read_text().replace("tiny", "torn").replace("Tiny", "Torn")
    gone = "def missing(self):\n        return 1 / 0\n\n    def fingerprint"
    (workspace.plugins / "atorn.py").write_text(text.replace("def fingerprint", gone, 1))
    done = workspace.run_command([*workspace.command("check")[:3], "data", "list", "--plugins", str(workspace.plugins)])
    assert done.returncode == 0, done.stderr
    assert "torn  Torn: broken\n    ZeroDivisionError" in done.stdout
    assert "tiny  Tiny: here" in done.stdout
    assert "glyphs  " in done.stdout


def test_what_is_wrong_with_one_of_several_names_does_not_stop_the_others(workspace):
    need = "class Moon:\n    def missing(self): return 'needs the moon'\n    def fingerprint(self): return ''\n"
    workspace.write_method("x-moon", imports=need, parameters="def needs(self): return [Moon()]")
    workspace.write_method("x-zeal")
    base = [*workspace.command("check")[:3]]
    more = ["--plugins", str(workspace.plugins)]
    done = workspace.run_command([*base, "check", "method", "x-*", "--law", "margins", *more])
    assert "x-moon  blocked" in done.stdout, done.stdout + done.stderr
    assert "needs the moon" in done.stdout
    assert "x-zeal  " in done.stdout

    text = (workspace.plugins / "tiny.py").read_text().replace('"tiny"', '"a-gone"').replace("class Tiny", "class Gone")
    text += "\n    def missing(self):\n        return 'it is gone'\n"
    (workspace.plugins / "gone.py").write_text(text)
    results = ["--results", str(workspace.folder / "results")]
    done = workspace.run_command([*base, "audit", "a-gone", "tiny", *results, *more])
    assert done.returncode == 1
    assert "a-gone: a-gone cannot be audited: it is gone" in done.stderr
    assert "tiny: nothing found" in done.stdout
    done = workspace.run_command([*base, "data", "verify", "a-gone", "tiny", *more])
    assert done.returncode == 1
    assert "a-gone: nothing to verify: it is gone" in done.stderr
    assert "tiny: nothing to verify" in done.stderr
