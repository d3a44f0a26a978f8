"""Measure the start of training on sparse pairs: processor seconds until the first batch, by number of pairs.

Pairs are drawn as in `popularity`: a million among 465,000 images. A batch is 25 pairs (`training.shuffled_pairs`)
or 50 images and all pairs among them (`training.batch_sampler`), which divides the whole epoch at once.

    python benchmarks/speed/shuffled.py [--pairs 20000 200000 1000000]
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from relattr.pairs import Pairs
from relattr.training.batch_sampler import PairBatchSampler
from relattr.training.shuffled_pairs import ShuffledPairs

IMAGES_PER_PAIR = 0.465


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    args = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    draw = np.random.default_rng(0)
    for warm in range(2):  # the first sampler compiles the loop
        small = Pairs.from_scores(draw.normal(size=1000), count=500, seed=1)
        started = time.process_time()
        next(PairBatchSampler(small, 50).epoch(np.random.default_rng(0)))
        if not warm:
            print(f"compilation, or loading of the compiled loop: {time.process_time() - started:.2f} s")
    for n in args.pairs:
        pairs = Pairs.from_scores(draw.normal(size=int(IMAGES_PER_PAIR * n)), count=n, seed=1, ties="skip")
        seconds = []
        for sampler in (lambda p: PairBatchSampler(p, 50), lambda p: ShuffledPairs(p, 25)):
            started = time.process_time()
            next(sampler(pairs).epoch(np.random.default_rng(0)))
            seconds.append(time.process_time() - started)
        print(f"{n:,} pairs: first batch of 50 images {seconds[0]:.2f} s, of 25 pairs {seconds[1]:.4f} s", flush=True)


if __name__ == "__main__":
    main()
