"""Seeds of components: reproducible and independent of each other."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np

from relattr.random import derive_seed, generator
from relattr.run_settings import Run

WORDS = [(), ("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), ("a", 11), ("a", 1, 1), ("1", "a")]


def test_every_component_of_every_seed_has_a_distinct_seed():
    seeds = [derive_seed(seed, *words) for seed, words in itertools.product((0, 1, 11, -1, 2**70), WORDS)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_in_another_process():
    """It does not depend on the process, for example on Python's salted string hash."""
    code = "from relattr.random import derive_seed; print(derive_seed(3, 'folds', 2))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(output) == derive_seed(3, "folds", 2)


def test_generators_are_reproducible_and_independent():
    same = generator(4, "noise").random(5)
    np.testing.assert_array_equal(generator(4, "noise").random(5), same)
    assert not np.array_equal(generator(5, "noise").random(5), same)
    assert not np.array_equal(generator(4, "order").random(5), same)


def test_a_run_derives_seeds_from_its_own():
    run = Run(seed=9)
    assert run.seed_for("x", 1) == derive_seed(9, "x", 1)
    np.testing.assert_array_equal(run.rng("x").random(3), generator(9, "x").random(3))
