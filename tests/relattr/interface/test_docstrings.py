"""The examples in the docstrings of what Python users call."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import relattr.interface

MODULES = [f"relattr.interface.{module.name}" for module in pkgutil.iter_modules(relattr.interface.__path__)]


@pytest.mark.parametrize("name", [*MODULES, "relattr.images.loading"])
def test_examples_print_what_they_say(name, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0
