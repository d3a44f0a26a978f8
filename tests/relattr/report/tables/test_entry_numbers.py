"""The numbers of an entry are those of its results."""

import numpy as np
import pytest


def test_mean_over_attributes_and_seeds(synthetic, mean_column, entry_of):
    results = [synthetic.add("m", "a", attribute, seed) for attribute in ("x", "y") for seed in (0, 1)]
    table = synthetic.table(["m"], [mean_column])
    entry = entry_of(table, "m")
    means = [np.mean([r.tests[0].accuracy for r in results if r.cell.attribute == a]) for a in ("x", "y")]
    assert entry.measured == pytest.approx(100 * np.mean(means))
    assert entry.lower < entry.measured < entry.upper
    assert (entry.n_ordered, entry.n_attributes, entry.n_seeds) == (450, 2, 2)
    assert entry.seconds == pytest.approx(2 * 2.5)
    assert table.attribute_tables[0].rows[0].entries[0].measured == pytest.approx(100 * means[0])


def test_time_is_a_mean_over_seeds_of_each_attribute(synthetic, mean_column, entry_of):
    for seed in (0, 1, 2):
        synthetic.add("m", "a", "x", seed, seconds_fit=float(seed), seconds_compare=1.0)
    synthetic.add("m", "a", "y", 0, seconds_fit=8.0, seconds_compare=1.0)
    assert entry_of(synthetic.table(["m"], [mean_column]), "m").seconds == pytest.approx(2.0 + 9.0)


def test_rank_correlation_is_a_mean_over_all_attributes(synthetic, mean_column, entry_of):
    for attribute, value in (("x", 0.2), ("y", 0.6)):
        synthetic.add("all", "a", attribute, spearman=value)
        synthetic.add("none", "a", attribute)
    synthetic.add("part", "a", "x", spearman=0.5)
    synthetic.add("part", "a", "y")
    table = synthetic.table(["all", "none", "part"], [mean_column])
    assert entry_of(table, "all").spearman == pytest.approx(0.4)
    assert entry_of(table, "none").spearman is None
    assert entry_of(table, "part").spearman is None


def test_variation_of_images_and_of_seeds(synthetic):
    for seed in range(3):
        synthetic.add("m", "a", "x", seed, noise=0.6)
    entry = synthetic.entry("m")
    accuracies = [100 * result.tests[0].accuracy for result in synthetic.store]
    assert entry.seed_spread == pytest.approx(np.std(accuracies, ddof=1))
    assert entry.seed_standard_error == pytest.approx(np.std(accuracies, ddof=1) / 3**0.5)
    assert 0 < entry.image_standard_error < 10
