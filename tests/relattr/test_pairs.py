"""Laws of `Pairs`, and comparisons with double loops."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from relattr.errors import BadInput
from relattr.pairs import Pairs

strengths = st.lists(st.integers(-3, 3).map(float), max_size=12)
explicit = st.integers(2, 9).flatmap(
    lambda n: st.lists(
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.sampled_from((-1, 0, 1))).filter(
            lambda p: p[0] != p[1]
        ),
        max_size=15,
    )
)


def make_pairs(rows):
    return Pairs([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def listed(pairs):
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.label.tolist(), strict=True))


def relations(pairs):
    """``{(smaller image, larger image): the label of the smaller}``, independent of sides."""
    labels = {}
    for left, right, label in listed(pairs):
        key = (min(left, right), max(left, right))
        assert key not in labels, "a pair came twice"
        labels[key] = label if left < right else -label
    return labels


def by_loop(values, items=None):
    items = range(len(values)) if items is None else items
    labels = {}
    for (a, x), (b, y) in itertools.combinations(zip(items, values, strict=True), 2):
        sign = (x > y) - (x < y)
        labels[(min(a, b), max(a, b))] = sign if a < b else -sign
    return labels


# ---------------------------------------------------------------------- all pairs


@given(strengths, st.integers(0, 2**40))
def test_all_of_equals_a_double_loop(values, seed):
    pairs = Pairs.all_of(values, seed=seed)
    assert relations(pairs) == by_loop(values)
    assert len(pairs) == len(values) * (len(values) - 1) // 2 == pairs.left.size
    assert pairs.n_similar == sum(label == 0 for label in by_loop(values).values())
    assert pairs.n_ordered + pairs.n_similar == len(pairs)


def test_all_of_uses_the_given_image_indices():
    items = [40, 3, 17, 8]
    pairs = Pairs.all_of([1.0, 2.0, 2.0, 0.5], items=items)
    assert relations(pairs) == by_loop([1.0, 2.0, 2.0, 0.5], items)
    assert pairs.images.tolist() == sorted(items)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_pairs(n):
    pairs = Pairs.all_of([1.0] * n)
    assert len(pairs) == pairs.n_similar == pairs.images.size == pairs.left.size == 0
    assert len(Pairs.from_scores([1.0] * n, count=0)) == 0
    assert len(pairs.renumbered([])) == 0 if n == 0 else True
    assert len(pairs.swapped()) == len(pairs.ordered()) == len(pairs.random_sides(1)) == 0


@given(strengths.filter(lambda v: len(v) > 1), st.integers(0, 99))
def test_an_order_equals_its_arrays(values, seed):
    """Properties computed from the order alone equal those of the arrays."""
    implied = Pairs.all_of(values, seed=seed)
    arrays = Pairs(*Pairs.all_of(values, seed=seed).arrays)
    assert implied.order is not None
    assert arrays.order is None
    assert (len(implied), implied.n_similar, implied.n_ordered) == (len(arrays), arrays.n_similar, arrays.n_ordered)
    np.testing.assert_array_equal(implied.images, arrays.images)


def test_the_arrays_of_an_order_do_not_depend_on_the_chunk_size(monkeypatch):
    values = np.random.default_rng(0).integers(0, 9, 60)
    whole = listed(Pairs.all_of(values, seed=4))
    monkeypatch.setattr("relattr.pairs._CHUNK", 7)
    assert listed(Pairs.all_of(values, seed=4)) == whole


def test_positions_of_large_orders_are_exact():
    """Indices for which a floating-point square root could be off by one."""
    from relattr.pairs import _row_and_column

    i = np.array([1, 2, 3, 10**6, 94_906_267, 2**31 - 2], np.int64)
    first = i * (i - 1) // 2
    for index, j in ((first, 0 * i), (first + i - 1, i - 1)):
        result = _row_and_column(index)
        np.testing.assert_array_equal(result[0], i)
        np.testing.assert_array_equal(result[1], j)


# ---------------------------------------------------------------------- samples


@given(strengths.filter(lambda v: len(v) > 1), st.integers(0, 99), st.sampled_from(["similar", "skip"]), st.data())
def test_a_sample_is_a_subset_of_a_double_loop(values, seed, ties, data):
    everything = {k: v for k, v in by_loop(values).items() if v or ties == "similar"}
    count = data.draw(st.integers(0, len(everything)))
    pairs = Pairs.from_scores(values, count=count, seed=seed, ties=ties)
    sample = relations(pairs)
    assert len(sample) == count == len(pairs)
    assert sample.items() <= everything.items()


@pytest.mark.parametrize("ties", ["similar", "skip"])
def test_without_a_count_all_pairs_are_returned(ties):
    values = [0, 1, 1, 2, 2, 2]
    result = relations(Pairs.from_scores(values, ties=ties))
    assert result == {k: v for k, v in by_loop(values).items() if v or ties == "similar"}


@pytest.mark.parametrize("ties", ["similar", "skip"])
def test_a_smaller_sample_is_a_prefix_of_a_larger_one(ties):
    values = np.random.default_rng(1).integers(0, 40, 500)
    whole = listed(Pairs.from_scores(values, count=100_000, seed=3, ties=ties))
    for count in (0, 1, 77, 5000):
        assert listed(Pairs.from_scores(values, count=count, seed=3, ties=ties)) == whole[:count]


def test_the_seed_determines_the_sample():
    values = np.arange(200.0)
    sample = listed(Pairs.from_scores(values, count=50, seed=5))
    assert sample == listed(Pairs.from_scores(values, count=50, seed=5))
    assert sample != listed(Pairs.from_scores(values, count=50, seed=6))


def test_skipping_ties_samples_the_few_ordered_pairs():
    values = np.zeros(400)
    values[7] = 1
    sample = relations(Pairs.from_scores(values, count=399, ties="skip", seed=2))
    assert len(sample) == 399
    assert all(7 in pair and label for pair, label in sample.items())


def test_every_pair_is_equally_likely():
    n, count, runs = 12, 10, 1500
    drawn = np.zeros((n, n))
    for seed in range(runs):
        pairs = Pairs.from_scores(np.arange(n), count=count, seed=seed)
        np.add.at(drawn, (np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)), 1)
    counts = drawn[np.triu_indices(n, 1)]
    assert counts.sum() == runs * count
    assert chisquare(counts).pvalue > 1e-3


def test_sides_are_independent_of_label_and_position():
    scores = np.random.default_rng(2).permutation(3000)
    pairs = Pairs.from_scores(scores, count=40_000, seed=9)
    sigma = 0.5 / np.sqrt(len(pairs))
    assert abs((pairs.label == 1).mean() - 0.5) < 4 * sigma
    assert abs((pairs.left < pairs.right).mean() - 0.5) < 4 * sigma
    higher_index_has_more = scores[np.maximum(pairs.left, pairs.right)] > scores[np.minimum(pairs.left, pairs.right)]
    for part in (higher_index_has_more, ~higher_index_has_more):
        assert abs((pairs.left < pairs.right)[part].mean() - 0.5) < 4 * 0.5 / np.sqrt(part.sum())
    first, second = np.array_split((pairs.left < pairs.right).astype(float), 2)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size)


def test_sampling_needs_memory_only_for_the_sample():
    """2.3 million scores have 2.6e12 pairs; 100,000 of them are 900 kB, the scores 18 MB."""
    scores = np.random.default_rng(3).normal(size=2_300_000)
    tracemalloc.start()
    try:
        pairs = Pairs.from_scores(scores, count=100_000, seed=1, ties="skip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pairs) == 100_000
    assert peak < 8 * scores.nbytes
    np.testing.assert_array_equal(np.sign(scores[pairs.left] - scores[pairs.right]), pairs.label)


@pytest.mark.parametrize("count", [-1, 4])
def test_an_impossible_count_raises(count):
    with pytest.raises(BadInput, match=f"between 0 and 3.*got {count}"):
        Pairs.from_scores([1, 2, 3], count=count)
    with pytest.raises(BadInput, match="between 0 and 2"):
        Pairs.from_scores([1, 2, 2], count=3, ties="skip")


# ---------------------------------------------------------------------- classes and votes


@given(st.lists(st.integers(0, 3), max_size=12), st.tuples(*[st.integers(1, 3)] * 4))
def test_from_classes_equals_a_double_loop_over_ranks(classes, ranks):
    assert relations(Pairs.from_classes(classes, ranks)) == by_loop([ranks[c] for c in classes])


@pytest.mark.parametrize(
    ("classes", "ranks", "message"),
    [
        ([0, 1, 2], [1, 2], r"2 ranks.*classes 0\.\.2"),
        ([0, -1], [1, 2], "class -1 is negative"),
        ([0.0, 1.0], [1, 2], "integers"),
        ([[0], [1]], [1, 2], "integers"),
        ([0, 1], [[1, 2]], "ranks"),
        ([0, 1], [1, np.nan], "nan of image 1"),
    ],
)
def test_an_invalid_class_order_raises(classes, ranks, message):
    with pytest.raises(BadInput, match=message):
        Pairs.from_classes(classes, ranks)


def test_votes_are_decided_by_majority_then_by_order():
    every = list(itertools.product(range(6), repeat=3))[1:]
    pairs = Pairs.from_votes([0] * len(every), [1] * len(every), every)
    for (first, second, similar), label in zip(every, pairs.label.tolist(), strict=True):
        if first >= second and first >= similar:
            expected = 1
        elif second >= similar:
            expected = -1
        else:
            expected = 0
        assert label == expected
    # with five voters: ordered where at most two said similar
    for votes, label in zip(every, pairs.label.tolist(), strict=True):
        if sum(votes) == 5:
            assert (label != 0) == (votes[2] <= 2)


@pytest.mark.parametrize(
    "votes",
    [[[1, 0, 0], [0, 0, 0]], [[1, 0, 0], [2, -1, 0]], [[1.0, 0, 0], [np.nan, 1, 0]], [[1, 0]], [["1", "0", "0"]] * 2],
)
def test_invalid_votes_raise(votes):
    with pytest.raises(BadInput, match="votes"):
        Pairs.from_votes([0, 1], [1, 2], votes)


# ---------------------------------------------------------------------- validation


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [1, 2], [1, 2]), r"label\[1\] is 2"),
        (([0, 1], [1, 2], [1, np.nan]), r"label\[1\] is nan"),
        (([0, 1], [1, 2], [0.5, 1]), r"label\[0\] is 0\.5"),
        (([0, 1, 2], [1, 2, 0], [1, 1]), "the same length; got 3, 3, 2"),
        (([0, -3], [1, 2], [1, 1]), r"left\[1\] is -3"),
        (([0, 1], [1, 2**31], [1, 1]), r"right\[1\] is 2147483648"),
        (([0, 1], [1.0, 2.0], [1, 1]), "right must be"),
        (([[0, 1]], [[1, 2]], [[1, 1]]), "left must be"),
        (([True, False], [1, 2], [1, 1]), "left must be"),
        (([5, 4], [1, 4], [1, 0]), r"pair 1 \(left 4, right 4, label 0\) pairs an image with itself"),
    ],
)
def test_invalid_pairs_raise_an_error_that_names_the_first(arguments, message):
    with pytest.raises(BadInput, match=message):
        Pairs(*arguments)


def test_an_image_index_that_is_too_large_raises():
    with pytest.raises(
        BadInput, match=r"pair 1 \(left 2, right 7, label -1\).*right index that is not below the number of images, 6"
    ):
        Pairs([0, 2], [1, 7], [1, -1], n_images=6)
    assert len(Pairs([0, 2], [1, 5], [1, -1], n_images=6)) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Pairs.all_of([0, np.inf, 1]), "inf of image 1"),
        (lambda: Pairs.all_of([0, np.nan], items=[8, 9]), "nan of image 9"),
        (lambda: Pairs.all_of([[0, 1]]), "strengths must be"),
        (lambda: Pairs.all_of([0, 1], items=[1]), "1 items"),
        (lambda: Pairs.all_of([0, 1, 2], items=[4, 3, 4]), "image 4 twice"),
        (lambda: Pairs.all_of([0, 1], seed=-1), "seed"),
        (lambda: make_pairs([(0, 1, 1)]).renumbered([0, 2]), "image 1 is in a pair"),
        (lambda: make_pairs([(0, 1, 1)]).renumbered([0, 1, 0]), "image 0 twice"),
        (lambda: Pairs.all_of([1, 2, 3]).renumbered([0, 2]), "image 1 is in a pair"),
    ],
)
def test_invalid_strengths_and_numbers_raise(call, message):
    with pytest.raises(BadInput, match=message):
        call()


# ---------------------------------------------------------------------- immutability


@pytest.mark.parametrize("pairs", [make_pairs([(0, 1, 1), (2, 1, 0)]), Pairs.all_of([1, 2, 3])])
def test_pairs_are_immutable(pairs):
    for part in (pairs, pairs.swapped(), pairs.ordered(), pairs.random_sides(1), pairs.renumbered([0, 1, 2])):
        for array in part.arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


def test_pairs_neither_share_nor_freeze_input_arrays():
    left, right, label = np.array([0, 1], np.int32), np.array([1, 2], np.int32), np.array([1, 0], np.int8)
    values, items = np.array([1.0, 2.0]), np.array([3, 4], np.int32)
    pairs, implied = Pairs(left, right, label), Pairs.all_of(values, items=items)
    before = listed(pairs), listed(implied), implied.fingerprint()
    left[0], right[0], label[0], values[0], items[0] = 9, 8, -1, 5.0, 7
    assert (listed(pairs), listed(implied), implied.fingerprint()) == before


# ---------------------------------------------------------------------- other pairs from these


@given(explicit)
def test_swapping_twice_is_the_identity(rows):
    pairs = make_pairs(rows)
    assert listed(pairs.swapped()) == [(b, a, -y) for a, b, y in rows]
    assert listed(pairs.swapped().swapped()) == rows


@given(explicit)
def test_ordered_and_similar_partition_the_pairs(rows):
    pairs = make_pairs(rows)
    assert listed(pairs.ordered()) == [row for row in rows if row[2]]
    assert listed(pairs.similar()) == [row for row in rows if not row[2]]
    assert listed(Pairs.concatenate([pairs.ordered(), pairs.similar()])) == sorted(rows, key=lambda row: row[2] == 0)
    assert pairs.images.tolist() == sorted({image for row in rows for image in row[:2]})


def test_large_image_indices_are_supported():
    assert make_pairs([(2_000_000_000, 5, 1), (5, 9, 0)]).images.tolist() == [5, 9, 2_000_000_000]


def test_concatenating_nothing_gives_no_pairs():
    assert len(Pairs.concatenate([])) == 0


@given(explicit, st.integers(0, 99))
def test_random_sides_preserve_the_comparisons(rows, seed):
    turned = make_pairs(rows).random_sides(seed)
    for (a, b, y), (c, d, z) in zip(rows, listed(turned), strict=True):
        assert (c, d, z) in ((a, b, y), (b, a, -y))
    # done again, nothing is undone; and the sides that were there before are forgotten
    assert listed(turned.random_sides(seed)) == listed(turned)
    assert listed(make_pairs(rows).swapped().random_sides(seed)) == listed(turned)


def test_random_sides_make_labels_independent_of_the_side():
    n = 20_000
    first = np.arange(n)
    always_left = Pairs(first, first + n, np.ones(n))
    share = (always_left.random_sides(3).label == 1).mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(n)
    implied = Pairs.all_of(np.arange(200.0))
    assert relations(implied.random_sides(1)) == relations(implied)
    assert implied.random_sides(1).order is not None
    assert listed(implied.random_sides(1)) != listed(implied.random_sides(2))


@given(explicit, st.randoms(use_true_random=False))
def test_renumbering_can_be_undone(rows, random):
    pairs = make_pairs(rows)
    images = [*pairs.images.tolist(), 100, 101]
    random.shuffle(images)
    new = pairs.renumbered(images)
    assert [(images[a], images[b], y) for a, b, y in listed(new)] == rows


@given(strengths, st.randoms(use_true_random=False))
def test_renumbering_an_order_renumbers_its_arrays(values, random):
    items = list(range(5, 5 + len(values)))
    images = list(items)
    random.shuffle(images)
    implied = Pairs.all_of(values, items=items, seed=1)
    new = implied.renumbered(images)
    assert new.order is not None
    assert [(images[a], images[b], y) for a, b, y in listed(new)] == listed(implied)


def test_take_by_mask_and_by_position_agree():
    pairs = Pairs.all_of([3, 1, 2, 2])
    mask = np.array([True, False, True, False, False, True])
    assert listed(pairs.take(mask)) == listed(pairs.take(np.flatnonzero(mask)))


# ---------------------------------------------------------------------- fingerprints


@given(explicit, explicit)
def test_fingerprints_of_pairs_are_equal_iff_the_pairs_are(rows, others):
    assert (make_pairs(rows).fingerprint() == make_pairs(others).fingerprint()) == (rows == others)


@given(strengths, strengths, st.integers(0, 2), st.integers(0, 2))
def test_fingerprints_of_orders_are_equal_iff_the_orders_are(values, others, seed, another):
    same = (values, seed) == (others, another)
    assert (Pairs.all_of(values, seed=seed).fingerprint() == Pairs.all_of(others, seed=another).fingerprint()) == same


def test_zero_and_negative_zero_have_the_same_fingerprint():
    assert Pairs.all_of([0.0, 1.0]).fingerprint() == Pairs.all_of([-0.0, 1.0]).fingerprint()
    assert Pairs.all_of([0.0, 1.0], items=[0, 1]).fingerprint() != Pairs.all_of([0.0, 1.0], items=[1, 0]).fingerprint()


def test_reading_the_arrays_does_not_change_the_fingerprint():
    pairs = Pairs.all_of([1, 2, 3])
    before = pairs.fingerprint()
    assert pairs.left.size == 3
    assert pairs.fingerprint() == before


@pytest.mark.parametrize("scores", [["a", "b"], [[1.0], [2.0, 3.0]], [1.0, {}]])
def test_scores_that_are_no_numbers_are_refused(scores):
    with pytest.raises(BadInput, match=r"strengths must be \(n,\) numbers: "):
        Pairs.from_scores(scores)
