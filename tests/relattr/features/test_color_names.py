"""Fifty colour names: the built-in vocabulary, the released table, and histograms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from relattr.errors import BadInput
from relattr.features import color_names
from relattr.features.lab import rgb_to_lab


def test_a_colour_has_the_nearest_name() -> None:
    centres, table = color_names.lattice_centres(), color_names.name_table("lattice")
    assert centres.shape == (50, 3)
    assert len(np.unique(centres.round(6), axis=0)) == 50
    for k in np.random.default_rng(0).integers(0, 32768, 300).tolist():
        rgb = [8 * (k % 32) + 3.5, 8 * (k // 32 % 32) + 3.5, 8 * (k // 1024) + 3.5]
        distance = [sum((a - b) ** 2 for a, b in zip(rgb_to_lab(rgb), centre, strict=True)) for centre in centres]
        assert table[k] == distance.index(min(distance))
    assert (np.bincount(table, minlength=50) >= 40).all()  # every name occurs


def test_pure_colours_have_the_expected_names() -> None:
    colours = {
        (0, 0, 0): 0,
        (255, 255, 255): 4,
        (128, 128, 128): 2,  # greys from dark to light
    }
    for rgb, name in colours.items():
        assert color_names.color_names(np.array([[rgb]], np.uint8))[0, 0] == name
    red, green, blue = (color_names.color_names(np.array([[c]], np.uint8))[0, 0] for c in np.eye(3, dtype=int) * 255)
    assert len({red, green, blue}) == 3
    assert min(red, green, blue) >= 5


def test_histogram_equals_counting_pixels() -> None:
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), np.full((2, 2, 3), 255, np.uint8)]
    histograms = color_names.color_histogram(images)
    table = color_names.name_table("lattice")
    for image, row in zip(images, histograms, strict=True):
        counts = [0] * 50
        for r, g, b in image.reshape(-1, 3).tolist():
            counts[table[r // 8 + 32 * (g // 8) + 1024 * (b // 8)]] += 1
        np.testing.assert_allclose(row, np.array(counts) / (image.size / 3), atol=1e-6)
    np.testing.assert_allclose(histograms.sum(1), 1, atol=1e-6)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path))
    color_names.name_table.cache_clear()
    yield tmp_path  # type: ignore[misc]
    color_names.name_table.cache_clear()


def test_the_released_table_is_read(weights: Path) -> None:
    need = color_names.DD50()
    assert need.fingerprint() == ""
    assert str(weights / "DD50_w2c.mat") in (need.missing() or "")
    names = np.random.default_rng(3).integers(0, 50, 32768)
    scipy.io.savemat(weights / "DD50_w2c.mat", {"w2c": np.eye(50, dtype=np.float32)[names] + 0.01})
    assert need.missing() is None
    assert need.fingerprint().startswith("DD50 ")
    np.testing.assert_array_equal(color_names.name_table("DD50"), names)
    image = np.array([[[9, 17, 255]]], np.uint8)
    assert color_names.color_names(image, "DD50")[0, 0] == names[1 + 32 * 2 + 1024 * 31]


@pytest.mark.parametrize("shape", [(32768, 11), (50, 32768)])
def test_another_table_is_refused(weights: Path, shape: tuple[int, int]) -> None:
    scipy.io.savemat(weights / "DD50_w2c.mat", {"w2c": np.zeros(shape, np.float32)})
    with pytest.raises(BadInput, match=r"DD50_w2c\.mat contains w2c \(.*expected one table of \(32768, 50\)"):
        color_names.name_table("DD50")
    (weights / "DD50_w2c.mat").write_bytes(b"MATLAB 5.0 but not really" * 9)
    with pytest.raises(BadInput, match="cannot be read as a MATLAB file"):
        color_names.name_table("DD50")


def test_an_unknown_vocabulary_is_refused() -> None:
    with pytest.raises(BadInput, match="'lattice' or 'DD50', not 'DD11'"):
        color_names.name_table("DD11")  # type: ignore[arg-type]
