"""Measure time and memory of the linear methods at the size of the paper's virality experiment, on synthetic images.

    python benchmarks/speed/scale.py --methods linear-texture linear-color-histogram
    python benchmarks/speed/scale.py --shapes 512 5376 23025 --json scale.json

10,078 images of `glyphs`, 8,062 of them to train on, 10 million training pairs, 1 million test pairs, attribute
``multiscale``. Each row runs in a separate process.

``--methods`` runs whole methods: features of all images (from the cache, if an earlier run computed them), the choice
of C (on folds of a million of the pairs) and the fit, the comparison of the million pairs. ``--shapes`` replaces the features
by as many synthetic numbers per image (64 factors and noise, weakly correlated with the strengths), to measure the cost
of a row beyond its features. ``--exhaustive`` chooses C on all pairs, among 1e-10, 1e-9, ... 1e3, for comparison. Peak memory is that of the whole process, libraries, images and pairs included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

N_TRAIN, N_TEST = 8062, 2016
SIZES = {"n_train": N_TRAIN, "n_test": N_TEST, "n_pairs": 10_000_000, "n_test_pairs": 1_000_000}
DIMENSIONS = {
    "linear-gist": 512,
    "linear-color-histogram": 50,
    "linear-texture": 1239,
    "linear-color-patches": 5376,
    "linear-gradient": 10752,
    "linear-decaf": 4096,
    "linear-objects": 1000,
    "linear-combined": 23025,
}
"""Number of features of the rows of Table 2, with the backbone of the paper."""
CANDIDATES = tuple(float(f"1e{k}") for k in range(-10, 4))


def peak_gb() -> float:
    """Return the peak memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024**2
    return float("nan")


class Clock:
    """Wall-clock and processor seconds since the previous stop, by name."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}
        self._last = time.perf_counter(), time.process_time()

    def stop(self, name: str) -> None:
        now = time.perf_counter(), time.process_time()
        self.found[name] = [round(b - a, 2) for a, b in zip(self._last, now, strict=True)]
        self._last = time.perf_counter(), time.process_time()


def run_method(name: str, threads: int, settings: list[str]) -> dict[str, Any]:
    """Run a whole method, as a cell does."""
    from relattr.harness.selection import parse_settings
    from relattr.method import strengths_in_pairs
    from relattr.registry import registry
    from relattr.run_settings import Run
    from relattr.statistics import count_strengths

    registry.discover()
    clock = Clock()
    task = _task()
    task.train.images.prepare()
    clock.stop("drawing and pairs")
    method = registry.method(name).create(parse_settings(settings))
    run = Run(threads=threads)
    if hasattr(method, "prepare"):
        method.set_run(run)
        method.prepare(task.train.images, run)
        for part in (task.train.images, task.tests[0].images):
            d = int(method.features(part).shape[1])  # type: ignore[attr-defined]
    clock.stop("features")
    method.fit(task.train, run)
    clock.stop("fit")
    (test,) = task.tests
    count = count_strengths(strengths_in_pairs(method, test.images, test.pairs), test.pairs)
    clock.stop("compare")
    return {"row": name, "d": d, "C": method.C_, "accuracy": count.accuracy, "seconds": clock.found}  # type: ignore[attr-defined]


def run_shape(d: int, c: float | None, exhaustive: bool) -> dict[str, Any]:
    """Run the choice of C (unless it is given), the fit and the comparison, on synthetic features."""
    import numpy as np

    from relattr.ranksvm import RankSVM, RankSVMCV
    from relattr.registry import registry
    from relattr.statistics import count_strengths

    registry.discover()
    clock = Clock()
    task = _task()
    assert task.train.scores is not None
    clock.stop("pairs")
    rng = np.random.default_rng(d)
    factors = rng.standard_normal((N_TRAIN + N_TEST, 64), dtype=np.float32)
    dataset = registry.dataset("glyphs").create(SIZES)
    truth = np.concatenate([dataset.strengths("multiscale", part) for part in ("train", "test")])  # type: ignore[attr-defined]
    factors[:, 0] = 0.7 * truth + 0.7 * factors[:, 0]
    x = factors @ rng.standard_normal((64, d), dtype=np.float32)
    x += rng.standard_normal(x.shape, dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    train, test_rows = x[:N_TRAIN].copy(), x[N_TRAIN:].copy()
    del x
    clock.stop("features")
    options: dict[str, Any] = {"Cs": CANDIDATES, "max_pairs": SIZES["n_pairs"]} if exhaustive else {}
    chosen = RankSVMCV(seed=0, **options).fit(train, task.train.pairs) if c is None else None
    model = RankSVM(c or 0.1).fit(train, task.train.pairs) if chosen is None else chosen.ranksvm_
    clock.stop("fit" if chosen is None else "choice of C and fit")
    (test,) = task.tests
    accuracy = count_strengths(model.predict(test_rows), test.pairs).accuracy
    clock.stop("compare")
    return {"row": f"{d:,} synthetic numbers", "d": d, "C": model.C, "accuracy": accuracy, "seconds": clock.found}


def _task() -> Any:
    from relattr.registry import registry
    from relattr.task import TaskName

    dataset = registry.dataset("glyphs").create(SIZES)
    return dataset.task(TaskName("glyphs", "multiscale", "standard"))


def measure(kind: str, what: str, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one row in a new process."""
    threads = str(args.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
    settings = [part for setting in args.set for part in ("--set", setting)]
    command = [sys.executable, str(Path(__file__).resolve()), "--threads", threads, "--child", kind, what, *settings]
    command += [] if args.C is None else ["--C", str(args.C)]
    command += ["--exhaustive"] if args.exhaustive else []
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} ended with status {done.returncode}; its message is above")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=[], help="whole methods, by name")
    parser.add_argument(
        "--shapes", nargs="*", type=int, default=[], metavar="D", help="synthetic features, D numbers each"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the methods")
    parser.add_argument("--C", type=float, help="of the synthetic rows, instead of choosing it: one fit")
    parser.add_argument("--exhaustive", action="store_true", help="choose C on all pairs, among 14 values")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="threads of each process (2)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all raw numbers there")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, what = args.child
        found = (
            run_method(what, args.threads, args.set)
            if kind == "method"
            else run_shape(int(what), args.C, args.exhaustive)
        )
        print(json.dumps({**found, "peak_gb": round(peak_gb(), 2)}))
        return
    wanted = [("method", name) for name in args.methods] + [("shape", str(d)) for d in args.shapes]
    if not wanted:
        wanted = [("shape", str(d)) for d in sorted(set(DIMENSIONS.values()))]
    rows = []
    for kind, what in wanted:
        rows.append(measure(kind, what, args))
        row = rows[-1]
        times = "; ".join(f"{name} {clock:,.1f} s ({cpu:,.1f} cpu)" for name, (clock, cpu) in row["seconds"].items())
        head = f"{row['row']:<26}d {row['d']:>6,}  C {row['C']:g}  accuracy {100 * row['accuracy']:.2f} %"
        print(f"{head}  peak {row['peak_gb']:.2f} GB  {times}", flush=True)
    if args.json:
        from relattr.system.atomic import write_text

        about = {"command": sys.argv, "threads": args.threads, "cores": os.cpu_count(), "load": os.getloadavg()}
        write_text(args.json, json.dumps({**about, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
