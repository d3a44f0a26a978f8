"""A cell of a benchmark: one method with its parameters, one task, one seed."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from relattr.system.digests import digest_text
from relattr.task import TaskName


class Cell(msgspec.Struct, frozen=True):
    """The coordinates of a cell. They do not depend on the order of plugins, or of rows and columns of a table."""

    method: str
    method_parameters: dict[str, Any]
    dataset: str
    dataset_parameters: dict[str, Any]
    attribute: str
    split: str
    seed: int

    @property
    def task(self) -> TaskName:
        return TaskName(self.dataset, self.attribute, self.split)

    @property
    def key(self) -> str:
        """The identifier of the cell, 16 hexadecimal digits."""
        return digest_text(json.dumps(msgspec.to_builtins(self), sort_keys=True))[:16]

    def __str__(self) -> str:
        return f"{self.method} on {self.task}, seed {self.seed}"
