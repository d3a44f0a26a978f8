"""A fitted network: stages, number of forward passes, saving, and inspection."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from relattr import Images, Pairs, Run
from relattr.backbones.backbone import Backbone
from relattr.networks.architecture import Architecture
from relattr.training.fitting import FittedRanker, fit_ranker, initial_boxes
from relattr.training.objectives import PairwiseObjective
from relattr.training.schedule import PRESETS
from relattr.training.supplement import SupplementaryNetwork

pytestmark = pytest.mark.usefixtures("tiny")
SCHEDULE = dataclasses.replace(PRESETS["fast"], updates=4, batch=8, crop=1.0, view=1.0, stages=2)
ARCHITECTURE = Architecture("tiny", (1.0, 0.5), frozen_localiser=True)
N = 16


def images() -> Images:
    rng = np.random.default_rng(0)
    return Images.from_arrays([rng.integers(0, 256, (80, 80, 3), dtype=np.uint8) // 4 + 10 * k for k in range(N)])


def fitted(what: Architecture = ARCHITECTURE, **more):
    return fit_ranker(
        what, SCHEDULE, PairwiseObjective(Pairs.all_of(np.arange(float(N))), 8), images(), Run(seed=2), **more
    )


def test_second_stage_starts_from_trained_localisers(monkeypatch, tiny):
    from relattr.training import fitting, shared_run

    seen = []
    plain = fitting.train

    def noting(network, parts, config):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        curve = plain(network, parts, config)
        seen.append((network, config, before, network.state_dict()))
        return curve

    monkeypatch.setattr(fitting, "train", noting)
    monkeypatch.setattr(shared_run.trainer, "train", noting)
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
    start = tiny().state_dict()
    assert torch.equal(before["extractor.backbone.net.features.conv5.weight"], start["features.conv5.weight"])


@pytest.mark.parametrize("views", [1, 2, 10])
def test_one_forward_pass_per_image_and_crop(views):
    ranker, _ = fitted(Architecture("tiny"))
    ranker.schedule = dataclasses.replace(SCHEDULE, test_views=views)
    batch_sizes = []
    ranker.network.extractor.register_forward_pre_hook(lambda module, inputs: batch_sizes.append(len(inputs[0])))
    strengths = ranker.strengths(images())
    assert sum(batch_sizes) == N * views
    assert strengths.shape == (N,)
    assert np.isfinite(strengths).all()


def test_strength_is_sum_over_crops():
    ranker, _ = fitted(Architecture("tiny"))
    one, two = (
        FittedRanker(
            ranker.architecture, dataclasses.replace(SCHEDULE, test_views=k), ranker.network, None, ranker.side, "cpu"
        ).strengths(images())
        for k in (1, 2)
    )
    mirrored = Images.from_arrays([image[:, ::-1].copy() for image in images()])
    ranker.schedule = dataclasses.replace(SCHEDULE, test_views=1)
    np.testing.assert_allclose(two, one + ranker.strengths(mirrored), rtol=1e-4, atol=1e-4)


def test_state_restores_the_network():
    categories = np.arange(N) % 3
    ranker, curves = fitted(supplement=categories, supplement_backbone="tiny")
    assert list(curves) == ["category network", "crops network", "whole network"]
    again = FittedRanker.from_state(ARCHITECTURE, SCHEDULE, ranker.state(), "cpu")
    np.testing.assert_array_equal(ranker.strengths(images()), again.strengths(images()))
    np.testing.assert_array_equal(ranker.boxes(images()), again.boxes(images()))
    assert ranker.boxes(images()).shape == (N, 2, 4)
    assert ranker.features(images()).shape == (N, 3 * 256)
    extra = ranker.supplement(torch.zeros(2, 3, 80, 80, dtype=torch.uint8))
    assert extra.shape == (2, 256)


def test_supplement_is_frozen_and_standardised():
    from relattr.training.cropping import load_pixels

    ranker, _ = fitted(supplement=np.arange(N) % 3, supplement_backbone="tiny")
    (network,) = ranker.supplement.networks
    assert not any(p.requires_grad for p in network.extractor.parameters())
    extra = ranker.supplement(load_pixels(images(), ranker.side, "cpu"))
    live = network.std > 1e-5
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

    network = SupplementaryNetwork(TwoUnits())
    dark = torch.randint(0, 100, (20, 3, 64, 64), dtype=torch.uint8)
    network.fit_standardisation(network.raw(dark))
    assert network.standardise(network.raw(dark))[:, 1].tolist() == [0.0] * 20
    bright = torch.full((1, 3, 64, 64), 250, dtype=torch.uint8)
    assert 0 < float(network.standardise(network.raw(bright))[0, 1]) < 10


def test_initial_boxes_have_initial_scales_near_the_centre():
    boxes = initial_boxes(ARCHITECTURE, SCHEDULE, images(), images(), Run(seed=2))
    side = 0.9**0.5
    np.testing.assert_allclose(boxes[:, 0, 2] - boxes[:, 0, 0], 0.33 * side, rtol=1e-4)
    np.testing.assert_allclose(boxes[:, 1, 2] - boxes[:, 1, 0], 0.165 * side, rtol=1e-4)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert np.abs(middle - 0.5).max() < 0.26


@pytest.mark.parametrize("threads", [1, 3])
def test_streamed_training_gives_the_same_network(threads, monkeypatch, tmp_path):
    from relattr.training import fitting, shared_run
    from relattr.training.streamed_pixels import StreamedPixels

    used = []
    plain = fitting.train
    noting = lambda net, parts, how: used.append(how.pixels) or plain(net, parts, how)  # noqa: E731
    monkeypatch.setattr(fitting, "train", noting)
    monkeypatch.setattr(shared_run.trainer, "train", noting)
    objective = PairwiseObjective(Pairs.all_of(np.arange(float(N))), 8, batching="pairs")
    more = {"supplement": np.arange(N) % 3, "supplement_backbone": "tiny"}
    loaded, curves = fit_ranker(ARCHITECTURE, SCHEDULE, objective, images(), Run(seed=2), **more)
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path))  # otherwise networks of the same pixels are loaded
    monkeypatch.setenv("RELATTR_PIXEL_LIMIT", "0")  # the supplementary features go into a file too
    streamed, same_curves = fit_ranker(
        ARCHITECTURE, SCHEDULE, objective, images(), Run(seed=2, threads=threads), **more
    )
    assert [isinstance(pixels, StreamedPixels) for pixels in used] == [False] * 3 + [True] * 3
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, streamed.network.state_dict()[name]), name
    for name, curve in curves.items():
        np.testing.assert_array_equal(curve[:, :2], same_curves[name][:, :2])
    np.testing.assert_array_equal(loaded.strengths(images()), streamed.strengths(images()))
