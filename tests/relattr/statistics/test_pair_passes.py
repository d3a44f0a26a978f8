"""The passes over pairs in NumPy equal the loops that they stand for, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.statistics import pair_loops, pair_passes
from relattr.system.compiled import Kernel

N_IMAGES = 12


def arguments(seed, n_pairs):
    """The arguments of each pass, for random pairs with repeated dyads, equal strengths and similar pairs."""
    rng = np.random.default_rng(seed)
    left = rng.integers(0, N_IMAGES, n_pairs).astype(np.int32)
    right = ((left + rng.integers(1, N_IMAGES, n_pairs)) % N_IMAGES).astype(np.int32)
    label = rng.integers(-1, 2, n_pairs).astype(np.int8)
    strengths = np.round(rng.normal(size=N_IMAGES), 1)
    if seed:
        strengths[seed] = [np.nan, np.inf, -np.inf][seed - 1]
    m = int((label != 0).sum())
    index = rng.permutation(N_IMAGES).astype(np.int32)
    dyad, first, second = pair_loops.index_dyads.py_func(left, right, N_IMAGES)
    q = rng.normal(size=first.size)
    return {
        "mark_images": (left, right, label, N_IMAGES),
        "renumber_pairs": (left, right, label, index, m),
        "mark_correct": (left, right, label, strengths, m),
        "index_dyads": (left, right, N_IMAGES),
        "add_residuals": (q, dyad, rng.random(n_pairs) < 0.7, 0.37),
        "sum_by_image": (q, first, second, N_IMAGES),
    }


@pytest.mark.parametrize("name", list(arguments(0, 9)))
@pytest.mark.parametrize(("seed", "n_pairs"), [(0, 200), (1, 40), (2, 40), (3, 40), (0, 1)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # infinite strengths in the loop
def test_numpy_gives_the_numbers_of_the_loop(name, seed, n_pairs):
    ours, theirs = arguments(seed, n_pairs)[name], arguments(seed, n_pairs)[name]
    results = getattr(pair_passes, name)(*ours), getattr(pair_loops, name).py_func(*theirs)
    for result, expected in zip(*(part if isinstance(part, tuple) else (part,) for part in results), strict=True):
        np.testing.assert_array_equal(result, expected)
        assert np.asarray(result).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(ours[0], theirs[0])  # `add_residuals` changes its argument


def test_loops_are_compiled_from_a_number_of_elements_on(monkeypatch):
    calls = []

    class Counted(Kernel):
        @property
        def dispatcher(self):
            return lambda values: calls.append("compiled") or values

    monkeypatch.setattr(Kernel, "n_elements_in_numpy", 0)
    monkeypatch.setattr("relattr.system.compiled.COMPILE_FROM", 25)
    kernel = Counted(lambda values: values, {}, lambda values: calls.append("NumPy") or values)
    for _ in range(4):
        kernel(np.zeros(10))
    assert calls == ["NumPy", "NumPy", "compiled", "compiled"]
