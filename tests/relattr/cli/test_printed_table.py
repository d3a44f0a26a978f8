"""The table that is printed after a run and by ``relattr tables``."""

from __future__ import annotations

import re
import shlex


def test_the_table_after_a_run_shows_the_settings(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark()
    output = workspace.relattr("run", "--set", "tiny.fingerprint_text=other")
    (line,) = [line for line in output.splitlines() if line.startswith("plain")]
    assert "100.00" in line
    assert "put your selection into a benchmark file" in output


def test_the_suggested_command_prints_the_same_table(workspace):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    workspace.write_method("other")
    workspace.write_benchmark()
    workspace.relattr("run", "--methods", "other")
    output = workspace.relattr("run", "--set", "gamma=2", "--methods", "pl*")
    (hint,) = re.findall(r"^LaTeX, CSV and Markdown: relattr (.*)$", output, re.M)
    completed = workspace.run_command(
        [*workspace.command("check")[:3], *shlex.split(hint), "--out", str(workspace.folder / "out")]
    )
    assert completed.returncode == 0, completed.stderr
    for printed in (output, completed.stdout):
        assert "Settings: gamma=2.0." in printed
        assert re.search("^plain ", printed, re.M)
        assert not re.search("^other ", printed, re.M)  # it was not chosen
    output = workspace.relattr("run", "--methods", "plain")
    assert "gamma" not in output  # that was another run


def test_only_the_seeds_of_the_run_are_in_its_table(workspace):
    workspace.write_method("noisy", "self.r_ = run.rng('n').normal(size=20) * 30", noise="self.r_[: len(images)]")
    workspace.write_benchmark(seeds=[0, 1])
    runs = {seeds: workspace.relattr("run", *seeds) for seeds in ((), ("--seeds", "0"), ("--seeds", "5"))}
    shown = {seeds: re.search(r"^noisy +(\S+)", output, re.M)[1] for seeds, output in runs.items()}
    assert len(set(shown.values())) == 3
    for seeds, output in runs.items():
        again = workspace.relattr("run", *seeds)
        assert re.search(r"^noisy +(\S+)", again, re.M)[1] == shown[seeds]  # other seeds are stored by now
        assert shlex.join(seeds) in output.partition("Markdown: relattr tables")[2]


def test_a_dataset_outside_the_file_is_in_the_suggested_command(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(more="")
    path = workspace.folder / "bench.toml"
    text = path.read_text()
    path.write_text(text.replace("['tiny']", "['glyphs']").replace("'tiny'", "'glyphs'"))
    output = workspace.relattr("run", "--datasets", "tiny")
    assert "--datasets tiny" in output.partition("Markdown: relattr tables")[2]
    table = workspace.relattr("tables", "--datasets", "tiny", "--out", str(workspace.folder / "out"))
    assert "Tiny: a0" in table
    assert "100.00" in table
    assert "Tiny: a0" not in workspace.relattr("tables", "--out", str(workspace.folder / "out"))


def test_notes_on_leaks_do_not_need_the_data_again(workspace):
    workspace.write_method("plain")
    path = workspace.plugins / "tiny.py"
    leaking = path.read_text().replace("order[20:]", "order[10:]").replace("images[20:]", "images[10:]")
    path.write_text(leaking)
    workspace.write_benchmark()
    workspace.relattr("run")
    note = "training and test sets overlap"
    assert note in workspace.relattr("tables")
    without_data = "    def missing(self):\n        return 'it is gone'\n\n    def fingerprint(self):"
    path.write_text(leaking.replace("    def fingerprint(self):", without_data))
    assert note in workspace.relattr("tables")
    (audit,) = workspace.folder.glob("results/.audit/*.json")
    audit.unlink()
    assert note not in workspace.relattr("tables")
