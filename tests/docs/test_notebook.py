"""The notebook runs from top to bottom, without outputs in the file, and every cell shows something that works."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
DISPLAY = """
def display(value):
    html = getattr(value, "_repr_html_", None)
    text = html() if html is not None else repr(value)
    assert isinstance(text, str) and text, f"{value!r} shows nothing"
    print(text)
"""
"""What a notebook does with the value of a cell's last expression."""


def test_the_file_is_a_notebook_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        keys = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == keys | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert not cell.get("outputs")
        assert all(line.endswith("\n") for line in cell["source"][:-1])
    assert len(CODE) >= 10


@pytest.mark.skipif(sys.platform != "linux", reason="separate processes for cells are supported on Linux only")
def test_the_notebook_runs_and_its_cells_show_their_values(tmp_path):
    program = [DISPLAY]
    for code in CODE:
        tree = ast.parse(code)
        last = tree.body[-1]
        if isinstance(last, ast.Expr):
            tree.body[-1] = ast.parse(f"display({ast.unparse(last)})").body[0]
        program += [ast.unparse(tree), "print('====')"]
    (tmp_path / "notebook.py").write_text("\n".join(program), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "notebook.py"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs = done.stdout.split("====\n")
    assert len(outputs) == len(CODE) + 1
    assert all(output.strip() for output in outputs[:-1])
    assert "<strong>ranksvm-hog2x2 on glyphs/category</strong>" in done.stdout
    assert "[1/2] chance on glyphs" in done.stdout
    assert outputs[[code.startswith("bool(") for code in CODE].index(True)].strip() == "True"
