"""Methods of rows that name a network are on that network; all others are on the default backbone."""

from __future__ import annotations

from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.parameters import values_of
from relattr.registry import registry

ON_ALEXNET = ("linear-", "svr-", "svm-", "ranksvm-gist")  # DeCAF and Objects are layers of AlexNet
"""Beginnings of the names of rows on AlexNet, beside those with the network in their name."""


def test_default_backbones():
    registry.discover()
    found = set()
    for name, plugin in registry.methods.items():
        backbone = values_of(plugin.create()).get("backbone")
        if backbone is None or not plugin.module.startswith("relattr."):
            continue
        found.add(name)
        if "vgg16" in name:
            assert backbone == "vgg16", name
        elif "alexnet" in name or name.startswith(ON_ALEXNET):
            assert backbone == "alexnet", name
        else:
            assert backbone == DEFAULT_BACKBONE, name
    assert {"siamese", "regression", "ranksvm-cnn", "parikh-grauman-cnn", "viralnet-mc", "visual-chains"} <= found


def test_rows_on_the_default_backbone_are_not_comparable():
    for name in ("parikh-grauman-cnn", "viralnet", "visual-chains"):
        assert any(DEFAULT_BACKBONE in deviation for deviation in registry.method(name).create().deviations()), name
