"""The networks as methods: parameters, deviations, and what a figure is drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from relattr import BadInput, Pairs, Run, TrainingSet
from relattr.backbones import micro_net
from relattr.backbones import names as backbones
from relattr.check import problem
from relattr.registry import registry
from relattr.statistics import count_margins

HOW = backbones.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
QUICK = {
    "backbone": "tiny",
    "preset": "fast",
    "updates": 40,
    "batch": 24,
    "rate": 0.02,
    "crop": 1.0,
    "view": 1.0,
    "test_views": 1,
    "frozen": 0.0,
}


def made():
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return micro_net.MicroNet(4)


@pytest.fixture(autouse=True)
def tiny():
    registry.discover()
    backbones.register_backbone("tiny", build=made, untrained=made, fingerprint=lambda: "tiny", preprocessing=HOW)
    yield
    backbones.unregister_backbone("tiny")


def method(name: str, **more):
    return registry.method(name).create({**QUICK, **more})


def test_artifacts_and_boxes_of_a_fitted_network():
    given = problem.make_problem()
    net = method("viralnet-m", updates=6)
    net.fit(given.train, Run(seed=0))
    n = len(given.train.images)
    found = net.artifacts(given.train, Run(seed=0))
    assert found["curve"].shape == (12, 4)
    assert found["curve"][:, 0].tolist() == list(range(1, 13))  # six steps of crops alone, then six of all
    assert (np.diff(found["curve"][:, 3]) > 0).all()
    assert found["neighbours"].shape == found["neighbours before"].shape == (n, 8)
    assert not (found["neighbours"] == np.arange(n)[:, None]).any()  # no image is its own neighbour
    np.testing.assert_allclose(found["strengths"], net.strength(given.train.images), rtol=1e-5)
    of_test = net.test_artifacts(given.train, given.test, Run(seed=0))
    queries = of_test["queries"]
    assert len(queries) == min(64, len(given.test))
    features, of_queries = net.fitted.features(given.train.images), net.fitted.features(given.test.subset(queries))
    distances = np.linalg.norm(of_queries[:, None] - features[None], axis=2)
    nearest = np.sort(distances, axis=1)[:, :8]
    chosen = np.take_along_axis(distances, of_test["query neighbours"], axis=1)
    np.testing.assert_allclose(chosen, nearest, rtol=1e-3, atol=1e-4)
    assert of_test["query neighbours before"].shape == (len(queries), 8)
    boxes, first = net.boxes(given.test), net.initial_boxes(given.test)
    assert boxes.shape == first.shape == (len(given.test), 3, 4)
    assert not np.array_equal(boxes, first)
    siamese = method("siamese-alexnet", updates=2)
    siamese.fit(given.train, Run(seed=0))
    assert siamese.boxes(given.test) is None


@pytest.mark.parametrize(
    ("name", "transformers", "supplemented"),
    [("viralnet", 1, False), ("viralnet-m", 3, False), ("viralnet-c", 1, True), ("viralnet-mc", 3, True)],
)
def test_architecture_of_the_four_viralnets(name, transformers, supplemented):
    import torch

    given = problem.make_problem()
    net = method(name, updates=2)
    net.fit(given.train, Run(seed=0))
    ranker, score = net.fitted.network, net.fitted.network.score
    assert len(ranker.localisers) == transformers
    own = (1 + transformers) * ranker.extractor.dim  # the whole image, and each crop
    assert score.in_features == own + (ranker.extractor.dim if supplemented else 0)
    assert ("category network" in net.curves) is supplemented
    before = net.strength(given.test)
    with torch.no_grad():
        score.weight[0, own:] = 0
    assert bool(np.abs(net.strength(given.test) - before).max() > 1e-6) is supplemented


def test_random_labels_give_chance_over_many_seeds():
    """Random labels can point anywhere along the one thing that varies; over many of them it averages out."""
    given, found = problem.make_problem(), []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(given.train.images)).astype(float)
        net = method("siamese-alexnet", updates=8)
        net.fit(TrainingSet(images=given.train.images, pairs=Pairs.all_of(order)), Run(seed=seed))
        found.append(count_margins(net.compare(given.test, given.pairs), given.pairs).accuracy)
    assert abs(np.mean(found) - 0.5) < 0.25
    assert min(found) < 0.5 < max(found)


def test_initialisation_is_independent_of_backbone_loading():
    import torch

    from relattr.networks.architecture import Architecture, build_ranker

    plain = build_ranker(Architecture("tiny", (1.0,)), seed=3)
    backbones.unregister_backbone("tiny")

    def restless():
        torch.rand(17)
        return made()

    backbones.register_backbone("tiny", build=restless, fingerprint=lambda: "tiny", preprocessing=HOW)
    again = build_ranker(Architecture("tiny", (1.0,)), seed=3)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_nearest_neighbours_match_a_loop():
    from relattr.methods._ranking_network import nearest_neighbours

    x = np.random.default_rng(0).normal(size=(20, 4))
    for i, row in enumerate(nearest_neighbours(x, 3)):
        distances = [(np.linalg.norm(x[i] - x[j]), j) for j in range(20) if j != i]
        assert row.tolist() == [j for _, j in sorted(distances)[:3]]
    assert nearest_neighbours(x[:1], 3).shape == (1, 0)


def test_held_out_images_are_not_trained_on(monkeypatch):
    from relattr.training import fitting

    given, seen = problem.make_problem(), {}

    class Fitted:
        def strengths(self, images):
            seen["judged"] = images
            return np.arange(len(images), dtype=float)

    def instead(architecture, schedule, objective, images, run, held_out, **more):
        seen["images"] = images
        seen["pairs"] = next(iter(objective.batches(0))).images
        held_out(Fitted())
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "fit_ranker", instead)
    for pairs in (given.train.pairs, Pairs(*given.train.pairs.arrays)):
        train = TrainingSet(images=given.train.images, pairs=pairs)
        with pytest.raises(KeyboardInterrupt):
            method("siamese-alexnet", held_out=0.25).fit(train, Run(seed=0))
        trained, judged = (set(seen[k].names) for k in ("images", "judged"))
        assert len(judged) == round(0.25 * len(train.images))
        assert trained | judged == set(train.images.names)
        assert not trained & judged
        assert seen["pairs"].max() < len(trained)
    with pytest.raises(BadInput, match=r"held_out must be in \[0, 0.5\); got 0.7"):
        method("siamese-alexnet", held_out=0.7)


def test_deviations_name_the_training_parameters():
    fast = " ".join(method("viralnet-c").deviations())
    assert "preset fast" in fast
    assert "updates=40" in fast
    assert "its category network is a network trained on the training images" in fast
    paper = registry.method("viralnet").create({})
    assert paper.schedule().updates == 8000
    assert paper.deviations() == [
        "torchvision's AlexNet: other filter counts than Caffe's, and no normalisation layers"
    ]
    assert not paper.architecture().standardise
    assert registry.method("viralnet").create({"backbone": "resnet50"}).architecture().standardise


def test_category_network_is_trained_or_pretrained(tmp_path):
    assert method("viralnet-c").uses_categories
    named = method("viralnet-c", supplement="tiny", supplement_weights=str(tmp_path / "places.safetensors"))
    assert not named.uses_categories
    (why,) = [n.missing() for n in named.needs() if n.missing()]
    assert "places.safetensors" in why
    assert "does not exist" in why


def test_regression_targets():
    from relattr.methods.regression import regression_targets

    heavy = np.array([0.0, 1.0, 2.0, 300.0])
    z = regression_targets(heavy, "z")
    assert (z.mean(), z.std()) == pytest.approx((0, 1))
    ranks = regression_targets(heavy, "rank")
    assert ranks == pytest.approx(-ranks[::-1])
    assert regression_targets(np.ones(3), "z").tolist() == [0, 0, 0]
