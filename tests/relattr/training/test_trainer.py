"""The training loop: learning, continuing after a kill, and stopping at a non-finite loss."""

from __future__ import annotations

import dataclasses
import re
from functools import partial

import numpy as np
import pytest
import torch

from relattr import BadInput, Pairs, progress
from relattr.backbones import micro_net
from relattr.backbones.backbone import Backbone
from relattr.backbones.names import Preprocessing
from relattr.networks import localiser, ranker, scoring
from relattr.networks.freezing import drop_unused_parameters
from relattr.training import trainer
from relattr.training.config import TrainingConfig
from relattr.training.cropping import Cropper
from relattr.training.objectives import ClassificationObjective, PairwiseObjective, RegressionObjective
from relattr.training.optimiser import parameter_groups
from relattr.training.schedule import PRESETS
from relattr.training.trainer import train

N = 24
PREPROCESSING = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
SCHEDULE = dataclasses.replace(PRESETS["fast"], updates=12, batch=8, rate=0.01, head_batches=0)


def network(localised: bool = True) -> ranker.Ranker:
    torch.manual_seed(0)
    backbones = [Backbone(micro_net.MicroNet(4), "micro", PREPROCESSING) for _ in range(2)]
    localisers = [localiser.Localiser(backbones[1])] if localised else []
    net = ranker.Ranker(scoring.Extractor(backbones[0]), localisers, sizes=(64, 32, 64))
    for part in (net.extractor, *net.localisers):  # as `build` leaves them
        drop_unused_parameters(part, partial(part, torch.zeros(1, 3, 64, 64)))
    return net


def training(**more) -> TrainingConfig:
    strengths = np.linspace(0, 1, N)
    pixels = (torch.tensor(strengths)[:, None, None, None] * 200 + 20).expand(N, 3, 64, 64).to(torch.uint8)
    usual = {
        "name": "a network",
        "objective": PairwiseObjective(Pairs.all_of(strengths), 8),
        "pixels": pixels,
        "cropper": Cropper(PREPROCESSING, 64),
        "schedule": SCHEDULE,
        "seed": 3,
    }
    return TrainingConfig(**{**usual, **more})


def fit(config: TrainingConfig, net: ranker.Ranker | None = None):
    net = net or network()
    return net, train(net, parameter_groups(net, config.schedule), config)


def digest(net: torch.nn.Module) -> str:
    return repr(sum(float(value.double().abs().sum()) for value in net.state_dict().values()))


def test_seed_determines_weights_without_global_generator():
    one = network()
    torch.manual_seed(11)
    state = torch.get_rng_state()
    _, curve = fit(training(), one)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    two, _ = fit(training())
    other, _ = fit(training(seed=4))
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name
    assert any(not torch.equal(v, other.state_dict()[name]) for name, v in one.state_dict().items())
    assert curve.shape == (12, 4)
    assert curve[:, 0].tolist() == list(range(1, 13))


def test_it_learns_an_easy_problem():
    net, curve = fit(training(schedule=dataclasses.replace(SCHEDULE, updates=60)), network(localised=False))
    with torch.inference_mode():
        scores = net([Cropper(PREPROCESSING, 64).fixed(training().pixels, 1)[0]]).score
    assert (scores.diff() > 0).float().mean() > 0.9
    assert curve[-1, 1] < 0.5 * curve[0, 1]


class Killed(Exception):
    pass


@pytest.mark.parametrize("head_batches", [0, 2])
@pytest.mark.parametrize("at", [1, 5, 11])
def test_killed_run_continues_to_the_same_result(at, head_batches, tmp_path, monkeypatch):
    schedule = dataclasses.replace(SCHEDULE, head_batches=head_batches)
    monkeypatch.setattr(trainer, "CHECKPOINT_INTERVAL", -1.0)
    whole, curve = fit(training(schedule=schedule))
    asked = []

    def judge() -> float:
        asked.append(1)
        if len(asked) == at + 1:
            raise Killed
        return 0.5

    with pytest.raises(Killed):
        fit(training(schedule=schedule, checkpoint=tmp_path, evaluate=judge))
    again, curve_again = fit(training(schedule=schedule, checkpoint=tmp_path))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert np.array_equal(curve[:, :2], curve_again[:, :2])
    done, _ = fit(training(schedule=schedule, checkpoint=tmp_path))  # and a finished one is not trained again
    assert all(torch.equal(v, done.state_dict()[name]) for name, v in whole.state_dict().items())


def test_invalid_checkpoint_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_INTERVAL", -1.0)
    fit(training(checkpoint=tmp_path, seed=8))
    expected, _ = fit(training())
    network_, _ = fit(training(checkpoint=tmp_path))
    assert all(torch.equal(v, network_.state_dict()[name]) for name, v in expected.state_dict().items())
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    network_, _ = fit(training(checkpoint=tmp_path))
    assert all(torch.equal(v, network_.state_dict()[name]) for name, v in expected.state_dict().items())


def test_non_finite_loss_is_an_error_with_advice():
    net = network(localised=False)
    with torch.no_grad():
        net.score.weight.fill_(float("nan"))
    with pytest.raises(
        BadInput, match=r"a network: the loss is nan at step 0 of 12; lower the learning rate, now 0.01"
    ):
        fit(training(), net)


def test_progress_shows_loss_accuracy_speed_and_time():
    messages = []

    class Listener:
        def __init__(self, description, total):
            messages.append((description, total))

        def __enter__(self):
            return lambda n, note="": messages.append(note) if note else None

        def __exit__(self, *_):
            return None

    with progress.listening(Listener):
        fit(training(evaluate=lambda: 0.75))
    assert messages[0] == ("a network", 12)
    assert re.fullmatch(r"loss \d\.\d+, held out 75\.0 %, \d+ images/s, [\d,]+ terms/s, \d+ s left", messages[-1])


def test_each_image_passes_the_network_once_per_batch():
    net, batch_sizes = network(localised=False), []
    net.extractor.register_forward_pre_hook(lambda module, inputs: batch_sizes.append(len(inputs[0])))
    fit(training(), net)
    assert batch_sizes == [8] * 12


def test_regression_and_classification_learn_too():
    scores = np.linspace(-1, 1, N)
    schedule = dataclasses.replace(SCHEDULE, updates=60)
    _, curve = fit(training(objective=RegressionObjective(scores, 8), schedule=schedule), network(localised=False))
    assert curve[-1, 1] < 0.5 * curve[0, 1]
    steps = ClassificationObjective(np.array([0] * 20 + [1] * 4), 10).batches(0)
    drawn = np.concatenate([next(steps).images for _ in range(200)])
    assert abs((drawn >= 20).mean() - 0.5) < 0.05  # the rare class as often as the other
    with pytest.raises(BadInput, match="smooth_l1 or mse"):
        RegressionObjective(scores, 8, "l7")


def test_held_out_accuracy_is_evaluated_at_intervals():
    asked = []
    schedule = dataclasses.replace(SCHEDULE, updates=45)
    _, curve = fit(training(schedule=schedule, evaluate=lambda: asked.append(1) or 0.75), network(localised=False))
    judged = curve[~np.isnan(curve[:, 2]), 0]
    assert judged.tolist() == [*range(4, 45, 4), 45]
    assert len(asked) == len(judged)
