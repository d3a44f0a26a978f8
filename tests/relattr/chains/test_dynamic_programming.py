"""Dynamic programming compared with an exhaustive search over chains."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from relattr.chains.boxes import box_iou
from relattr.chains.dynamic_programming import cheapest_chains, euclidean_distances, suppress_overlapping


def every_chain(patches, gains=None):
    """All chains with their costs, cheapest first."""
    chains = []
    for path in itertools.product(*(range(len(p)) for p in patches)):
        cost = 0.0
        for k, choice in enumerate(path):
            if k:
                cost += np.sqrt(((patches[k][choice] - patches[k - 1][path[k - 1]]) ** 2).sum())
            if gains is not None:
                cost -= gains[k][choice]
        chains.append((cost, path))
    return sorted(chains)


def problem(seed, sizes, with_gains):
    rng = np.random.default_rng(seed)
    patches = [rng.normal(size=(n, 3)) for n in sizes]
    return patches, [rng.normal(size=n) for n in sizes] if with_gains else None


CASES = [(4, 4, 4, 4), (5, 2, 6), (3, 5), (1, 4, 1, 3), (6,), (2, 2, 2, 2, 2, 2)]


@pytest.mark.parametrize("with_gains", [False, True])
@pytest.mark.parametrize("sizes", CASES, ids=str)
def test_the_cheapest_chain(sizes, with_gains):
    patches, gains = problem(len(sizes), sizes, with_gains)
    paths, costs = cheapest_chains(patches, gains)
    cost, path = every_chain(patches, gains)[0]
    assert costs[0] == pytest.approx(cost, abs=1e-5)
    if len(sizes) > 1 or with_gains:  # else all cost nothing
        assert tuple(paths[0]) == path
    assert len(paths) == sizes[-1]
    assert sorted(paths[:, -1].tolist()) == list(range(sizes[-1]))  # the best into each last patch


@pytest.mark.parametrize("with_gains", [False, True])
@pytest.mark.parametrize("per_end", [2, 3, 7, 1000])
@pytest.mark.parametrize("sizes", CASES[:4], ids=str)
def test_k_cheapest_chains_into_each_last_patch(sizes, per_end, with_gains):
    patches, gains = problem(7, sizes, with_gains)
    everything = every_chain(patches, gains)
    expected = []
    for end in range(sizes[-1]):
        expected += [(cost, path) for cost, path in everything if path[-1] == end][:per_end]
    expected.sort()
    paths, costs = cheapest_chains(patches, gains, per_end)
    np.testing.assert_allclose(costs, [cost for cost, _ in expected], atol=1e-5)
    assert [tuple(p) for p in paths] == [path for _, path in expected]
    assert [tuple(p) for p in paths[:per_end]] == [path for _, path in everything[:per_end]]  # none of all is missing


def slow_distinct(paths, overlap, limit, most):
    selected = []
    for k, path in enumerate(paths):
        apart = all(
            sum(overlap[a, b] for a, b in zip(path, paths[j], strict=True)) / len(path) <= limit for j in selected
        )
        if apart and len(selected) < most:
            selected.append(k)
    return selected


@pytest.mark.parametrize("most", [1, 3, 100])
@pytest.mark.parametrize("limit", [0.0, 0.2, 0.6, 1.0])
def test_suppression_matches_a_greedy_loop(limit, most):
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 0.5, (5, 2))
    boxes = np.concatenate([low, low + 0.4], 1)
    overlap = box_iou(boxes, boxes)
    patches, _ = problem(4, (5, 5, 5), False)
    everything = np.array([path for _, path in every_chain(patches)])
    expected = [tuple(everything[k]) for k in slow_distinct(everything, overlap, limit, most)]
    paths, _ = cheapest_chains(patches, per_end=25)  # so that every chain is among them
    assert len(paths) == 125
    result = [tuple(paths[k]) for k in suppress_overlapping(paths, overlap, limit, most)]
    assert result == expected
    assert len(result) == min(most, 125 if limit == 1.0 else len(result))


def test_distances_are_those_of_a_loop():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(7, 4)), rng.normal(size=(9, 4))
    np.testing.assert_allclose(euclidean_distances(a, b), [[np.linalg.norm(x - y) for y in b] for x in a], rtol=1e-5)
    assert (euclidean_distances(a, a).diagonal() < 1e-2).all()  # roots of rounding errors, never NaN
