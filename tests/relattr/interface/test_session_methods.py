"""Methods and datasets that are defined in a notebook: their results are shown as what they are."""

from __future__ import annotations

import pytest

import relattr
from relattr.errors import BadInput
from relattr.registry import registry

pytestmark = pytest.mark.usefixtures("own_registry")

CELL = """
import numpy as np
from relattr import Method, register_method

@register_method("in-session", label="In session")
class InSession(Method):
    "Ranks images by their mean."

    def fit(self, train, run):
        {body}

    def strength(self, images):
        return {sign} * np.array([image.mean() for image in images])
"""


def run_cell(sign=1.0, body="pass"):
    """Execute the cell of a notebook that defines the method."""
    exec(compile(CELL.format(sign=sign, body=body), "<cell>", "exec"), {"__name__": "__main__"})


@pytest.fixture
def bench(workspace):
    """A function that runs the method of the session and one of a file, and returns the rows by method."""
    run_cell()
    workspace.write_method("filed")
    folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}

    file = str(workspace.write_benchmark(methods=["filed", "in-session"]))

    def run(**settings):
        return relattr.run(file, **{"backend": "inline", **folders, **settings}).set_index("method")

    run.file, run.folders = file, folders
    return run


def test_a_result_of_the_session_is_neither_blocked_nor_done(bench, capsys):
    for lines in (2, 1):  # what is in a file is computed once
        rows = bench()
        assert rows["state"].to_dict() == {"filed": "done", "in-session": "unverified"}
        assert "not recorded, so each run computes it again" in rows.loc["in-session", "state_why"]
        assert rows["accuracy"].to_dict() == {"filed": 1.0, "in-session": 1.0}
        assert len(capsys.readouterr().out.splitlines()) == lines
    stored = relattr.results(bench.folders["results"], plugins=bench.folders["plugins"])
    assert stored.set_index("method")["state"].to_dict() == {"filed": "done", "in-session": "unverified"}


def test_the_table_has_its_interval_and_says_what_it_is(bench):
    bench()
    rows = relattr.table(bench.file, **bench.folders).set_index("key")
    assert rows.loc["in-session", "lower"] == rows.loc["filed", "lower"] < 100.0
    assert "computed with code that is not recorded" in rows.loc["in-session", "notes"]
    assert "not recorded" not in rows.loc["filed", "notes"]
    assert "changed since:" not in " ".join(rows["notes"])


def test_an_edited_cell_gives_the_new_number(bench):
    for sign, accuracy in ((1.0, 1.0), (-1.0, 0.0)):
        run_cell(sign)
        assert bench().loc["in-session", "accuracy"] == accuracy


def test_a_failure_of_the_session_is_tried_again(bench):
    run_cell(body="raise ValueError('not yet')")
    row = bench().loc["in-session"]
    assert (row["status"], row["state"]) == ("failed", "unverified")
    assert row["state_why"].startswith("failed: ValueError: not yet; its code was defined in a Python session")
    run_cell()
    assert bench().loc["in-session", "accuracy"] == 1.0


def test_other_changes_make_a_result_of_the_session_stale(bench):
    bench()
    tiny = bench.folders["plugins"] / "tiny.py"
    tiny.write_text(tiny.read_text().replace("range(self.n_attributes)", "range(1 * self.n_attributes)"))
    with pytest.warns(UserWarning, match="left out, stale: 2 cells"):
        assert relattr.results(bench.folders["results"], plugins=bench.folders["plugins"]).empty


def test_a_dataset_of_the_session_needs_to_run_inline(bench, monkeypatch):
    bench(methods="filed")
    monkeypatch.setattr(registry.datasets["tiny"].cls, "__module__", "__main__")
    with pytest.raises(BadInput, match="tiny: defined in this session"):
        bench(methods="filed", backend="local")
    assert bench()["state"].to_dict() == {"filed": "unverified", "in-session": "unverified"}
