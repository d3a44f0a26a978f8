"""The meaning of parameters is read from docstrings, those of base classes included."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from relattr.cli import cli
from relattr.parameter_docs import parameter_meanings
from relattr.registry import registry


class Base:
    """A base.

    Parameters
    ----------
    rate : how fast; overridden below.
    height, width : side lengths in
        ``px``.

    Notes
    -----
    other : is not a parameter.
    """


class Derived(Base):
    """Parameters of its own.

    Parameters
    ----------
    rate : learning rate.
    """


def test_meanings_of_base_classes_are_inherited():
    expected = {"rate": "learning rate.", "height": "side lengths in px.", "width": "side lengths in px."}
    assert parameter_meanings(Derived) == expected
    assert parameter_meanings(int) == {}


registry.discover()


@pytest.mark.parametrize("kind", ["methods", "datasets"])
def test_every_parameter_of_a_plugin_is_documented(kind):
    plugins = {name: p for name, p in getattr(registry, kind).items() if p.module.startswith("relattr.")}
    missing = {
        name: sorted(set(plugin.types) - set(parameter_meanings(plugin.cls))) for name, plugin in plugins.items()
    }
    assert not {name: absent for name, absent in missing.items() if absent}


def test_parameters_are_listed_with_their_defaults():
    output = CliRunner().invoke(cli, ["list", "methods", "visual-chains"]).output
    plugin = registry.methods["visual-chains"]
    assert plugin.summary in output
    for name in plugin.types:
        assert f"\n        {name} " in output
    assert "one of " in output
