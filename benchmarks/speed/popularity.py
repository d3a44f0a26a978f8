"""Measure time and memory of reading, splitting, pairing and planning 2.3 million photographs.

Lists of the size of Khosla et al. (2014) are written with random ids and scores: 930,000 photographs of as many users,
and 1.4 million of 100 users with 10,000 to 20,000 each. Only those photographs are created that are read: those in the
fingerprint, and those that are streamed. Each step runs in a new process; its peak memory is the kernel's figure,
libraries included; its seconds exclude the import of libraries.

    python benchmarks/speed/popularity.py
    python benchmarks/speed/popularity.py --scale 0.01 --json popularity.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = 1
ONE_PER_USER, USER_MIX, USERS = 930_000, 1_400_000, 100
STREAMED = 2_000
PHOTOGRAPHS = 16  # different ones; the others are links to them
SIZE = (500, 375)  # of Flickr's medium size


def write_lists(root: Path, scale: float) -> None:
    """Write both lists."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    alone, mixed = int(ONE_PER_USER * scale), int(USER_MIX * scale)
    share = rng.uniform(10, 20, USERS)
    users = np.sort(rng.choice(USERS, mixed, p=share / share.sum()))
    ids = rng.permutation(10**10 + 7919 * np.arange(alone + mixed, dtype=np.int64))
    views, days = rng.lognormal(4, 2, ids.size), rng.uniform(30, 1500, ids.size)
    score = np.log2(np.floor(views) / days + 1)
    for name, part, of in (
        ("one-per-user", slice(0, alone), np.arange(alone)),
        ("user-mix", slice(alone, None), users),
    ):
        with (root / f"{name}.csv").open("w") as file:
            file.write("id,score,user\n")
            for k, s, user in zip(ids[part].tolist(), score[part].tolist(), of.tolist(), strict=True):
                file.write(f"{k},{s:.6f},{user:06d}@N00\n")


def write_photographs(root: Path) -> None:
    """Write the photographs in the fingerprint, and the first training photographs of one-per-user."""
    from PIL import Image

    rng = np.random.default_rng(1)
    paths_of_different = []
    for k in range(PHOTOGRAPHS):
        rough = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(
            SIZE, Image.Resampling.BICUBIC
        )
        noisy = np.asarray(rough, np.int16) + rng.normal(0, 12, (*SIZE[::-1], 3)).astype(np.int16)
        path = root / f"photograph-{k}.jpg"
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=85)
        paths_of_different.append(path)
    dataset = _dataset()
    paths = [path for setting in ("one-per-user", "user-mix") for path in dataset._source(setting).sampled()]
    names = dataset._source("one-per-user").names
    train, _ = dataset.halves("one-per-user", "standard")
    paths += [dataset.locate(names[k]) for k in train[:STREAMED].tolist()]
    for k, path in enumerate(dict.fromkeys(paths)):
        os.link(paths_of_different[k % PHOTOGRAPHS], path)


# ---------------------------------------------------------------------- steps, each in a separate process


def step_list() -> dict[str, Any]:
    """Read the lists and name the tasks."""
    dataset = _dataset()
    tasks = dataset.tasks()
    dataset.scored("one-per-user")
    return {"tasks": len(tasks), "photographs": sum(dataset.scored(s).ids.size for s in ("one-per-user", "user-mix"))}


def step_fingerprint() -> dict[str, Any]:
    """Test that the data exists, and compute its fingerprint."""
    dataset = _dataset()
    assert dataset.missing() is None, dataset.missing()
    return {"fingerprint": dataset.fingerprint()[:16]}


def _task(setting: str) -> dict[str, Any]:
    dataset = _dataset()
    name = next(name for name in dataset.tasks() if name.attribute == setting)
    task = dataset.task(name)
    (test,) = task.tests
    return {
        "train_images": len(task.train.images),
        "train_pairs": len(task.train.pairs),
        "test_images": len(test.images),
        "test_pairs": len(test.pairs),
    }


def step_one_per_user() -> dict[str, Any]:
    """Split and sample one-per-user."""
    return _task("one-per-user")


def step_user_mix() -> dict[str, Any]:
    """Split and sample user-mix."""
    return _task("user-mix")


def step_one_user() -> dict[str, Any]:
    """Split and sample the first user of user-specific."""
    return _task("user-specific")


def step_all_users() -> dict[str, Any]:
    """Split and sample every user of user-specific, one after another."""
    dataset = _dataset()
    tasks = [dataset.task(name) for name in dataset.tasks() if name.attribute == "user-specific"]
    return {"tasks": len(tasks), "train_pairs": sum(len(task.train.pairs) for task in tasks)}


def step_plan() -> dict[str, Any]:
    """Plan Table 2: list its cells, fingerprints included, and look each one up in an empty store."""
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.plan import make_plan
    from relattr.harness.store import Store
    from relattr.registry import registry

    registry.discover()
    with tempfile.TemporaryDirectory() as results:
        plan = make_plan(load_benchmark("table2"), registry, Store(Path(results)))
    return {"cells": len(plan.cells), "methods_without_code": len(plan.unregistered)}


def step_stream() -> dict[str, Any]:
    """Decode photographs of one-per-user one by one, on access."""
    dataset = _dataset()
    images = dataset.task(dataset.tasks()[0]).train.images
    before, started = _peak(), time.perf_counter()
    n_bytes = sum(images[k].nbytes for k in range(STREAMED))
    seconds = time.perf_counter() - started
    return {
        "images": STREAMED,
        "ms_an_image": round(1000 * seconds / STREAMED, 2),
        "decoded_mb": round(n_bytes / 1e6),
        "memory_added_mb": round((_peak() - before) / 1e6),
    }


STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    name.removeprefix("step_"): step for name, step in list(globals().items()) if name.startswith("step_")
}


def _dataset() -> Any:
    from relattr.registry import registry

    registry.discover()
    return registry.dataset("popularity").create()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(step: str) -> dict[str, Any]:
    """Run and time a step in this process."""
    import relattr.harness.plan
    import relattr.images
    import relattr.pairs  # noqa: F401  # before the clock starts

    _dataset()
    start, start_processor = time.perf_counter(), time.process_time()
    result = STEPS[step]()
    seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
    return {
        "step": step,
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),
        "peak_mb": round(_peak() / 1e6),
        **result,
    }


def main() -> None:
    """Write the lists, run every step in a new process, and print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the size of the real lists")
    parser.add_argument("--steps", nargs="*", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--one", choices=[*STEPS, "photographs"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one == "photographs":
        write_photographs(Path(os.environ["RELATTR_DATA"]) / "popularity")
        return
    if args.one:
        print(json.dumps(run(args.one)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "RELATTR_DATA": folder,
            "RELATTR_CACHE": f"{folder}/cache",
            "RELATTR_DECODE_LIMIT": "0",
        }

        def one(step: str) -> str:
            command = [sys.executable, __file__, "--one", step]
            return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        write_lists(Path(folder) / "popularity", args.scale)
        rows.append({**json.loads(one("list")), "step": "list_first"})  # later ones find it in the cache
        print(rows[-1], flush=True)
        one("photographs")
        for step in args.steps:
            rows.append(json.loads(one(step)))
            print(rows[-1], flush=True)
    if args.json:
        machine = {"processors": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        args.json.write_text(json.dumps({"schema": SCHEMA, "scale": args.scale, **machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
