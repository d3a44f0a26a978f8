"""`glyphs`: images match their ground truth, independently of process and drawing order."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from relattr.datasets.glyphs import ATTRIBUTES, CUES_OF, Glyphs, outlines, scores, style
from relattr.datasets.glyphs.canvas import FINE, Canvas
from relattr.datasets.glyphs.drawing import draw_scene
from relattr.datasets.glyphs.pretraining import CLASSES, draw_pretraining_set, picture_seed
from relattr.datasets.glyphs.scene import (
    ALIGNED_CENTRE,
    CATEGORIES,
    CROWDED,
    HINT_CORRELATION,
    sample_scene,
    visible_strength,
)

from relattr.errors import BadInput, UnknownName
from relattr.registry import registry
from relattr.task import TaskName


def glyphs(**parameters) -> Glyphs:
    return registry.dataset("glyphs").create(parameters)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def many() -> Glyphs:
    """Scenes for statistics; their images are not drawn."""
    return glyphs(n_train=2500, n_test=1500)


def test_importing_is_light():
    code = "import sys, relattr.datasets.glyphs; print([m for m in ('scipy', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---------------------------------------------------------------------- reproducible images


def test_an_image_is_the_same_in_any_order_and_process():
    forward = [draw_scene(sample_scene(3, "test", k), 64) for k in range(6)]
    backward = [draw_scene(sample_scene(3, "test", k), 64) for k in reversed(range(6))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward, strict=True))
    code = (
        "import hashlib; from relattr.datasets.glyphs.drawing import draw_scene\n"
        "from relattr.datasets.glyphs.scene import sample_scene\n"
        "print(hashlib.sha256(draw_scene(sample_scene(3, 'test', 4), 64).tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert elsewhere == hashlib.sha256(forward[4].tobytes()).hexdigest()


def test_images_and_labels_do_not_depend_on_their_number():
    few, more = glyphs(n_train=5, n_test=4, size=48), glyphs(n_train=9, n_test=7, size=48)
    assert more.scenes["train"][:5] == few.scenes["train"]
    assert more.scenes["test"][:4] == few.scenes["test"]
    assert np.array_equal(more.images[9 + 2], few.images[5 + 2])
    for attribute in ATTRIBUTES:
        for stream, n in (("train", 5), ("test", 4)):
            assert np.array_equal(more.strengths(attribute, stream)[:n], few.strengths(attribute, stream))


def test_another_seed_draws_other_images():
    assert not np.array_equal(draw_scene(sample_scene(0, "train", 0), 64), draw_scene(sample_scene(1, "train", 0), 64))
    assert glyphs(seed=1).fingerprint() != glyphs().fingerprint()


def test_images_follow_the_parameters():
    data = glyphs(n_train=3, n_test=2, size=40)
    assert len(data.images) == 5
    assert all(image.shape == (40, 40, 3) and image.dtype == np.uint8 for image in data.images)
    assert data.images.names == ["train-00000", "train-00001", "train-00002", "test-00000", "test-00001"]


def test_labels_change_the_fingerprint_but_not_the_images_key():
    plain, other = glyphs(n_train=9, n_test=9), glyphs(n_train=9, n_test=9, noise=0.5, similar=0.2, n_pairs=7)
    assert plain.images.collection_fingerprint == other.images.collection_fingerprint
    assert plain.fingerprint() != other.fingerprint()
    wider = glyphs(n_train=9, n_test=9, size=96)
    assert plain.images.collection_fingerprint != wider.images.collection_fingerprint


# ---------------------------------------------------------------------- the truth


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("index", [0, 5, 11])
def test_a_cues_strength_is_visible_only_inside_its_box(which, index):
    before = sample_scene(7, "train", index)
    cues = list(before.cues)
    cues[which] = dataclasses.replace(cues[which], strength=-2.0)
    blunt = draw_scene(dataclasses.replace(before, cues=tuple(cues)), 128).astype(int)
    cues[which] = dataclasses.replace(cues[which], strength=2.0)
    sharp = draw_scene(dataclasses.replace(before, cues=tuple(cues)), 128).astype(int)
    x0, y0, x1, y1 = (128 * v for v in cues[which].box)
    rows, columns = np.nonzero((blunt != sharp).any(axis=2))
    assert rows.size > 10
    assert columns.min() >= np.floor(x0)
    assert columns.max() < np.ceil(x1)
    assert rows.min() >= np.floor(y0)
    assert rows.max() < np.ceil(y1)


def test_the_number_of_dark_pixels_does_not_reveal_a_strength():
    """A blunt and a sharp glyph have the same mean colour, so global statistics do not reveal the strength."""
    for index in range(6):
        before = sample_scene(2, "train", index)
        means = []
        for strength in (-2.0, 2.0):
            cues = tuple(dataclasses.replace(cue, strength=strength) for cue in before.cues)
            means.append(draw_scene(dataclasses.replace(before, cues=cues), 128).mean(axis=(0, 1)))
        assert np.abs(means[0] - means[1]).max() < 0.3  # of 255; one glyph inked in or out is over 3


def test_a_stronger_cue_is_spikier_and_never_larger():
    for spikes in (5, 6, 7, 8):
        drawn = [outlines.glyph(spikes, visible_strength(z)) for z in np.linspace(-3, 3, 25)]
        assert (np.diff([outlines.compactness(outline) for outline in drawn]) > 0).all()
        assert np.allclose([_area(outline) for outline in drawn], np.pi)


def _area(outline: np.ndarray) -> float:
    (x, y), (u, v) = outline.T, np.roll(outline, -1, axis=0).T
    return 0.5 * abs(np.sum(x * v - u * y))


def test_the_largest_glyph_stays_on_the_paper_of_its_badge():
    reach = [outlines.glyph_radius(spikes, s) for spikes in (5, 6, 7, 8) for s in np.linspace(0, 1, 11)]
    assert max(reach) / outlines.glyph_radius(5, 1.0) * 0.7 < 0.76 * np.cos(np.pi / outlines.ROUND_CORNERS)


def test_more_crowding_adds_clutter_and_moves_nothing():
    calm = dataclasses.replace(sample_scene(4, "train", 0), crowding=-1.0)
    busy = [draw_scene(dataclasses.replace(calm, crowding=z), 128).astype(int) for z in (0.0, 1.0, 2.0)]
    changed = [(draw_scene(calm, 128) != image).any(axis=2).mean() for image in busy]
    assert 0.02 < changed[0] < changed[1] < changed[2] < 0.8


def test_the_hint_changes_the_scenery_and_no_cue():
    plain = dataclasses.replace(sample_scene(4, "train", 0), crowding=2.0)
    round_, spiky = (draw_scene(dataclasses.replace(plain, hint=z), 128).astype(int) for z in (-3.0, 3.0))
    assert (round_ != spiky).any(axis=2).mean() > 0.2
    x0, y0, x1, y1 = (int(128 * v) for v in plain.cues[0].box)
    assert np.array_equal(round_[y0 + 4 : y1 - 3, (x0 + x1) // 2], spiky[y0 + 4 : y1 - 3, (x0 + x1) // 2])


def test_the_hint_is_weakly_correlated_with_the_cues(many):
    latent = np.array([[s.hint, *(cue.strength for cue in s.cues), s.crowding] for s in many.scenes["train"]])
    correlation = np.corrcoef(latent.T)
    assert np.abs(correlation[0, 1:] - [*HINT_CORRELATION, CROWDED]).max() < 0.06
    assert np.abs(correlation[1:4, 1:4] - np.eye(3)).max() < 0.06  # one cue tells nothing of another
    assert np.abs(correlation[4, 1:4] - CROWDED * np.array(HINT_CORRELATION)).max() < 0.06
    assert np.abs(latent.std(axis=0) - 1).max() < 0.05


def test_boxes_lie_in_the_image_and_apart(many):
    boxes = many.boxes("multiscale")
    assert boxes.shape == (1500, 3, 4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[..., 2:] - boxes[..., :2] > 0.1).all()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = boxes[:, i], boxes[:, j]
        overlap = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
        assert not (overlap > 0).all(axis=1).any()


def test_the_rim_in_each_box_has_its_colour():
    """Boxes, images and cues are in the same order: inside each box, the badge has its own rim colour."""
    data = glyphs(n_train=2, n_test=12)
    test = data.task(TaskName("glyphs", "multiscale", "standard")).tests[0]
    for image, boxes in zip(test.images, test.boxes, strict=True):
        for k, (x0, y0, x1, y1) in enumerate(boxes):
            around = outlines.regular_polygon(24, 0.85 * 0.5 * (x1 - x0)) + np.array([x0 + x1, y0 + y1]) / 2
            column, row = (128 * around).astype(int).T
            colour = np.median(image[row, column], axis=0)
            assert np.abs(np.array(style.RIMS) - colour).max(axis=1).argmin() == k
            assert np.abs(np.array(style.RIMS[k]) - colour).max() < 50


def test_boxes_are_those_of_the_deciding_badges():
    data = glyphs(n_train=4, n_test=5)
    for attribute in ATTRIBUTES:
        boxes = data.task(TaskName("glyphs", attribute, "standard")).tests[0].boxes
        weights = scores.ATTRIBUTE_WEIGHTS[attribute].cues
        decide = [k for k in range(3) if weights[k] != 0]
        assert list(CUES_OF.get(attribute, ())) == decide
        if not decide:
            assert boxes is None
        else:
            assert np.array_equal(boxes, [[s.cues[k].box for k in decide] for s in data.scenes["test"]])


def test_aligned_scenes_fix_only_the_medium_badge():
    aligned = registry.dataset("glyphs-aligned").create({"n_train": 200, "n_test": 2})
    assert [task.attribute for task in aligned.tasks()] == ["local"]
    large, medium, small = (np.array([[s.cues[k].x, s.cues[k].y] for s in aligned.scenes["train"]]) for k in range(3))
    assert ALIGNED_CENTRE[0] == 0.5  # or mirroring would give it two places
    assert np.abs(medium - ALIGNED_CENTRE).max() <= aligned.jitter
    assert np.abs(medium - ALIGNED_CENTRE).max() > 0.9 * aligned.jitter
    for free in (large, small):
        assert (np.ptp(free, axis=0) > 0.5).all()
    plain = glyphs(n_train=200, n_test=2)
    assert [s.cues[1].strength for s in aligned.scenes["train"]] == [s.cues[1].strength for s in plain.scenes["train"]]
    assert aligned.fingerprint() != plain.fingerprint()
    assert "0.04 of one position" in aligned.task(aligned.tasks()[0]).protocol
    assert all(
        finding.ok
        for finding in registry.dataset("glyphs-aligned").create({"n_train": 120, "n_test": 60, "size": 48}).verify()
    )


def test_training_and_test_images_differ():
    data = glyphs(n_train=30, n_test=30, size=32)
    seen = {image.tobytes() for image in data.images}
    assert len(seen) == 60
    task = data.task(data.tasks()[0])
    assert not set(task.train.images.indices) & set(task.tests[0].images.indices)


# ---------------------------------------------------------------------- scores and pairs


def test_strengths_have_variance_one_and_scores_a_heavy_tail(many):
    for attribute in ATTRIBUTES:
        strength = many.strengths(attribute, "train")
        assert abs(strength.mean()) < 0.1
        assert abs(strength.std() - 1) < 0.06
        score = many.task(TaskName("glyphs", attribute, "standard")).train.scores
        assert np.array_equal(np.argsort(strength), np.argsort(score))  # distorted, in the same order
        z = (score - score.mean()) / score.std()
        assert (z**4).mean() > 15  # a normal has 3
        assert np.median(score) < score.mean()


def test_the_tail_falls_as_a_power():
    z = np.array([6.0, 6.5])  # far out: d log P(Z > z) = -z dz; log score grows with h z^2 / 2
    slope = np.diff(-0.5 * z**2) / np.diff(np.log(scores.heavy_tailed_scores(z)))
    assert -1 / scores.TAIL < slope[0] < -0.5 / scores.TAIL


def test_the_accuracy_ceiling_matches_a_simulation():
    for noise in (0.125, 1.0):
        data = glyphs(n_train=2, n_test=1500, noise=noise)
        judged = data.strengths("local", "test")
        true = np.array([s.cues[1].strength for s in data.scenes["test"]])
        right = np.sign(true[:, None] - true) == np.sign(judged[:, None] - judged)
        assert abs(right[np.triu_indices(true.size, 1)].mean() - scores.accuracy_ceiling(noise)) < 0.01
    assert 0.95 < scores.accuracy_ceiling(Glyphs().noise) < 0.97


def test_without_noise_strengths_equal_the_recipe():
    data = glyphs(n_train=50, n_test=50, noise=0.0)
    for attribute, recipe in scores.ATTRIBUTE_WEIGHTS.items():
        for s, strength in zip(data.scenes["test"], data.strengths(attribute, "test"), strict=True):
            expected = sum(w * cue.strength for w, cue in zip(recipe.cues, s.cues, strict=True))
            expected += recipe.crowding * s.crowding + recipe.category * scores.SHIFTS[s.category]
            assert strength == pytest.approx(expected, abs=1e-12)
        assert sum(w**2 for w in (*recipe.cues, recipe.crowding, recipe.category)) == pytest.approx(1)


def test_categories_shift_category_and_nothing_else(many):
    kinds = many.categories("train")
    for attribute in ATTRIBUTES:
        strength = many.strengths(attribute, "train")
        means = np.array([strength[kinds == c].mean() for c in range(len(CATEGORIES))])
        expected = scores.SHIFTS * scores.ATTRIBUTE_WEIGHTS[attribute].category
        assert np.abs(means - expected).max() < 0.2
    assert list(style.GROUNDS) == list(CATEGORIES)
    assert np.bincount(kinds).min() > 2500 / len(CATEGORIES) * 0.85
    assert scores.SHIFTS.mean() == pytest.approx(0)
    assert scores.SHIFTS.var() == pytest.approx(1)


def test_categories_look_different_and_share_their_colours():
    def ground(category: int) -> np.ndarray:
        canvas = Canvas(128, (220, 220, 220), (180, 180, 180))
        style.draw_ground(canvas, category, (100, 100, 100), 0.5, np.random.default_rng(1))
        return canvas.finish(np.random.default_rng(2), 0.0).astype(int)

    grounds = [ground(category) for category in range(len(CATEGORIES))]
    for i, a in enumerate(grounds):
        for b in grounds[:i]:
            assert np.abs(a - b).mean() > 4
            assert abs(a.mean() - b.mean()) < 4


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_labels_agree_with_scores(attribute):
    task = glyphs(n_train=60, n_test=50).task(TaskName("glyphs", attribute, "standard"))
    pairs, score = task.train.pairs, task.train.scores
    assert len(pairs) == 60 * 59 // 2
    ordered = pairs.label != 0
    assert (np.sign(score[pairs.left] - score[pairs.right]) == pairs.label)[ordered].all()
    ranks = np.argsort(np.argsort(score))
    assert np.abs(ranks[pairs.left] - ranks[pairs.right])[~ordered].max() < 6  # bands of a tenth: 6 images
    assert task.tests[0].pairs.n_similar == 0
    assert len(task.tests[0].pairs) == 50 * 49 // 2


def test_the_share_of_similar_pairs():
    for similar in (0.0, 0.05, 0.1, 0.5):
        data = glyphs(n_train=2000, n_test=2, similar=similar)
        pairs = data.task(TaskName("glyphs", "local", "standard")).train.pairs
        assert pairs.n_similar / len(pairs) == pytest.approx(similar, abs=0.002)


def test_sides_are_balanced_in_training_and_test():
    task = glyphs().task(TaskName("glyphs", "local", "standard"))
    for pairs in (task.train.pairs, task.tests[0].pairs):
        assert abs(pairs.label.astype(float).mean()) < 0.02


def test_all_pairs_are_implied_and_samples_are_drawn():
    task = glyphs().task(TaskName("glyphs", "global", "standard"))
    assert task.train.pairs.order is not None
    assert task.tests[0].pairs.order is not None
    some = glyphs(n_pairs=500, n_test_pairs=400).task(TaskName("glyphs", "global", "standard"))
    assert (len(some.train.pairs), len(some.tests[0].pairs)) == (500, 400)
    keys = np.sort(np.stack([some.train.pairs.left, some.train.pairs.right]), axis=0)
    assert np.unique(keys, axis=1).shape[1] == 500


def test_the_papers_scale_without_drawing_an_image(monkeypatch):
    def refuse(*_):
        raise AssertionError("an image was drawn")

    monkeypatch.setattr("relattr.datasets.glyphs.drawing.draw_scene", refuse)
    data = glyphs(n_train=8062, n_test=2016, n_pairs=1_000_000, n_test_pairs=1_000_000)
    task = data.task(TaskName("glyphs", "multiscale", "standard"))
    assert len(task.train.pairs) == len(task.tests[0].pairs) == 1_000_000
    assert len(data.images) == 10_078
    assert sum(side.nbytes for side in task.train.pairs.arrays) == 9_000_000


def test_attributes_share_images_and_differ_in_strength():
    data = glyphs(n_train=300, n_test=2)
    tasks = [data.task(name) for name in data.tasks()]
    assert [task.name.attribute for task in tasks] == list(ATTRIBUTES) == list(scores.ATTRIBUTE_WEIGHTS)
    assert len({task.train.images.collection_fingerprint for task in tasks}) == 1
    strengths = np.array([data.strengths(attribute, "train") for attribute in ATTRIBUTES])
    correlation = np.corrcoef(strengths)
    assert abs(correlation[0, 1:]).max() < 0.7  # crowding tells something of the others, far from all
    assert correlation[1, 2] == pytest.approx(np.sqrt(1 / 3), abs=0.15)


# ---------------------------------------------------------------------- pretraining


def test_pretraining_is_balanced_reproducible_and_of_its_own():
    pictures, classes = draw_pretraining_set(40, seed=5)
    assert pictures.shape == (40, 64, 64, 3)
    assert pictures.dtype == np.uint8
    assert np.ptp(np.bincount(classes, minlength=len(CLASSES))) <= 1
    fewer, _ = draw_pretraining_set(7, seed=5)
    assert np.array_equal(fewer, pictures[:7])
    assert len({p.tobytes() for p in pictures}) == 40
    assert not np.array_equal(draw_pretraining_set(7, seed=6)[0], fewer)
    tasks = {s.seed for part in glyphs(seed=5).scenes.values() for s in part}
    assert not tasks & {picture_seed(5, k) for k in range(4000)}


def test_pretraining_refuses_a_negative_number():
    with pytest.raises(BadInput, match="at least 0 pictures; got -1"):
        draw_pretraining_set(-1)


# ---------------------------------------------------------------------- parameters, checks, canvas


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_train": 1}, "n_train must be between 2 and"),
        ({"n_test": 0}, "n_test must be between 2 and"),
        ({"n_train": 10, "n_pairs": 46}, "n_pairs must be between 1 and 45, the number of pairs of 10 images"),
        ({"n_test": 10, "n_test_pairs": 0}, "n_test_pairs must be between 1 and 45"),
        ({"similar": 0.6}, "similar must be a share between 0 and 0.5; got 0.6"),
        ({"similar": float("nan")}, "similar=nan is not valid: expected a finite number"),
        ({"noise": -0.1}, "noise must be between 0 and 10; got -0.1"),
        ({"size": 16}, "size must be between 32 and 512; got 16"),
        ({"jitter": 0.3}, "jitter must be between 0 and 0.2, or None; got 0.3"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"n_train": "many"}, "n_train='many' is not valid"),
        ({"n_trains": 4}, "did you mean n_train"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(BadInput, match=message):
        glyphs(**parameters)


def test_an_unknown_task_is_refused():
    with pytest.raises(UnknownName, match="glyphs/locale/standard"):
        glyphs().task(TaskName("glyphs", "locale", "standard"))


def test_verify_passes_on_drawn_data():
    findings = glyphs(n_train=120, n_test=60, size=48).verify()
    assert len(findings) == 8
    assert all(finding.ok for finding in findings), findings


def test_verify_reports_faults(monkeypatch):
    data = glyphs(n_train=40, n_test=20, size=48)
    monkeypatch.setattr("relattr.datasets.glyphs.verification.heavy_tailed_scores", lambda strength: strength)
    shifted = [dataclasses.replace(cue, x=0.01) for cue in data.scenes["test"][0].cues]
    data.scenes["test"][0] = dataclasses.replace(data.scenes["train"][0], cues=tuple(shifted))
    wrong = {finding.what for finding in data.verify() if not finding.ok}
    assert {"heavy tail", "boxes are inside the image", "training and test scenes are distinct"} <= wrong


def test_verify_reports_an_image_that_differs_when_redrawn(monkeypatch):
    data = glyphs(n_train=40, n_test=20, size=48)
    monkeypatch.setattr("relattr.datasets.glyphs.verification.draw_scene", lambda s, size: draw_scene(s, size) ^ 1)
    assert {finding.what for finding in data.verify() if not finding.ok} == {"images are the same when drawn again"}


def test_a_polygon_covers_the_area_it_should():
    canvas = Canvas(32, (0, 0, 0), (0, 0, 0))
    canvas.fill(outlines.regular_polygon(64, 0.3) + 0.5, (255, 255, 255))
    covered = canvas.finish(np.random.default_rng(0), 0.0)[..., 0].mean() / 255
    assert covered == pytest.approx(np.pi * 0.09, rel=0.04)  # Pillow paints the border of a polygon as well
    assert FINE > 1
