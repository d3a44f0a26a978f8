"""Every dataset of this project passes `relattr check dataset`, with its files where they are available."""

from __future__ import annotations

import pytest

from relattr.check import dataset_checks
from relattr.check.law import Check
from relattr.registry import registry

registry.discover()
OURS = [name for name, entry in registry.datasets.items() if entry.module.startswith("relattr.datasets.")]
SMALL = {"glyphs": {"n_train": 24, "n_test": 24, "size": 64}}
"""Parameters with which synthetic datasets take seconds."""
CHECKS = [check for name in OURS for check in dataset_checks(name, values=SMALL.get(name))]


def test_every_dataset_is_checked() -> None:
    assert set(OURS) >= {
        "folder",
        "glyphs",
        "lfw10",
        "osr",
        "osr-shipped",
        "popularity",
        "pubfig",
        "relative-attributes",
        "viral",
        "zappos",
        "zappos-fine",
    }


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_contract(check: Check) -> None:
    if check.law.name == "verify":
        pytest.skip("the real files are verified in the dataset's own tests")
    check.assert_passes()
