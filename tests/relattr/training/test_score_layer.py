"""Fitting the score layer alone reaches the minimum of a convex problem and changes nothing else."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from relattr import BadInput, Pairs
from relattr.backbones import micro_net
from relattr.backbones.backbone import Backbone
from relattr.backbones.names import Preprocessing
from relattr.networks import ranker, scoring
from relattr.networks.classifier import Classifier
from relattr.training import score_layer
from relattr.training.config import TrainingConfig
from relattr.training.cropping import Cropper
from relattr.training.objectives import ClassificationObjective, PairwiseObjective, RegressionObjective
from relattr.training.optimiser import parameter_groups
from relattr.training.schedule import PRESETS
from relattr.training.trainer import train

N = 20
PREPROCESSING = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
STRENGTHS = np.linspace(-1, 1, N)


def extractor() -> scoring.Extractor:
    torch.manual_seed(0)
    return scoring.Extractor(Backbone(micro_net.MicroNet(4), "micro", PREPROCESSING))


def network() -> ranker.Ranker:
    return ranker.Ranker(extractor(), sizes=(64, 64, 64))


def training(**more) -> TrainingConfig:
    rng = np.random.default_rng(5)
    shade = torch.from_numpy(120 + 80 * STRENGTHS)[:, None, None, None]
    pixels = (shade + torch.from_numpy(rng.normal(0, 40, (N, 3, 64, 64)))).clamp(0, 255).to(torch.uint8)
    usual = {
        "name": "a network",
        "objective": PairwiseObjective(Pairs.all_of(STRENGTHS), 8),
        "pixels": pixels,
        "cropper": Cropper(PREPROCESSING, 64),
        "seed": 3,
        "schedule": dataclasses.replace(PRESETS["fast"], updates=3, batch=8, head_batches=4),
    }
    return TrainingConfig(**{**usual, **more})


def seen_by(net: ranker.Ranker, config: TrainingConfig, images) -> np.ndarray:
    """The features of the images, computed one at a time."""
    net.eval()
    with torch.no_grad():
        rows = [net.features([config.cropper.fixed(config.pixels[i : i + 1], 1)[0]])[0] for i in images]
    return torch.stack(rows).double().numpy()


@pytest.mark.parametrize("supplemented", [False, True])
def test_the_fit_reaches_the_minimum(supplemented):
    extra = torch.from_numpy(np.random.default_rng(6).normal(size=(N, 5))).float() if supplemented else None
    config = training(supplement=extra)
    net = ranker.Ranker(extractor(), supplement=5 if supplemented else 0, sizes=(64, 64, 64))
    batches = list(itertools.islice(config.objective.batches(config.seed), 4))
    images = np.unique(np.concatenate([b.images for b in batches]))
    x = seen_by(net, config, range(N))
    if extra is not None:
        x = np.concatenate([x, extra.numpy()], 1)
    decay = score_layer.WEIGHT_DECAY * (x[images] ** 2).sum(1).mean()

    def loss(w: np.ndarray) -> float:
        total = 0.0
        for batch in batches:
            pairs = batch.pairs
            for left, right, target in zip(*(part.tolist() for part in pairs[:3]), strict=True):
                difference = (x[batch.images[left]] - x[batch.images[right]]) @ w
                total += (np.logaddexp(0, difference) - target * difference) / pairs.normaliser / len(batches)
        return total + decay / 2 * (w @ w)

    optimum = minimize(loss, np.zeros(x.shape[1]), method="L-BFGS-B", options={"maxiter": 20, "maxfun": 10**5})
    score_layer.fit_score_layer(net, config)
    ours = loss(net.score.weight.detach().double().numpy()[0])
    assert ours < loss(np.zeros(x.shape[1])) - 0.1
    assert ours == pytest.approx(optimum.fun, abs=2e-3)


@pytest.mark.parametrize("training_mode", [False, True])
def test_only_the_score_layer_changes_reproducibly(training_mode):
    one, two = network().train(training_mode), network().train(training_mode)
    before = {name: value.clone() for name, value in one.state_dict().items()}
    torch.manual_seed(1)
    score_layer.fit_score_layer(one, training())
    torch.manual_seed(2)
    score_layer.fit_score_layer(two, training())
    assert one.training is training_mode
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name
        assert name.startswith("score.") or torch.equal(value, before[name]), name
    assert not torch.equal(one.score.weight, before["score.weight"])
    assert all(p.grad is None for p in one.parameters())


def test_the_fit_for_regression_and_classification():
    net = network()
    config = training(objective=RegressionObjective(STRENGTHS, 8))
    score_layer.fit_score_layer(net, config)
    predictions = net.score(torch.from_numpy(seen_by(net, config, range(N))).float()).squeeze(1).detach().numpy()
    assert np.corrcoef(predictions, STRENGTHS)[0, 1] > 0.8
    classes = (STRENGTHS > 0).astype(int)
    classifier = Classifier(extractor(), 2)
    config = training(objective=ClassificationObjective(classes, 8))
    score_layer.fit_score_layer(classifier, config)
    classifier.eval()
    predictions = classifier([config.cropper.fixed(config.pixels, 1)[0]]).score.argmax(1).numpy()
    assert (predictions == classes).mean() > 0.8


def test_schedule_decides_whether_the_head_is_fitted():
    assert PRESETS["paper"].head_batches == 0
    first = {}
    for batches in (0, 4):
        config = training()
        config = dataclasses.replace(config, schedule=dataclasses.replace(config.schedule, head_batches=batches))
        net = network()
        first[batches] = train(net, parameter_groups(net, config.schedule), config)[0, 1]
    assert first[4] < first[0] - 0.1


def test_non_finite_features_are_an_error_with_advice():
    net = network()
    with torch.no_grad():
        next(net.extractor.parameters()).fill_(float("nan"))
    with pytest.raises(
        BadInput, match=r"a network: the loss is nan before the first step, .*; check the backbone's weights"
    ):
        score_layer.fit_score_layer(net, training())
