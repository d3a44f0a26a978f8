"""relattr: a benchmark suite for relative-attribute methods.

Given two images, which one shows more of an attribute? Methods and datasets are plugins, subclasses of `Method` and
`Dataset`; see CONTRIBUTING.md for adding one in a single file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relattr.dataset import Dataset, VerificationResult
    from relattr.errors import BadImage, BadInput, Blocked, RelattrError, UnknownName
    from relattr.images import Images
    from relattr.method import Method
    from relattr.pairs import Pairs
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
    "Method": "method",
    "Pairs": "pairs",
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
    "Images",
    "Method",
    "Pairs",
    "RelattrError",
    "Run",
    "Task",
    "TaskName",
    "TestSet",
    "TrainingSet",
    "UnknownName",
    "VerificationResult",
    "__version__",
    "register_constant",
    "register_dataset",
    "register_method",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"relattr.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'relattr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
