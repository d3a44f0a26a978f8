"""Invalid benchmark files are refused."""

from __future__ import annotations

import pytest


def test_a_file_that_is_not_utf8_is_refused(workspace):
    workspace.write_method("plain")
    path = workspace.write_benchmark()
    path.write_bytes(path.read_bytes() + "# é".encode("latin-1"))
    assert "is not valid" in workspace.relattr("plan", code=2)


@pytest.mark.parametrize("name", ["my bench", "50%", "tables", "macros", "preamble", "-x", "a&b"])
def test_a_name_that_is_not_valid_as_a_label_is_refused(workspace, name):
    workspace.write_method("plain")
    path = workspace.write_benchmark()
    other = path.rename(path.with_name(f"{name}.toml"))
    completed = workspace.run_command([str(other) if word == str(path) else word for word in workspace.command("plan")])
    assert completed.returncode == 2
    assert "letters, digits, dots, hyphens and underscores" in completed.stderr
    assert str(other) in completed.stderr


def test_a_method_has_one_row(workspace):
    workspace.write_method("plain")
    path = workspace.write_benchmark()
    rows = "rows = [{method = 'plain'}, {method = 'plain', label = 'Again'}]\ncolumns"
    path.write_text(path.read_text().replace("columns", rows, 1))
    assert "table.rows has the method plain 2 times; expected one row" in workspace.relattr("plan", code=2)
