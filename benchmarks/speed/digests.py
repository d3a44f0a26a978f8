"""What comparing digests costs: the time to read results, images, features and checkpoints, with and without.

    python benchmarks/speed/digests.py

Each line has the time with the comparison, without it, and the difference relative to what the reader does next or
would do instead: list results, decode images, load features, load a checkpoint. All numbers are of one run, the
least processor time of several repetitions; the files are in the page cache, so disks add to both sides.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

REPETITIONS = 5


def fastest(run: Callable[[], object]) -> float:
    """The least processor time of several calls, in seconds."""
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def show(what: str, checked: float, plain: float, other: str = "", reference: float = 0.0) -> None:
    """Print a line; ``reference`` is the time of what the comparison is part of or replaces."""
    share = f"; {(checked - plain) / reference:.1%} of the time to {other} ({reference:.3f} s)" if reference else ""
    print(f"{what}: {checked:.3f} s checked, {plain:.3f} s not checked{share}")


def results(folder: Path) -> None:
    """List 2,000 results with arrays of 300 images."""
    import msgspec

    from relattr.harness import store as module
    from relattr.harness.arrays import CellArrays
    from relattr.harness.cell import Cell
    from relattr.harness.result import Provenance, Result, TestResult
    from relattr.system import sealed

    store = module.Store(folder)
    provenance = Provenance("c", False, "relattr run", "3.11", {}, "s", "cpu", 1, 1, "cpu", "now")
    test = TestResult(test="test", n_images=300, n_pairs=44850, n_ordered=44850, n_correct=40000, n_tied=0)
    cell = Cell("m", {}, "d", {}, "a", "standard", 0)
    result = Result(3, cell, "ok", {"data": "x" * 64}, provenance, "M", "D", tests=(test,))
    arrays = CellArrays(strengths={"test": np.random.default_rng(0).random(300)})
    for seed in range(2000):
        store.write(msgspec.structs.replace(result, cell=msgspec.structs.replace(cell, seed=seed)), arrays)
    checked = fastest(lambda: list(module.Store(folder)))
    sizes: dict[str, int] = {}
    digests: dict[str, str] = {}
    for item in module.Store(folder):
        assert isinstance(item, Result)
        assert item.arrays is not None
        path = str(store.path(item.cell).with_suffix(".npz"))
        sizes[path], digests[path] = item.arrays.bytes, item.arrays.sha256
    last: dict[str, str] = {}

    def digest_is_right(values: dict[str, object]) -> str:
        return last["sha256"]

    original = sealed.msgspec.json.decode

    def decode(content: bytes) -> object:
        values = original(content)
        last["sha256"] = values["sha256"]
        return values

    with (
        mock.patch.object(sealed, "_digest", digest_is_right),
        mock.patch.object(sealed.msgspec.json, "decode", decode),
        mock.patch.object(module.Store, "_size_and_digest", lambda self, path: (sizes[str(path)], digests[str(path)])),
    ):
        plain = fastest(lambda: list(module.Store(folder)))
    show("list 2,000 results", checked, plain, "list them", plain)


def images(folder: Path) -> None:
    """Read 512 photographs of 256 x 256 pixels once, from the cache, against decoding them."""
    from PIL import Image

    from relattr.images import cache as module
    from relattr.images.decode import decode

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (32, 32, 3), np.uint8)
    folder.mkdir()
    for k in range(512):
        Image.fromarray(np.roll(coarse, k, 0)).resize((256, 256)).save(folder / f"{k}.jpg")

    def read(index: int) -> np.ndarray:
        return decode(folder / f"{index}.jpg")

    module.DecodedImages(folder / "store", 512, read).prepare()

    def read_all() -> None:
        stored = module.DecodedImages(folder / "store", 512, read)
        for k in range(512):
            stored[k].max()  # touches every pixel, as any method does

    checked = fastest(read_all)
    with mock.patch.object(module._Shard, "image", _image_without_check):
        plain = fastest(read_all)
    decoding = fastest(lambda: [read(k) for k in range(512)])
    show("read 512 images of 256 x 256 (100 MB) for the first time in a process", checked, plain, "decode", decoding)


def _image_without_check(shard: object, k: int) -> np.ndarray:
    pixels = shard.pixels[shard.starts[k] : shard.starts[k + 1]]  # type: ignore[attr-defined]
    return pixels.reshape(shard.index["height"][k], shard.index["width"][k], 3)  # type: ignore[attr-defined]


def features() -> None:
    """Read features of 2,688 images with 4,096 values each."""
    from relattr.features import cache as module
    from relattr.images import DrawnSource, Images

    drawn = Images(
        DrawnSource([f"{k}" for k in range(2688)], lambda k: np.full((8, 8, 3), k % 256, np.uint8), "digests")
    )
    values = np.random.default_rng(0).random((2688, 4096), np.float32)

    def read() -> None:
        module.cached_rows(drawn, "key", lambda part: values[part.indices], what="features")

    read()
    checked = fastest(read)
    (path,) = (module.cache_dir() / "features").glob("*/checksums.npy")
    stored = np.load(path)
    with mock.patch.object(module, "_checksum", lambda index, row: int(stored[index])):
        plain = fastest(read)
    show("read 2,688 x 4,096 features (44 MB)", checked, plain)


def checkpoint(folder: Path) -> None:
    """Write and read the checkpoint of a network with 60 million parameters and their momentum."""
    import torch
    from torch import nn

    from relattr.training import checkpoint as module

    network = nn.Linear(6000, 10_000)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 6000)).sum().backward()
    optimiser.step()
    folder.mkdir()

    def write() -> None:
        module.save_checkpoint(folder / "c", network, optimiser, 1, [], "key")

    def read() -> None:
        assert module.load_checkpoint(folder / "c", network, optimiser, "key")[0] == 1

    times = [fastest(write), fastest(read)]
    with mock.patch.object(module.zlib, "crc32", return_value=0):
        plain = [fastest(write), fastest(read)]
    show("write a checkpoint of 480 MB (at most once a minute)", times[0], plain[0])
    show("read a checkpoint of 480 MB", times[1], plain[1])


if __name__ == "__main__":
    import os

    with tempfile.TemporaryDirectory() as name:
        os.environ["RELATTR_CACHE"] = f"{name}/cache"
        results(Path(name) / "results")
        images(Path(name) / "images")
        features()
        checkpoint(Path(name) / "checkpoints")
