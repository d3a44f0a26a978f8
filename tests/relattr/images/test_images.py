"""`Images`: indexing, sharing, limits, fingerprints, and errors."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from relattr.errors import BadImage, BadInput
from relattr.images import ArraySource, DrawnSource, FileSource, Images


def arrays(n=5):
    return [np.full((2 + i, 4, 3), 10 * i, np.uint8) for i in range(n)]


@pytest.fixture
def files(tmp_path):
    names = [f"{i}.png" for i in range(6)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((3 + i, 5, 3), i, np.uint8)).save(tmp_path / name)
    return tmp_path, names


def drawn(n, key="k", log=None, size=4):
    def draw(index):
        if log is not None:
            log[index] += 1
        return np.full((size, size, 3), index, np.uint8)

    return DrawnSource([f"d{i}" for i in range(n)], draw, key)


def test_images_are_a_sequence():
    images = Images.from_arrays(arrays())
    assert len(images) == len(list(images)) == 5
    for i, image in enumerate(images):
        assert (image == 10 * i).all()
    assert images[-1].shape == images[4].shape == (6, 4, 3)
    assert images[np.int64(2)].shape == (4, 4, 3)
    for outside in (5, -6):
        with pytest.raises(IndexError):
            images[outside]
    for wrong in (1.0, "0", [0]):
        with pytest.raises(TypeError):
            images[wrong]


@pytest.mark.parametrize("part", [slice(2), slice(1, None), slice(None, None, -1), slice(5, 9), slice(-2, None)])
def test_a_slice_is_that_of_the_sequence(part):
    images = Images.from_arrays([np.full((2, 2, 3), k, np.uint8) for k in range(4)])
    assert [image[0, 0, 0] for image in images[part]] == list(range(4))[part]
    assert images[part].names == images.names[part]


def test_a_subset_of_a_subset_counts_from_zero(files):
    images = Images(FileSource(*files))
    part = images.subset([5, 3, 1]).subset([2, 0, 0])
    assert part.names == ["1.png", "5.png", "5.png"]
    assert part.indices.tolist() == [1, 5, 5]
    assert [image.shape[0] for image in part] == [4, 8, 8]
    assert (len(part), part.n_collection) == (3, 6)
    assert part.collection_fingerprint == images.collection_fingerprint
    assert len(images.subset([])) == 0


@pytest.mark.parametrize("wrong", [[6], [-1], [0.0], [[0]], [True]])
def test_a_subset_with_invalid_indices_raises(files, wrong):
    with pytest.raises(BadInput, match=r"subset takes|not one of the 6"):
        Images(FileSource(*files)).subset(wrong)


def test_images_are_read_only(files):
    for images in (Images(FileSource(*files)), Images(FileSource(*files), limit=0), Images.from_arrays(arrays())):
        with pytest.raises(ValueError, match="read-only"):
            images[0][0, 0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            images.indices[0] = 1


def test_subsets_share_decoded_images():
    log = Counter()
    images = Images(drawn(40, log=log))
    images.prepare()
    first = Counter(log)
    for part in (images.subset(range(0, 40, 3)), images.subset([39, 1]), Images(drawn(40, log=log)).subset([7])):
        for k, image in zip(part.indices, part, strict=True):
            assert (image == k).all()
    # a new collection looks at a few to see how large they are, and decodes none
    assert sum((log - first).values()) <= 5


def test_above_the_limit_images_are_decoded_at_every_access(cache):
    log = Counter()
    images = Images(drawn(10, log=log), limit=10 * 48 - 1)
    images.prepare()
    before = log[3]
    for _ in range(3):
        assert (images[3] == 3).all()
    assert log[3] == before + 3
    assert not (cache / "decoded").exists()
    assert (Images(drawn(10), limit=10 * 48)[3] == 3).all()
    assert (cache / "decoded").exists()


def test_the_limit_applies_to_the_whole_collection(cache):
    images = Images.from_arrays([])
    assert len(images) == 0
    source = DrawnSource([str(i) for i in range(9)], lambda i: np.zeros((1 if i == 0 else 100, 100, 3), np.uint8), "k")
    Images(source, limit=9 * 1000)[0]
    assert not (cache / "decoded").exists()


def test_the_limit_can_be_set_by_the_environment(monkeypatch, cache):
    monkeypatch.setenv("RELATTR_DECODE_LIMIT", "10")
    assert (Images(drawn(3))[1] == 1).all()
    assert not (cache / "decoded").exists()
    monkeypatch.setenv("RELATTR_DECODE_LIMIT", "16GB")
    with pytest.raises(BadInput, match="RELATTR_DECODE_LIMIT is '16GB'"):
        Images(drawn(3))


def test_decoded_images_equal_the_files(files):
    root, names = files
    for limit in (None, 0):
        images = Images(FileSource(root, names), limit=limit)
        assert [(image.shape, int(image[0, 0, 0])) for image in images] == [((3 + i, 5, 3), i) for i in range(6)]


def test_large_files_are_downscaled(tmp_path):
    Image.fromarray(np.zeros((100, 2000, 3), np.uint8)).save(tmp_path / "x.png")
    assert Images(FileSource(tmp_path, ["x.png"]))[0].shape == (26, 512, 3)


def test_a_changed_file_changes_the_fingerprint(files):
    root, names = files
    before = Images(FileSource(root, names))
    assert before[2].shape[0] == 5
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(root / names[2])
    after = Images(FileSource(root, names))
    assert after.collection_fingerprint != before.collection_fingerprint
    assert after[2].shape == (9, 9, 3)


def test_a_changed_decoder_invalidates_decoded_files_only(files, monkeypatch):
    source = FileSource(*files)
    before = Images(source).collection_fingerprint
    monkeypatch.setattr("relattr.images.code_digest", lambda module: "another decoder")
    assert Images(source).collection_fingerprint != before
    assert source.fingerprint == FileSource(*files).fingerprint


def test_the_fingerprint_depends_on_everything_that_sets_pixels():
    same = arrays()
    assert ArraySource(same).fingerprint == ArraySource(arrays()).fingerprint
    assert ArraySource(same).fingerprint != ArraySource(same[::-1]).fingerprint
    assert drawn(3, "a").fingerprint == drawn(3, "a").fingerprint
    assert len({drawn(3, "a").fingerprint, drawn(3, "b").fingerprint, drawn(4, "a").fingerprint}) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 3), np.uint8),
        np.zeros((3, 3, 4), np.uint8),
        np.zeros((3, 3, 3), np.float32),
        np.zeros((0, 3, 3), np.uint8),
    ],
)
def test_invalid_arrays_raise_an_error_that_names_them(wrong):
    with pytest.raises(BadImage, match="image cat is"):
        Images.from_arrays([arrays()[0], wrong], names=["dog", "cat"])
    source = DrawnSource(["dog"], lambda index: wrong, "k")
    with pytest.raises(BadImage, match="image dog is"):
        Images(source)[0]


def test_names_must_be_unique_and_match_the_images(tmp_path):
    with pytest.raises(BadInput, match="5 images but 1 names"):
        Images.from_arrays(arrays(), names=["a"])
    with pytest.raises(BadInput, match=r"image b\.png is listed twice"):
        FileSource(tmp_path, ["a.png", "b.png", "c.png", "b.png"])


def test_a_missing_file_is_named(files):
    root, names = files
    with pytest.raises(BadInput, match=r"gone\.png"):
        Images(FileSource(root, [*names, "gone.png"]))[0]


def test_drawn_images_that_are_too_large_raise():
    for source in (ArraySource([np.zeros((513, 2, 3), np.uint8)], ["big"]), drawn(1, size=600)):
        with pytest.raises(BadImage, match="larger than 512"):
            Images(source)[0]
