"""Every dataset of this project keeps the laws of `relattr check dataset`, on its files where they are here."""

from __future__ import annotations

import pytest

from relattr.check import dataset_checks
from relattr.check.law import Check
from relattr.registry import registry

registry.discover()
OURS = [name for name, entry in registry.datasets.items() if entry.module.startswith("relattr.datasets.")]
SMALL = {"glyphs": {"n_train": 24, "n_test": 24, "size": 64}}
"""Parameters with which drawn ones take seconds."""
CHECKS = [check for name in OURS for check in dataset_checks(name, values=SMALL.get(name))]


def test_none_is_left_out() -> None:
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
    check.hold()
