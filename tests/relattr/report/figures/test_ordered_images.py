"""Which results a page orders images by."""

from types import SimpleNamespace

import msgspec
import pytest

from relattr.report.figures import ordered_images


@pytest.mark.parametrize(("location", "n_orders"), [({"path": "p"}, 1), ({"file": "f", "images": "i"}, 0), ({}, 0)])
def test_only_images_of_own_data_are_ordered(synthetic, monkeypatch, location, n_orders):
    monkeypatch.setattr(ordered_images, "_ordered", lambda attribute, *rest: attribute)
    result = synthetic.add("m", "a", "x")
    own = msgspec.structs.replace(
        result, cell=msgspec.structs.replace(result.cell, data="digest" if location else "", location=location)
    )
    registry = SimpleNamespace(datasets={"a": None}, methods={})
    assert ordered_images.order_own_images([own], registry, synthetic.store) == ["x"] * n_orders


@pytest.mark.parametrize(("noise_of_guesses", "n_orders"), [(1e6, 1), (0.0, 0)])
def test_nothing_is_ordered_by_guesses(synthetic, plugins, monkeypatch, noise_of_guesses, n_orders):
    monkeypatch.setattr(ordered_images, "_ordered", lambda attribute, results, *rest: results[0].cell.method)
    own = []
    for method, noise in (("one", 1.0), ("chance", noise_of_guesses)):
        result = synthetic.add(method, "a", "x", noise=noise)
        cell = msgspec.structs.replace(result.cell, data="digest", location={"path": "p"})
        own.append(msgspec.structs.replace(result, cell=cell))
    registry = SimpleNamespace(datasets={"a": None}, methods=plugins.methods)
    assert ordered_images.order_own_images(own, registry, synthetic.store) == ["one"] * n_orders
