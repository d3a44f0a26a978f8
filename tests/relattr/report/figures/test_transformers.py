"""Figure 4: boxes and crops of the spatial transformers."""

import numpy as np
import pytest
from PIL import Image

from relattr import BadInput
from relattr.report.figures.transformers import draw_transformers


@pytest.mark.parametrize(("suffix", "n_scales"), [("png", 3), ("pdf", 1)])
def test_the_same_arrays_give_the_same_file(tmp_path, images, make_arrays, suffix, n_scales):
    paths = [tmp_path / f"{name}.{suffix}" for name in ("one", "two")]
    for path in paths:
        draw_transformers(images, make_arrays(n_scales), "test", path, "A_method & <others>, smile")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_images_and_their_boxes_are_in_the_picture(tmp_path, images, make_arrays):
    draw_transformers(images, make_arrays(), "test", tmp_path / "one.png", "")
    with Image.open(tmp_path / "one.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 20


def test_scores_order_the_images_instead_of_strengths(tmp_path, images, make_arrays):
    """As if the strengths were these scores."""
    scores = np.linspace(40, -5, len(images))
    draw_transformers(images, make_arrays(), "test", tmp_path / "scores.png", "", scores)
    arrays = make_arrays()
    draw_transformers(images, arrays, "test", tmp_path / "strengths.png", "")
    arrays.strengths["test"] = scores
    draw_transformers(images, arrays, "test", tmp_path / "same.png", "")
    assert (tmp_path / "scores.png").read_bytes() == (tmp_path / "same.png").read_bytes()
    assert (tmp_path / "scores.png").read_bytes() != (tmp_path / "strengths.png").read_bytes()


def test_arrays_that_do_not_fit_the_images_are_refused(tmp_path, images, make_arrays):
    arrays = make_arrays()
    arrays.boxes["test"] = np.zeros((5, 1, 4))
    with pytest.raises(BadInput, match=r"expected \(12,\) and \(12, scales, 4\)"):
        draw_transformers(images, arrays, "test", tmp_path / "a.png", "")
    assert not list(tmp_path.iterdir())
