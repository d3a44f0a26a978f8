"""UT-Zap50K: the real annotations have the known counts; small generated releases with images."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from relattr.datasets import _zappos_files, zappos

from relattr.check import dataset_checks
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.registry import registry
from relattr.system import manifest
from relattr.task import TaskName

ATTRIBUTES = ["open", "pointy", "sporty", "comfort"]


def make(name: str = "zappos", **values: Any) -> zappos.Zappos:
    dataset = registry.dataset(name).create(values)
    assert isinstance(dataset, zappos.Zappos)
    return dataset


# ---------------------------------------------------------------------- the real annotations

COUNTS = {
    "open": (1763, 1187, 1100),
    "pointy": (1528, 1270, 1172),
    "sporty": (1683, 1160, 1083),
    "comfort": (1777, 995, 979),
}
TRAINED = {"open": 1463, "pointy": 1228, "sporty": 1383, "comfort": 1477}


@pytest.fixture
def folder(real: Callable[[str], Path]) -> Path:
    real("zappos")
    if make().missing_annotations():
        pytest.skip(f"real UT-Zap50K not tested: {make().missing_annotations()}")
    return make().folder


def rows(folder: Path, file: str, variable: str, attribute: str) -> list[list[float]]:
    cells = scipy.io.loadmat(folder / file, simplify_cells=True)[variable]
    return cells[ATTRIBUTES.index(attribute)].tolist()


def as_more(rows: list[list[float]]) -> dict[frozenset[int], int]:
    """``{images of a pair, from 0: the image with more, or -1}``."""
    return {
        frozenset((int(a) - 1, int(b) - 1)): {1: int(a) - 1, 2: int(b) - 1, 3: -1}[int(y)] for a, b, _, y, *_ in rows
    }


def more_of(pairs: Any) -> dict[frozenset[int], int]:
    winners = {}
    for left, right, label in zip(*(side.tolist() for side in pairs.arrays), strict=True):
        winners[frozenset((left, right))] = {1: left, -1: right, 0: -1}[label]
    assert len(winners) == len(pairs)
    return winners


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_splits(folder: Path, attribute: str) -> None:
    splits = scipy.io.loadmat(folder / "train-test-splits-pairs.mat", simplify_cells=True)
    k = ATTRIBUTES.index(attribute)
    assert list(make().splits()) == [str(n) for n in range(1, 11)]
    for split in make().splits():
        train, test = make().pairs(attribute, split)
        assert (len(train), len(test)) == (TRAINED[attribute], 300)
        assert train.n_similar == test.n_similar == 0
        assert more_of(train) == as_more(splits["trainPairsAll"][k][int(split) - 1])
        assert more_of(test) == as_more(splits["testPairsAll"][k][int(split) - 1])
        assert not set(more_of(train)) & set(more_of(test))
        shared = set(train.images.tolist()) & set(test.images.tolist())
        assert 30 <= len(shared) <= 62
        assert 100 < (test.label == 1).sum() < 200


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_fine_pairs(folder: Path, attribute: str) -> None:
    ordered = as_more(rows(folder, "zappos-labels.mat", "mturkOrder", attribute))
    equal = as_more(rows(folder, "zappos-labels.mat", "mturkEqual", attribute))
    hard = as_more(rows(folder, "zappos-labels-fg.mat", "mturkHard", attribute))
    assert (len(ordered), len(equal), len(hard)) == COUNTS[attribute]
    assert set(hard) < set(equal)  # so training on equal pairs would be training on every test pair
    train, test = make("zappos-fine").pairs(attribute, "standard")
    assert more_of(train) == ordered
    assert more_of(test) == hard
    train, test = make("zappos-fine", similar=True).pairs(attribute, "standard")
    assert more_of(train) == ordered | dict.fromkeys(set(equal) - set(hard), -1)
    assert more_of(test) == hard


@pytest.mark.real
def test_real_counts_and_paths(folder: Path) -> None:
    assert sum(a for a, _, _ in COUNTS.values()) == 6751
    assert sum(b for _, b, _ in COUNTS.values()) == 4612
    assert sum(c for _, _, c in COUNTS.values()) == 4334
    assert np.mean(list(TRAINED.values())) == 1387.75
    released = make().released
    assert len(released.paths) == 50_025
    assert released.paths[0] == "Shoes/Oxfords/Bostonian/100627.72.jpg"
    assert released.used.size == 5551
    odd = {p.split("/")[2] for p in released.paths if p.rpartition("/")[0].endswith(".") or "Levi's " in p}
    assert odd == {
        "L.A.M.B.",
        "Aquatalia by Marvin K.",
        "Neil M.",
        "W.A.G.",
        "T.U.K.",
        "Levi's Kids",
        "Levi's Shoes",
    }
    for name in ("zappos", "zappos-fine"):
        findings = make(name).verify()
        assert len(findings) == 10
        wrong = [f"{finding.what}: {finding.detail}" for finding in findings[1:] if not finding.ok]
        assert wrong == []


@pytest.mark.real
def test_the_reason_says_how_to_get_missing_images(folder: Path) -> None:
    if any((make().root / name).is_dir() for name in zappos.IMAGE_FOLDERS):
        pytest.skip("the real images are available")
    for name in ("zappos", "zappos-fine"):
        dataset = make(name)
        reason = dataset.missing()
        assert reason is not None
        for part in ("ut-zap50k-images.zip", "https://vision.cs.utexas.edu/", str(dataset.root), "unpack"):
            assert part in reason
        assert "relattr data fetch" not in reason  # it would not bring them
        for use in (dataset.fingerprint, lambda dataset=dataset: dataset.task(dataset.tasks()[0])):
            with pytest.raises(Blocked, match=r"ut-zap50k-images\.zip"):
                use()


# ---------------------------------------------------------------------- small releases

N_IMAGES, N_ORDERED, N_EQUAL, N_FINE, N_TEST = 60, 20, 9, 6, 6
BRANDS = ["Plain", "L.A.M.B.", "T.U.K.", "Levi's Kids", "Johnston & Murphy"]
PATHS = [f"Shoes/Heels/{BRANDS[k % 5]}/{k}.{k % 7}.jpg" for k in range(N_IMAGES)]
SPELT = {  # in the archives of images, and as Windows would unpack the list's own spelling
    "ut-zap50k-images": {"L.A.M.B.": "L.A.M.B", "T.U.K.": "T.U.K", "Levi's Kids": "Levi's&#174; Kids"},
    "ut-zap50k-images-square": {"L.A.M.B.": "L.A.M.B%2E", "T.U.K.": "T.U.K"},
    "as listed": {},
}


class ZapposVariables:
    """The variables of a small release; a test changes some and writes them."""

    def __init__(self) -> None:
        draw = random.Random(0)
        couples = [(a, b) for a in range(1, 51) for b in range(1, 51) if a < b]  # the last ten images are in no pair
        self.order: list[Any] = []
        self.equal: list[Any] = []
        self.hard: list[Any] = []
        self.train: list[Any] = []
        self.test: list[Any] = []
        for attribute in range(1, 5):
            chosen = draw.sample(couples, N_ORDERED + N_EQUAL)
            chosen = [pair if draw.random() < 0.5 else pair[::-1] for pair in chosen]
            rows = [[a, b, attribute, draw.choice((1, 2)), 1.2, 0.8] for a, b in chosen]
            self.order.append(np.array(rows[:N_ORDERED], np.float64))
            equal = np.array(rows[N_ORDERED:], np.float64)
            hard = equal[:N_FINE, [1, 0, 2, 3, 4, 5]].copy()
            equal[:, 3] = 3
            self.equal.append(equal)
            self.hard.append(hard)
            lists = [draw.sample(range(1, N_ORDERED + 1), N_ORDERED) for _ in range(10)]
            self.test.append([np.array(one[:N_TEST]) for one in lists])
            self.train.append([np.array(one[N_TEST:]) for one in lists])
        self.paths: Any = cells(PATHS, (-1, 1))

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(folder / "image-path.mat", {"imagepath": self.paths})
        labels = {"mturkOrder": cells(self.order, (1, -1)), "mturkEqual": cells(self.equal, (1, -1))}
        scipy.io.savemat(folder / "zappos-labels.mat", labels)
        scipy.io.savemat(folder / "zappos-labels-fg.mat", {"mturkHard": cells(self.hard, (1, -1))})
        nested = {
            name: cells([cells([one[:, None] for one in of], (-1, 1)) for of in part], (1, -1))
            for name, part in (("trainIndexAll", self.train), ("testIndexAll", self.test))
        }
        scipy.io.savemat(folder / "train-test-splits.mat", nested)


def cells(values: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    cells = np.empty(len(values), object)
    for i, value in enumerate(values):
        cells[i] = value
    return cells.reshape(shape)


def write_images(root: Path, release: str) -> None:
    folder = root / (release if release.startswith("ut-") else "ut-zap50k-images")
    for k, path in enumerate(PATHS[:50]):
        kind, heel, brand, name = path.split("/")
        file = folder / kind / heel / SPELT[release].get(brand, brand) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (5, 7, 3), np.uint8)).save(file)


@pytest.fixture
def files() -> ZapposVariables:
    return ZapposVariables()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: ZapposVariables) -> Path:
    """The folder of a small release of 60 shoes, 50 of them in pairs, without images yet."""
    folder = tmp_path / "data" / "zappos"
    files.write(folder / "ut-zap50k-data")
    for name, value in {"n_images": N_IMAGES, "n_test": N_TEST}.items():
        monkeypatch.setattr(zappos.Zappos, name, value)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    return folder


def by_name(images: Any, pairs: Any) -> dict[frozenset[str], str]:
    """``{file names of a pair, without the category: the one with more, or ""}``."""
    names = [Path(name).name for name in images.names]
    return {
        frozenset(names[i] for i in pair): names[more] if more >= 0 else "" for pair, more in more_of(pairs).items()
    }


def expected_winners(rows: Any) -> dict[frozenset[str], str]:
    names = [Path(path).name for path in PATHS]
    return {frozenset(names[i] for i in pair): names[more] if more >= 0 else "" for pair, more in as_more(rows).items()}


@pytest.mark.parametrize("release", SPELT)
@pytest.mark.parametrize("kept_in", [".", "ut-zap50k-data"])
def test_tasks_have_the_pairs_of_the_release(root: Path, files: ZapposVariables, release: str, kept_in: str) -> None:
    write_images(root, release)
    if kept_in == ".":
        for file in (root / "ut-zap50k-data").iterdir():
            file.rename(root / file.name)
    dataset = make()
    assert dataset.missing() is None
    assert len(dataset.tasks()) == 40
    for name in dataset.tasks():
        task = dataset.task(name)
        k, split = ATTRIBUTES.index(name.attribute), int(name.split) - 1
        train, test = (files.order[k][part[k][split] - 1] for part in (files.train, files.test))
        judged = {t.name: t for t in task.tests}
        assert by_name(task.train.images, task.train.pairs) == expected_winners(train)
        assert by_name(judged["test"].images, judged["test"].pairs) == expected_winners(test)
        trained = {int(i) for i in train[:, :2].ravel()}
        seen = [bool({int(a), int(b)} & trained) for a, b in test[:, :2]]
        unseen = expected_winners(test[~np.array(seen)])
        unseen_pairs = (
            by_name(judged["test-unseen"].images, judged["test-unseen"].pairs) if "test-unseen" in judged else {}
        )
        assert unseen_pairs == unseen
        shared = len({int(i) for i in test[:, :2].ravel()} & trained)
        assert (f"{shared} of the " in judged["test"].note) == (shared > 0)
        assert ("square release" in " ".join(task.deviations)) == release.endswith("square")
    first = task.train.images
    number = [Path(path).name for path in PATHS].index(Path(first.names[0]).name)
    with Image.open(next(root.glob(f"ut-*/*/*/*/{Path(PATHS[number]).name}"))) as image:
        assert (first[0] == np.asarray(image)).all()
    assert first.n_collection == len(
        {int(i) for of in (files.order, files.equal) for r in of for i in r[:, :2].ravel()}
    )


@pytest.mark.parametrize("similar", [False, True])
def test_fine_tasks(root: Path, files: ZapposVariables, similar: bool) -> None:
    write_images(root, "ut-zap50k-images")
    dataset = make("zappos-fine", similar=similar)
    assert dataset.missing() is None
    for k, name in enumerate(dataset.tasks()):
        assert str(name) == f"zappos-fine/{ATTRIBUTES[k]}/standard"
        task = dataset.task(name)
        test = next(t for t in task.tests if t.name == "test")
        assert by_name(test.images, test.pairs) == expected_winners(files.hard[k])
        expected = expected_winners(files.order[k])
        if similar:
            expected |= expected_winners(files.equal[k][N_FINE:])
        assert by_name(task.train.images, task.train.pairs) == expected
        assert any(("as similar" if similar else "not trained on") in note for note in task.notes)
        assert not set(by_name(task.train.images, task.train.pairs)) & set(by_name(test.images, test.pairs))


def test_the_sides_of_test_pairs_are_random_and_seeded(root: Path, files: ZapposVariables) -> None:
    for k in range(4):  # as if the image with more always came first
        files.order[k][:, 3] = 1
    files.write(root / "ut-zap50k-data")
    names = [(a, s) for a in ATTRIBUTES for s in make().splits()]
    labels = np.concatenate([make().pairs(*name)[1].label for name in names])
    assert (labels == np.concatenate([make().pairs(*name)[1].label for name in names])).all()
    assert abs((labels == 1).mean() - 0.5) < 5 * 0.5 / labels.size**0.5


def test_the_fingerprint_is_of_images_and_annotations(root: Path, files: ZapposVariables) -> None:
    write_images(root, "ut-zap50k-images")
    first = make().fingerprint()
    (root / "ut-zap50k-data/ration.txt").write_text("because")
    (root / "ut-zap50k-images/Shoes/extra.jpg").write_text("in no pair")
    assert make().fingerprint() == make("zappos-fine").fingerprint() == first
    files.order[0][0, 3] = 3 - files.order[0][0, 3]
    files.write(root / "ut-zap50k-data")
    second = make().fingerprint()
    shoes = sorted((root / "ut-zap50k-images").rglob("*.*.jpg"))
    shoes[0].write_bytes(shoes[1].read_bytes())
    assert len({first, second, make().fingerprint()}) == 3


@pytest.mark.parametrize("name", ["zappos", "zappos-fine"])
def test_contract_on_a_small_release(root: Path, name: str) -> None:
    write_images(root, "ut-zap50k-images")
    findings = {check.law.name: check.run() for check in dataset_checks(name)}
    failed = {law: f.detail for law, f in findings.items() if f.outcome == "failed"}
    assert list(failed) == ["verify"]  # it expects the counts of the real files


def test_spellings() -> None:
    assert _zappos_files.folder_spellings("Boots/Ankle/Dr. Martens") == ("Boots/Ankle/Dr. Martens",)
    assert _zappos_files.folder_spellings("A/W.A.G.") == ("A/W.A.G.", "A/W.A.G", "A/W.A.G%2E")
    assert _zappos_files.folder_spellings("A/Levi's Kids") == ("A/Levi's Kids", "A/Levi's&#174; Kids")
    assert _zappos_files.folder_spellings("A/Joe's Jeans") == ("A/Joe's Jeans",)


# ---------------------------------------------------------------------- what is missing or wrong


def test_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    for name in ("zappos", "zappos-fine"):
        reason = make(name).missing()
        assert reason is not None
        for part in ("relattr data fetch zappos", "4 of 4 annotation files", "ut-zap50k-images.zip", str(tmp_path)):
            assert part in reason
        with pytest.raises(Blocked, match="relattr data fetch zappos"):
            make(name).task(make(name).tasks()[0])
        (finding,) = make(name).verify()
        assert not finding.ok


def test_an_image_or_a_file_is_missing(root: Path) -> None:
    write_images(root, "ut-zap50k-images")
    lost = next((root / "ut-zap50k-images/Shoes/Heels/L.A.M.B").glob("1.*.jpg"))
    lost.unlink()
    reason = make().missing()
    assert reason is not None
    assert "1 of the " in reason
    assert f"first Shoes/Heels/L.A.M.B/{lost.name}" in reason
    with pytest.raises(Blocked, match="unpack it"):
        make().fingerprint()
    (root / "ut-zap50k-data/train-test-splits.mat").unlink()
    reason = make().missing()
    assert reason is not None
    assert "annotation files are missing" in reason


@pytest.mark.parametrize("name", [("zappos", "smile", "1"), ("zappos", "open", "11"), ("zappos-fine", "open", "1")])
def test_an_unknown_task_raises(root: Path, name: tuple[str, str, str]) -> None:
    write_images(root, "ut-zap50k-images")
    for dataset in ("zappos", "zappos-fine"):
        with pytest.raises(UnknownName, match="no task is called"):
            make(dataset).task(TaskName(*name))


@pytest.mark.parametrize("file", _zappos_files.FILES)
def test_a_damaged_file_blocks_the_plan_and_fails_the_task(root: Path, file: str) -> None:
    write_images(root, "ut-zap50k-images")
    path = root / "ut-zap50k-data" / file
    path.write_bytes(path.read_bytes()[:-200])
    reason = make().missing()
    assert reason is not None
    assert "is it truncated?" in reason
    for use in (make().fingerprint, lambda: make().task(TaskName("zappos", "open", "1"))):
        with pytest.raises(BadInput, match="is not a complete MATLAB file") as error:
            use()
        assert str(path) in str(error.value)


def _set(part: str, k: int, row: int, column: int, value: float) -> Callable[[ZapposVariables], None]:
    def change(files: ZapposVariables) -> None:
        getattr(files, part)[k][row, column] = value

    return change


def _twice(files: ZapposVariables, turned: bool) -> None:
    a, b, *rest = files.order[1][0].tolist()
    files.order[1][5] = [b, a, *rest] if turned else [a, b, *rest]


def _equal_too(files: ZapposVariables) -> None:
    files.equal[3][8, :2] = files.order[3][2, :2]


def _fine_too(files: ZapposVariables) -> None:
    files.hard[3][2, :2] = files.order[3][2, :2]


def _swap(files: ZapposVariables) -> None:
    files.train[1][3][0] = files.test[1][3][0]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_set("order", 0, 2, 0, 61), "mturkOrder of open, row 3: 61 in column 1; expected an image from 1 to 60"),
        (_set("order", 0, 2, 1, 0), "mturkOrder of open, row 3: 0 in column 2; expected an image from 1 to 60"),
        (_set("order", 0, 2, 1, 4.5), "row 3: 4.5 in column 2"),
        (_set("order", 0, 2, 1, np.nan), "row 3: nan in column 2"),
        (_set("order", 2, 1, 2, 1), "mturkOrder of sporty, row 2: 1 in column 3; expected 3, for sporty"),
        (_set("order", 3, 1, 3, 3), "mturkOrder of comfort, row 2: 3 in column 4; expected the label 1 or 2"),
        (_set("equal", 3, 1, 3, 1), "mturkEqual of comfort, row 2: 1 in column 4; expected the label 3"),
        (_set("hard", 3, 1, 3, 3), r"labels-fg\.mat: mturkHard of comfort, row 2: 3 in column 4"),
        (lambda f: f.order[1].__setitem__((4, 1), f.order[1][4, 0]), r"of pointy, row 5 pairs image \d+ with itself"),
        (lambda f: _twice(f, turned=True), r"mturkOrder of pointy has images \d+ and \d+ twice, with labels"),
        (lambda f: _twice(f, turned=False), r"mturkOrder of pointy has images \d+ and \d+ twice, both with label"),
        (_equal_too, r"mturkEqual of comfort has images .* twice \(first in .*mturkOrder of comfort\), with labels"),
        (_fine_too, r"mturkHard of comfort has images .* twice \(first in .*mturkOrder of comfort\)"),
        (
            lambda f: f.order.__setitem__(0, f.order[0][:, :5]),
            r"of open has shape \(20, 5\); expected \(n, 6\)",
        ),
        (lambda f: f.hard.pop(), r"mturkHard is object of shape \(1, 3\); expected 4 cells"),
        (
            lambda f: f.train[2].pop(),
            r"splits\.mat: sporty is object of shape \(9, 1\); expected 10 cells",
        ),
        (lambda f: f.test[2].__setitem__(0, f.test[2][0][:4]), "split 1 of sporty has 4 test pairs; expected 6"),
        (lambda f: f.train[2][4].__setitem__(0, 21), "sporty, split 5 has row 21; expected 1 to 20"),
        (_swap, "split 4 of pointy has 14 training and 6 test pairs; expected each of the 20 ordered pairs in one"),
        (lambda f: setattr(f, "paths", f.paths[:-1]), "imagepath has 59 images; expected 60"),
        (lambda f: f.paths.__setitem__((3, 0), f.paths[4, 0]), "imagepath lists 1 images twice"),
        (lambda f: f.paths.__setitem__((3, 0), "../a.jpg"), r"image-path\.mat, image 4: path '\.\./a\.jpg' is not"),
        (lambda f: f.paths.__setitem__((3, 0), 5.0), r"imagepath\[3\] is .*; expected text"),
    ],
)
def test_a_fault_is_named(
    root: Path, files: ZapposVariables, change: Callable[[ZapposVariables], Any], match: str
) -> None:
    write_images(root, "ut-zap50k-images")
    change(files)
    files.write(root / "ut-zap50k-data")
    with pytest.raises(BadInput, match=match) as error:
        make().task(TaskName("zappos", "open", "1"))
    assert str(root) in str(error.value)


def test_the_downloads_are_all_files() -> None:
    downloads = {download.path: download for download in make().downloads()}
    assert set(downloads) == {*_zappos_files.FILES, "train-test-splits-pairs.mat"}
    labels = downloads["zappos-labels.mat"]
    assert labels.mirrors == (
        "https://raw.githubusercontent.com/PenguinZhou/Shoe_Searching_Comparison/"
        "154f3a9d50d37000e7edcbd6e7ceb63aeb513cbf/ut-zap50k-data/zappos-labels.mat",
    )
    assert labels.sha256 == "ada3c7765f5c3ec42cf882b1990a360dec45d074c8bd1d01fc7f3267ded03eed"
    assert {entry.path: entry.sha256 for entry in manifest.read_manifest(make().manifest)} == {
        path: download.sha256 for path, download in downloads.items()
    }
