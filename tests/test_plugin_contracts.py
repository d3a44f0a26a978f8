"""Every method and dataset of this project keeps the laws it holds others to.

A class that is registered several times is held to all laws once, and each of its rows to those that look at the
registration only.
"""

import pytest

from relattr.check import dataset_checks, method_checks
from relattr.parameters import values_of
from relattr.registry import registry

OF_ROWS = ("described", "plain-parameters")
"""The laws of methods that say something about each row of a class."""

BACKBONE = {"backbone": "squeezenet1_0"}
"""For methods on a backbone: small, and its weights are where others are not. Without them their laws are skipped."""

registry.discover()
assert not registry.broken, registry.broken


def _ours(entries):
    return {name: e for name, e in sorted(entries.items()) if e.module.startswith("relattr.")}


def _method_checks():
    seen = set()
    for name, entry in _ours(registry.methods).items():
        again = entry.cls in seen
        seen.add(entry.cls)
        values = BACKBONE if "backbone" in values_of(entry.create()) and "backbone" not in entry.cls.check_with else {}
        yield from (check for check in method_checks(name, values=values) if not again or check.law.name in OF_ROWS)


def _dataset_checks():
    for name in _ours(registry.datasets):
        yield from dataset_checks(name)


@pytest.fixture(autouse=True, scope="module")
def shared_cache(tmp_path_factory):
    """One cache for all laws of a plugin: they look at the same fitted methods."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELATTR_CACHE", str(tmp_path_factory.mktemp("contracts")))
        yield


@pytest.fixture(autouse=True)
def cache(shared_cache):
    """Instead of a cache for each test."""
    return shared_cache


@pytest.mark.parametrize("check", list(_method_checks()), ids=str)
def test_methods(check):
    check.hold()


@pytest.mark.parametrize("check", list(_dataset_checks()), ids=str)
def test_datasets(check):
    check.hold()


def test_all_of_ours_are_here():
    """The laws are held by more than nothing."""
    assert {"chance", "ranksvm-hog2x2"} <= set(_ours(registry.methods))
    assert {"glyphs", "osr", "lfw10"} <= set(_ours(registry.datasets))
