"""The cache of decoded images: each image is decoded once, by any number of processes, and after damage."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from functools import partial

import numpy as np
import pytest

from relattr.errors import BadImage
from relattr.images import DrawnSource, Images
from relattr.images import cache as module
from relattr.images.cache import DecodedImages

SCRIPT = """
import os, pathlib, signal, sys, time
import numpy as np
from relattr.images import cache
from relattr.images.cache import DecodedImages

cache.SHARD = 8
folder, log = pathlib.Path(sys.argv[1]), sys.argv[2]
n, die_at, together = map(int, sys.argv[3:])

def read(index):
    with open(log, "a") as file:
        file.write(f"{index}\\n")
    if index == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.005)
    return np.full((3 + index % 4, 5 + index % 3, 3), index, np.uint8)

# all start together, however long each took to import
pathlib.Path(f"{log}.ready-{os.getpid()}").touch()
while len(list(pathlib.Path(log).parent.glob("*.ready-*"))) < together:
    time.sleep(0.005)
store = DecodedImages(folder, n, read)
store.prepare()
assert all((store[k] == k).all() for k in range(n))
"""


def start(tmp_path, n, die_at=-1, log="log", together=1):
    arguments = [str(tmp_path / "store"), str(tmp_path / log), str(n), str(die_at), str(together)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])


def reads(tmp_path, log="log"):
    return Counter(int(line) for line in (tmp_path / log).read_text().split())


class Source:
    """Images of different sizes, and a count of how often each was read."""

    def __init__(self, n, bad=()):
        rng = np.random.default_rng(0)
        self.images = [rng.integers(0, 256, (rng.integers(1, 9), rng.integers(1, 9), 3), np.uint8) for _ in range(n)]
        self.bad = set(bad)
        self.count = Counter()

    def read(self, index):
        self.count[index] += 1
        if index in self.bad:
            raise BadImage(f"image number-{index} is bad")
        return self.images[index]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "SHARD", 8)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30])
def test_every_image_is_read_once(tmp_path, n):
    source = Source(n)
    store = DecodedImages(tmp_path, n, source.read)
    for k in [*range(n), *reversed(range(n))]:
        np.testing.assert_array_equal(store[k], source.images[k])
    again = DecodedImages(tmp_path, n, source.read)
    again.prepare()
    np.testing.assert_array_equal(again[n - 1], source.images[n - 1])
    assert source.count == Counter(range(n))


def test_one_image_needs_one_shard(tmp_path):
    source = Source(30)
    DecodedImages(tmp_path, 30, source.read)[9]
    assert source.count == Counter(range(8, 16))


def test_large_collections_have_few_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_SHARDS", 5)
    source = Source(100)
    store = DecodedImages(tmp_path, 100, source.read)
    store.prepare()
    assert store.n_shards == 5
    np.testing.assert_array_equal(store[99], source.images[99])


def test_progress_adds_up(tmp_path):
    from contextlib import contextmanager

    from relattr.progress import listening

    seen = []

    @contextmanager
    def listener(description, total):
        seen.append(total)
        yield seen.append

    source = Source(30)
    DecodedImages(tmp_path, 30, source.read)[28]  # the last shard, of six
    with listening(listener):
        DecodedImages(tmp_path, 30, source.read).prepare()
        DecodedImages(tmp_path, 30, source.read).prepare()  # nothing to do: nothing to show
    assert seen[0] == 30
    assert sum(seen[1:]) == 30


def test_several_processes_decode_each_image_once(tmp_path):
    processes = [start(tmp_path, 60, together=3) for _ in range(3)]
    assert [p.wait(timeout=60) for p in processes] == [0, 0, 0]
    assert reads(tmp_path) == Counter(range(60))


def test_a_killed_process_loses_one_shard_at_most(tmp_path):
    assert start(tmp_path, 40, die_at=27).wait(timeout=60) == -signal.SIGKILL
    shards = {p.name for p in (tmp_path / "store").glob("[0-9]*[0-9].npy")}
    assert shards == {"00000.npy", "00001.npy", "00002.npy"}
    assert start(tmp_path, 40, log="second").wait(timeout=60) == 0
    assert reads(tmp_path, "second") == Counter(range(24, 40))


def test_temporary_files_of_killed_processes_are_removed(tmp_path):
    source = Source(5)
    (tmp_path / ".00000.npy.abc.tmp").write_bytes(b"half")
    DecodedImages(tmp_path, 5, source.read)[0]
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("name", ["00001.npy", "00001.index.npy"])
@pytest.mark.parametrize("damage", ["truncate", "empty", "garbage", "gone", "other"])
def test_a_damaged_shard_is_rebuilt(tmp_path, name, damage):
    source = Source(20)
    DecodedImages(tmp_path, 20, source.read).prepare()
    path = tmp_path / name
    if damage == "truncate":
        os.truncate(path, path.stat().st_size - 9)
    elif damage == "gone":
        path.unlink()
    elif damage == "other":
        np.save(path, np.zeros(3))
    else:
        path.write_bytes(b"" if damage == "empty" else b"PK\x03\x04 what")
    store = DecodedImages(tmp_path, 20, source.read)
    for k in range(20):
        np.testing.assert_array_equal(store[k], source.images[k])
    assert source.count == Counter([*range(20), *range(8, 16)])
    fresh = DecodedImages(tmp_path, 20, source.read)
    np.testing.assert_array_equal(fresh[8], source.images[8])
    assert source.count[8] == 2


def test_an_invalid_image_is_named_and_no_file_is_left(tmp_path):
    source = Source(20, bad=[11])
    store = DecodedImages(tmp_path, 20, source.read)
    for _ in range(2):
        with pytest.raises(BadImage, match="number-11"):
            store.prepare()
    assert {p.name for p in tmp_path.iterdir() if p.suffix != ".lock"} == {"00000.npy", "00000.index.npy"}
    source.bad.clear()
    store.prepare()
    np.testing.assert_array_equal(store[11], source.images[11])


def test_pickling_does_not_copy_the_pixels(tmp_path):
    source = DrawnSource(["a", "b"], partial(np.full, (300, 300, 3), dtype=np.uint8), "k")
    images = Images(source)
    assert (images[1] == 1).all()  # its pixels are mapped now
    content = pickle.dumps(images)
    assert len(content) < 10_000
    assert (pickle.loads(content)[1] == 1).all()


@pytest.mark.parametrize("damage", ["zeros", "scrambled", "swapped", "one bit"])
def test_changed_pixels_are_decoded_again(tmp_path, damage):
    """Pixels that changed on disk, in a file of the right size, are never returned."""
    source = Source(20)
    DecodedImages(tmp_path, 20, source.read).prepare()
    path = tmp_path / "00001.npy"
    content = bytearray(path.read_bytes())
    start = len(content) - sum(image.size for image in source.images[8:16])
    if damage == "one bit":
        content[-1] ^= 1
    elif damage == "swapped":
        half = (len(content) - start) // 2
        content[start : start + 2 * half] = content[start + half : start + 2 * half] + content[start : start + half]
    else:
        noise = np.random.default_rng(0).integers(0, 256, len(content) - start, np.uint8).tobytes()
        content[start:] = bytes(len(content) - start) if damage == "zeros" else noise
    path.write_bytes(content)
    store = DecodedImages(tmp_path, 20, source.read)
    with pytest.warns(UserWarning, match=r"00001\.npy is damaged; its images are decoded again"):
        images = [store[k] for k in range(20)]
    for k in range(20):
        np.testing.assert_array_equal(images[k], source.images[k])
    assert source.count == Counter([*range(20), *range(8, 16)])
    for k in range(20):
        np.testing.assert_array_equal(DecodedImages(tmp_path, 20, source.read)[k], source.images[k])
    assert source.count[8] == 2


def test_images_are_decoded_each_time_without_a_writable_folder(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    source = Source(3)
    store = DecodedImages(tmp_path / "file" / "store", 3, source.read)
    with pytest.warns(UserWarning, match="file/store: Not a directory.*set RELATTR_CACHE to a folder"):
        store.prepare()
    for k in (0, 1, 1):
        np.testing.assert_array_equal(store[k], source.images[k])
    assert source.count[1] >= 2
