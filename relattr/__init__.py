"""relattr: a benchmark suite for relative-attribute methods.

Given two images, which one shows more of an attribute?

- `load_method` and `load_dataset` give a method and a dataset by name; `list_methods` and `list_datasets` list them.
  `Model.fit`, `compare`, `strength` and `rank` apply a method, `evaluate` and `cross_validate` say how accurate it is,
  `save_model` and `load_model` keep it.
- `load_images` and `load_pairs` take your own photographs and comparisons; the dataset ``folder`` reads files of them.
- `run` computes a benchmark, as ``relattr run``; `results`, `table` and `report_page` show what is stored.
- Methods and datasets are plugins: subclasses of `Method` and `Dataset` in one file, or in a cell of a notebook.

>>> import relattr
>>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
>>> model = relattr.load_method("chance").fit(task.train)
>>> relattr.evaluate(model, task).n_pairs
190

docs/python.md has more examples.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relattr.dataset import Dataset, VerificationResult
    from relattr.errors import BadImage, BadInput, Blocked, RelattrError, UnknownName
    from relattr.images import Images
    from relattr.images.loading import load_images
    from relattr.interface.evaluation import Evaluation, cross_validate, evaluate
    from relattr.interface.labelled_pairs import load_pairs
    from relattr.interface.loaded_dataset import LoadedDataset
    from relattr.interface.model import Model
    from relattr.interface.model_file import load_model, save_model
    from relattr.interface.plots import plot_accuracy, plot_boxes, plot_pairs, plot_ranking
    from relattr.interface.plugins import list_benchmarks, list_datasets, list_methods, load_dataset, load_method
    from relattr.interface.results import ReportPage, report_page, results, table
    from relattr.interface.run import run
    from relattr.method import Method
    from relattr.pairs import Pairs
    from relattr.ranksvm import RankSVM, RankSVMCV
    from relattr.registry import register_constant, register_dataset, register_method
    from relattr.run_settings import Run
    from relattr.task import Task, TaskName, TestSet, TrainingSet

__version__ = "0.1.0"

# imported on first use, so that `relattr list` does not import NumPy
_MODULES = {
    "BadImage": "errors",
    "BadInput": "errors",
    "Blocked": "errors",
    "RelattrError": "errors",
    "UnknownName": "errors",
    "Dataset": "dataset",
    "VerificationResult": "dataset",
    "Images": "images",
    "load_images": "images.loading",
    "Evaluation": "interface.evaluation",
    "cross_validate": "interface.evaluation",
    "evaluate": "interface.evaluation",
    "load_pairs": "interface.labelled_pairs",
    "LoadedDataset": "interface.loaded_dataset",
    "Model": "interface.model",
    "load_model": "interface.model_file",
    "save_model": "interface.model_file",
    "plot_accuracy": "interface.plots",
    "plot_boxes": "interface.plots",
    "plot_pairs": "interface.plots",
    "plot_ranking": "interface.plots",
    "list_benchmarks": "interface.plugins",
    "list_datasets": "interface.plugins",
    "list_methods": "interface.plugins",
    "load_dataset": "interface.plugins",
    "load_method": "interface.plugins",
    "ReportPage": "interface.results",
    "report_page": "interface.results",
    "results": "interface.results",
    "table": "interface.results",
    "run": "interface.run",
    "Method": "method",
    "Pairs": "pairs",
    "RankSVM": "ranksvm",
    "RankSVMCV": "ranksvm",
    "register_constant": "registry",
    "register_dataset": "registry",
    "register_method": "registry",
    "Run": "run_settings",
    "Task": "task",
    "TaskName": "task",
    "TestSet": "task",
    "TrainingSet": "task",
}

__all__ = [
    "BadImage",
    "BadInput",
    "Blocked",
    "Dataset",
    "Evaluation",
    "Images",
    "LoadedDataset",
    "Method",
    "Model",
    "Pairs",
    "RankSVM",
    "RankSVMCV",
    "RelattrError",
    "ReportPage",
    "Run",
    "Task",
    "TaskName",
    "TestSet",
    "TrainingSet",
    "UnknownName",
    "VerificationResult",
    "__version__",
    "cross_validate",
    "evaluate",
    "list_benchmarks",
    "list_datasets",
    "list_methods",
    "load_dataset",
    "load_images",
    "load_method",
    "load_model",
    "load_pairs",
    "plot_accuracy",
    "plot_boxes",
    "plot_pairs",
    "plot_ranking",
    "register_constant",
    "register_dataset",
    "register_method",
    "report_page",
    "results",
    "run",
    "save_model",
    "table",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"relattr.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'relattr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
