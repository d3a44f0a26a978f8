"""Each verdict, from the stored result to the entry of the table."""

import numpy as np
import pytest

from relattr import Dataset, parameters
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.registry import Plugin
from relattr.statistics import count_strengths

PUBLISHED = 58.58
ROW = RowSpec("ranksvm-alexnet-fc7", "RankSVM + AlexNet fc7 Features")
COLUMN = ColumnSpec(label="Viral-RandomPairs", dataset="viral", attribute="virality", split="published")


def noise_for(results, method, dataset, attribute, accuracy):
    """The noise with which the synthetic strengths of a method have this accuracy, in per cent."""
    truth, pairs = results.pairs(dataset, attribute)
    rng = np.random.default_rng([0, sum(map(ord, method)), sum(map(ord, attribute)), 7])
    deviations = rng.standard_normal(truth.size)
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        exceeds = 100 * count_strengths(truth + middle * deviations, pairs).accuracy > accuracy
        low, high = (middle, high) if exceeds else (low, middle)
    return low


@pytest.fixture
def verdict_of(synthetic, plugins):
    """The verdict on a result of RankSVM on AlexNet features, with this accuracy in per cent."""

    def judge(accuracy, *, backbone="caffenet", n_images=3000, **fields):
        synthetic.n_images = synthetic.n_pairs = n_images
        method = plugins.method(ROW.method).create({"backbone": backbone})
        synthetic.add(
            ROW.method,
            "viral",
            "virality",
            split="published",
            noise=noise_for(synthetic, ROW.method, "viral", "virality", accuracy),
            parameters=parameters.values_of(method),
            dataset_parameters=parameters.values_of(plugins.dataset("viral").create()),
            deviations=tuple(method.deviations()),
            method_notes=tuple(method.notes()),
            notes=("the published split was not released: this one is drawn in the same way",),
            **fields,
        )
        (row,) = synthetic.table([], [COLUMN], [ROW], "table1", registry=plugins).rows
        (entry,) = row.entries
        assert entry.published == PUBLISHED
        assert entry.measured == pytest.approx(accuracy, abs=0.5)
        return entry.verdict

    return judge


def test_the_network_of_the_paper_can_reproduce_its_number(verdict_of):
    assert verdict_of(PUBLISHED + 0.8) == "reproduced"


def test_a_wide_interval_is_within_noise(verdict_of):
    assert verdict_of(PUBLISHED + 4, n_images=300) == "within noise"


def test_a_distant_number_is_not_reproduced(verdict_of):
    assert verdict_of(PUBLISHED + 8) == "not reproduced"


def test_another_network_is_not_comparable(verdict_of):
    assert verdict_of(PUBLISHED, backbone="alexnet") == "not comparable"


@pytest.mark.parametrize("field", ["task_deviations", "test_deviation"])
def test_other_data_is_not_comparable(verdict_of, field):
    difference = "other labels"
    assert verdict_of(PUBLISHED, **{field: (difference,) if field == "task_deviations" else difference}) == (
        "not comparable"
    )


def test_without_an_interval_nothing_is_judged(verdict_of):
    assert verdict_of(PUBLISHED, arrays=False) == "not judged"


@pytest.fixture
def lfw10(synthetic):
    """The column LFW-10 of Table 3, of a dataset with three of its attributes."""

    class ThreeAttributes(Dataset):
        """Three attributes of LFW-10."""

        def attributes(self):
            return ("baldhead", "darkhair", "smile")

        def fingerprint(self):
            return "a"

    synthetic.registry.datasets["lfw10"] = Plugin("lfw10", "LFW-10", ThreeAttributes, {})
    synthetic.n_images = synthetic.n_pairs = 3000
    return ColumnSpec(label="LFW-10", dataset="lfw10")


def test_a_partial_mean_stands_beside_the_same_attributes(synthetic, lfw10, entry_of):
    """Singh and Lee: 83.94 and 92.58 on two of the attributes, 86.91 on all ten."""
    for attribute, accuracy in (("baldhead", 84.3), ("darkhair", 92.3)):
        noise = noise_for(synthetic, "viralnet", "lfw10", attribute, accuracy)
        synthetic.add("viralnet", "lfw10", attribute, noise=noise)
    rows = (RowSpec("viralnet", "End-to-End Localization"),)
    entry = entry_of(synthetic.table([], [lfw10], rows, "table3"), "viralnet")
    assert entry.published == pytest.approx((83.94 + 92.58) / 2)
    assert entry.verdict == "reproduced"
    assert any("mean over baldhead, darkhair only" in note and "same attributes" in note for note in entry.notes)


def test_a_partial_mean_without_published_attributes(synthetic, lfw10, entry_of):
    """ViralNet-M is published as a mean only, which is not shown beside the number of one attribute."""
    synthetic.add("viralnet-m", "lfw10", "baldhead")
    rows = (RowSpec("viralnet-m", "ViralNet-M"),)
    entry = entry_of(synthetic.table([], [lfw10], rows, "table3"), "viralnet-m")
    assert (entry.published, entry.verdict) == (None, "")
    synthetic.add("viralnet-m", "lfw10", "darkhair")
    entry = entry_of(synthetic.table([], [lfw10], rows, "table3"), "viralnet-m")
    assert (entry.published, entry.verdict) == (86.94, "not comparable")


def test_fewer_seeds_are_comparable_fewer_splits_are_not(synthetic, lfw10, entry_of, make_benchmark):
    rows = (RowSpec("viralnet-m", "ViralNet-M"),)
    for attribute in ("baldhead", "darkhair", "smile"):
        noise = noise_for(synthetic, "viralnet-m", "lfw10", attribute, 86.9)
        synthetic.add("viralnet-m", "lfw10", attribute, noise=noise)
    entry = entry_of(synthetic.table([], [lfw10], rows, "table3", seeds=(0, 1)), "viralnet-m")
    assert entry.verdict == "reproduced"
    plugin = synthetic.registry.datasets["lfw10"]
    plugin.cls.splits = lambda self: ("standard", "another")
    entry = entry_of(synthetic.table([], [lfw10], rows, "table3"), "viralnet-m")
    assert entry.verdict == "not comparable"
