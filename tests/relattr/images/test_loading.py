"""Images from folders, files, Pillow images and arrays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from relattr import load_images
from relattr.errors import BadImage, BadInput
from relattr.images import MAX_STORED_SIDE, Images
from relattr.images.decode import decode
from relattr.images.loading import list_image_files


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip" / ".thumbnails").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("b.png", "a.PNG", "trip/c.jpeg", ".hidden.png", "trip/.thumbnails/d.png"):
        Image.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_a_folder_gives_its_images_in_the_order_of_names(photos):
    assert list_image_files(photos) == ["a.PNG", "b.png", "trip/c.jpeg"]
    for given in (photos, str(photos)):
        images = load_images(given)
        assert images.names == ["a.PNG", "b.png", "trip/c.jpeg"]
        for name, image in zip(images.names, images, strict=True):
            np.testing.assert_array_equal(image, decode(photos / name))


def test_paths_keep_their_order_and_may_repeat(photos):
    paths = [photos / "trip" / "c.jpeg", photos / "a.PNG", photos / "trip" / "c.jpeg"]
    images = load_images(paths)
    assert images.names == ["trip/c.jpeg", "a.PNG", "trip/c.jpeg"]
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(image, decode(path))


@pytest.mark.parametrize("given", ["trip", ["b.png", "trip/c.jpeg"]])
def test_a_folder_is_that_of_when_it_was_loaded(photos, monkeypatch, given):
    monkeypatch.chdir(photos)
    images = load_images(given, keep_decoded=False)
    before = list(images)
    other = photos / "trip" / "trip"
    other.mkdir()
    for name in ("b.png", "c.jpeg"):
        Image.new("RGB", (9, 9)).save(other / name)
        (photos / "trip" / "b.png").write_bytes((other / "b.png").read_bytes())
    monkeypatch.chdir(photos / "trip")
    for image, expected in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, expected)


def test_a_mixed_sequence_gives_the_same_pixels(photos):
    path = photos / "b.png"
    with Image.open(path) as opened:
        images = load_images([path, opened, np.asarray(opened)])
        assert len(images) == 3
        for image in images:
            np.testing.assert_array_equal(image, decode(path))


def test_one_image_is_a_collection_of_one(photos):
    path = photos / "b.png"
    with Image.open(path) as opened:
        for image in (path, str(path), opened, np.asarray(opened)):
            assert len(load_images(image)) == 1
    assert len(load_images(np.zeros((5, 8, 8, 3), np.uint8))) == 5
    assert len(load_images([])) == 0


def test_images_are_returned_as_they_are():
    images = Images.from_arrays([np.zeros((4, 4, 3), np.uint8)])
    assert load_images(images) is images


@pytest.mark.parametrize("kind", ["path", "Pillow", "array"])
def test_large_images_are_reduced_like_files(tmp_path, kind):
    large = np.random.default_rng(0).integers(0, 256, (40, MAX_STORED_SIDE * 2, 3)).astype(np.uint8)
    path = tmp_path / "large.png"
    Image.fromarray(large).save(path)
    given = {"path": path, "Pillow": Image.fromarray(large), "array": large}[kind]
    np.testing.assert_array_equal(load_images([given])[0], decode(path, MAX_STORED_SIDE))


def test_16_bit_images_of_a_program_are_read_like_files(tmp_path):
    values = np.array([[0, 256, 40000, 65535]], np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    wide = Image.fromarray(values.astype(np.int32))
    assert wide.mode == "I"
    np.testing.assert_array_equal(load_images([wide])[0], decode(path))
    assert not load_images([Image.new("I", (4, 4))])[0].any()  # black is no error


def test_grey_arrays_become_rgb():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(load_images([grey])[0], np.repeat(grey[..., None], 3, axis=2))


def test_decoded_files_are_kept_only_if_asked(photos, cache):
    list(load_images(photos, keep_decoded=False))
    assert not (cache / "decoded").exists()
    list(load_images(photos))
    assert (cache / "decoded").exists()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (3, BadInput, "cannot load images from 3"),
        (["no-such.png"], BadImage, r"no-such\.png does not exist"),
        ([np.zeros((4, 4, 4), np.uint8)], BadImage, r"image-0 is uint8 \(4, 4, 4\)"),
        ([np.zeros((4, 4, 3))], BadImage, "image-0 is float64"),
        ([None], BadImage, "image-0 has the type NoneType"),
        ([Image.new("F", (4, 4), 0.5)], BadImage, "image-0 has the mode F"),
        ([Image.new("I", (4, 4), 200)], BadImage, "image-0 has the mode I, .* no value above 255"),
    ],
)
def test_what_is_no_image_is_refused(images, error, message):
    with pytest.raises(error, match=message):
        load_images(images)


def test_any_iterable_of_paths_is_opened(photos):
    import pandas as pd

    paths = sorted(photos.glob("*.[pP][nN][gG]"))
    expected = load_images(paths).names
    for given in (iter(paths), (path for path in paths), pd.Series(paths), dict.fromkeys(paths).keys()):
        assert load_images(given).names == expected


def test_a_path_that_does_not_exist_says_what_was_expected(tmp_path):
    with pytest.raises(BadImage, match=r"photos does not exist; expected a folder or an image$"):
        load_images(tmp_path / "photos")
    with pytest.raises(BadImage, match=r"a\.png does not exist; expected an image file$"):
        load_images([tmp_path / "a.png"])
    with pytest.raises(BadInput, match=r"cannot load images from \{'a\.png': 1\}"):
        load_images({"a.png": 1})


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"has no image: no file in it ends in .*\.png"):
        load_images(tmp_path)
    with pytest.raises(BadImage, match="is a folder; expected an image file"):
        load_images([tmp_path])
