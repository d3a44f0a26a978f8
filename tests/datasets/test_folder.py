"""The dataset `folder`: every kind of CSV file compared with plain loops, the split, and error messages."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from relattr.datasets import _folder_split
from relattr.datasets.folder import Folder

from relattr.check import dataset_checks
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.registry import registry
from relattr.task import Task, TaskName

N = 40
NAMES = [f"photos/{k}.png" for k in range(N)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Forty different images, and no CSV file."""
    (tmp_path / "own" / "photos").mkdir(parents=True)
    for k in range(N):
        Image.fromarray(np.full((4, 5, 3), k, np.uint8)).save(tmp_path / "own" / NAMES[k])
    return tmp_path / "own"


def write(root: Path, name: str, *lines: str) -> Path:
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def make(path: Path, **values: Any) -> Folder:
    split = {} if values.keys() & {"split", "test"} else {"split": "held-out"}
    dataset = registry.dataset("folder").create({"path": str(path), **split, **values})
    assert isinstance(dataset, Folder)
    return dataset


def random_pairs(count: int, seed: int = 0) -> list[tuple[int, int, int]]:
    """Distinct pairs of different images with the labels that their scores imply, one in five similar."""
    draw = random.Random(seed)
    some = draw.sample(list(itertools.combinations(range(N), 2)), count)
    turned = [pair if draw.random() < 0.5 else pair[::-1] for pair in some]
    return [(a, b, 0 if (a + b) % 5 == 0 else 1 if a > b else -1) for a, b in turned]


def by_name(task: Task) -> list[dict[frozenset[str], str]]:
    """Training and test pairs as ``{both names: the name of the image with more, or ""}``."""
    pairs_by_name = []
    for images, pairs in ((task.train.images, task.train.pairs), *((t.images, t.pairs) for t in task.tests)):
        names = images.names
        pairs_by_name.append(
            {
                frozenset((names[a], names[b])): "" if y == 0 else names[a] if y > 0 else names[b]
                for a, b, y in zip(*(side.tolist() for side in pairs.arrays), strict=True)
            }
        )
    return pairs_by_name


def truth(rows: list[tuple[int, int, int]]) -> dict[frozenset[str], str]:
    return {frozenset((NAMES[a], NAMES[b])): "" if y == 0 else NAMES[a if y > 0 else b] for a, b, y in rows}


# ---------------------------------------------------------------------- what the files say


@pytest.mark.parametrize("order", [("left", "right", "label", "attribute"), ("attribute", "label", "right", "left")])
def test_pairs(root: Path, order: tuple[str, ...]) -> None:
    rows = {"age": random_pairs(300), "smile": random_pairs(200, seed=1)}
    lines = [",".join(order)]
    for attribute, of_attribute in rows.items():
        for a, b, y in of_attribute:
            cells = {"left": NAMES[a], "right": f" {NAMES[b]} ", "label": str(y), "attribute": attribute}
            lines.append(",".join(cells[column] for column in order))
    dataset = make(write(root, "any.csv", *lines))
    assert list(dataset.attributes()) == list(rows)
    tested: set[str] = set()
    for attribute in rows:
        task = dataset.task(TaskName("folder", attribute, "standard"))
        train, test = by_name(task)
        known = truth(rows[attribute])
        assert train.items() | test.items() <= known.items()
        seen = set(task.train.images.names)
        assert not seen & set(task.tests[0].images.names)
        tested |= set(task.tests[0].images.names)
        # lost are exactly the pairs with one image on either side
        held_out = {dataset.comparisons.images[k] for k in dataset.protocol.parts[1]}
        assert known.keys() - train.keys() - test.keys() == {pair for pair in known if len(pair & held_out) == 1}
        assert any(f"{len(known) - len(train) - len(test)} pairs" in note for note in task.notes)
        assert task.train.scores is None
        assert task.train.categories is None
    assert tested == held_out
    assert 2 < len(held_out) < 20


def test_the_file_names_the_attribute(root: Path) -> None:
    lines = [f"{NAMES[a]},{NAMES[b]},{y}" for a, b, y in random_pairs(200)]
    assert list(make(write(root, "ripe.csv", "left,right,label", *lines)).attributes()) == ["ripe"]
    assert list(make(root / "ripe.csv").attributes()) == ["ripe"]


def test_votes(root: Path) -> None:
    draw = random.Random(3)
    rows, lines = [], ["left,right,first,second,equal"]
    for a, b, _ in random_pairs(300):
        votes = [draw.randrange(4) for _ in range(3)]
        votes[draw.randrange(3)] += 1
        label = (1, -1, 0)[votes.index(max(votes))] if votes.count(max(votes)) == 1 else 0
        rows.append((a, b, label))
        lines.append(",".join([NAMES[a], NAMES[b], *map(str, votes)]))
    train, test = by_name(make(write(root, "v.csv", *lines)).task(TaskName("folder", "v", "standard")))
    assert train.items() | test.items() <= truth(rows).items()
    assert len(train) > 100
    assert len(test) > 5


def test_scores(root: Path) -> None:
    score = {k: (7 * k) % 11 / 4 for k in range(N)}
    category = {k: "even" if k % 2 == 0 else "odd" for k in range(N)}
    some = [k for k in range(N) if k % 5]  # the second attribute has no score for some images
    lines = ["image,category,score,attribute", *(f"{NAMES[k]},{category[k]},{score[k]},all" for k in range(N))]
    lines += [f"{NAMES[k]},{category[k]},{-score[k]},some" for k in some]
    dataset = make(write(root, "s.csv", *lines))
    for attribute, images, sign in (("all", range(N), 1), ("some", some, -1)):
        task = dataset.task(TaskName("folder", attribute, "standard"))
        assert task.train.scores is not None
        assert task.train.categories is not None
        for name, value, which in zip(task.train.images.names, task.train.scores, task.train.categories, strict=True):
            k = NAMES.index(name)
            assert value == sign * score[k]
            assert task.train.category_names[which] == category[k]
        of = {NAMES[k]: sign * score[k] for k in images}
        for pairs, part in zip(by_name(task), dataset.protocol.parts, strict=True):
            inside = [dataset.comparisons.images[k] for k in part if dataset.comparisons.images[k] in of]
            assert pairs == {
                frozenset((a, b)): "" if of[a] == of[b] else max(a, b, key=of.__getitem__)
                for a, b in itertools.combinations(inside, 2)
            }


def test_the_requested_number_of_pairs_is_sampled(root: Path) -> None:
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k}" for k in range(N)))
    name = TaskName("folder", "s", "standard")
    task = make(root, n_train_pairs=50, n_test_pairs=20).task(name)
    assert (len(task.train.pairs), len(task.tests[0].pairs)) == (50, 20)
    everything = make(root).task(name)
    assert by_name(task)[0].items() <= by_name(everything)[0].items()
    many = make(root, n_train_pairs=10**9, n_test_pairs=10**9).task(name)
    assert by_name(many) == by_name(everything)


# ---------------------------------------------------------------------- the split


def test_the_split_is_drawn_by_seed_and_share(root: Path) -> None:
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k}" for k in range(N)))
    held_out = {seed: set(make(root, seed=seed).protocol.parts[1].tolist()) for seed in range(5)}
    assert len({frozenset(h) for h in held_out.values()}) == 5
    assert held_out[0] == set(make(root, seed=0).protocol.parts[1].tolist())
    for share in (0.1, 0.5, 0.8):
        train, test = make(root, test=share).protocol.parts
        assert abs(test.size - share * N) < 4 * (N * share * (1 - share)) ** 0.5
        assert sorted([*train, *test]) == list(range(N))


def test_disjoint_pairs_lose_nothing() -> None:
    left, right = np.arange(0, 2000, 2, dtype=np.int32), np.arange(1, 2000, 2, dtype=np.int32)
    test = _folder_split.draw_held_out(list(map(str, range(2000))), left, right, 0.3, seed=5)
    assert (test[left] == test[right]).all()
    assert abs(int(test.sum()) - 600) < 4 * 2 * (1000 * 0.21) ** 0.5  # 1,000 couples


def test_a_crowd_is_split_by_image_and_small_groups_stay_whole() -> None:
    left, right = (np.array(side, np.int32) for side in zip(*itertools.combinations(range(100), 2), strict=True))
    couples = np.arange(100, 200, dtype=np.int32).reshape(50, 2)
    left, right = np.append(left, couples[:, 0]), np.append(right, couples[:, 1])
    test = _folder_split.draw_held_out(list(map(str, range(200))), left, right, 0.3, seed=0)
    assert (test[couples[:, 0]] == test[couples[:, 1]]).all()
    assert 15 <= test[:100].sum() <= 45
    assert 10 <= test[100:].sum() <= 54


@pytest.mark.parametrize("n", range(4, 9))
def test_both_parts_have_images_even_if_there_are_few(n: int) -> None:
    everyone = np.arange(n, dtype=np.int32)
    for share, seed in itertools.product((0.01, 0.5, 0.99), range(4)):
        test = _folder_split.draw_held_out(list(map(str, everyone)), everyone[:-1], everyone[1:], share, seed)
        assert 2 <= test.sum() <= n - 2  # a pair needs two images


# ---------------------------------------------------------------------- what it says of itself


@pytest.mark.parametrize("check", dataset_checks("folder"), ids=lambda check: check.law.name)
def test_contract_without_a_path(check: Any) -> None:
    finding = check.run()
    assert finding.outcome != "failed", finding.detail
    if finding.outcome == "blocked":
        assert "set folder.path to a .csv file" in finding.detail


def test_contract(root: Path) -> None:
    write(root, "p.csv", "left,right,label", *(f"{NAMES[a]},{NAMES[b]},{y}" for a, b, y in random_pairs(700)))
    findings = [check.run() for check in dataset_checks("folder", values={"path": str(root), "test": 0.5})]
    assert {f.law.name: f.detail for f in findings if f.outcome != "passed"} == {}


def test_the_fingerprint_follows_the_file_and_its_images(root: Path) -> None:
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k}" for k in range(N - 1)))
    first = make(root).fingerprint()
    assert make(root).fingerprint() == first
    (root / NAMES[N - 1]).write_bytes(b"not named")
    assert make(root).fingerprint() == first
    content = (root / NAMES[3]).read_bytes()
    (root / NAMES[3]).write_bytes((root / NAMES[4]).read_bytes())
    assert make(root).fingerprint() != first
    (root / NAMES[3]).write_bytes(content)
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k + (k == 7)}" for k in range(N - 1)))
    assert make(root).fingerprint() != first


def test_verify_names_each_problem(root: Path) -> None:
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k}" for k in range(N)))
    assert all(finding.ok for finding in make(root).verify())
    (root / NAMES[3]).write_bytes((root / NAMES[4]).read_bytes())
    (root / NAMES[5]).write_bytes((root / NAMES[5]).read_bytes()[:40])
    wrong = {f.what: f.detail for f in make(root).verify() if not f.ok}
    assert wrong["no two images are identical"] == f"{NAMES[3]} = {NAMES[4]}"
    assert NAMES[5] in wrong["images can be read"]
    assert len(wrong) == 2


def test_an_unknown_task_raises(root: Path) -> None:
    write(root, "s.csv", "image,score", *(f"{NAMES[k]},{k}" for k in range(N)))
    with pytest.raises(UnknownName, match="s/standard"):
        make(root).task(TaskName("folder", "t", "standard"))


# ---------------------------------------------------------------------- faults

PAIRS = ["left,right,label", *(f"{NAMES[a]},{NAMES[b]},{y}" for a, b, y in random_pairs(200))]
VOTES = ["left,right,first,second,equal", *(f"{NAMES[a]},{NAMES[b]},3,1,1" for a, b, _ in random_pairs(200))]
SCORES = ["image,score", *(f"{NAMES[k]},{k}" for k in range(N))]


def at(lines: list[str], k: int, line: str) -> list[str]:
    return [*lines[:k], line, *lines[k + 1 :]]


FAULTS = {
    "no column": (at(PAIRS, 0, "left,right,more"), "no column 'label'; expected left,right,label"),
    "no score": (at(SCORES, 0, "image,points"), "no column 'score'; expected"),
    "misspelt column": (at(VOTES, 0, "left,right,first,second,similar"), "no column 'equal'"),
    "strange column": (["image,score,catgory", "a,1,b"], "an unknown column 'catgory'; expected image,score"),
    "column twice": (["image,score,score", "a,1,1"], "the header has the column 'score' twice"),
    "empty file": ([""], "is empty; expected the columns left,right,label"),
    "no rows": (SCORES[:1], "a header and no rows"),
    "short line": (at(PAIRS, 5, NAMES[0]), "line 6: 1 cells; expected 3"),
    "long line": (at(PAIRS, 5, PAIRS[5] + ",1"), "line 6: 4 cells; expected 3"),
    "empty cell": (at(PAIRS, 2, f"{NAMES[0]},,1"), "line 3: right is empty"),
    "NaN": (at(SCORES, 4, f"{NAMES[3]},nan"), "line 5: score is 'nan'; expected a finite number"),
    "infinity": (at(SCORES, 4, f"{NAMES[3]},-inf"), "line 5: score is '-inf'"),
    "no number": (at(SCORES, 4, f"{NAMES[3]},much"), "line 5: score is 'much'"),
    "score twice": ([*SCORES, f"{NAMES[3]},3"], f"line {N + 2}: image '{NAMES[3]}' already has a score"),
    "two categories": (
        ["image,score,category,attribute", "a,1,x,p", "a,1,y,q"],
        "line 3: image 'a' has the category 'y', but 'x' in an earlier line",
    ),
    "label": (at(PAIRS, 7, f"{NAMES[0]},{NAMES[1]},2"), "line 8: label is '2'; expected 1"),
    "votes below 0": (at(VOTES, 7, f"{NAMES[0]},{NAMES[1]},2,-1,4"), "line 8: second is '-1'; expected a count"),
    "half a vote": (at(VOTES, 7, f"{NAMES[0]},{NAMES[1]},2,1.5,4"), "line 8: second is '1.5'; expected a count"),
    "no vote": (at(VOTES, 7, f"{NAMES[0]},{NAMES[1]},0,0,0"), "line 8: no vote"),
    "itself": (at(PAIRS, 7, f"{NAMES[0]},{NAMES[0]},1"), f"line 8: image '{NAMES[0]}' is compared with itself"),
    "out of the folder": (
        at(SCORES, 4, "../secret.png,1"),
        "line 5: image '../secret.png' leads out of the folder; expected a path relative to",
    ),
    "absolute": (at(SCORES, 4, "/etc/secret.png,1"), "line 5: image '/etc/secret.png'"),
    "backslash": (at(SCORES, 4, "photos\\3.png,1"), "expected a path relative to the file's folder, with /"),
    "attribute": (["image,score,attribute", "a,1,b/c"], "line 2: attribute is 'b/c'"),
    "quotes": (at(SCORES, 4, '"photos'), "expected comma-separated UTF-8 text"),
    "contradiction": (
        ["left,right,label", "a,b,1", "c,d,1", "b,a,1"],
        "line 4: images 'a' and 'b' are compared again for 'any', and the label contradicts line 2",
    ),
    "similar or not": (["left,right,label", "a,b,1", "a,b,0"], "line 3: images 'a' and 'b' are compared again"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(root: Path, fault: str) -> None:
    lines, match = FAULTS[fault]
    dataset = make(write(root, "any.csv", *lines))
    with pytest.raises(BadInput) as error:
        dataset.task(TaskName("folder", "any", "standard"))
    assert match in str(error.value)
    assert str(root / "any.csv") in str(error.value)
    assert dataset.missing() == str(error.value)  # a plan says the same
    assert list(dataset.attributes()) == []
    (finding,) = dataset.verify()
    assert finding.detail == str(error.value)


def test_the_same_label_again_is_no_contradiction(root: Path) -> None:
    a, b, y = next(row for row in random_pairs(200) if row[2])
    dataset = make(write(root, "any.csv", *PAIRS, f"{NAMES[b]},{NAMES[a]},{-y}"))
    assert dataset.missing() is None


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda root: (root / NAMES[7]).unlink(), f"1 of the 40 images in .*any.csv does not exist: {NAMES[7]}"),
        (lambda root: write(root, "any.csv", "image,score", *(f"{NAMES[k]},1" for k in range(3))), "at least 4"),
    ],
)
def test_images_are_missing(root: Path, damage: Callable[[Path], Any], match: str) -> None:
    write(root, "any.csv", *SCORES)
    damage(root)
    with pytest.raises(Blocked, match=match):
        make(root).task(TaskName("folder", "any", "standard"))


def test_no_file_or_several(root: Path) -> None:
    for path, match in ((root, "has no .csv file; write one there"), (root / "gone.csv", "does not exist")):
        with pytest.raises(BadInput, match=match):
            make(path).task(TaskName("folder", "any", "standard"))
    write(root, "a.csv", *SCORES)
    write(root, "b.csv", *SCORES)
    with pytest.raises(BadInput, match=r"2 .csv files \(a.csv, b.csv\)"):
        make(root).task(TaskName("folder", "a", "standard"))
    assert make(root / "a.csv").missing() is None


def test_not_text(root: Path) -> None:
    (root / "any.csv").write_bytes(b"image,score\n\xff\xfe,1\n")
    with pytest.raises(BadInput, match="is not UTF-8 text"):
        make(root).task(TaskName("folder", "any", "standard"))


def test_a_byte_order_mark_as_spreadsheets_write_it(root: Path) -> None:
    (root / "any.csv").write_text("\ufeff" + "\r\n".join(SCORES), encoding="utf-8")
    assert make(root).missing() is None


@pytest.mark.parametrize("values", [{}, {"n_train_pairs": 10}])
def test_no_ordered_pair_on_one_side(root: Path, values: dict[str, int]) -> None:
    write(root, "any.csv", "image,score", *(f"{name},1" for name in NAMES))
    with pytest.raises(
        BadInput, match=r"'any' has no ordered pair to train on .*folder.test=0.3, .*: all 780 pairs are similar"
    ):
        make(root, **values).task(TaskName("folder", "any", "standard"))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"test": 0.0}, "test must be a share between 0 and 1; got 0.0"),
        ({"test": 1.0}, "got 1.0"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"n_test_pairs": 0}, "n_test_pairs must be at least 1, or None"),
    ],
)
def test_parameters_out_of_range(root: Path, values: dict[str, Any], match: str) -> None:
    with pytest.raises(BadInput, match=match):
        make(root, **values)
