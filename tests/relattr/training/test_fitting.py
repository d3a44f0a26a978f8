"""A fitted network: stages, what a test costs, keeping it, looking at it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from relattr import Images, Pairs, Run
from relattr.backbones import micro_net, names
from relattr.backbones.backbone import Backbone
from relattr.networks.architecture import Architecture
from relattr.training.category_network import SupplementaryNetwork
from relattr.training.fitting import FittedRanker, fit_ranker, initial_boxes
from relattr.training.objectives import PairwiseObjective
from relattr.training.schedule import PRESETS

HOW = names.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
SCHEDULE = dataclasses.replace(PRESETS["fast"], updates=4, batch=8, crop=1.0, view=1.0)
WHAT = Architecture("tiny", (1.0, 0.5), frozen_localiser=True)
N = 16


def made() -> torch.nn.Module:
    torch.manual_seed(1)
    return micro_net.MicroNet(4)


@pytest.fixture(autouse=True)
def tiny():
    names.register_backbone("tiny", build=made, untrained=made, fingerprint=lambda: "tiny", preprocessing=HOW)
    yield
    names.unregister_backbone("tiny")


def images() -> Images:
    rng = np.random.default_rng(0)
    return Images.from_arrays([rng.integers(0, 256, (80, 80, 3), dtype=np.uint8) // 4 + 10 * k for k in range(N)])


def fitted(what: Architecture = WHAT, **more):
    return fit_ranker(
        what, SCHEDULE, PairwiseObjective(Pairs.all_of(np.arange(float(N))), 8), images(), Run(seed=2), **more
    )


def test_second_stage_starts_from_trained_localisers(monkeypatch):
    from relattr.training import fitting

    seen = []
    plain = fitting.train

    def noting(network, parts, how):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        curve = plain(network, parts, how)
        seen.append((network, how, before, network.state_dict()))
        return curve

    monkeypatch.setattr(fitting, "train", noting)
    _, curves = fitted()
    assert list(curves) == ["crops network", "whole network"]
    (first, how_first, _, after), (second, _, before, _) = seen
    assert (first.whole, second.whole) == (False, True)
    assert first.score.in_features == 2 * first.extractor.dim
    assert second.score.in_features == 3 * second.extractor.dim
    assert how_first.views == 2  # another crop for each scale
    for name, value in after.items():
        if name.startswith("localisers"):
            assert torch.equal(value, before[name]), name
    start = made().state_dict()
    assert torch.equal(before["extractor.backbone.net.features.conv5.weight"], start["features.conv5.weight"])


@pytest.mark.parametrize("views", [1, 2, 10])
def test_one_forward_pass_per_image_and_crop(views):
    found, _ = fitted(Architecture("tiny"))
    found.schedule = dataclasses.replace(SCHEDULE, test_views=views)
    passed = []
    found.network.extractor.register_forward_pre_hook(lambda module, given: passed.append(len(given[0])))
    strengths = found.strengths(images())
    assert sum(passed) == N * views
    assert strengths.shape == (N,)
    assert np.isfinite(strengths).all()


def test_strength_is_sum_over_crops():
    found, _ = fitted(Architecture("tiny"))
    one, two = (
        FittedRanker(
            found.architecture, dataclasses.replace(SCHEDULE, test_views=k), found.network, None, found.side, "cpu"
        ).strengths(images())
        for k in (1, 2)
    )
    mirrored = Images.from_arrays([image[:, ::-1].copy() for image in images()])
    found.schedule = dataclasses.replace(SCHEDULE, test_views=1)
    np.testing.assert_allclose(two, one + found.strengths(mirrored), rtol=1e-4, atol=1e-4)


def test_state_restores_the_network():
    categories = np.arange(N) % 3
    found, curves = fitted(supplement=categories, supplement_backbone="tiny")
    assert list(curves) == ["category network", "crops network", "whole network"]
    again = FittedRanker.from_state(WHAT, SCHEDULE, "tiny", found.state(), "cpu")
    np.testing.assert_array_equal(found.strengths(images()), again.strengths(images()))
    np.testing.assert_array_equal(found.boxes(images()), again.boxes(images()))
    assert found.boxes(images()).shape == (N, 2, 4)
    assert found.features(images()).shape == (N, 3 * 256)
    extra = found.supplement(torch.zeros(2, 3, 80, 80, dtype=torch.uint8))
    assert extra.shape == (2, 256)


def test_supplement_is_frozen_and_standardised():
    from relattr.training.cropping import load_pixels

    found, _ = fitted(supplement=np.arange(N) % 3, supplement_backbone="tiny")
    assert not any(p.requires_grad for p in found.supplement.extractor.parameters())
    extra = found.supplement(load_pixels(images(), found.side, "cpu"))
    live = found.supplement.std > 1e-5
    assert live.any()
    torch.testing.assert_close(extra.mean(0), torch.zeros(256), atol=1e-3, rtol=0)
    torch.testing.assert_close(extra.std(0)[live], torch.ones(int(live.sum())), atol=1e-2, rtol=0)


def test_constant_training_features_are_not_scaled_up():
    class TwoUnits(torch.nn.Module):
        dim = 2

        def __init__(self):
            super().__init__()
            self.backbone = Backbone.create("tiny")

        def forward(self, x):
            shade = x.mean((1, 2, 3))
            return torch.stack([shade, torch.relu(shade - 1)], 1)

    made = SupplementaryNetwork(TwoUnits())
    dark = torch.randint(0, 100, (20, 3, 64, 64), dtype=torch.uint8)
    made.fit_standardisation(dark)
    assert made(dark)[:, 1].tolist() == [0.0] * 20
    assert 0 < float(made(torch.full((1, 3, 64, 64), 250, dtype=torch.uint8))[0, 1]) < 10


def test_initial_boxes_have_initial_scales_near_the_centre():
    found = initial_boxes(WHAT, SCHEDULE, images(), images(), Run(seed=2))
    side = 0.9**0.5
    np.testing.assert_allclose(found[:, 0, 2] - found[:, 0, 0], 0.33 * side, rtol=1e-4)
    np.testing.assert_allclose(found[:, 1, 2] - found[:, 1, 0], 0.165 * side, rtol=1e-4)
    middle = (found[..., :2] + found[..., 2:]) / 2
    assert np.abs(middle - 0.5).max() < 0.26
