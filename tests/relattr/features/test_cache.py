"""Each feature is computed once, for any subset of images, any number of processes, and after crashes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.features import cache as module
from relattr.features.cache import cached_array, cached_rows
from relattr.images import DrawnSource, Images

SCRIPT = """
import os, pathlib, signal, sys, time
import numpy as np
from relattr.features import cache
from relattr.images import DrawnSource, Images

cache.CHUNK = 4
log, which = sys.argv[1], [int(k) for k in sys.argv[2].split(",")]
die_at, n_processes = map(int, sys.argv[3:])
images = Images(DrawnSource([f"image-{i}" for i in range(30)], lambda i: np.full((2, 2, 3), i, np.uint8), "k"))

def compute(part):
    with open(log, "a") as file:
        file.write("".join(f"{k}\\n" for k in part.indices))
    if die_at in part.indices:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return part.indices[:, None] * np.array([1.0, 10.0, 100.0], np.float32)

# wait until all processes have finished importing, so that they start n_processes
pathlib.Path(f"{log}.ready-{os.getpid()}").touch()
while len(list(pathlib.Path(log).parent.glob("*.ready-*"))) < n_processes:
    time.sleep(0.005)
rows = cache.cached_rows(images.subset(which), "key", compute, what="test")
assert (rows == np.array(which)[:, None] * np.array([1.0, 10.0, 100.0])).all()
"""


def start_process(tmp_path, which, die_at=-1, log="log", n_processes=1):
    arguments = [str(tmp_path / log), ",".join(map(str, which)), str(die_at), str(n_processes)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])


def logged(tmp_path, log="log"):
    return Counter(int(line) for line in (tmp_path / log).read_text().split())


class Feature:
    """Returns three features that identify the image, and counts the computations of each image."""

    def __init__(self):
        self.count = Counter()

    def __call__(self, images):
        self.count.update(images.indices.tolist())
        return self.expected(images.indices)

    def expected(self, indices):
        return np.asarray(indices)[:, None] * np.array([1, 10, 100], np.float32)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)


@pytest.fixture
def images():
    return Images(DrawnSource([f"image-{i}" for i in range(30)], lambda i: np.full((2, 2, 3), i, np.uint8), "k"))


def test_each_row_is_computed_once_whichever_subsets_ask(images):
    feature = Feature()
    for which in ([3, 1, 2], [1, 1, 9, 3], list(range(29, 9, -1)), list(range(30)), [0]):
        features = cached_rows(images.subset(which), "key", feature, what="test")
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, feature.expected(which))
    assert feature.count == Counter(range(30))


def test_another_key_or_collection_is_computed_separately(images):
    feature = Feature()
    other = Images(
        DrawnSource(["x"] * 1 + [f"y{i}" for i in range(29)], lambda i: np.zeros((2, 2, 3), np.uint8), "other")
    )
    for which, key in ((images, "a"), (images, "b"), (other, "a"), (images, "a")):
        cached_rows(which.subset([5]), key, feature, what="test")
    assert feature.count == {5: 3}


def test_chunks_have_at_most_the_chunk_size(images):
    sizes = []

    def compute(part):
        sizes.append(len(part))
        return np.ones((len(part), 1), np.float32)

    cached_rows(images.subset(range(10)), "key", compute, what="test")
    assert sizes == [4, 4, 2]


def test_returned_arrays_are_copies(images):
    feature = Feature()
    cached_rows(images.subset([1]), "key", feature, what="test")[:] = -1
    np.testing.assert_array_equal(cached_rows(images.subset([1]), "key", feature, what="test"), feature.expected([1]))


def test_several_processes_compute_each_row_once(tmp_path):
    processes = [
        start_process(tmp_path, which, n_processes=3) for which in (range(30), range(29, -1, -1), range(0, 30, 2))
    ]
    assert [p.wait(timeout=60) for p in processes] == [0, 0, 0]
    assert logged(tmp_path) == Counter(range(30))


def test_a_killed_process_loses_one_chunk(tmp_path):
    assert start_process(tmp_path, range(30), die_at=13).wait(timeout=60) == -signal.SIGKILL
    assert start_process(tmp_path, range(30), log="second").wait(timeout=60) == 0
    assert logged(tmp_path, "second") == Counter(range(12, 30))


def test_cached_rows_are_read_without_waiting(images):
    """Cached rows are read at once while another thread computes other rows."""
    feature = Feature()
    cached_rows(images.subset([1, 2]), "key", feature, what="test")
    reached, go_on = threading.Event(), threading.Event()

    def slow(part):
        reached.set()
        assert go_on.wait(60)
        return feature(part)

    thread = threading.Thread(target=cached_rows, args=(images, "key", slow), kwargs={"what": "test"})
    thread.start()
    try:
        assert reached.wait(60)
        np.testing.assert_array_equal(
            cached_rows(images.subset([2]), "key", feature, what="test"), feature.expected([2])
        )
        assert thread.is_alive()
    finally:
        go_on.set()
        thread.join(60)
    assert feature.count == Counter(range(30))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(images, bad):
    feature = Feature()

    def compute(part):
        features = feature(part)
        features[part.indices == 9, 1] = bad
        return features

    with pytest.raises(BadInput, match="HOG returned NaN or infinity for image image-9"):
        cached_rows(images, "key", compute, what="HOG")
    # the chunks before it are cached, its own is not
    np.testing.assert_array_equal(cached_rows(images, "key", feature, what="HOG"), feature.expected(range(30)))
    assert feature.count == Counter([*range(30), *range(8, 12)])


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2), (2, 5), (4, 5), (3, 0)])
def test_a_wrong_shape_is_refused(images, shape):
    with pytest.raises(BadInput, match=r"HOG returned shape .* for 3 images"):
        cached_rows(images.subset([1, 2, 3]), "key", lambda part: np.zeros(shape, np.float32), what="HOG")


@pytest.mark.parametrize("width", [1, 2, 4])
def test_rows_of_another_length_are_refused(images, width):
    cached_rows(images.subset([1]), "key", Feature(), what="HOG")
    with pytest.raises(BadInput, match=f"HOG returned {width} features per image, but 3 for other images"):
        cached_rows(images.subset([2]), "key", lambda part: np.zeros((len(part), width), np.float32), what="HOG")


def test_an_error_keeps_the_rows_computed_before(images):
    feature = Feature()

    def compute(part):
        if 8 in part.indices:
            raise RuntimeError("interrupted")
        return feature(part)

    with pytest.raises(RuntimeError, match="interrupted"):
        cached_rows(images, "key", compute, what="test")
    cached_rows(images, "key", feature, what="test")
    assert feature.count == Counter(range(30))


def test_features_of_no_images_are_refused(images):
    with pytest.raises(BadInput, match="no images"):
        cached_rows(images.subset([]), "key", Feature(), what="test")


@pytest.mark.parametrize("name", ["rows.npy", "checksums.npy"])
@pytest.mark.parametrize("damage", ["truncate", "empty", "garbage", "deleted", "other"])
def test_damaged_files_are_recomputed(images, cache, name, damage):
    """Also a truncated one, which NumPy would silently pad with zeros."""
    feature = Feature()
    cached_rows(images, "key", feature, what="test")
    (path,) = (cache / "features").glob(f"*/{name}")
    if damage == "truncate":
        os.truncate(path, path.stat().st_size - 5)
    elif damage == "deleted":
        path.unlink()
    elif damage == "other":
        np.save(path, np.zeros((30, 3)) if name == "rows.npy" else np.zeros(30))
    else:
        path.write_bytes(b"" if damage == "empty" else b"PK\x03\x04 what")
    for _ in range(2):
        np.testing.assert_array_equal(cached_rows(images, "key", feature, what="test"), feature.expected(range(30)))
    assert feature.count == Counter(2 * list(range(30)))


@pytest.mark.parametrize("damage", ["one bit", "zeros", "swapped rows", "wrong checksum"])
def test_changed_rows_are_computed_again(images, cache, damage):
    feature = Feature()
    cached_rows(images, "key", feature, what="test")
    (path,) = (cache / "features").glob("*/checksums.npy" if damage == "wrong checksum" else "*/rows.npy")
    rows = np.load(path, mmap_mode="r+")
    if damage == "swapped rows":
        rows[[4, 7]] = rows[[7, 4]]
    elif damage == "one bit":
        rows.view(np.uint32)[[4, 7]] ^= 1
    elif damage == "zeros":
        rows[[4, 7]] = 0.0
    else:
        rows[[4, 7]] += np.uint64(1)
    rows.flush()
    with pytest.warns(UserWarning, match=r"rows\.npy: 2 rows are damaged; they are computed again"):
        np.testing.assert_array_equal(cached_rows(images, "key", feature, what="test"), feature.expected(range(30)))
    np.testing.assert_array_equal(cached_rows(images, "key", feature, what="test"), feature.expected(range(30)))
    assert feature.count == Counter([*range(30), 4, 7])


def test_rows_are_computed_every_time_without_a_writable_cache(images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(module, "cache_dir", lambda: tmp_path / "file" / "cache")
    feature = Feature()
    for _ in range(2):
        with pytest.warns(UserWarning, match="HOG cannot be stored: .*Not a directory.*set RELATTR_CACHE"):
            rows = cached_rows(images.subset([3, 1]), "key", feature, what="HOG")
        np.testing.assert_array_equal(rows, feature.expected([3, 1]))
    with pytest.warns(UserWarning, match="cannot be stored"):
        assert cached_array("key", lambda: np.ones((1, 1), np.float32)).item() == 1.0


def test_a_full_disk_costs_the_cache_not_the_features(images, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "rows.npy")

    monkeypatch.setattr(module, "_write_rows", full)
    feature = Feature()
    with pytest.warns(UserWarning, match=r"rows\.npy: No space left on device"):
        rows = cached_rows(images.subset([5]), "key", feature, what="HOG")
    np.testing.assert_array_equal(rows, feature.expected([5]))


def test_features_too_large_for_the_disk_are_refused(images, cache, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(BadInput, match="30 x 3 features need 360 bytes"):
        cached_rows(images, "key", Feature(), what="test")
    assert not list((cache / "features").rglob("*.npy"))


def test_progress_counts_computed_images(images):
    from contextlib import contextmanager

    from relattr.progress import listening

    seen = []

    @contextmanager
    def listener(description, total):
        seen.append((description, total))
        yield seen.append

    cached_rows(images.subset(range(3)), "key", Feature(), what="HOG")
    with listening(listener):
        cached_rows(images.subset(range(9)), "key", Feature(), what="HOG")
    assert seen == [("HOG", 6), 4, 2]


# ---------------------------------------------------------------------- one array


def test_a_learned_array_is_computed_once_per_key():
    calls = []

    def compute():
        calls.append(1)
        return np.arange(6, dtype=np.float32).reshape(2, 3)

    for key in ("a", "a", "b", "a"):
        features = cached_array(key, compute)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, [[0, 1, 2], [3, 4, 5]])
    assert len(calls) == 2


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x93NUMPY\x01\x00"])
def test_a_damaged_learned_array_is_recomputed(cache, content):
    cached_array("a", lambda: np.ones(3, np.float32))
    (path,) = (cache / "learned").glob("*.npy")
    whole = path.read_bytes()
    path.write_bytes(content or whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])  # "": one bit of a value
    with pytest.warns(UserWarning, match="damaged or of an older version; it is computed again"):
        np.testing.assert_array_equal(cached_array("a", lambda: np.full(3, 2, np.float32)), [2, 2, 2])
    np.testing.assert_array_equal(cached_array("a", lambda: np.full(3, 3, np.float32)), [2, 2, 2])


def test_a_failure_to_learn_leaves_nothing(cache):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached_array("a", fail)
    assert not list((cache / "learned").glob("*.npy"))
    assert cached_array("a", lambda: np.ones(1, np.float32)) == [1]
