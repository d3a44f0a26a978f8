"""Seconds of `relattr tables` and `relattr report` on a large store: 200 methods x 20 datasets x 3 seeds.

    python benchmarks/speed/tables.py [--methods 200] [--datasets 20] [--seeds 3]

The rows are synthetic: random strengths on 250 random pairs of 620 images for each dataset, about the size of a
test set of LFW-10. The time is that of a whole command in a new interpreter, from its start to the last file: reading
12,000 rows and their strengths, the intervals, each method compared with the best of its column, all files, and the
PDF where LaTeX is installed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, TestResult
from relattr.harness.store import Store
from relattr.harness.tested_pairs import TestPairs, test_key
from relattr.pairs import Pairs
from relattr.statistics import count_strengths

IMAGES, PAIRS = 620, 250


def fill(folder: Path, methods: int, datasets: int, seeds: int) -> None:
    """Write the store and the benchmark."""
    store = Store(folder / "results")
    rng = np.random.default_rng(0)
    about = Provenance(
        commit="0" * 40,
        dirty=False,
        command="synthetic",
        python="3",
        versions={},
        system="synthetic",
        cpu="synthetic",
        threads=1,
        memory_bytes=1 << 30,
        device="cpu",
        started="2020-01-01T00:00:00+00:00",
    )
    for d in range(datasets):
        truth = rng.standard_normal(IMAGES)
        left = rng.integers(0, IMAGES, PAIRS)
        right = (left + rng.integers(1, IMAGES, PAIRS)) % IMAGES
        pairs = Pairs(left, right, np.sign(truth[left] - truth[right]).astype(np.int8))
        for m in range(methods):
            for seed in range(seeds):
                strengths = truth + (0.3 + m / methods) * rng.standard_normal(IMAGES)
                count = count_strengths(strengths, pairs)
                result = Result(
                    version=VERSION,
                    cell=Cell(f"method-{m:03}", {}, f"data-{d:02}", {}, "a", "standard", seed),
                    status="ok",
                    fingerprints={"data": f"data-{d}"},
                    provenance=about,
                    label=f"Method {m}",
                    dataset_label=f"Data {d}",
                    protocol="synthetic",
                    seconds_fit=1.0 + m,
                    seconds_compare=0.1,
                    tests=(TestResult("test", IMAGES, PAIRS, count.ordered, count.correct, count.tied),),
                )
                store.write(result, CellArrays(strengths={"test": strengths}))
        store.keep_test_pairs(test_key(result, "test"), TestPairs(pairs, np.arange(IMAGES)))
    columns = ", ".join(f"{{label = 'Data {d}', dataset = 'data-{d:02}'}}" for d in range(datasets))
    (folder / "large.toml").write_text(
        "title = 'Synthetic: random numbers'\nmethods = ['method-*']\ndatasets = ['data-*']\n"
        f"seeds = {list(range(seeds))}\n[table]\ncaption = 'Random numbers.'\ncolumns = [{columns}]\n"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("methods", 200), ("datasets", 20), ("seeds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fill(folder, args.methods, args.datasets, args.seeds)
        print(f"{args.methods} methods x {args.datasets} datasets x {args.seeds} seeds, load {os.getloadavg()[0]:.1f}")
        for what, arguments in (
            ("tables", ["--out", "tables"]),
            ("report", ["--out", "page.html"]),
        ):
            command = [
                sys.executable,
                "-c",
                "from relattr.cli import main; main()",
                what,
                "large.toml",
                "--results",
                "results",
                "--no-audit",
                *arguments,
            ]
            before = os.times()
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            took, after = time.perf_counter() - start, os.times()
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            print(f"  relattr {what:8}{took:8.1f} s, of processors {spent:6.1f} s")


if __name__ == "__main__":
    main()
