"""The ranking networks as methods: parameters, deviations, and the artifacts for figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from relattr import BadInput, Pairs, Run, TrainingSet
from relattr.backbones import micro_net
from relattr.backbones import names as backbones
from relattr.check import problem
from relattr.registry import registry
from relattr.statistics import count_margins
from relattr.task import PublishedTraining

PREPROCESSING = backbones.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
QUICK = {
    "backbone": "tiny",
    "preset": "fast",
    "updates": 40,
    "batch": 24,
    "rate": 0.002,
    "image": 1.0,
    "crop": 1.0,
    "view": 1.0,
    "test_views": 1,
}


def build_tiny():
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return micro_net.MicroNet(4)


@pytest.fixture(autouse=True)
def tiny():
    registry.discover()
    backbones.register_backbone(
        "tiny", build=build_tiny, untrained=build_tiny, fingerprint=lambda: "tiny", preprocessing=PREPROCESSING
    )
    yield
    backbones.unregister_backbone("tiny")


def torch_random(shape):
    import torch

    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def as_array(network, x) -> np.ndarray:
    import torch

    with torch.no_grad():
        return network(x).numpy()


def method(name: str, **more):
    return registry.method(name).create({**QUICK, **more})


def test_artifacts_and_boxes_of_a_fitted_network():
    small = problem.make_problem()
    net = method("viralnet-m", updates=6, stages=2)
    net.fit(small.train, Run(seed=0))
    n = len(small.train.images)
    artifacts = net.artifacts(small.train, Run(seed=0))
    assert artifacts["curve"].shape == (12, 4)
    assert artifacts["curve"][:, 0].tolist() == list(range(1, 13))  # six steps of crops alone, then six of all
    assert (np.diff(artifacts["curve"][:, 3]) > 0).all()
    assert artifacts["neighbours"].shape == artifacts["neighbours before"].shape == (n, 8)
    assert not (artifacts["neighbours"] == np.arange(n)[:, None]).any()  # no image is its own neighbour
    np.testing.assert_allclose(artifacts["strengths"], net.strength(small.train.images), rtol=1e-5)
    of_test = net.test_artifacts(small.train, small.test, Run(seed=0))
    queries = of_test["queries"]
    assert len(queries) == min(64, len(small.test))
    features, of_queries = net.fitted.features(small.train.images), net.fitted.features(small.test.subset(queries))
    distances = np.linalg.norm(of_queries[:, None] - features[None], axis=2)
    nearest = np.sort(distances, axis=1)[:, :8]
    chosen = np.take_along_axis(distances, of_test["query neighbours"], axis=1)
    np.testing.assert_allclose(chosen, nearest, rtol=1e-3, atol=1e-4)
    assert of_test["query neighbours before"].shape == (len(queries), 8)
    boxes, first = net.boxes(small.test), net.initial_boxes(small.test)
    assert boxes.shape == first.shape == (len(small.test), 3, 4)
    assert not np.array_equal(boxes, first)
    siamese = method("siamese-alexnet", updates=2)
    siamese.fit(small.train, Run(seed=0))
    assert siamese.boxes(small.test) is None


@pytest.mark.parametrize("name", ["viralnet", "viralnet-m"])
def test_search_start_begins_at_the_places_of_best_place(name, tmp_path):
    small = problem.make_problem()
    net = method(name, updates=1, start="search", rate=1e-9)
    net.fit(small.train, Run(seed=0))
    places = []
    for sizes in [(0.7,), (0.5,), (0.36,)] if name == "viralnet-m" else [(0.36, 0.5)]:
        search = registry.method("best-place").create({"backbone": "tiny", "cut": "image", "sizes": sizes})
        grid, accuracies = search.search(small.train, Run(seed=0))
        sums = []  # of the accuracies of a place and of its mirror image
        for box, accuracy in zip(grid.boxes, accuracies, strict=True):
            mirrored = [1 - box[2], box[1], 1 - box[0], box[3]]
            sums.append(accuracy + accuracies[int(np.abs(grid.boxes - mirrored).sum(1).argmin())])
        places.append(grid.boxes[int(np.nanargmax(sums))])
    n = len(small.test)
    np.testing.assert_allclose(net.initial_boxes(small.test), np.repeat([places], n, 0), atol=1e-5)
    np.testing.assert_allclose(net.boxes(small.test), np.repeat([places], n, 0), atol=1e-3)  # hardly trained
    net.save(tmp_path / "net.npz")
    loaded = method(name, updates=1, start="search", rate=1e-9)
    loaded.load(tmp_path / "net.npz")
    np.testing.assert_allclose(loaded.strength(small.test), net.strength(small.test), rtol=1e-5)
    assert any("begin at places chosen" in text for text in net.deviations())


@pytest.mark.parametrize(
    ("name", "transformers", "supplemented"),
    [("viralnet", 1, False), ("viralnet-m", 3, False), ("viralnet-c", 1, True), ("viralnet-mc", 3, True)],
)
def test_architecture_of_the_four_viralnets(name, transformers, supplemented):
    import torch

    small = problem.make_problem()
    net = method(name, updates=2)
    net.fit(small.train, Run(seed=0))
    ranker, score = net.fitted.network, net.fitted.network.score
    assert len(ranker.localisers) == transformers
    n_image_features = (1 + transformers) * ranker.extractor.dim  # the whole image, and each crop
    assert score.in_features == n_image_features + (ranker.extractor.dim if supplemented else 0)
    assert ("category network" in net.curves) is supplemented
    before = net.strength(small.test)
    with torch.no_grad():
        score.weight[0, n_image_features:] = 0
    assert bool(np.abs(net.strength(small.test) - before).max() > 1e-6) is supplemented


def test_random_labels_give_chance_over_many_seeds():
    """Images vary in one dimension, so a single random labelling may correlate with it; the mean over many does not."""
    small, accuracies = problem.make_problem(), []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(small.train.images)).astype(float)
        net = method("siamese-alexnet", updates=8)
        net.fit(TrainingSet(images=small.train.images, pairs=Pairs.all_of(order)), Run(seed=seed))
        accuracies.append(count_margins(net.compare(small.test, small.pairs), small.pairs).accuracy)
    assert abs(np.mean(accuracies) - 0.5) < 0.25
    assert min(accuracies) < 0.5 < max(accuracies)


def test_initialisation_is_independent_of_backbone_loading():
    import torch

    from relattr.networks.architecture import Architecture, build_ranker

    plain = build_ranker(Architecture("tiny", (1.0,)), seed=3)
    backbones.unregister_backbone("tiny")

    def restless():
        torch.rand(17)
        return build_tiny()

    backbones.register_backbone("tiny", build=restless, fingerprint=lambda: "tiny", preprocessing=PREPROCESSING)
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

    small, seen = problem.make_problem(), {}

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
    for pairs in (small.train.pairs, Pairs(*small.train.pairs.arrays)):
        train = TrainingSet(images=small.train.images, pairs=pairs)
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
    assert "its category network is trained on the training images" in fast
    alexnet = "torchvision's AlexNet: other filter counts than Caffe's, and no normalisation layers"
    default = registry.method("viralnet").create({})
    assert default.schedule().updates == 8000
    assert default.deviations() == ["backbone=efficientnet_lite0 in place of the published network"]
    assert default.architecture().standardise
    paper = registry.method("viralnet").create({"backbone": "alexnet"})
    assert paper.deviations() == [alexnet]
    assert not paper.architecture().standardise
    assert registry.method("viralnet").create({"backbone": "resnet50"}).architecture().standardise
    for name in ("viralnet", "viralnet-m", "siamese-alexnet"):
        published = registry.method(name).create({"backbone": "caffenet"})
        assert published.deviations() == []
        assert published.notes()
    ours = registry.method("viralnet").create({"backbone": "caffenet", "preset": "all-pairs"})
    assert "not of 25 pairs" in " ".join(ours.deviations())
    dropped = registry.method("viralnet").create({"backbone": "caffenet", "dropout": 0.1})
    assert dropped.deviations() == ["trained with dropout=0.1 in place of the preset's"]


@pytest.fixture
def schedule_of(monkeypatch):
    """``schedule_of(published, **parameters)``: the schedule and architecture that viralnet is fitted with."""
    from relattr.training import fitting

    def resolve(published, **parameters):
        seen = {}

        def instead(architecture, schedule, objective, images, run, **more):
            seen.update(architecture=architecture, schedule=schedule)
            raise KeyboardInterrupt

        monkeypatch.setattr(fitting, "fit_ranker", instead)
        train = problem.make_problem().train
        train = TrainingSet(train.images, train.pairs, published=published)
        network = registry.method("viralnet").create({"backbone": "tiny", **parameters})
        with pytest.raises(KeyboardInterrupt):
            network.fit(train, Run(seed=0))
        return seen["schedule"], seen["architecture"], network

    return resolve


def test_preset_paper_follows_what_is_published_for_the_dataset(schedule_of):
    n_pairs = len(problem.make_problem().train.pairs)
    per_epoch = -(-n_pairs // 25)
    schedule, architecture, network = schedule_of(PublishedTraining(epochs=15, initial_scale=0.5))
    assert (schedule.updates, schedule.batch, schedule.batching) == (15 * per_epoch, 50, "pairs")
    assert (schedule.initial_scale, architecture.initial_scale, architecture.dropout) == (0.5, 0.5, 0.5)
    assert any(f"15 epochs, {15 * per_epoch:,} steps of 25 pairs" in note for note in network.notes())
    schedule, architecture, network = schedule_of(PublishedTraining())
    assert (schedule.updates, architecture.initial_scale) == (8000, 1 / 3)
    assert any("no schedule is published for this dataset" in note for note in network.notes())
    schedule, architecture, _ = schedule_of(
        PublishedTraining(epochs=15, initial_scale=0.5), epochs=2, initial_scale=0.7
    )
    assert (schedule.updates, architecture.initial_scale) == (2 * per_epoch, 0.7)
    schedule, architecture, _ = schedule_of(PublishedTraining(epochs=15, initial_scale=0.5), preset="all-pairs")
    assert (schedule.updates, schedule.batching, architecture.initial_scale) == (8000, "images", 1 / 3)
    schedule, architecture, _ = schedule_of(PublishedTraining(epochs=15, initial_scale=0.5), preset="fast")
    assert (schedule.updates, schedule.stages, schedule.optimiser, schedule.dropout) == (200, 1, "adamw", None)
    assert (architecture.initial_scale, architecture.zero_score, architecture.hold_statistics) == (0.33, True, True)


def test_datasets_state_the_published_schedules():
    from relattr.datasets import lfw10, osr, popularity, viral, zappos

    stated = [(d.PUBLISHED.epochs, d.PUBLISHED.initial_scale) for d in (lfw10, osr, viral, popularity)]
    assert stated == [(400, 1 / 3), (15, 1 / 2), (None, None), (None, None)]
    assert (zappos.Zappos.published.epochs, zappos.Zappos.published.initial_scale) == (200, 1 / 2)
    assert viral.PUBLISHED.categories_of == popularity.PUBLISHED.categories_of == "viral"


def test_contradictory_parameters_are_refused():
    with pytest.raises(BadInput, match="updates=40 and epochs=3 contradict each other"):
        method("viralnet", epochs=3)
    with pytest.raises(BadInput, match="epochs must be at least 1; got 0"):
        method("viralnet", updates=None, epochs=0)
    with pytest.raises(BadInput, match=r"relative_scales must be three numbers in \(0, 1\]; got \[1.0, 0.5\]"):
        method("viralnet-m", relative_scales=(1.0, 0.5))
    with pytest.raises(BadInput, match="even with batching=pairs: two images a pair; got 7"):
        method("viralnet", batching="pairs", batch=7).schedule()
    with pytest.raises(BadInput, match="names 1 files for the 2 backbones"):
        method("viralnet-c", supplement=("tiny", "tiny"), supplement_weights="a.safetensors")
    with pytest.raises(BadInput, match="exclude each other"):
        method("viralnet-c", supplement="tiny", category_network="a.safetensors")


def test_supplement_is_published_only_where_the_dataset_says_so():
    def deviation(published, **parameters):
        network = registry.method("viralnet-c").create({"backbone": "caffenet", **parameters})
        network._published = published
        return [text for text in network.deviations() if "category network" in text]

    scenes = PublishedTraining(supplement="Places205-AlexNet and Hybrid-CNN")
    published = PublishedTraining(supplement="trained on five categories", categories_of="viral")
    assert deviation(published) == []
    assert deviation(scenes) == [
        "its category network is trained on the training images, the published one Places205-AlexNet and Hybrid-CNN"
    ]
    assert deviation(scenes, supplement=("caffenet", "caffenet"))[0].startswith(
        "its category network is pretrained (supplement=['caffenet', 'caffenet']), the published one Places205"
    )
    named = {"supplement": ("caffenet", "caffenet"), "supplement_weights": ("places.safetensors", "hybrid.safetensors")}
    assert deviation(scenes, **named) == []
    notes = registry.method("viralnet-c").create({"backbone": "caffenet", **named}).notes()
    assert any(
        "supplement=['caffenet', 'caffenet'], supplement_weights=['places.safetensors', 'hybrid.safetensors']" in note
        for note in notes
    )


def test_several_supplements_are_concatenated(tmp_path):
    import torch
    from safetensors.torch import save_file

    small = problem.make_problem()
    torch.manual_seed(5)
    other = micro_net.MicroNet(9)  # another number of classes, as Places205 has
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    weights = (str(tmp_path / "other.safetensors"),) * 2
    network = method("viralnet-c", updates=2, standardise=True, supplement=("tiny", "tiny"), supplement_weights=weights)
    network.fit(small.train, Run(seed=0))
    supplement = network.fitted.supplement
    assert network.fitted.network.score.in_features == (2 + 2) * 256
    # by hand: the whole image at 64 pixels through the other network, standardised over the training images
    from relattr.training.cropping import load_pixels

    pixels = load_pixels(small.train.images, network.fitted.side, "cpu")
    x = torch.nn.functional.interpolate(pixels.float(), (64, 64), mode="bilinear", align_corners=False)
    with torch.no_grad():
        maps = other.eval().features((x / 255 - 0.5) / 0.25)
        raw = other.classifier[:-1](torch.flatten(maps, 1))
    raw = torch.nn.functional.layer_norm(raw, raw.shape[1:])
    live = raw.std(0) > 1e-3
    expected = ((raw - raw.mean(0)) / raw.std(0))[:, live]
    features = supplement(pixels)
    torch.testing.assert_close(features[:, :256][:, live], expected, atol=2e-2, rtol=0)
    assert torch.equal(features[:, :256], features[:, 256:])
    network.save(tmp_path / "fitted.npz")
    again = method("viralnet-c", updates=2, standardise=True, supplement=("tiny", "tiny"), supplement_weights=weights)
    again.load(tmp_path / "fitted.npz")
    np.testing.assert_array_equal(again.strength(small.test), network.strength(small.test))


def test_saved_category_network_is_used_elsewhere(tmp_path):
    from relattr.training.category_network import fit_category_network, load_category_network, save_category_network
    from relattr.training.schedule import PRESETS

    small, path = problem.make_problem(), tmp_path / "categories.safetensors"
    schedule = dataclasses.replace(PRESETS["fast"], updates=6, batch=8)
    trained = fit_category_network(small.train.images, small.train.categories, "tiny", schedule, 3)
    record = save_category_network(
        path,
        trained.network,
        ("even", "odd"),
        backbone="tiny",
        standardise=trained.network.extractor.is_standardised,
        dataset="viral",
        trained_on="viral/a/b",
    )
    extractor, read = load_category_network(path)
    assert read == record
    assert read.categories == ("even", "odd")
    x = torch_random((3, 3, 64, 64))
    np.testing.assert_array_equal(as_array(extractor, x), as_array(trained.network.extractor.eval(), x))

    network = method("viralnet-c", updates=2, category_network=str(path))
    assert not network.uses_categories
    train = TrainingSet(
        small.train.images, small.train.pairs, published=PublishedTraining(supplement="Viral's", categories_of="viral")
    )
    network.fit(train, Run(seed=0))
    assert not any("category network" in text for text in network.deviations())
    assert any(
        f"category_network={path} was trained on viral/a/b: 2 categories (even, odd), tiny" in note
        for note in network.notes()
    )
    (used,) = network.fitted.supplement.networks
    np.testing.assert_array_equal(as_array(used.extractor, x), as_array(extractor, x))
    assert network.needs()[-1].fingerprint().startswith("weights:")


def test_damaged_category_network_is_refused(tmp_path):
    from relattr.backbones.backbone import Backbone
    from relattr.networks.classifier import Classifier
    from relattr.networks.scoring import Extractor
    from relattr.training.category_network import load_category_network, save_category_network

    path = tmp_path / "categories.safetensors"
    network = Classifier(Extractor(Backbone.create("tiny")), 2)
    words = {"backbone": "tiny", "standardise": True, "dataset": "a", "trained_on": "a/b/c"}
    with pytest.raises(BadInput, match="has 2 outputs; got 1 category names"):
        save_category_network(path, network, ("one",), **words)
    save_category_network(path, network, ("one", "two"), **words)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is damaged: its content does not have the fingerprint"):
        load_category_network(path)
    path.write_bytes(content[:100])
    with pytest.raises(BadInput, match=r"categories.safetensors cannot be read"):
        load_category_network(path)


def test_images_without_a_category_are_not_classified():
    from relattr.training.objectives import ClassificationObjective

    categories = np.array([-1, 3, -1, 0, 3, 3, -1])
    batches = ClassificationObjective(categories, 6).batches(0)
    drawn = np.concatenate([next(batches).images for _ in range(50)])
    assert set(drawn.tolist()) == {1, 3, 4, 5}
    assert abs((drawn == 3).mean() - 0.5) < 0.12  # two categories, equally often
    with pytest.raises(BadInput, match="none of the 2 training images has a category"):
        ClassificationObjective(np.array([-1, -1]), 6)


def test_categories_that_decide_the_labels_are_found():
    from relattr.methods._categories import categories_decide_labels

    rng = np.random.default_rng(0)
    classes, ranks = rng.integers(0, 4, 40), np.array([1.0, 2, 2, 5])
    implied = Pairs.from_classes(classes, ranks)
    listed = Pairs(*implied.arrays)
    for pairs in (implied, listed, listed.random_sides(3)):
        assert categories_decide_labels(pairs, classes)
        assert not categories_decide_labels(pairs, rng.permutation(classes))
        assert not categories_decide_labels(pairs, np.where(np.arange(40) == 7, -1, classes))
    flipped = np.where(np.arange(len(listed)) == 11, 1 - listed.label, listed.label)
    changed = Pairs(listed.left, listed.right, np.clip(flipped, -1, 1))
    assert not categories_decide_labels(changed, classes)
    assert not categories_decide_labels(Pairs([0], [1], [1]), np.array([0, 1]))  # one pair decides nothing


def test_category_network_is_trained_or_pretrained(tmp_path):
    assert method("viralnet-c").uses_categories
    named = method("viralnet-c", supplement="tiny", supplement_weights=str(tmp_path / "places.safetensors"))
    assert not named.uses_categories
    (why,) = [n.missing() for n in named.needs() if n.missing()]
    assert "places.safetensors" in why
    assert "cannot read the weights file" in why


def test_regression_targets():
    from relattr.methods.regression import regression_targets

    heavy = np.array([0.0, 1.0, 2.0, 300.0])
    z = regression_targets(heavy, "z")
    assert (z.mean(), z.std()) == pytest.approx((0, 1))
    ranks = regression_targets(heavy, "rank")
    assert ranks == pytest.approx(-ranks[::-1])
    assert regression_targets(np.ones(3), "z").tolist() == [0, 0, 0]
