"""Viral images: the real annotations give the published numbers; a small generated release with images."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from relattr.datasets import _viral_attributes as five
from relattr.datasets import _viral_files, viral

from relattr.check import dataset_checks
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.registry import registry
from relattr.system import manifest
from relattr.task import Task, TaskName

PUBLISHED = TaskName("viral", "virality", "published")
HELD_OUT = TaskName("viral", "virality", "held-out")


def make(**values: Any) -> viral.Viral:
    dataset = registry.dataset("viral").create(values)
    assert isinstance(dataset, viral.Viral)
    return dataset


# ---------------------------------------------------------------------- the real annotations

RESULTS = "Results_Computations/Relative_Attributes"


@pytest.fixture
def folder(real: Callable[[str], Path]) -> Path:
    path = real("viral")
    if make().missing_annotations():
        pytest.skip(f"real viral data not tested: {make().missing_annotations()}")
    return path


def records(folder: Path) -> dict[int, tuple[float, float, int, str]]:
    """Image id -> score, largest count, submissions, address; parsed independently of the dataset."""
    data = scipy.io.loadmat(folder / "Create_Dataset_Code/viral_datasetV2.mat", simplify_cells=True)["viral_dataset"]
    return {r["img_id"]: (r["v_score"], r["max_a_score"], r["submissions"], r["img_link"]) for r in data}


@pytest.mark.real
def test_real_scores_are_the_formula(folder: Path) -> None:
    theirs = records(folder)
    scores = make().release.scores
    assert len(theirs) == len(scores.ids) == 10_078
    mean = sum(times for _, _, times, _ in theirs.values()) / 10_078
    assert round(mean, 4) == 6.6513
    for image, score in zip(scores.ids.tolist(), scores.score.tolist(), strict=True):
        known, best, times, link = theirs[image]
        assert score == known
        assert abs(score - best * np.log(times / mean)) < 1e-9
        assert link == f"http://brie.uchicago.edu/ftp-www/Viral_total/{image}.jpg"
    assert (scores.ids.min(), scores.ids.max()) == (3, 16736)
    assert len(scores.score) - len(set(scores.score.tolist())) == 376
    assert round(float((scores.score < 0).mean()), 2) == 0.70


@pytest.mark.real
def test_real_files_verify_without_images(folder: Path) -> None:
    findings = {finding.what: finding for finding in make().verify()}
    assert len(findings) == 12
    wrong = {what: finding.detail for what, finding in findings.items() if not finding.ok}
    assert set(wrong) <= {"all images exist"}
    assert "65.18 (204 of 313)" in findings["Human Annotated Atts.-5"].detail
    assert "68.20 with ties as halves" in findings["SVM + Deep Attributes-5"].detail


@pytest.mark.real
def test_the_reason_says_how_to_get_missing_images(folder: Path) -> None:
    if (folder / "images").is_dir() or (folder / "Viral_total").is_dir():
        pytest.skip("the real images are available")
    reason = make().missing()
    assert reason is not None
    for part in ("10,078 images <img_id>.jpg", str(folder / "images"), "brie.uchicago.edu", "Ask the authors"):
        assert part in reason
    assert "relattr data fetch" not in reason  # it would not bring them
    with pytest.raises(Blocked, match=r"10,078 images <img_id>\.jpg"):
        make().fingerprint()


@pytest.mark.real
def test_tasks_and_answers_are_available_without_images(folder: Path) -> None:
    dataset = make(n_train_pairs=1000, n_test_pairs=1000)
    assert dataset.missing_labels() is None
    assert len(dataset.labels_fingerprint()) >= 40
    task = dataset.task(PUBLISHED)
    test = next(test for test in task.tests if test.name == "random-pairs")
    for answerer, signs, counts in (
        (viral.ANNOTATORS, five.HUMAN_SIGNS, (204, 109, 176)),
        (viral.RELEASED_SVMS, five.DEEP_SIGNS, (309, 131, 49)),
    ):
        answers, known = test.images.answers[answerer].of(*(test.images.indices[s] for s in sides(test.pairs)))
        assert known.all()
        votes = five.count_votes((answers @ np.array(signs)) * test.pairs.label)
        assert (votes.right, votes.wrong, votes.tied) == counts
    assert len(task.train.images.answers[viral.ANNOTATORS]) == 5039 - 489
    assert set(task.train.images.answers) == {viral.ANNOTATORS}


@pytest.mark.real
def test_real_pair_files(folder: Path) -> None:
    score = {image: record[0] for image, record in records(folder).items()}
    pairs = scipy.io.loadmat(folder / "pair_matrix.mat")["pair_matrix_spot"].tolist()
    assert sorted(image for pair in pairs for image in pair) == sorted(score)
    assert all(score[a] > score[b] for a, b in pairs)
    random_pairs = scipy.io.loadmat(folder / "Top_489_pair.mat")["top_pair_matrix_489"].tolist()
    split = make().release.split
    assert split.scores.ids[split.random_pairs].tolist() == random_pairs
    assert {tuple(pair) for pair in random_pairs} < {tuple(pair) for pair in pairs}
    ranked = sorted(score, key=score.__getitem__)
    low, high = (set(split.scores.ids[part].tolist()) for part in split.extremes)
    assert (low, high) == (set(ranked[:250]), set(ranked[-250:]))
    assert Counter(len({a, b} & (low | high)) for a, b in random_pairs) == {1: 478, 2: 11}


@pytest.mark.real
def test_real_splits(folder: Path) -> None:
    split = make(n_train_pairs=200_000, n_test_pairs=50_000).release.split
    train, test = split.parts
    assert (len(train), len(test)) == (8062, 2016)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(10_078))
    sets = split.test_pairs
    assert {name: len(pairs) for name, pairs in sets.items()} == {
        "complete": 50_000,
        "pairs": 62_500,
        "pairs-matching": 250,
        "random-pairs": 489,
    }
    score = split.scores.score
    for pairs in sets.values():
        assert (np.sign(score[pairs.left] - score[pairs.right]) == pairs.label).all()
        assert abs((pairs.label == 1).mean() - 0.5) < 5 * 0.5 / len(pairs) ** 0.5
    fixed = set(sets["pairs"].images.tolist()) | set(sets["random-pairs"].images.tolist())
    assert len(fixed) == 978
    assert set(sets["complete"].images.tolist()) <= set(test.tolist())
    held_out = split.training_images("held-out")
    assert set(held_out.tolist()) == set(train.tolist()) - fixed
    assert split.training_images("published") is train
    fixed_pairs = {frozenset(p) for s in ("pairs", "random-pairs") for p in zip(*sides(sets[s]), strict=True)}
    for name in drawn_splits():
        pairs = split.training_pairs(name)
        assert len(pairs) == 200_000
        assert pairs.n_similar == 0
        assert set(pairs.images.tolist()) <= set(split.training_images(name).tolist())
        assert not fixed_pairs & {frozenset(p) for p in zip(*sides(pairs), strict=True)}
        assert len({frozenset(p) for p in zip(*sides(pairs), strict=True)}) == 200_000


def drawn_splits() -> tuple[str, ...]:
    return tuple(make().splits())


def sides(pairs: Any) -> tuple[list[int], list[int]]:
    return pairs.left.tolist(), pairs.right.tolist()


@pytest.mark.real
def test_real_categories(folder: Path) -> None:
    with (
        (folder / "Create_Dataset_Code/img_id.csv").open() as one,
        (folder / "Create_Dataset_Code/subreddit.csv").open() as other,
    ):
        submissions = list(zip((row[0] for row in csv.reader(one)), (line.strip() for line in other), strict=True))
    assert len(submissions) == 132_307
    groups = list(dict.fromkeys(group for group, _ in submissions))
    chosen, names = make().release.image_categories()
    five_of = ("funny", "WTF", "aww", "atheism", "gaming")
    assert names == five_of
    assert np.bincount(chosen + 1).tolist() == [4048, 4683, 521, 428, 166, 232]  # the first has no category
    submitted: dict[str, set[str]] = {}
    for group, subreddit in submissions:
        submitted.setdefault(group, set()).add(subreddit)
    for image, k in zip(make().release.scores.ids.tolist(), chosen.tolist(), strict=True):
        hit = submitted[groups[image - 1]] & set(five_of)
        assert hit == {names[k]} if k >= 0 else len(hit) != 1
    chosen, names = make(categories="subreddits").release.image_categories()
    counts = Counter(names[k] for k in chosen.tolist() if k >= 0)
    assert [counts[n] for n in (*five_of, "pics")] == [5243, 832, 517, 268, 308, 2611]


@pytest.mark.real
def test_real_human_attributes_give_the_published_number(folder: Path) -> None:
    votes = five.human_attributes(folder)
    assert (votes.right, votes.wrong, votes.tied) == (204, 109, 176)
    assert round(100 * votes.accuracy_without_ties, 2) == 65.18
    assert round(100 * votes.accuracy_with_half_ties, 2) == 59.71
    # on all annotated pairs
    everywhere = five.count_votes(five.read_annotations(folder).vote(five.HUMAN_SIGNS))
    assert (round(100 * everywhere.accuracy_without_ties, 1), round(100 * everywhere.accuracy_with_half_ties, 1)) == (
        57.9,
        55.1,
    )
    # counted again, from the files alone
    load = {k: scipy.io.loadmat(folder / f"{k}.mat") for k in ("pair_matrix", "virality_label", "Attribute_matrix")}
    tested = set(map(tuple, scipy.io.loadmat(folder / "Top_489_pair.mat")["top_pair_matrix_489"].tolist()))
    right = wrong = 0
    for pair, label, (animal, synthetic, beautiful, explicit, sexual) in zip(
        load["pair_matrix"]["pair_matrix_spot"].tolist(),
        load["virality_label"]["virality_label_spot"].ravel().tolist(),
        load["Attribute_matrix"]["Attribute_matrix_spot"].tolist(),
        strict=True,
    ):
        left_has_more = animal + synthetic - beautiful + explicit + sexual
        for_the_viral_one = left_has_more if label == 1 else -left_has_more
        right += tuple(pair) in tested and for_the_viral_one > 0
        wrong += tuple(pair) in tested and for_the_viral_one < 0
    assert (right, wrong) == (204, 109)


@pytest.mark.real
def test_deep_attributes_and_noise_give_the_published_number(folder: Path) -> None:
    votes = five.deep_attributes(folder)
    assert (votes.right, votes.wrong, votes.tied) == (309, 131, 49)
    assert 68.1 <= 100 * votes.accuracy_with_half_ties <= 68.25
    answers = five.read_predictions(folder)
    # ties broken at random a hundred times, as published: 68.10
    vote = answers.vote(five.DEEP_SIGNS)
    coin = random.Random(0)
    broken = [sum(v > 0 or (v == 0 and coin.random() < 0.5) for v in vote.tolist()) / 489 for _ in range(100)]
    assert abs(100 * sum(broken) / 100 - 68.10) < 0.4
    # the first k attributes alone
    for k, known in enumerate((52.5, 58.8, 61.9, 67.4, 68.2), start=1):
        signs = [*five.DEEP_SIGNS[:k], *[0] * (5 - k)]
        assert round(100 * five.count_votes(answers.vote(signs)).accuracy_with_half_ties, 1) == known
    noise = 100 * five.shuffled_accuracy(answers, five.DEEP_SIGNS, times=300)
    assert abs(noise.mean() - 67.0) < 0.3
    assert abs(noise.std() - 1.0) < 0.2
    # each SVM against the answers of people: none but the first reaches the commonest answer
    truth = five.read_annotations(folder).select(answers.ids).answers
    agree = [round(100 * float(np.mean(answers.answers[:, k] == truth[:, k])), 1) for k in range(5)]
    commonest = [100 * max(Counter(truth[:, k].tolist()).values()) / 489 for k in range(5)]
    assert agree == [58.3, 35.2, 22.9, 21.3, 38.2]
    assert [a > b for a, b in zip(agree, commonest, strict=True)] == [True, False, False, False, False]


# ---------------------------------------------------------------------- votes


def test_votes_count_ties_apart() -> None:
    votes = five.count_votes([3, 1, -2, 0, 0])
    assert (votes.right, votes.wrong, votes.tied) == (2, 1, 2)
    assert votes.accuracy_without_ties == 2 / 3
    assert votes.accuracy_with_half_ties == 3 / 5
    nothing = five.count_votes([])
    assert np.isnan([nothing.accuracy_without_ties, nothing.accuracy_with_half_ties]).all()


def test_shuffling_keeps_each_attribute_and_loses_the_pairs() -> None:
    answers = np.zeros((1000, 5), np.int8)
    answers[:600, :3], answers[600:, :3] = 1, -1  # three attributes that always agree, right in 60 %
    pairs = five.PairAttributes(np.arange(2000).reshape(1000, 2), answers)
    signs = (1, 1, 1, 0, 0)
    assert five.count_votes(pairs.vote(signs)).accuracy_with_half_ties == 0.6
    shuffled = five.shuffled_accuracy(
        pairs, signs, times=40, seed=1
    )  # a majority of three that are right in 60 %, each by itself
    assert abs(shuffled.mean() - (0.6**3 + 3 * 0.6**2 * 0.4)) < 0.01
    assert (five.shuffled_accuracy(pairs, signs, times=40, seed=1) == shuffled).all()
    assert (
        five.shuffled_accuracy(pairs, (0, 1, 0, 0, 0), times=5) == 0.6
    ).all()  # of one attribute the counts are all there is
    assert (pairs.answers[:600, :3] == 1).all()  # the pairs themselves stay
    with pytest.raises(BadInput, match=r"signs are \[1, 2\]; expected 5 of -1, 0 and 1"):
        pairs.vote([1, 2])
    with pytest.raises(BadInput, match="images 1 and 0 are not one of the 1,000 annotated pairs"):
        pairs.select(np.array([[1, 0]]))


# ---------------------------------------------------------------------- a small release

N, EXTREMES, PAIRS = 40, 5, 6
IDS = list(range(3, 3 + 2 * N, 2))  # ascending in score, and every second image of the crawl scores


def scores() -> list[tuple[float, int]]:
    """Largest count and number of submissions of each image."""
    draw = random.Random(1)
    return [(round(draw.uniform(1, 9), 3), draw.randrange(1, 12)) for _ in range(N)]


class ViralVariables:
    """The variables of a small release; a test changes some and writes them."""

    def __init__(self) -> None:
        drawn_scores = scores()
        mean = sum(times for _, times in drawn_scores) / N
        order = sorted(range(N), key=lambda i: drawn_scores[i][0] * np.log(drawn_scores[i][1] / mean))
        draw = random.Random(2)
        self.records: list[dict[str, Any]] = []
        self.submissions: list[tuple[int, str, float]] = []
        # the number of an image among all crawled ones is its id; every second one has no score
        group_of = {image: 1000 + 7 * image for image in range(1, max(IDS) + 1)}
        times_of = {}
        for image, i in zip(IDS, order, strict=True):
            best, times = drawn_scores[i]
            score = best * np.log(times / mean)
            times_of[image] = best, times
            fields = {"img_id": image, "SNAP_id": group_of[image], "v_score": score, "max_a_score": best}
            self.records.append({**fields, "submissions": times, "img_link": f"http://gone/{image}.jpg"})
        for image in range(1, max(IDS) + 1):
            best, times = times_of.get(image, (1.0, 1))
            for k in range(times):
                subreddit = draw.choice(_viral_files.SUBREDDIT_NAMES[:7])
                self.submissions.append((group_of[image], subreddit, best if k == 0 else best / 2))
            self.submissions.append((group_of[image], "elsewhere", 99.0))  # does not count
        ranked = [record["img_id"] for record in self.records]
        self.random_pairs = [[ranked[-1 - k], ranked[(k + 3) % 8]] for k in range(PAIRS)]
        rest = [image for image in ranked if image not in {i for pair in self.random_pairs for i in pair}]
        half = len(rest) // 2
        self.pairs = [*self.random_pairs, *zip(rest[half:], rest[:half], strict=True)]
        self.labels = [[k % 2] for k in range(N // 2)]
        self.answers = [[draw.choice((-1, 0, 1)) for _ in range(5)] for _ in range(N // 2)]

    def write(self, root: Path) -> None:
        cells = np.empty((1, len(self.records)), object)
        for k, record in enumerate(self.records):
            cells[0, k] = record
        (root / "Create_Dataset_Code").mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(root / _viral_files.SCORES, {"viral_dataset": cells})
        for file, k in ((_viral_files.GROUPS, 0), (_viral_files.SUBREDDITS, 1), (_viral_files.STRENGTHS, 2)):
            (root / file).write_text("".join(f"{row[k]}\n" for row in self.submissions))
        save(root / "Top_489_pair.mat", top_pair_matrix_489=np.array(self.random_pairs, np.uint16))
        save(root / "pair_matrix.mat", pair_matrix_spot=np.array(self.pairs, np.uint16))
        save(root / "virality_label.mat", virality_label_spot=np.array(self.labels, np.uint8))
        save(root / "Attribute_matrix.mat", Attribute_matrix_spot=np.array(self.answers, np.int16))

    def write_predictions(self, root: Path, answers: np.ndarray[Any, Any]) -> None:
        """Predictions ``(PAIRS, 5)`` in {-1, 0, 1}, each attribute's in an order of its own."""
        for k, (file, split) in enumerate(zip(five.PREDICTIONS, five.SPLITS, strict=True)):
            order = random.Random(k).sample(range(PAIRS), PAIRS)
            cuts = [order[:2], order[2:3], order[3:]]
            classes = np.empty((1, 3), object)
            for c, (name, rows) in enumerate(zip(("positive", "negative", "neutral"), cuts, strict=True)):
                tested = np.empty((1, len(rows)), object)
                for j, row in enumerate(rows):
                    tested[0, j] = np.array([[self.random_pairs[row][0]]], np.uint16)
                classes[0, c] = {"ClassName": f"./{name}", "TestingID": tested}
            outer = np.empty((1, 1), object)
            outer[0, 0] = classes
            save(root / split, split=outer)
            hats = np.array([[{1: 1, -1: 2, 0: 3}[int(answers[row, k])]] for row in order], np.uint8)
            save(root / file, class_hat=hats)


def save(path: Path, **variables: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, variables)


@pytest.fixture
def files() -> ViralVariables:
    return ViralVariables()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: ViralVariables) -> Path:
    """The folder of a complete small release of 40 images."""
    folder = tmp_path / "data" / "viral"
    files.write(folder)
    (folder / "images").mkdir()
    for i in IDS:
        pixels = np.random.default_rng(i).integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{i}.jpg")
    manifest.write_manifest(tmp_path / "viral.txt", folder, ["Create_Dataset_Code", "Top_489_pair.mat"])
    for name, value in {
        "manifest": tmp_path / "viral.txt",
        "n_images": N,
        "n_extremes": EXTREMES,
        "n_random_pairs": PAIRS,
    }.items():
        monkeypatch.setattr(viral.Viral, name, value)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    return folder


def small(**values: Any) -> viral.Viral:
    return make(**{"n_train_pairs": 60, "n_test_pairs": 15, **values})


def named(task_images: Any, pairs: Any) -> dict[frozenset[int], int]:
    """``{ids of a pair: the id of the image with more}``."""
    ids = [int(Path(name).stem) for name in task_images.names]
    winners = {}
    for left, right, label in zip(*(side.tolist() for side in pairs.arrays), strict=True):
        winners[frozenset((ids[left], ids[right]))] = ids[left] if label == 1 else ids[right]
    return winners


@pytest.mark.parametrize("name", [PUBLISHED, HELD_OUT])
@pytest.mark.parametrize("kept_in", ["images", "Viral_total"])
def test_a_task_has_the_pairs_of_the_release(root: Path, files: ViralVariables, name: TaskName, kept_in: str) -> None:
    if kept_in != "images":
        (root / "images").rename(root / kept_in)
    dataset = small()
    assert dataset.missing() is None
    assert dataset.tasks() == [PUBLISHED, HELD_OUT]
    task = dataset.task(name)
    ranked = [record["img_id"] for record in files.records]  # ascending
    rank = {image: k for k, image in enumerate(ranked)}
    tests = {test.name: named(test.images, test.pairs) for test in task.tests}
    low, high = ranked[:EXTREMES], ranked[-EXTREMES:]
    assert tests["pairs"] == {frozenset((a, b)): b for a in low for b in high}
    assert sorted(i for pair in tests["pairs-matching"] for i in pair) == sorted([*low, *high])
    assert set(tests["pairs-matching"].items()) <= set(tests["pairs"].items())
    assert tests["random-pairs"] == {frozenset(pair): pair[0] for pair in files.random_pairs}
    assert len(tests["complete"]) == 15
    trained = named(task.train.images, task.train.pairs)
    assert len(trained) == 60
    for judged in (trained, *tests.values()):
        for pair, more in judged.items():
            assert rank[more] == max(rank[i] for i in pair)
    images = {int(Path(n).stem) for n in task.train.images.names}
    complete = next(test for test in task.tests if test.name == "complete")
    assert len(complete.images) == 8
    assert not images & {int(Path(n).stem) for n in complete.images.names}
    fixed = {i for key in ("pairs", "random-pairs") for pair in tests[key] for i in pair}
    assert not set(trained) & {*tests["pairs"], *tests["random-pairs"]}
    if name is HELD_OUT:
        assert not images & fixed
        assert all(test.note == "" for test in task.tests)
        assert any("not the published split" in note for note in task.deviations)
    else:
        assert len(images) == 32
        assert images & fixed
        by_name = {test.name: test.note for test in task.tests}
        assert by_name["complete"] == ""
        shared = len(images & {i for pair in tests["pairs"] for i in pair})
        assert by_name["pairs"] == f"{shared} of the 10 images of pairs are also trained on"
        assert any("this protocol leaks" in note for note in task.notes)
    # scores, and pixels
    of_id = {record["img_id"]: record["v_score"] for record in files.records}
    assert task.train.scores is not None
    for image, score in zip(task.train.images.names, task.train.scores.tolist(), strict=True):
        assert score == of_id[int(Path(image).stem)]
    with Image.open(root / kept_in / task.train.images.names[0]) as image:
        assert (task.train.images[0] == np.asarray(image)).all()
    assert task.train.images.n_collection == N


def test_all_pairs_are_held_as_scores(root: Path, files: ViralVariables) -> None:
    task = make(n_train_pairs=None, n_test_pairs=None).task(HELD_OUT)
    n = len(task.train.images)
    assert task.train.pairs.order is not None
    assert len(task.train.pairs) == n * (n - 1) // 2
    assert len(task.tests[0].pairs) == 8 * 7 // 2
    published = make(n_train_pairs=None).release.split
    assert len(published.training_pairs("published")) == 32 * 31 // 2
    assert any("those pairs too" in note for note in make(n_train_pairs=None, n_test_pairs=9).task(PUBLISHED).notes)


def test_no_more_pairs_than_exist_are_drawn(root: Path) -> None:
    split = small().release.split
    images = split.training_images("published").tolist()
    score = split.scores.score
    tested = {frozenset(p) for s in ("pairs", "random-pairs") for p in zip(*sides(split.test_pairs[s]), strict=True)}
    possible = sum(score[a] != score[b] and frozenset((a, b)) not in tested for a, b in combinations(images, 2))
    every = small(n_train_pairs=possible).release.split.training_pairs("published")
    assert len({frozenset(p) for p in zip(*sides(every), strict=True)}) == possible
    with pytest.raises(BadInput, match=rf"n_train_pairs={possible + 1}, .* expected 1 to {possible}, or None for all"):
        small(n_train_pairs=possible + 1).release.split.training_pairs("published")
    with pytest.raises(BadInput, match="n_test_pairs=0"):
        _ = small(n_test_pairs=0).release.split.test_pairs


def test_only_the_seed_determines_split_pairs_and_sides(root: Path) -> None:
    def prints(task: Task) -> list[str]:
        return [*task.train.images.names, task.train.pairs.fingerprint(), *(t.pairs.fingerprint() for t in task.tests)]

    first = prints(small().task(PUBLISHED))
    assert prints(small().task(PUBLISHED)) == first
    assert prints(small(categories="subreddits").task(PUBLISHED)) == first
    other = small(seed=1).task(PUBLISHED)
    assert all(a != b for a, b in zip(first[-5:], prints(other)[-5:], strict=True))
    assert other.train.images.names != small().task(PUBLISHED).train.images.names
    # fewer pairs are the first of more; the test sets are the same for both splits
    few, many = (small(n_train_pairs=n).release.split.training_pairs("held-out") for n in (20, 60))
    assert (many.left[:20] == few.left).all()
    for a, b in zip(small().task(PUBLISHED).tests, small().task(HELD_OUT).tests, strict=True):
        assert (a.images.names, a.pairs.fingerprint()) == (b.images.names, b.pairs.fingerprint())


def test_categories(root: Path, files: ViralVariables) -> None:
    subreddits: dict[int, list[str]] = {}
    for group, subreddit, _ in files.submissions:
        subreddits.setdefault(group, []).append(subreddit)
    group_of = {record["img_id"]: record["SNAP_id"] for record in files.records}
    for kind in ("five", "subreddits"):
        train = small(categories=kind).task(HELD_OUT).train
        assert train.categories is not None
        for image, k in zip(train.images.names, train.categories.tolist(), strict=True):
            of = subreddits[group_of[int(Path(image).stem)]]
            hit = {"funny", "WTF", "aww", "atheism", "gaming"} & set(of)
            if kind == "five":
                assert len(train.category_names) == 5
                assert hit == {train.category_names[k]} if k >= 0 else len(hit) != 1
            else:
                most = max(of.count(s) for s in of)
                expected = next(s for s in of if of.count(s) == most)
                assert expected == train.category_names[k] if k >= 0 else expected not in _viral_files.SUBREDDIT_NAMES
    with pytest.raises(BadInput, match="categories='seven'"):
        make(categories="seven")


def test_the_fingerprint_is_of_images_scores_and_pairs(root: Path, files: ViralVariables) -> None:
    first = small().fingerprint()
    (root / "SOURCE.md").write_text("a note")
    assert small(seed=3, n_train_pairs=2).fingerprint() == first
    files.random_pairs = files.random_pairs[::-1]
    files.write(root)
    second = small().fingerprint()
    (root / f"images/{IDS[0]}.jpg").write_bytes((root / f"images/{IDS[1]}.jpg").read_bytes())
    assert len({first, second, small().fingerprint()}) == 3


def test_predictions_are_put_into_the_order_of_the_pairs(root: Path, files: ViralVariables) -> None:
    answers = np.random.default_rng(0).integers(-1, 2, (PAIRS, 5))
    files.write_predictions(root, answers)
    predictions = five.read_predictions(root)
    assert predictions.ids.tolist() == files.random_pairs
    assert (predictions.answers == answers).all()
    annotated = five.read_annotations(root)
    signs = [1 if label == [1] else -1 for label in files.labels]
    assert annotated.answers.tolist() == [[s * a for a in row] for s, row in zip(signs, files.answers, strict=True)]
    assert annotated.select(predictions.ids).ids.tolist() == files.random_pairs


def test_answers_on_test_pairs_are_not_in_the_training_images(root: Path, files: ViralVariables) -> None:
    answers = np.random.default_rng(0).choice((-1, 0, 1), size=(PAIRS, 5))
    files.write_predictions(root, answers)
    for path in (root / "images").iterdir():
        path.unlink()
    dataset = small()
    assert dataset.missing_labels() is None
    assert dataset.missing() is not None
    with_predictions = dataset.labels_fingerprint()
    task = dataset.task(HELD_OUT)
    by_name = {test.name: test for test in task.tests}
    assert not by_name["complete"].images.answers
    test = by_name["random-pairs"]
    ids = np.array([int(Path(name).stem) for name in test.images.names])
    of_pair = {frozenset(pair): k for k, pair in enumerate(files.random_pairs)}
    for left, right, label in zip(*(side.tolist() for side in test.pairs.arrays), strict=True):
        k = of_pair[frozenset((ids[left], ids[right]))]
        places = test.images.indices[[left]], test.images.indices[[right]]
        predicted, _ = test.images.answers[viral.RELEASED_SVMS].of(*places)
        annotated, _ = test.images.answers[viral.ANNOTATORS].of(*places)
        assert (label * predicted[0]).tolist() == answers[k].tolist()
        sign = 1 if files.labels[k] == [1] else -1
        assert (label * annotated[0]).tolist() == [sign * a for a in files.answers[k]]
    assert len(task.train.images.answers[viral.ANNOTATORS]) == N // 2 - PAIRS
    asked = task.train.images.answers[viral.ANNOTATORS].of(*test.images.indices[np.array(sides(test.pairs))])
    assert not asked[1].any()
    with pytest.raises(BadInput, match=r"images/\d+\.jpg"):
        task.train.images.collection_fingerprint  # noqa: B018 - there is no image to look at
    for path in (*five.PREDICTION_FILES, five.LABELS):
        (root / path).unlink()
    again = small()
    assert again.labels_fingerprint() != with_predictions
    assert not again.task(HELD_OUT).train.images.answers


# ---------------------------------------------------------------------- what is missing or wrong


def test_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    reason = make().missing()
    assert reason is not None
    for part in ("relattr data fetch viral", "4 of 4 annotation files", "10,078 images <img_id>.jpg", str(tmp_path)):
        assert part in reason
    with pytest.raises(Blocked, match="relattr data fetch viral"):
        make().task(PUBLISHED)
    (finding,) = make().verify()
    assert not finding.ok


def test_an_image_or_a_file_is_missing(root: Path) -> None:
    (root / "images/5.jpg").unlink()
    reason = small().missing()
    assert reason is not None
    assert "1 of 40 images are missing (first images/5.jpg)" in reason
    with pytest.raises(Blocked, match=r"images/5\.jpg"):
        small().fingerprint()
    (root / "Top_489_pair.mat").unlink()
    reason = small().missing()
    assert reason is not None
    assert "first Top_489_pair.mat" in reason


@pytest.mark.parametrize(
    "name",
    [("viral", "smile", "published"), ("viral", "virality", "standard"), ("osr", "a", "b")],
)
def test_an_unknown_task_raises(root: Path, name: tuple[str, str, str]) -> None:
    with pytest.raises(UnknownName, match="no task is called"):
        small().task(TaskName(*name))
    with pytest.raises(UnknownName, match="no split of viral"):
        small().release.split.training_images("nope")


def test_contract_on_a_small_release(root: Path) -> None:
    values = {"n_train_pairs": 60, "n_test_pairs": 15}
    findings = {check.law.name: check.run() for check in dataset_checks("viral", values=values)}
    failed = {law: f.detail for law, f in findings.items() if f.outcome == "failed"}
    assert list(failed) == ["verify"]  # it expects the counts of the real files


def test_a_damaged_list_of_images_blocks_and_fails_the_task(root: Path) -> None:
    path = root / _viral_files.SCORES
    path.write_bytes(path.read_bytes()[:-400])
    reason = small().missing()
    assert reason is not None
    assert "is it truncated?" in reason
    for use in (small().fingerprint, lambda: small().task(PUBLISHED)):
        with pytest.raises(BadInput, match=r"viral_datasetV2\.mat is not a complete MATLAB file"):
            use()


def _record(k: int, **changed: Any) -> Callable[[ViralVariables], None]:
    def change(files: ViralVariables) -> None:
        files.records[k] = {name: v for name, v in {**files.records[k], **changed}.items() if v is not None}

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.records.pop(), "viral_dataset has 39 images; expected 40"),
        (_record(4, v_score=None), "viral_dataset, image 5 has no field 'v_score'"),
        (_record(4, v_score=np.nan), r"v_score of image \d+ is nan; expected a finite number"),
        (_record(4, v_score=np.array([1.0, 2.0])), "image 5 is not a record of single numbers"),
        (_record(4, v_score="much"), "image 5 is not a record of single numbers"),
        (_record(4, img_id=5), "img_id 5 is listed twice"),
        (_record(4, img_id=0), "img_id 0 is below 1"),
        (_record(4, img_id=4.5), r"img_id has the value 4\.5; expected an integer"),
        (_record(4, submissions=0), "submissions 0 is below 1"),
        (_record(4, SNAP_id=5), r"no submission of image group 5"),
        (lambda f: f.random_pairs.pop(), "top_pair_matrix_489 has 5 pairs; expected 6"),
        (
            lambda f: f.random_pairs[0].reverse(),
            r"Top_489_pair\.mat, row 1: image \d+ has the score .* more viral",
        ),
        (lambda f: f.random_pairs[2].__setitem__(0, 4), r"Top_489_pair\.mat names image 4, which is not among the 40"),
        (lambda f: f.random_pairs[2].__setitem__(0, 0), "names image 0; ids count from 1"),
        (lambda f: f.random_pairs[2].__setitem__(0, f.random_pairs[2][1]), "pair 3 has image .* on both sides"),
        (lambda f: f.random_pairs.__setitem__(2, f.random_pairs[1][::-1]), "paired twice, with opposite labels"),
        (lambda f: f.random_pairs.__setitem__(2, f.random_pairs[1]), "paired twice, with the same label"),
        (lambda f: f.submissions.__setitem__(7, ("x", "funny", 1.0)), r"img_id\.csv, line 8: 'x'; expected the number"),
        (lambda f: f.submissions.__setitem__(7, (1007, "", 1.0)), r"subreddit\.csv, line 8: ''; expected a subreddit"),
    ],
)
def test_a_fault_is_named(
    root: Path, files: ViralVariables, change: Callable[[ViralVariables], Any], match: str
) -> None:
    change(files)
    files.write(root)
    for i in (0, 4):  # ids that a change brings in
        (root / f"images/{i}.jpg").write_bytes((root / f"images/{IDS[0]}.jpg").read_bytes())
    with pytest.raises(BadInput, match=match) as error:
        small().task(HELD_OUT)
    assert str(root) in str(error.value)


def test_equal_scores_at_the_edge_of_the_extremes(root: Path, files: ViralVariables) -> None:
    files.records[EXTREMES]["v_score"] = files.records[EXTREMES - 1]["v_score"]
    files.write(root)
    with pytest.raises(BadInput, match=r"only some can be among the 5 least viral ones"):
        small().task(HELD_OUT)


@pytest.mark.parametrize(
    ("file", "variable", "value", "match"),
    [
        ("Top_489_pair.mat", "top_pair_matrix_489", np.zeros((3, 6)), r"shape \(3, 6\); expected \(n, 2\)"),
        ("Top_489_pair.mat", "top_pair_matrix_489", np.full((6, 2), 1.5), "1.5; expected an integer"),
        ("Top_489_pair.mat", "top_pair_matrix_489", np.array([["a", "b"]], object), "not a number"),
        ("Top_489_pair.mat", "pairs", np.ones((6, 2)), "has no variable 'top_pair_matrix_489'"),
    ],
)
def test_a_bad_list_of_pairs(root: Path, file: str, variable: str, value: Any, match: str) -> None:
    save(root / file, **{variable: value})
    with pytest.raises(BadInput, match=match) as error:
        small().task(HELD_OUT)
    assert file in str(error.value)


def test_files_of_submissions_of_unequal_length(root: Path) -> None:
    path = root / _viral_files.SUBREDDITS
    path.write_text("\n".join(path.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(BadInput, match=r"img_id\.csv has .* but .*subreddit\.csv has .*truncated"):
        small().task(HELD_OUT)


@pytest.mark.parametrize(
    ("file", "variables", "match"),
    [
        ("virality_label.mat", {"virality_label_spot": np.full((20, 1), 2)}, r"row 1 is 2; expected \[0, 1\]"),
        (
            "virality_label.mat",
            {"virality_label_spot": np.ones((19, 1))},
            "has 19 rows; expected 20",
        ),
        (
            "Attribute_matrix.mat",
            {"Attribute_matrix_spot": np.full((20, 5), 3)},
            r"row 1 is \[3, 3, 3, 3, 3\];",
        ),
        ("Attribute_matrix.mat", {"Attribute_matrix_spot": np.zeros((20, 4))}, r"shape \(20, 4\); expected \(n, 5\)"),
        (five.PREDICTIONS[1], {"class_hat": np.full((PAIRS, 1), 4)}, r"row 1 is 4; expected \[1, 2, 3\]"),
        (five.PREDICTIONS[1], {"class_hat": np.ones((PAIRS - 1, 1))}, "has 5 rows; expected 6"),
        (five.SPLITS[4], {"split": np.ones((1, 1))}, "split is not a cell array of classes with TestingID"),
    ],
)
def test_bad_answers_are_named(
    root: Path, files: ViralVariables, file: str, variables: dict[str, Any], match: str
) -> None:
    files.write_predictions(root, np.zeros((PAIRS, 5), int))
    save(root / file, **variables)
    read = five.read_predictions if file.startswith("Results") else five.read_annotations
    with pytest.raises(BadInput, match=match) as error:
        read(root)
    assert file in str(error.value)


def test_predictions_for_other_pairs(root: Path, files: ViralVariables) -> None:
    files.write_predictions(root, np.zeros((PAIRS, 5), int))
    files.random_pairs[3][0] = 7
    files.write(root)
    with pytest.raises(BadInput, match=r"split_A1_Top\.mat has 6 test images; expected the 6 more viral images"):
        five.read_predictions(root)


def test_verify_detects_inconsistent_files(root: Path, files: ViralVariables) -> None:
    def wrong() -> set[str]:
        return {finding.what for finding in small().verify() if not finding.ok}

    always = {  # a small release has other counts, and files that were not written here
        "the most and least viral images",
        "categories",
        "answers on five attributes",
        "Human Annotated Atts.-5",
        "SVM + Deep Attributes-5",
    }
    before = wrong()
    assert before <= always
    files.records[9]["max_a_score"] += 1e-6
    files.write(root)
    more = wrong() - before
    assert more == {
        "scores are A ln(M / mean M)",
        "A and M follow from the submissions",
        "annotations have their checksums",
    }
    files.pairs[-1] = files.pairs[-2][::-1]
    files.write(root)
    assert "the annotated pairs have every image once, the more viral one first" in wrong()


def test_the_downloads_are_all_files() -> None:
    downloads = {download.path: download for download in make().downloads()}
    assert len(downloads) == 20
    scores = downloads["Create_Dataset_Code/viral_datasetV2.mat"]
    assert scores.mirrors == (
        "https://raw.githubusercontent.com/ArturoDeza/virality/5a62d3022b8687cf5ce596b5fd92fa4585399615/"
        "Create_Dataset_Code/viral_datasetV2.mat",
    )
    assert scores.sha256 == "1939b3688ea625a957f2a5a9e1fb373772f9cec0d6bb2f15fc88d1c082506ef2"
    assert {*viral.REQUIRED_FILES, *five.PREDICTIONS, *five.SPLITS, five.LABELS, five.ANNOTATIONS} < set(downloads)
