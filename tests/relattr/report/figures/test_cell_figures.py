"""The files of a cell's figures have names of their own."""

from relattr.harness.cell import Cell
from relattr.report.figures.cell_figures import figure_stem


def test_figures_of_different_tasks_have_different_names():
    cells = [Cell("m", {}, "d", {}, a, s, 0) for a in ("熟", "赤", "x", "a b") for s in ("standard", "one", "two")]
    assert len({figure_stem(cell, []) for cell in cells}) == len(cells)
    assert figure_stem(Cell("m", {}, "d", {}, "x", "standard", 0), ["rate=0.5"]) == "d-x-m-s0-rate-0.5"
