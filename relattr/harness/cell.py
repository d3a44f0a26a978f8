"""A cell of a benchmark: one method with its parameters, one task, one seed."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import PurePath
from typing import Any

import msgspec

from relattr.system.digests import digest_text
from relattr.task import TaskName


class Cell(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Identifies a cell, independently of the order of plugins and of the rows and columns of a table."""

    method: str
    method_parameters: dict[str, Any]
    dataset: str
    dataset_parameters: dict[str, Any]
    attribute: str
    split: str
    seed: int
    data: str = ""
    """Fingerprint of the data, if the dataset has parameters that say where the data is; see `identify_data`."""
    location: dict[str, Any] = {}
    """Those parameters. They say where the data was, and do not identify the cell."""
    files: dict[str, str] = {}
    """By parameter of the method that names files: the digest of their content; see `relattr.harness.file_identity`."""

    @property
    def all_dataset_parameters(self) -> dict[str, Any]:
        """The parameters with which the dataset is created."""
        return {**self.dataset_parameters, **self.location}

    @property
    def identifying_parameters(self) -> dict[str, Any]:
        """The parameters of the method, with the digest of a file in place of its path."""
        return {**self.method_parameters, **self.files}

    @property
    def stated_parameters(self) -> dict[str, Any]:
        """The parameters of the method for readers: ``net.npz (1a2b3c4d)``, a name and a digest, for a file."""
        return {k: _stated(v, self.files[k]) if k in self.files else v for k, v in self.method_parameters.items()}

    @property
    def task(self) -> TaskName:
        return TaskName(self.dataset, self.attribute, self.split)

    @cached_property
    def key(self) -> str:
        """The identifier of the cell, 16 hexadecimal digits."""
        identity = msgspec.to_builtins(
            msgspec.structs.replace(self, location={}, method_parameters=self.identifying_parameters)
        )
        return digest_text(json.dumps(identity, sort_keys=True))[:16]

    def __str__(self) -> str:
        return f"{self.method} on {self.task}, seed {self.seed}"


def _stated(paths: Any, digest: str) -> str:
    names = [PurePath(path).name for path in ([paths] if isinstance(paths, str) else paths)]
    return f"{', '.join(names)} ({digest[:8]})"
