"""The figure of chains: order and boxes of its patches, and arrays that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from relattr.errors import BadInput
from relattr.images import Images
from relattr.report.figures.chains import draw_chains


@pytest.fixture
def images():
    """Grey images, each with a square of its own colour at the top left."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255)]
    arrays = [np.full((40, 60, 3), 128, np.uint8) for _ in colours]
    for array, colour in zip(arrays, colours, strict=True):
        array[:20, :30] = colour
    return Images.from_arrays(arrays)


@pytest.fixture
def artifacts():
    return {
        "chain images": np.array([[3, 1, 0], [2, 2, 2]]),
        "chain boxes": np.tile(np.array([0.0, 0.0, 0.5, 0.5], np.float32), (2, 3, 1)),
        "chain accuracy": np.array([0.9, 0.8]),
    }


def test_patches_are_drawn_in_order(images, artifacts, tmp_path):
    draw_chains(images, artifacts, tmp_path / "f.png", title="An attribute")
    picture = np.asarray(Image.open(tmp_path / "f.png").convert("RGB"))

    def centre(colour, rows):
        _, x = np.nonzero((picture[rows] == colour).all(-1))
        return x.mean()

    upper = slice(0, picture.shape[0] // 2)
    order = [centre(c, upper) for c in ((255, 0, 255), (0, 255, 0), (255, 0, 0))]
    assert order == sorted(order)
    assert not (picture[upper] == (0, 0, 255)).all(-1).any()
    patch = (picture[picture.shape[0] // 2 :] == (0, 0, 255)).all(-1)
    assert patch.any(0).mean() > 0.9  # the patches of the second chain fill its row
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]


def test_the_same_arrays_give_the_same_file(images, artifacts, tmp_path):
    for name in ("a.pdf", "b.pdf"):
        draw_chains(images, artifacts, tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("chain images", None, "needs the artifact 'chain images'"),
        ("chain images", np.array([[0, 1, 4], [0, 0, 0]]), "expected integers from 0 to 3"),
        ("chain images", np.zeros((2, 2), int), "expected"),
        ("chain images", np.zeros((0, 3), int), "at least one chain"),
        ("chain boxes", np.tile([0.5, 0.0, 0.5, 1.0], (2, 3, 1)), "x0 < x1"),
        ("chain boxes", np.tile([0.5, 0.0, np.nan, 1.0], (2, 3, 1)), "x0 < x1"),
        ("chain accuracy", np.zeros(3), "expected"),
    ],
)
def test_invalid_artifacts_are_refused(images, artifacts, tmp_path, name, value, message):
    if value is None:
        del artifacts[name]
    else:
        artifacts[name] = value
    with pytest.raises(BadInput, match=message):
        draw_chains(images, artifacts, tmp_path / "f.png")
    assert list(tmp_path.iterdir()) == []
