"""What identifies the data of a cell: parameters of the dataset, and for a user's own data its content.

A dataset may have parameters that only say where its files are (`Dataset.location_parameters`). Two spellings of one
path are one dataset, and one path can hold different data at different times or in different folders of work. The
content therefore takes the place of such parameters.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import RelattrError
from relattr.system.digests import digest_text
from relattr.system.paths import absolute_text


@dataclass(frozen=True)
class DataIdentity:
    """What identifies the data of a cell, and where it is; the fields are those of `Cell`."""

    dataset_parameters: dict[str, Any]
    """The parameters that do not say where the data is."""
    data: str
    """Fingerprint of the data, if it has a location; else empty."""
    location: dict[str, Any]
    """The parameters that say where the data is; paths are absolute."""
    available: bool
    """Whether the content of data with a location could be read."""


def identify_data(dataset: Dataset) -> DataIdentity:
    """Identify the data of a dataset. If its content cannot be read, the location stands for it."""
    values = parameters.values_of(dataset)
    location = {name: _absolute(values.pop(name)) for name in dataset.location_parameters}
    if not location:
        return DataIdentity(values, "", {}, True)
    try:
        return DataIdentity(values, dataset.fingerprint(), location, True)
    except (RelattrError, OSError):
        unknown = digest_text("unavailable", os.getcwd(), json.dumps(location, sort_keys=True))
        return DataIdentity(values, unknown, location, False)


def _absolute(value: Any) -> Any:
    return absolute_text(value) if isinstance(value, str) else value
