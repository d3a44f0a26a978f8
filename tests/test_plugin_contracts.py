"""Every built-in method and dataset satisfies the laws of `relattr check`.

A class that is registered several times is checked against all laws once, and each of its rows against the laws about
the registration only.
"""

import pytest

from relattr.check import dataset_checks, method_checks
from relattr.parameters import values_of
from relattr.registry import registry

REGISTRATION_LAWS = ("described", "plain-parameters")
"""The laws about a registration, which are checked for each row of a class."""

TRAINED_AGAIN = ("save-load", "noise")
"""Laws for which a method is fitted twice more."""
SIMILAR_NETWORKS = ("regression", "viralnet-c")
"""Networks that are saved and fitted by the code of `siamese` and `viralnet`: with the laws above, slow tests."""

BACKBONE = {"backbone": "micro"}
"""For methods on a backbone: a small network whose weights are part of relattr."""

registry.discover()
assert not registry.broken, registry.broken


def _builtin(entries):
    return {name: e for name, e in sorted(entries.items()) if e.module.startswith("relattr.")}


def _method_checks():
    seen = set()
    for name, entry in _builtin(registry.methods).items():
        repeated = entry.cls in seen
        seen.add(entry.cls)
        values = BACKBONE if "backbone" in values_of(entry.create()) and "backbone" not in entry.cls.check_with else {}
        yield from (
            check for check in method_checks(name, values=values) if not repeated or check.law.name in REGISTRATION_LAWS
        )


def _dataset_checks():
    for name in _builtin(registry.datasets):
        yield from dataset_checks(name)


@pytest.fixture(autouse=True, scope="module")
def shared_cache(tmp_path_factory):
    """One cache for all laws, which share fitted methods."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELATTR_CACHE", str(tmp_path_factory.mktemp("contracts")))
        yield


@pytest.fixture(autouse=True)
def cache(shared_cache):
    """Replaces the cache folder per test."""
    return shared_cache


def _marked(check):
    slow = check.plugin in SIMILAR_NETWORKS and check.law.name in TRAINED_AGAIN
    return pytest.param(check, marks=pytest.mark.slow if slow else (), id=str(check))


@pytest.mark.parametrize("check", [_marked(check) for check in _method_checks()])
def test_methods(check):
    check.assert_passes()


@pytest.mark.parametrize("check", list(_dataset_checks()), ids=str)
def test_datasets(check):
    check.assert_passes()


def test_built_in_plugins_are_checked():
    """The parametrisation above is not empty."""
    assert {"chance", "ranksvm-hog2x2"} <= set(_builtin(registry.methods))
    assert {"glyphs", "osr", "lfw10"} <= set(_builtin(registry.datasets))
