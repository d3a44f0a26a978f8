"""The study of the published start: finished runs are kept, variants differ, and training is that of the engine."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from relattr import Run, TaskName
from relattr.networks.architecture import Architecture, build_ranker
from relattr.networks.crop_sampler import sample_crops
from relattr.registry import registry


@pytest.fixture
def study(load_study):
    registry.discover()
    load_study("released_chains")
    return load_study("published_start")


def options(study, **changes):
    return study.Options(**{"backbone": "micro", "steps": 200, "n_pairs": 50, "seed": 0, **changes})


def test_a_finished_run_is_found_by_all_that_decides_it(study, tmp_path):
    runs = study.Runs(tmp_path / "runs.jsonl")
    first, second = (options(study).run_of("smile", name) for name in ("paper", "adamw"))
    assert runs.find(first) is None
    runs.add({"run": first, "accuracy": 0.5})
    runs.add({"run": second, "accuracy": 0.75})
    assert runs.find(first)["accuracy"] == 0.5
    assert runs.find(second)["accuracy"] == 0.75
    for changes in ({"steps": 100}, {"seed": 1}, {"backbone": "tiny"}, {"n_pairs": 40}):
        assert runs.find(options(study, **changes).run_of("smile", "paper")) is None
    assert runs.find(options(study).run_of("eyesopen", "paper")) is None


def test_a_line_that_was_interrupted_is_ignored(study, tmp_path):
    runs = study.Runs(tmp_path / "runs.jsonl")
    first, second = (options(study).run_of("smile", name) for name in ("paper", "adamw"))
    runs.add({"run": first})
    with runs.path.open("a") as file:
        file.write('{"run": {"attri')
    runs.add({"run": second})
    assert runs.find(first) == {"run": first}
    assert runs.find(second) == {"run": second}
    assert len(runs.path.read_text().splitlines()) == 3


def test_no_two_variants_are_the_same_run(study):
    runs = [{**options(study).run_of("smile", name), "variant": ""} for name in study.VARIANTS]
    assert all(a != b for k, a in enumerate(runs) for b in runs[:k])
    steps = {name: options(study).run_of("smile", name)["settings"]["updates"] for name in study.VARIANTS}
    assert steps.pop("pixels-224") == 50
    assert set(steps.values()) == {200}


def test_blurred_gradients_change_no_crop(study):
    torch.manual_seed(0)
    sharp = build_ranker(Architecture("micro", scales=(1.0,)), whole=False, seed=0).eval()
    network = study.BlurredGradientRanker.from_ranker(sharp).eval()
    images = torch.rand(2, 3, 64, 64)
    theta = torch.tensor([[0.4, 0.3, -0.2], [0.5, 0.0, 0.4]], requires_grad=True)
    weights = torch.rand(2, 3, network.sizes[1], network.sizes[1])
    (crop,) = network.crops([images], [theta])
    (expected,) = sharp.crops([images], [theta])
    torch.testing.assert_close(crop, expected)
    torch.testing.assert_close(network([images]).score, sharp([images]).score)
    (gradient,) = torch.autograd.grad((weights * crop).sum(), theta)
    soft = sample_crops(study.blur(images), theta, network.sizes[1])
    (of_blurred,) = torch.autograd.grad((weights * soft).sum(), theta)
    torch.testing.assert_close(gradient, of_blurred)


@pytest.fixture
def faces():
    """A small task in place of one of LFW-10; the moments have the boxes."""
    task = (
        registry.dataset("glyphs").create({"n_train": 60, "n_test": 20}).task(TaskName("glyphs", "local", "standard"))
    )
    (test, *_) = task.tests
    return SimpleNamespace(
        task=task,
        test=test,
        followed=test.images,
        followed_pairs=test.pairs,
        moment=lambda step, boxes: SimpleNamespace(_asdict=lambda: {"step": step, "boxes": boxes}),
    )


def test_training_is_followed_from_the_start_of_viralnet(study, faces):
    settings = {**options(study, steps=3).run_of("", "paper")["settings"], "batch": 8}
    outcome = study.follow_training(faces, settings, False, Run(seed=3))
    assert [moment["step"] for moment in outcome["moments"]] == [0, 1, 2, 3]
    method = registry.method("viralnet").create(settings)
    method._trained_on, method._run = faces.task.train.images, Run(seed=3)
    np.testing.assert_allclose(outcome["moments"][0]["boxes"], method.initial_boxes(faces.test.images)[:, 0], atol=1e-6)
    assert np.abs(outcome["moments"][3]["boxes"] - outcome["moments"][0]["boxes"]).max() > 0
    assert 0 <= outcome["accuracy"] <= 1


def test_a_run_that_diverges_has_the_moments_before(study, faces):
    settings = {**options(study, steps=40).run_of("", "paper")["settings"], "batch": 8, "rate": 1e12}
    outcome = study.follow_training(faces, settings, False, Run(seed=3))
    assert outcome["moments"][0]["step"] == 0
    assert len(outcome["moments"]) < 11
    assert "the loss is" in outcome["diverged"]
    assert "accuracy" not in outcome
