"""A job for tests of the processes that handle one."""

from __future__ import annotations

import pytest

from relattr.execution.job import Job
from relattr.harness.cell import Cell
from relattr.harness.limits import Limits
from relattr.harness.provenance import Origin


@pytest.fixture
def job() -> Job:
    """A job of a method and a dataset that are not registered."""
    cell = Cell("method", {}, "dataset", {}, "attribute", "standard", 0)
    return Job(cell=cell, fingerprints={}, limits=Limits(), origin=Origin("", None, ""), threads=1)
