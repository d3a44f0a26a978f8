"""Streamed images are the images in memory, whatever the number of threads, and train the same network."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from relattr import BadInput, Images
from relattr.errors import BadImage
from relattr.images import FileSource
from relattr.training import streamed_pixels
from relattr.training.cropping import load_pixels
from relattr.training.streamed_pixels import StreamedPixels, chunks, open_pixels, pixel_limit, with_pixels

SIZES = ((40, 60), (64, 64), (90, 30), (64, 64), (33, 47), (200, 120), (40, 60))


def images() -> Images:
    rng = np.random.default_rng(0)
    return Images.from_arrays([rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in SIZES])


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("side", [32, 100])
def test_streamed_images_equal_those_in_memory(workers, side):
    loaded, streamed = load_pixels(images(), side, "cpu"), StreamedPixels(images(), side, "cpu", workers)
    assert streamed.shape == tuple(loaded.shape)
    batches = [np.array(batch) for batch in ([3, 0, 3], [6], [1, 2, 4, 5], [0, 0])]
    batches_read = list(with_pixels(streamed, batches, lambda batch: batch))
    expected = list(with_pixels(loaded, batches, lambda batch: batch))
    for (batch, pixels), (same, others) in zip(batches_read, expected, strict=True):
        assert batch is same
        assert torch.equal(pixels, others)
    assert torch.equal(streamed[torch.tensor([5, 1])], loaded[torch.tensor([5, 1])])
    for size in (2, 3, 100):
        parts = list(chunks(streamed, size))
        assert torch.equal(torch.cat([pixels for _, pixels in parts]), loaded)
        assert [rows for rows, _ in parts] == [rows for rows, _ in chunks(loaded, size)]


def test_batches_are_in_order_and_decoded_ahead(monkeypatch):
    running, most, lock = set(), [0], threading.Lock()

    def slow(self, index):
        with lock:
            running.add(index)
            most[0] = max(most[0], len(running))
        time.sleep(0.02 if index % 2 else 0.001)  # later images are ready earlier
        with lock:
            running.discard(index)
        return torch.full((3, 4, 4), index, dtype=torch.uint8)

    monkeypatch.setattr(StreamedPixels, "_read", slow)
    taken = []

    def batches():
        for k in range(0, 40, 4):
            taken.append(k)
            yield np.arange(k, k + 4)

    streamed = StreamedPixels(Images.from_arrays([np.zeros((4, 4, 3), np.uint8)] * 40), 4, "cpu", 3)
    iterator = streamed.batches(batches(), lambda batch: batch)
    next(iterator)
    assert len(taken) == streamed_pixels.BATCHES_AHEAD + 1
    for batch, pixels in iterator:
        assert pixels[:, 0, 0, 0].tolist() == batch.tolist()
    assert 1 < most[0] <= 3


def test_threads_end_with_the_iterator():
    before = threading.active_count()
    iterator = StreamedPixels(images(), 8, "cpu", 3).batches((np.array([k % 7]) for k in range(100)), lambda b: b)
    next(iterator)
    assert threading.active_count() > before
    iterator.close()
    assert threading.active_count() == before


def test_unreadable_image_is_an_error_that_names_it(tmp_path):
    for k in range(3):
        Image.fromarray(np.full((20, 20, 3), 50 * k, np.uint8)).save(tmp_path / f"{k}.png")
    source = Images(FileSource(tmp_path, [f"{k}.png" for k in range(3)]), limit=0)
    assert source[1].shape == (20, 20, 3)
    (tmp_path / "1.png").write_bytes(b"")
    streamed = StreamedPixels(source, 16, "cpu", 2)
    assert streamed[torch.tensor([2])].float().mean() == 100
    with pytest.raises(BadImage, match=r"1\.png is empty"):
        list(streamed.batches([np.array([0]), np.array([1])], lambda batch: batch))


def test_size_limit_decides_between_memory_and_stream(monkeypatch):
    bytes_needed = len(SIZES) * 3 * 16 * 16
    loaded = []
    assert isinstance(open_pixels(images(), 16, "cpu", limit=bytes_needed, progress=loaded.append), torch.Tensor)
    assert isinstance(open_pixels(images(), 16, "cpu", limit=bytes_needed - 1, progress=loaded.append), StreamedPixels)
    assert loaded == [len(SIZES)] * 2
    monkeypatch.setenv("RELATTR_PIXEL_LIMIT", "0")
    assert isinstance(open_pixels(images(), 16, "cpu"), StreamedPixels)
    monkeypatch.setenv("RELATTR_PIXEL_LIMIT", "lots")
    with pytest.raises(BadInput, match="RELATTR_PIXEL_LIMIT is 'lots'; expected a number of bytes"):
        pixel_limit()
    monkeypatch.delenv("RELATTR_PIXEL_LIMIT")
    assert 0 < pixel_limit() <= streamed_pixels.PIXEL_LIMIT
