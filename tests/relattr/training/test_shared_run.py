"""Runs that methods and attributes share: a loaded network equals the trained one, and nothing else is shared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from relattr import Images, Pairs, Run
from relattr.backbones import micro_net
from relattr.networks.architecture import Architecture
from relattr.training import shared_run
from relattr.training.category_network import fit_category_network
from relattr.training.fitting import FittedRanker, fit_ranker
from relattr.training.objectives import ClassificationObjective, PairwiseObjective, RegressionObjective
from relattr.training.schedule import PRESETS

pytestmark = pytest.mark.usefixtures("tiny")
SCHEDULE = dataclasses.replace(
    PRESETS["paper"], updates=2, batch=8, batching="images", dropout=0.2, image=0.75, test_views=1
)
ONE, THREE = Architecture("tiny", (1.0,), image=0.75), Architecture("tiny", (1.0, 0.5, 0.25), image=0.75)
N = 12
CATEGORIES = np.arange(N) % 3


@pytest.fixture
def trained(monkeypatch):
    """The names of the runs that were trained, not loaded."""
    runs = []
    plain = shared_run.trainer.train

    def noting(network, groups, config):
        runs.append(config.name)
        return plain(network, groups, config)

    monkeypatch.setattr(shared_run.trainer, "train", noting)
    return runs


def images(side: int = 80) -> Images:
    rng = np.random.default_rng(0)
    return Images.from_arrays([rng.integers(0, 256, (side, side, 3), dtype=np.uint8) // 4 + 9 * k for k in range(N)])


def fit(what=ONE, schedule=SCHEDULE, attribute=0, seed=2, pictures=None, categories=CATEGORIES, **more):
    strengths = np.random.default_rng(attribute).permutation(float(N) + np.arange(N))
    return fit_ranker(
        what,
        schedule,
        PairwiseObjective(Pairs.all_of(strengths), schedule.batch),
        images() if pictures is None else pictures,
        Run(seed=seed, **more),
        supplement=categories,
        supplement_backbone="tiny",
    )


def category_weights(ranker: FittedRanker) -> list[np.ndarray]:
    return [value.numpy() for value in ranker.supplement.networks[0].extractor.state_dict().values()]


def test_a_loaded_network_equals_the_trained_one(trained):
    first, curves = fit()
    assert trained == ["category network", "crops network"]
    second, curves_again = fit()
    assert trained == ["category network", "crops network"]
    np.testing.assert_array_equal(first.strengths(images()), second.strengths(images()))
    np.testing.assert_array_equal(first.boxes(images()), second.boxes(images()))
    for name in ("category network", "crops network"):  # with the seconds of the run that was trained
        np.testing.assert_array_equal(curves[name], curves_again[name])
    for one, other in zip(category_weights(first), category_weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_method_and_attribute_do_not_matter(trained, monkeypatch, tmp_path):
    fit(THREE, attribute=1)  # another method and another attribute train first
    shared, curves = fit(ONE, attribute=0)
    assert trained == ["category network", "crops network", "crops network"]
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "empty"))
    alone, curves_alone = fit(ONE, attribute=0)
    np.testing.assert_array_equal(shared.strengths(images()), alone.strengths(images()))
    for name, curve in curves.items():
        np.testing.assert_array_equal(curve[:, :3], curves_alone[name][:, :3])


def test_the_first_stage_needs_no_categories(trained):
    fit(categories=None)  # ViralNet
    assert trained == ["crops network"]
    fit()  # ViralNet-C
    assert trained == ["crops network", "category network"]


@pytest.mark.parametrize(
    "other",
    [
        {"schedule": dataclasses.replace(SCHEDULE, rate=0.002)},
        {"seed": 3},
        {"categories": CATEGORIES[::-1]},
        {"pictures": images().subset(np.arange(N)[::-1])},
        {"pictures": images(72)},
    ],
    ids=["schedule", "seed", "categories", "order of images", "images"],
)
def test_whatever_else_differs_is_trained(trained, other):
    one_stage = dataclasses.replace(SCHEDULE, stages=1, updates=1)
    if "schedule" in other:
        other = {"schedule": dataclasses.replace(other["schedule"], stages=1, updates=1)}
    fit(schedule=one_stage)
    fit(**{"schedule": one_stage, **other})
    assert trained == ["category network"] * 2


def test_other_weights_of_the_backbone_give_another_network(trained, tiny, register):
    schedule = dataclasses.replace(SCHEDULE, stages=1, updates=1)
    fit(schedule=schedule)

    def build():
        net = tiny()
        with torch.no_grad():
            net.features[0].weight[0, 0, 0, 0] += 1e-3
        return net

    register("tiny", build)
    fit(schedule=schedule)
    assert trained == ["category network"] * 2


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_a_damaged_file_is_trained_again(trained, cache, damage):
    schedule = dataclasses.replace(SCHEDULE, stages=1)
    first, _ = fit(schedule=schedule)
    (path,) = (cache / "learned").glob("*.npy")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"changed": bytes(content), "cut": bytes(content[:-7])}[damage])
    with pytest.warns(UserWarning, match="is damaged"):
        second, _ = fit(schedule=schedule)
    assert trained == ["category network"] * 2
    np.testing.assert_array_equal(first.strengths(images()), second.strengths(images()))
    fit(schedule=schedule)
    assert len(trained) == 2  # it was written anew


def test_without_a_cache_that_can_be_written_each_is_trained(trained, monkeypatch, tmp_path):
    schedule = dataclasses.replace(SCHEDULE, stages=1)
    expected, _ = fit(schedule=schedule)
    (tmp_path / "learned").write_text("in the way")
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path))
    with pytest.warns(UserWarning, match="cannot be stored"):
        actual, _ = fit(schedule=schedule)
    assert trained == ["category network"] * 2
    np.testing.assert_array_equal(expected.strengths(images()), actual.strengths(images()))


def test_a_killed_run_resumes_before_it_is_shared(trained, monkeypatch, tmp_path, cache):
    from relattr.training import trainer

    schedule = dataclasses.replace(SCHEDULE, stages=1, updates=6)
    expected, _ = fit(schedule=schedule)
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(trainer, "CHECKPOINT_INTERVAL", -1.0)
    save, steps = trainer.checkpoint.save_checkpoint, []

    def save_and_die(path, network, optimiser, step, curve, key):
        save(path, network, optimiser, step, curve, key)
        steps.append(step)
        if len(steps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.checkpoint, "save_checkpoint", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        fit(schedule=schedule, checkpoint=tmp_path)
    assert not list((tmp_path / "other" / "learned").glob("*.npy"))  # nothing unfinished is shared
    resumed, _ = fit(schedule=schedule, checkpoint=tmp_path)
    assert steps[:4] == [1, 2, 3, 4]
    np.testing.assert_array_equal(expected.strengths(images()), resumed.strengths(images()))


def test_the_category_network_sees_small_images():
    sizes = []

    def note(module, inputs):
        sizes.append(tuple(inputs[0].shape[2:]))

    ranker, _ = fit()
    (network,) = ranker.supplement.networks
    assert network.size == 48  # 0.75 of 64
    network.extractor.register_forward_pre_hook(note)
    strengths = ranker.strengths(images())
    assert set(sizes) == {(48, 48)}
    again = FittedRanker.from_state(ONE, SCHEDULE, ranker.state(), "cpu")
    np.testing.assert_array_equal(again.strengths(images()), strengths)
    saved = fit_category_network(images(), CATEGORIES, "tiny", SCHEDULE, 0)  # for other datasets and schedules
    assert saved.network.size == 64


@pytest.fixture
def normalised(register):
    """Register the backbone ``normalised``, which has batch normalisation after its first layer."""

    def build():
        torch.manual_seed(2)
        net = micro_net.MicroNet(4)
        net.features[0] = torch.nn.Sequential(net.features[0], torch.nn.BatchNorm2d(net.features[0].out_channels))
        return net

    register("normalised", build)


@pytest.mark.parametrize("held", [True, False])
def test_batch_statistics_are_held_if_the_schedule_says_so(held, normalised):
    schedule = dataclasses.replace(SCHEDULE, hold_statistics=held, zero_score=True)
    network = fit_category_network(images(), CATEGORIES, "normalised", schedule, 0).network
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert layers
    for layer in layers:
        assert bool((layer.running_mean == 0).all()) is held


def test_objectives_with_other_settings_have_other_fingerprints():
    pairs, others = Pairs.all_of(np.arange(6.0)), Pairs.all_of(np.arange(6.0)[::-1])
    classes, target = np.array([0, 1, 0, 1]), np.arange(4.0)
    objectives = [
        PairwiseObjective(pairs, 4),
        PairwiseObjective(others, 4),
        PairwiseObjective(pairs, 2),
        PairwiseObjective(pairs, 4, "pair"),
        PairwiseObjective(pairs, 4, batching="pairs"),
        RegressionObjective(target, 2),
        RegressionObjective(target, 2, "mse"),
        RegressionObjective(target + 1, 2),
        ClassificationObjective(classes, 2),
        ClassificationObjective(classes, 3),
        ClassificationObjective(1 - classes, 2),
    ]
    assert len({objective.fingerprint for objective in objectives}) == len(objectives)
    assert PairwiseObjective(Pairs.all_of(np.arange(6.0)), 4).fingerprint == objectives[0].fingerprint
