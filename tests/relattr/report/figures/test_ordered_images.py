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
    registry = SimpleNamespace(datasets={"a": None})
    assert ordered_images.order_own_images([own], registry, synthetic.store) == ["x"] * n_orders
