"""LFW-10: the real files have the published counts; small generated releases of both layouts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from relattr.datasets import lfw10

from relattr.errors import BadInput, Blocked, UnknownName
from relattr.registry import registry
from relattr.system import manifest
from relattr.task import Task, TaskName

ATTRIBUTES = [
    "baldhead",
    "darkhair",
    "eyesopen",
    "goodlooking",
    "masculinelooking",
    "mouthopen",
    "smile",
    "v_teeth",
    "vforehead",
    "young",
]


def make() -> lfw10.LFW10:
    dataset = registry.dataset("lfw10").create()
    assert isinstance(dataset, lfw10.LFW10)
    return dataset


def real_data() -> lfw10.LFW10:
    """The dataset with the real files; without them, the test is skipped with the reason."""
    dataset = make()
    missing = dataset.missing()
    if missing:
        pytest.skip(f"real LFW-10 not tested: {missing}")
    return dataset


def standard(attribute: str) -> TaskName:
    return TaskName("lfw10", attribute, "standard")


def labelled(images: Any, pairs: Any) -> dict[tuple[str, str], int]:
    """(name, name), the first before the second in the alphabet -> label of the first against the second."""
    labels = {}
    for left, right, label in zip(pairs.left, pairs.right, pairs.label, strict=True):
        a, b = images.names[left], images.names[right]
        labels[min(a, b), max(a, b)] = int(label if a < b else -label)
    assert len(labels) == len(pairs)
    return labels


# ---------------------------------------------------------------------- the real files

TRAINED = dict(zip(ATTRIBUTES, [227, 341, 156, 275, 182, 300, 328, 305, 251, 474], strict=True))
TESTED = {  # ordered test pairs of 500: from the lists, and from the votes of the official files
    "lists": dict(zip(ATTRIBUTES, [238, 281, 108, 279, 149, 262, 302, 297, 213, 424], strict=True)),
    "votes": dict(zip(ATTRIBUTES, [274, 337, 133, 323, 174, 298, 354, 325, 256, 469], strict=True)),
}


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_pair_counts_and_halves(attribute: str) -> None:
    dataset = real_data()
    task = dataset.task(standard(attribute))
    train, (test,) = task.train.pairs, task.tests
    assert (len(train), len(test.pairs)) == (500, 500)
    assert (train.n_ordered, test.pairs.n_ordered) == (TRAINED[attribute], TESTED[dataset.release.layout][attribute])
    first = [int(name.removesuffix(".jpg")) for name in task.train.images.names]
    second = [int(name.removesuffix(".jpg")) for name in test.images.names]
    if attribute == "goodlooking":
        first, second = second, first
    assert max(first) <= 1000 < min(second)
    # every image that is given is in a pair
    assert train.images.tolist() == list(range(len(task.train.images)))
    assert test.pairs.images.tolist() == list(range(len(test.images)))
    assert task.train.scores is None
    assert task.train.categories is None


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_labels(attribute: str) -> None:
    """Compared with the annotation lists, which are parsed independently here, for any layout."""
    dataset = real_data()
    if dataset.release.layout != "lists":
        pytest.skip("real LFW-10 lists not tested: the official files are used instead")
    task = dataset.task(standard(attribute))
    code = str(ATTRIBUTES.index(attribute))
    votes: dict[tuple[str, str], Counter[str]] = {}
    for line in (dataset.root / "aaai21/lfw10_train.txt").read_text().split():
        a, b, label, of = line.split(",")
        if of == code:
            votes.setdefault((Path(a).name, Path(b).name), Counter())[label] += 1
    expected_labels = {}
    for (a, b), count in votes.items():
        best = max(count.values())
        label = next(int(k) for k in ("1", "-1", "0") if count[k] == best)
        expected_labels[min(a, b), max(a, b)] = label if a < b else -label
    assert labelled(task.train.images, task.train.pairs) == expected_labels
    expected_labels = {}
    for line in (dataset.root / "aaai21/lfw10_test.txt").read_text().split():
        a, b, label, of = line.split(",")
        if of == code:
            a, b = Path(a).name, Path(b).name
            expected_labels[min(a, b), max(a, b)] = int(label) if a < b else -int(label)
    assert labelled(task.tests[0].images, task.tests[0].pairs) == expected_labels


@pytest.mark.real
def test_real_files_verify() -> None:
    findings = real_data().verify()
    assert [f"{finding.what}: {finding.detail}" for finding in findings if not finding.ok] == []
    assert len(findings) >= 13


@pytest.mark.real
def test_the_labels_of_the_real_lists_are_a_deviation() -> None:
    dataset = real_data()
    for attribute in ATTRIBUTES:
        task = dataset.task(standard(attribute))
        notes = [note for note in task.deviations if "not those of the published numbers" in note]
        assert len(notes) == (dataset.release.layout == "lists")
        for note in notes:
            assert f"({sum(TESTED['lists'].values()):,} ordered pairs" in note
            assert f"({sum(TESTED['votes'].values()):,})" in note


# ---------------------------------------------------------------------- small releases of both layouts

N_IMAGES, HALF, N_PAIRS = 24, 12, 9


def a_part(attribute: str, part: str) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Nine voted pairs: image, image, votes for the first, the second and neither. Every kind of majority."""
    draw = random.Random(f"{attribute}{part}")
    kinds = [(5, 0, 0), (0, 5, 0), (0, 0, 5), (2, 2, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1), (1, 1, 3), (1, 3, 1)]
    draw.shuffle(kinds)
    first = (part == "train") == (attribute != "goodlooking")
    images = range(1, HALF + 1) if first else range(HALF + 1, N_IMAGES + 1)
    couples = [(a, b) for a in images for b in images if a < b]
    rows = []
    for (a, b), votes in zip(draw.sample(couples, N_PAIRS), kinds, strict=True):
        rows.append((a, b, votes) if draw.random() < 0.5 else (b, a, votes))
    return rows


def majority(votes: tuple[int, int, int]) -> int:
    first, second, neither = votes
    if first >= second and first >= neither:
        return 1
    return -1 if second >= neither else 0


Votes = dict[tuple[str, str], list[tuple[int, int, tuple[int, int, int]]]]


@pytest.fixture
def voted() -> Votes:
    return {(attribute, part): a_part(attribute, part) for attribute in ATTRIBUTES for part in ("train", "test")}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small LFW-10 of 24 images, without annotations yet."""
    folder = tmp_path / "data" / "lfw10"
    (folder / "images").mkdir(parents=True)
    for i in range(1, N_IMAGES + 1):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"images/{i}.jpg")
    manifest.write_manifest(tmp_path / "lfw10.txt", folder, ["images"])
    for name, value in {"manifest": tmp_path / "lfw10.txt", "pairs_per_part": N_PAIRS, "half": HALF}.items():
        monkeypatch.setattr(lfw10.LFW10, name, value)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    return folder


def write_lists(root: Path, voted: Votes) -> None:
    train, test = [], []
    for (attribute, part), rows in voted.items():
        code = ATTRIBUTES.index(attribute)
        for a, b, votes in rows:
            pair = f"/some/where/LFW10/images/{a}.jpg,/some/where/LFW10/images/{b}.jpg"
            if part == "train":
                for label, n in zip((1, -1, 0), votes, strict=True):
                    train += [f"{pair},{label},{code}"] * n
            else:  # one label, in which 'similar' wins ties
                label = 0 if votes[2] == max(votes) else majority(votes)
                test.append(f"{pair},{label},{code}")
    random.Random(0).shuffle(train)  # votes need not stand together
    (root / "aaai21").mkdir(exist_ok=True)
    (root / "aaai21/lfw10_train.txt").write_text("\n".join(train) + "\n")
    (root / "aaai21/lfw10_test.txt").write_text("\n".join(test) + "\n")


def write_official(root: Path, voted: Votes) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    for (attribute, part), rows in voted.items():
        write_mat(root / f"annotations/{attribute}{part}.mat", rows)


def write_mat(path: Path, rows: list[tuple[int, int, tuple[int, int, int]]], **changed: Any) -> None:
    compare = np.empty((len(rows), 3), object)
    for i, (a, b, _) in enumerate(rows):
        compare[i] = [i + 1, f"{a}.jpg", f"{b}.jpg"]
    strengths = np.array([[i + 1, *votes] for i, (_, _, votes) in enumerate(rows)], np.float64)
    variables = {"images_compare": compare, "attribute_strengths": strengths, **changed}
    scipy.io.savemat(path, {name: value for name, value in variables.items() if value is not None})


def expected(rows: list[tuple[int, int, tuple[int, int, int]]], rule: Callable[[Any], int]) -> dict[Any, int]:
    labels = {}
    for a, b, votes in rows:
        x, y = f"{a}.jpg", f"{b}.jpg"
        labels[min(x, y), max(x, y)] = rule(votes) if x < y else -rule(votes)
    return labels


def check(task: Task, voted: Votes, test_rule: Callable[[Any], int]) -> None:
    attribute = task.name.attribute
    (test,) = task.tests
    assert labelled(task.train.images, task.train.pairs) == expected(voted[attribute, "train"], majority)
    assert labelled(test.images, test.pairs) == expected(voted[attribute, "test"], test_rule)
    assert not set(task.train.images.names) & set(test.images.names)
    assert task.train.images.n_collection == N_IMAGES


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_lists_are_read(root: Path, voted: Votes, attribute: str) -> None:
    write_lists(root, voted)
    dataset = make()
    assert dataset.missing() is None
    assert dataset.release.layout == "lists"
    task = dataset.task(standard(attribute))
    check(task, voted, lambda votes: 0 if votes[2] == max(votes) else majority(votes))
    assert "not the labels behind the published numbers" in task.protocol
    assert any("not those of the published numbers" in note for note in task.deviations)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("below", [".", "LFW10"])
def test_the_official_files_are_read_and_go_first(root: Path, voted: Votes, attribute: str, below: str) -> None:
    write_lists(root, voted)
    (root / below).mkdir(exist_ok=True)
    if below != ".":
        (root / "images").rename(root / below / "images")
    write_official(root / below, voted)
    dataset = make()
    assert dataset.missing() is None
    assert dataset.release.layout == "votes"
    task = dataset.task(standard(attribute))
    check(task, voted, majority)
    assert "five votes of the official files" in task.protocol
    assert not any("not those of the published" in note for note in task.deviations)
    assert any("official annotations" in note for note in task.notes)
    assert any("goodlooking is trained on the images that the other" in note for note in task.notes)


def test_cells_of_numbers_are_numbers(root: Path, voted: Votes) -> None:
    write_official(root, voted)
    rows = voted["smile", "train"]
    strengths = np.empty((N_PAIRS, 4), object)
    for i, (_, _, votes) in enumerate(rows):
        strengths[i] = [i + 1, *votes]
    write_mat(root / "annotations/smiletrain.mat", rows, attribute_strengths=strengths)
    check(make().task(standard("smile")), voted, majority)


def test_the_sides_of_test_pairs_are_random_and_seeded(root: Path, voted: Votes) -> None:
    for key in voted:  # as if the stronger image always came first
        if key[1] == "test":
            voted[key] = [(a, b, (5, 0, 0)) for a, b, _ in voted[key]]
    write_lists(root, voted)
    labels = [make().task(standard(a)).tests[0].pairs.label for a in ATTRIBUTES]
    again = [make().task(standard(a)).tests[0].pairs.label for a in ATTRIBUTES]
    assert all((x == y).all() for x, y in zip(labels, again, strict=True))
    assert 25 < (np.concatenate(labels) == 1).sum() < 65  # of 90, four standard deviations about the half
    assert len({tuple(x.tolist()) for x in labels}) > 5  # the sides of each attribute are drawn separately


def test_the_fingerprint_is_of_images_and_annotations(root: Path, voted: Votes) -> None:
    write_lists(root, voted)
    first = make().fingerprint()
    (root / "SOURCE.md").write_text("a note")
    assert make().fingerprint() == first
    a, b, votes = voted["smile", "test"][0]
    voted["smile", "test"][0] = (a, b, (0, 5, 0) if votes[2] == max(votes) else (0, 0, 5))
    write_lists(root, voted)
    second = make().fingerprint()
    (root / "images/1.jpg").write_bytes((root / "images/2.jpg").read_bytes())
    assert len({first, second, make().fingerprint()}) == 3


# ---------------------------------------------------------------------- what is missing or wrong


def test_no_files(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "nowhere"))
    dataset = make()
    reason = dataset.missing()
    assert reason is not None
    for word in ("neither the official release", str(tmp_path / "nowhere"), "relattr data fetch lfw10", "RELATTR_DATA"):
        assert word in reason
    for use in (dataset.fingerprint, lambda: dataset.task(standard("smile"))):
        with pytest.raises(Blocked, match="relattr data fetch lfw10"):
            use()
    (finding,) = dataset.verify()
    assert not finding.ok


@pytest.mark.parametrize(
    "name", ["images/7.jpg", "aaai21/lfw10_test.txt", "annotations/v_teethtest.mat", "annotations/youngtrain.mat"]
)
def test_a_file_is_missing(root: Path, voted: Votes, name: str) -> None:
    (write_official if name.startswith("annotations") else write_lists)(root, voted)
    (root / name).unlink()
    reason = make().missing()
    assert reason is not None
    assert f"1 files are missing (first {name})" in reason
    assert str(root) in reason
    with pytest.raises(Blocked, match=name):
        make().task(standard("smile"))


@pytest.mark.parametrize("name", [("osr", "smile", "standard"), ("lfw10", "open", "standard"), ("lfw10", "smile", "x")])
def test_an_unknown_task_raises(root: Path, voted: Votes, name: tuple[str, str, str]) -> None:
    write_lists(root, voted)
    with pytest.raises(UnknownName, match="no task is called"):
        make().task(TaskName(*name))


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda line: line.rsplit(",", 2)[0] + ",2,0", "label '2'; expected 1"),
        (lambda line: line.rsplit(",", 2)[0] + ",+1,0", r"label '\+1'"),
        (lambda line: line.rsplit(",", 2)[0] + ",,0", "label ''"),
        (lambda line: line.rsplit(",", 1)[0] + ",10", "attribute '10'; expected 0 to 9"),
        (lambda line: line.rsplit(",", 1)[0] + ",-1", "attribute '-1'"),
        (lambda line: line.rsplit(",", 1)[0], "expected 'image,image,label,attribute'"),
        (lambda line: "/x/25.jpg," + line.split(",", 1)[1], "names image '/x/25.jpg'; expected 1.jpg to 24.jpg"),
        (lambda line: "/x/0.jpg," + line.split(",", 1)[1], "names image '/x/0.jpg'"),
        (lambda line: "/x/a.jpg," + line.split(",", 1)[1], "names image '/x/a.jpg'"),
        (lambda line: "/x/3.png," + line.split(",", 1)[1], "names image '/x/3.png'"),
        (lambda line: "\x00\ufffd", "expected 'image,image"),
    ],
)
def test_a_bad_line_is_named(root: Path, voted: Votes, part: str, change: Callable[[str], str], match: str) -> None:
    write_lists(root, voted)
    path = root / f"aaai21/lfw10_{part}.txt"
    lines = path.read_text().splitlines()
    lines[4] = change(lines[4])
    path.write_text("\n".join(lines))
    with pytest.raises(BadInput, match=match) as error:
        make().task(standard("smile"))
    assert f"{path}, line 5" in str(error.value)


def test_a_truncated_list_is_refused(root: Path, voted: Votes) -> None:
    write_lists(root, voted)
    path = root / "aaai21/lfw10_test.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]))
    with pytest.raises(BadInput, match=r"lfw10_test\.txt: young has 7 pairs; expected 9. Is the file truncated\?"):
        make().task(standard("smile"))
    write_lists(root, voted)
    path = root / "aaai21/lfw10_train.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]))
    with pytest.raises(BadInput, match=r"lfw10_train\.txt: \w+ has [1-4] votes on pair \(\d+, \d+\); expected 5"):
        make().task(standard("smile"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"cannot read .*lfw10_train\.txt"):
        make().task(standard("smile"))


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("turned", [True, False])
def test_a_pair_twice_with_labels_that_disagree(
    root: Path, voted: Votes, official: bool, part: str, turned: bool
) -> None:
    rows = voted["smile", part]
    a, b, _ = rows[0]
    rows[0] = (a, b, (5, 0, 0))
    rows[1] = (b, a, (5, 0, 0)) if turned else (a, b, (0, 5, 0))
    (write_official if official else write_lists)(root, voted)
    match = rf"images {min(a, b)} and {max(a, b)} twice, with labels"
    if not official and part == "train" and not turned:
        match = rf"has 10 votes on pair \({a}, {b}\); expected 5"  # the votes of both, of one pair
    with pytest.raises(BadInput, match=match):
        make().task(standard("smile"))


@pytest.mark.parametrize("official", [True, False])
def test_an_image_with_itself_and_an_image_on_both_sides(root: Path, voted: Votes, official: bool) -> None:
    write = write_official if official else write_lists
    a, _, votes = voted["smile", "train"][0]
    original = voted["smile", "train"][0]
    voted["smile", "train"][0] = (a, a, votes)
    write(root, voted)
    with pytest.raises(BadInput, match=f"smile.* pairs image {a} with itself"):
        make().task(standard("smile"))
    voted["smile", "train"][0] = original
    c, _, votes = voted["smile", "test"][0]
    voted["smile", "test"][0] = (c, original[0], votes)
    write(root, voted)
    with pytest.raises(BadInput, match=f"image {original[0]} is in training and test pairs of smile"):
        make().task(standard("smile"))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cells(rows: int, columns: int, value: Any) -> np.ndarray[Any, Any]:
    cells = np.empty((rows, columns), object)
    cells[:] = value
    return cells


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"images_compare": cells(N_PAIRS, 2, "1.jpg")}, r"images_compare has shape \(9, 2\); expected \(9, 3\)"),
        ({"images_compare": cells(N_PAIRS - 1, 3, "1.jpg")}, r"images_compare has shape \(8, 3\)"),
        ({"attribute_strengths": np.ones((N_PAIRS, 3))}, r"attribute_strengths has shape \(9, 3\); expected \(9, 4\)"),
        ({"attribute_strengths": np.full((N_PAIRS, 4), -1.0)}, "row 1 has votes .* expected counts"),
        ({"attribute_strengths": np.full((N_PAIRS, 4), 0.5)}, "row 1 has votes"),
        ({"attribute_strengths": np.full((N_PAIRS, 4), np.nan)}, "row 1 has votes"),
        ({"attribute_strengths": np.zeros((N_PAIRS, 4))}, "row 1 has votes .* at least one"),
        ({"attribute_strengths": cells(N_PAIRS, 4, "five")}, "not a number"),
        ({"images_compare": cells(N_PAIRS, 3, 7.0)}, "row 1 is .* expected text"),
        ({"images_compare": cells(N_PAIRS, 3, "25.jpg")}, r"row 1 names image '25.jpg'; expected 1.jpg to 24.jpg"),
        ({"images_compare": None}, "has no variable 'images_compare'"),
        ({"attribute_strengths": None}, "has no variable 'attribute_strengths'"),
    ],
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_bad_official_file(root: Path, voted: Votes, part: str, changed: dict[str, Any], match: str) -> None:
    write_official(root, voted)
    path = root / f"annotations/smile{part}.mat"
    write_mat(path, voted["smile", part], **changed)
    with pytest.raises(BadInput, match=match) as error:
        make().task(standard("smile"))
    assert str(path) in str(error.value)
    make().task(standard("young"))  # the others are as they were


@pytest.mark.parametrize(
    "damage", [truncated, lambda path: path.write_bytes(b""), lambda path: path.write_text("<html>")]
)
def test_a_damaged_official_file(root: Path, voted: Votes, damage: Callable[[Path], object]) -> None:
    write_official(root, voted)
    path = root / "annotations/smiletrain.mat"
    damage(path)
    with pytest.raises(BadInput, match="not a complete MATLAB file") as error:
        make().task(standard("smile"))
    assert str(path) in str(error.value)


# ---------------------------------------------------------------------- verify, downloads


def write_second(root: Path, voted: Votes) -> None:
    (root / "gentlezhu_train").mkdir(exist_ok=True)
    for attribute in ATTRIBUTES:
        code = {1: 1, -1: 2, 0: 3}
        rows = [f"{a} {b} {code[majority(votes)]}" for a, b, votes in voted[attribute, "train"]]
        (root / "gentlezhu_train" / attribute).write_text("\n".join(rows))


def found_wrong(dataset: lfw10.LFW10) -> dict[str, str]:
    """The failed findings of verify, except the counts of pairs, which differ in a small release."""
    return {
        f.what: f.detail
        for f in dataset.verify()
        if not f.ok and not (f.what.startswith("pairs of") and f.detail.endswith("the expected halves"))
    }


@pytest.mark.parametrize("write", [write_lists, write_official])
def test_verify_detects_changed_files(root: Path, voted: Votes, write: Callable[[Path, Votes], None]) -> None:
    write(root, voted)
    write_second(root, voted)
    assert found_wrong(make()) == {}
    assert sum(f.what.startswith("pairs of") and not f.ok for f in make().verify()) == 10  # 9 pairs are not 500
    path = root / "gentlezhu_train/smile"
    text = path.read_text()
    first, *rest = text.splitlines()
    other = {"1": "2", "2": "3", "3": "1"}[first[-1]]
    path.write_text("\n".join([first[:-1] + other, *rest]))
    assert list(found_wrong(make())) == ["gentlezhu_train/smile agrees with the votes"]
    path.write_text("1 2\n")
    assert "line 1: expected 'image image 1|2|3'" in found_wrong(make())["gentlezhu_train/smile agrees with the votes"]
    path.write_text(text)
    content = (root / "images/3.jpg").read_bytes()
    (root / "images/3.jpg").write_bytes(content + b"more")
    assert "images/3.jpg has" in found_wrong(make())["files have their checksums"]
    (root / "images/3.jpg").write_bytes(content)
    voted["young", "train"], voted["young", "test"] = voted["young", "test"], voted["young", "train"]
    write(root, voted)
    assert "OTHER HALVES" in found_wrong(make())["pairs of young"]


def test_the_downloads_are_the_whole_release() -> None:
    files = {download.path: download for download in make().downloads()}
    assert {f"images/{i}.jpg" for i in range(1, 2001)} <= set(files)
    assert len(files) == 2000 + 2 + 10
    base = "https://raw.githubusercontent.com"
    zhu = f"{base}/GentleZhu/human_annotation_system/48d1605009a99d00616c9289a35f7615e8127d0c/public"
    assert files["images/17.jpg"].mirrors == (f"{zhu}/img/17.jpg",)
    assert files["gentlezhu_train/v_teeth"].mirrors == (f"{zhu}/train/v_teeth",)
    assert files["aaai21/lfw10_test.txt"].mirrors == (
        f"{base}/qianqianxu010/AAAI21/96917bfd874884445e2e44db4bed0657ecd00166/lfw10/lfw10_test.txt",
    )


@pytest.mark.real
def test_fetched_files_are_sufficient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = real_data()
    if dataset.release.layout != "lists":
        pytest.skip("real LFW-10 lists not tested: the official files are used instead")
    for download in dataset.downloads():  # exactly those files, by links
        link = tmp_path / "data/lfw10" / download.path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(dataset.root / download.path)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    assert make().missing() is None
    assert make().fingerprint() == dataset.fingerprint()


def test_importing_is_light() -> None:
    heavy = "{'scipy', 'torch', 'requests'}"
    code = f"import sys, relattr.datasets.lfw10; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
