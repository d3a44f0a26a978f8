"""Evaluates a small cell in the server, so that what happens only once in a process need not happen in every cell.

NumPy imports parts of itself at their first use, classes remember which types they accept, and Python replaces the
instructions of functions that are called often with faster ones. All of that is inherited by the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from relattr.dataset import Dataset
from relattr.execution.evaluate import evaluate_cell
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.provenance import Origin, record_provenance
from relattr.harness.result import Result
from relattr.images import Images
from relattr.method import Method
from relattr.pairs import Pairs
from relattr.registry import Plugin, Registry
from relattr.run_settings import Run
from relattr.statistics import count_margins
from relattr.task import Task, TaskName, TestSet, TrainingSet

if TYPE_CHECKING:
    import numpy as np

REPETITIONS = 10
"""How often the cell is evaluated; Python replaces the instructions of a function after 8 calls."""


class _Constant(Method):
    """Has the same strength for all images."""

    def fit(self, train: TrainingSet, run: Run) -> None:
        self.seed_ = run.seed

    def strength(self, images: Images) -> np.ndarray:
        import numpy as np

        return np.full(len(images), images[0].mean())


class _Squares(Dataset):
    """Four grey squares."""

    def attributes(self) -> Sequence[str]:
        return ["grey"]

    def fingerprint(self) -> str:
        return "four grey squares"

    def task(self, name: TaskName) -> Task:
        import numpy as np

        images = Images.from_arrays([np.full((8, 8, 3), k, np.uint8) for k in range(4)])
        pairs = Pairs.from_scores(np.arange(4.0))
        return Task(name, TrainingSet(images, pairs), [TestSet("test", images, pairs)], "grey levels")


def evaluate_small_cell() -> Result:
    """Evaluate a cell with almost no work, several times, encode its arrays, and return its result."""
    import numpy as np

    registry = Registry()
    registry.methods["warm-up"] = Plugin("warm-up", "warm-up", _Constant, {})
    registry.datasets["warm-up"] = Plugin("warm-up", "warm-up", _Squares, {})
    cell = Cell("warm-up", {}, "warm-up", {}, "grey", "", 0)
    origin = Origin("", None, "")  # so that git is not asked
    for _ in range(REPETITIONS):
        result, arrays = evaluate_cell(cell, registry, {}, record_provenance("cpu", 1, origin), Run())
        CellArrays.from_npz(arrays.to_npz())
    sampled = Pairs.from_scores(np.arange(8.0), count=4)
    count_margins(np.ones(len(sampled)), sampled)
    return result
