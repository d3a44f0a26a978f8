"""OSR: the real files have the published counts; small generated releases of every layout."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from relattr.datasets import _release_files, osr

from relattr.errors import BadInput, Blocked, UnknownName
from relattr.registry import registry
from relattr.system import manifest
from relattr.system.fetch import RetryPolicy, fetch_files
from relattr.task import TaskName

ATTRIBUTES = ["natural", "open", "perspective", "size-large", "diagonal-plane", "depth-close"]
# Parikh & Grauman (ICCV 2011), Table 1, as printed: T(all building) I(nside city) S(treet) H(ighway)
# C(oast) O(pen country) M(ountain) F(orest)
PRINTED = {
    "natural": "T<I=S<H<C=O=M=F",
    "open": "T=F<I=S<M<H=C=O",
    "perspective": "O<C<M=F<H<I<S<T",
    "size-large": "F<O=M<I=S<H=C<T",
    "diagonal-plane": "F<O=M<C<I=S<H<T",
    "depth-close": "C<M<O<T=I=S=H=F",
}
LETTERS = dict(zip("TISHCOMF", osr.CLASSES, strict=True))


def printed_ranks(attribute: str) -> dict[str, int]:
    """Class -> rank, read from the printed expression."""
    return {
        LETTERS[letter]: rank
        for rank, group in enumerate(PRINTED[attribute].split("<"), start=1)
        for letter in group.split("=")
    }


def make() -> osr.OSR:
    dataset = registry.dataset("osr").create()
    assert isinstance(dataset, osr.OSR)
    return dataset


def real_data() -> osr.OSR:
    """The dataset with the real files; without them, the test is skipped with the reason."""
    dataset = make()
    missing = dataset.missing()
    if missing:
        pytest.skip(f"real OSR not tested: {missing}")
    return dataset


def test_the_class_order_is_the_printed_one() -> None:
    assert list(osr.CLASS_RANKS) == ATTRIBUTES
    for attribute in ATTRIBUTES:
        assert dict(zip(osr.CLASSES, osr.CLASS_RANKS[attribute], strict=True)) == printed_ranks(attribute)


# ---------------------------------------------------------------------- the real files

REAL = {  # ordered and equal pairs to train on, ordered and equal pairs to test on
    "natural": (18900, 9780, 1857012, 1138116),
    "open": (20700, 7980, 2154896, 840232),
    "perspective": (24300, 4380, 2511068, 484060),
    "size-large": (22500, 6180, 2334124, 661004),
    "diagonal-plane": (23400, 5280, 2410024, 585104),
    "depth-close": (16200, 12480, 1838916, 1156212),
}


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_pair_counts(attribute: str) -> None:
    task = real_data().task(TaskName("osr", attribute, "standard"))
    train, (test,) = task.train.pairs, task.tests
    counts = train.n_ordered, train.n_similar, test.pairs.n_ordered, test.pairs.n_similar
    assert counts == REAL[attribute]
    assert len(train) == 28680
    assert (len(task.train.images), len(test.images)) == (240, 2448)
    # counted again from file names alone
    for images, pairs in ((task.train.images, train), (test.images, test.pairs)):
        ranks = [printed_ranks(attribute)[name.split("_")[0]] for name in images.names]
        of_rank = [ranks.count(rank) for rank in set(ranks)]
        assert pairs.n_ordered == sum(a * b for a, b in combinations(of_rank, 2))


@pytest.mark.real
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_real_labels_and_sides(attribute: str) -> None:
    task = real_data().task(TaskName("osr", attribute, "standard"))
    (test,) = task.tests
    for images, pairs in ((task.train.images, task.train.pairs), (test.images, test.pairs)):
        ranks = np.array([printed_ranks(attribute)[name.split("_")[0]] for name in images.names])
        assert (np.sign(ranks[pairs.left] - ranks[pairs.right]) == pairs.label).all()
        ordered = pairs.label[pairs.label != 0]
        assert abs((ordered == 1).mean() - 0.5) < 0.02  # five standard errors of the fewest
    assert not set(task.train.images.names) & set(test.images.names)
    assert len(set(task.train.images.names) | set(test.images.names)) == 2688


@pytest.mark.real
def test_real_training_names_and_categories() -> None:
    dataset = real_data()
    named = set((dataset.root / "train240.txt").read_text().split())
    task = dataset.task(TaskName("osr", "open", "standard"))
    assert set(task.train.images.names) == named
    assert task.train.categories is not None
    assert np.bincount(task.train.categories).tolist() == [30] * 8
    for name, category in zip(task.train.images.names, task.train.categories, strict=True):
        assert name.startswith(task.train.category_names[category] + "_")
    assert task.train.scores is None


@pytest.mark.real
def test_real_files_verify() -> None:
    findings = real_data().verify()
    assert [f"{finding.what}: {finding.detail}" for finding in findings if not finding.ok] == []
    assert len(findings) >= 11
    (identical,) = [finding for finding in findings if "identical" in finding.what]
    assert "insidecity_urb992.jpg = images/tallbuilding_urb992.jpg" in identical.detail
    assert "mountain_sclos4.jpg = images/mountain_sharp59.jpg" in identical.detail


@pytest.mark.real
def test_fetched_files_give_the_same_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = real_data()
    here = dataset.task(TaskName("osr", "open", "standard"))
    folder = tmp_path / "data" / "osr"
    folder.mkdir(parents=True)
    for download in dataset.downloads():  # exactly those files, by links
        link = folder / download.path
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(dataset.root / download.path)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    fetched = make()
    assert fetched.missing() is None
    there = fetched.task(TaskName("osr", "open", "standard"))
    assert there.train.images.names == here.train.images.names
    assert there.train.pairs.fingerprint() == here.train.pairs.fingerprint()
    assert there.tests[0].pairs.fingerprint() == here.tests[0].pairs.fingerprint()
    assert any("outdoor_scenes.mat" in text for text in (*there.notes, *there.deviations))


# ---------------------------------------------------------------------- small releases of every layout

A_CLASS, TRAINED = 5, 2
NAMES = sorted(f"{scene}_x{i}.jpg" for scene in osr.CLASSES for i in range(A_CLASS))
TRAINING = [f"{scene}_x{i}.jpg" for scene in reversed(osr.CLASSES) for i in (3, 1)]


def write_images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)).save(folder / name)


def cell(values: list[str], shape: tuple[int, ...], nested: bool = False) -> np.ndarray[Any, Any]:
    cells = np.empty(len(values), object)
    for i, value in enumerate(values):
        cells[i] = np.array([value], object) if nested else value
    return cells.reshape(shape)


def write_outdoor_scenes(path: Path, names: list[str] = TRAINING) -> None:
    image_names = cell(names, (-1, 1), nested=True)
    scipy.io.savemat(path, {"image_names": image_names, "attribute_names": cell(ATTRIBUTES, (1, 6))})


def write_data(path: Path, **changed: Any) -> None:
    """Parikh and Grauman's format: images and classes in another order, classes numbered from 1."""
    classes = ["coast", "forest", "highway", "insidecity", "mountain", "opencountry", "street", "tallbuilding"]
    names = NAMES[::-1]
    variables = {
        "im_names": cell(names, (1, -1)),
        "class_names": cell(classes, (1, -1)),
        "class_labels": np.array([[classes.index(n.split("_")[0]) + 1] for n in names], np.uint8),
        "attribute_names": cell(ATTRIBUTES, (1, -1)),
        "relative_ordering": np.array([[2 * printed_ranks(a)[c] for c in classes] for a in ATTRIBUTES], np.uint8),
        "used_for_training": np.array([[n in TRAINING] for n in names], np.uint8),
        "feat": np.zeros((len(names), 4)),
    }
    scipy.io.savemat(path, {k: v for k, v in {**variables, **changed}.items() if v is not None})


LAYOUTS = ["train240.txt", "outdoor_scenes.mat", "data.mat", "osr/data.mat", "official"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a small OSR of 40 images, 16 of them to train on."""
    write_images(tmp_path / "all" / "images")
    write_outdoor_scenes(tmp_path / "all" / "outdoor_scenes.mat")
    manifest.write_manifest(tmp_path / "osr.txt", tmp_path / "all", ["images", "outdoor_scenes.mat"])
    monkeypatch.setattr(osr.OSR, "manifest", tmp_path / "osr.txt")
    monkeypatch.setattr(osr.OSR, "n_train_per_class", TRAINED)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "osr"
    folder.mkdir(parents=True)
    return folder


def write(root: Path, layout: str) -> osr.OSR:
    write_images(root / (osr.OFFICIAL_IMAGES if layout == "official" else "images"))
    split = root / ("data.mat" if layout == "official" else layout)
    split.parent.mkdir(exist_ok=True)
    if split.name == "data.mat":
        write_data(split)
    elif split.suffix == ".mat":
        write_outdoor_scenes(split)
    else:
        split.write_text("\n".join(TRAINING) + "\n")
    return make()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pairs(root: Path, layout: str) -> None:
    dataset = write(root, layout)
    assert dataset.missing() is None
    assert [str(name) for name in dataset.tasks()] == [f"osr/{a}/standard" for a in ATTRIBUTES]
    for name in dataset.tasks():
        task = dataset.task(name)
        (test,) = task.tests
        assert sorted(task.train.images.names) == sorted(TRAINING)
        assert sorted(test.images.names) == sorted(set(NAMES) - set(TRAINING))
        ranks = printed_ranks(name.attribute)
        for images, pairs in ((task.train.images, task.train.pairs), (test.images, test.pairs)):
            names = images.names
            expected = {}
            for a, b in combinations(names, 2):
                expected[frozenset((a, b))] = {a: ranks[a.split("_")[0]], b: ranks[b.split("_")[0]]}
            rows = list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.label.tolist(), strict=True))
            assert len(rows) == len(expected)
            for left, right, label in rows:
                strength = expected.pop(frozenset((names[left], names[right])))
                difference = strength[names[left]] - strength[names[right]]
                assert label == (difference > 0) - (difference < 0)
        unseen = any("not compared name by name" in note for note in task.deviations)
        assert unseen == (layout in ("train240.txt", "outdoor_scenes.mat"))
        assert any("identical images" in note for note in task.notes)


def test_all_tasks_share_one_collection_and_nothing_of_the_test(root: Path) -> None:
    dataset = write(root, "train240.txt")
    tasks = [dataset.task(name) for name in dataset.tasks()]
    prints = {images.collection_fingerprint for t in tasks for images in (t.train.images, t.tests[0].images)}
    assert len(prints) == 1
    assert {t.train.images.n_collection for t in tasks} == {40}
    shown = tasks[0].train.images[0]
    with Image.open(root / "images" / tasks[0].train.images.names[0]) as image:
        assert (shown == np.asarray(image)).all()
    assert not set(tasks[0].train.images.indices) & set(tasks[0].tests[0].images.indices)


def test_the_fingerprint_is_of_images_and_split(root: Path) -> None:
    dataset = write(root, "train240.txt")
    first = dataset.fingerprint()
    (root / "SOURCE.md").write_text("a note")
    assert make().fingerprint() == first
    text = (root / "train240.txt").read_text()
    (root / "train240.txt").write_text(text.replace("coast_x3", "coast_x0"))
    second = make().fingerprint()
    (root / "train240.txt").write_text(text)
    shutil.copy(root / "images" / NAMES[1], root / "images" / NAMES[0])
    assert len({first, second, make().fingerprint()}) == 3


def test_the_official_mask_goes_before_a_list(root: Path) -> None:
    write(root, "train240.txt")
    other = [f"{scene}_x{i}.jpg" for scene in osr.CLASSES for i in (0, 2)]
    write_data(root / "data.mat", used_for_training=np.array([[n in other] for n in NAMES[::-1]], np.uint8))
    assert sorted(make().task(TaskName("osr", "open", "standard")).train.images.names) == sorted(other)
    problems = {f.what: f.detail for f in make().verify() if not f.ok}
    assert "different training images" in problems["training images"]


# ---------------------------------------------------------------------- what is missing or wrong


def test_no_files(root: Path) -> None:
    dataset = make()
    reason = dataset.missing()
    assert reason is not None
    for word in ("no folder images", str(root), "relattr data fetch osr", "RELATTR_DATA", "41 files"):
        assert word in reason
    with pytest.raises(Blocked, match="relattr data fetch osr"):
        dataset.task(TaskName("osr", "open", "standard"))
    with pytest.raises(Blocked, match="relattr data fetch osr"):
        dataset.fingerprint()
    (finding,) = dataset.verify()
    assert not finding.ok
    assert finding.detail == reason


def test_an_image_or_the_split_is_missing(root: Path) -> None:
    write(root, "train240.txt")
    (root / "images" / NAMES[7]).rename(root / "kept")
    reason = make().missing()
    assert reason is not None
    assert f"1 of 40 images are missing (first images/{NAMES[7]})" in reason
    (root / "kept").rename(root / "images" / NAMES[7])
    (root / "train240.txt").unlink()
    reason = make().missing()
    assert reason is not None
    assert "no file with the training images" in reason


@pytest.mark.parametrize(
    "name", [("osr", "smile", "standard"), ("osr", "open", "other"), ("lfw10", "open", "standard")]
)
def test_an_unknown_task_raises(root: Path, name: tuple[str, str, str]) -> None:
    with pytest.raises(UnknownName, match="no task is called"):
        write(root, "train240.txt").task(TaskName(*name))


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (TRAINING[:-1], "names 15 training images, 15 of them different; expected 16"),
        ([*TRAINING[:-1], TRAINING[0]], "names 16 training images, 15 of them different; expected 16"),
        ([*TRAINING[:-1], "coast_gone.jpg"], "names 'coast_gone.jpg', which is not one of the 40 images"),
        ([], "names 0 training images"),
    ],
)
@pytest.mark.parametrize("layout", ["train240.txt", "outdoor_scenes.mat"])
def test_a_bad_list_of_training_images(root: Path, layout: str, names: list[str], match: str) -> None:
    write(root, layout)
    if layout.endswith(".txt"):
        (root / layout).write_text("\n".join(names))
    else:
        write_outdoor_scenes(root / layout, names)
    with pytest.raises(BadInput, match=match) as error:
        make().task(TaskName("osr", "open", "standard"))
    assert layout in str(error.value)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def version_73(path: Path) -> None:
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (truncated, "not a complete MATLAB file"),
        (version_73, "-v7"),
        (lambda path: path.write_bytes(b""), "not a complete MATLAB file"),
        (lambda path: path.write_text("<html>not found</html>" * 50), "not a complete MATLAB file"),
        (lambda path: scipy.io.savemat(path, {"x": 1}), "has no variable"),
    ],
    ids=["truncated", "version 7.3", "empty", "web page", "other variables"],
)
@pytest.mark.parametrize("layout", ["outdoor_scenes.mat", "data.mat"])
def test_a_damaged_matlab_file(root: Path, layout: str, damage: Any, match: str) -> None:
    write(root, layout)
    damage(root / layout)
    with pytest.raises(BadInput, match=match) as error:
        make().task(TaskName("osr", "open", "standard"))
    assert str(root / layout) in str(error.value)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"used_for_training": np.ones((39, 1), np.uint8)}, "must be 40 of 0 and 1"),
        ({"used_for_training": np.full((40, 1), 2, np.uint8)}, "must be 40 of 0 and 1"),
        ({"used_for_training": cell(["a"] * 40, (40, 1))}, "not a number"),
        ({"im_names": np.zeros((1, 40))}, "expected text"),
        ({"used_for_training": None}, "has no variable 'used_for_training'"),
    ],
    ids=["length", "values", "text", "numbers", "gone"],
)
def test_a_bad_mask(root: Path, changed: dict[str, Any], match: str) -> None:
    write(root, "data.mat")
    write_data(root / "data.mat", **changed)
    with pytest.raises(BadInput, match=match):
        make().task(TaskName("osr", "open", "standard"))


def problems(dataset: osr.OSR) -> dict[str, str]:
    """The failed findings of verify, except the sizes, which differ in a small release."""
    sizes = ("images of each class", "pairs of", "training images", "identical images")
    return {f.what: f.detail for f in dataset.verify() if not f.ok and not f.what.startswith(sizes)}


def test_verify_detects_changed_files(root: Path) -> None:
    dataset = write(root, "data.mat")
    table = {
        "attributes": ATTRIBUTES,
        "classes": list(osr.CLASSES),
        "relative_ordering": list(osr.CLASS_RANKS.values()),
    }
    (root / "relative_ordering_table1.json").write_text(json.dumps(table))
    assert problems(dataset) == {}
    content = (root / "images" / NAMES[3]).read_bytes()
    (root / "images" / NAMES[3]).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (detail,) = problems(make()).values()
    assert f"images/{NAMES[3]} has SHA-256" in detail
    (root / "images" / NAMES[3]).write_bytes(content)
    table["relative_ordering"] = [osr.CLASS_RANKS["open"], *list(osr.CLASS_RANKS.values())[1:]]
    (root / "relative_ordering_table1.json").write_text(json.dumps(table))
    (detail,) = problems(make()).values()
    assert detail.startswith("another order for natural")
    (root / "relative_ordering_table1.json").write_text("{}")
    (detail,) = problems(make()).values()
    assert "not a table of class orders" in detail


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"class_labels": np.ones((40, 1), np.uint8)}, "class 1 for tallbuilding_x4.jpg"),
        ({"class_labels": np.full((40, 1), 9, np.uint8)}, "class 9 for"),
        ({"relative_ordering": np.ones((6, 8), np.uint8)}, "another order for natural"),
        ({"relative_ordering": np.ones((8, 6), np.uint8)}, "relative_ordering is (8, 6), expected (6, 8)"),
        ({"attribute_names": cell(["a"] * 6, (1, 6))}, "attributes ['a'"),
    ],
)
def test_verify_finds_an_official_file_that_disagrees(root: Path, changed: dict[str, Any], match: str) -> None:
    dataset = write(root, "data.mat")
    write_data(root / "data.mat", **changed)
    (detail,) = problems(dataset).values()
    assert match in detail


def test_verify_finds_one_image_on_both_sides(root: Path, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "all/images/coast_x3.jpg", tmp_path / "all/images/coast_x0.jpg")  # trained and tested
    _release_files.cached_manifest.cache_clear()
    manifest.write_manifest(tmp_path / "osr.txt", tmp_path / "all", ["images", "outdoor_scenes.mat"])
    (finding,) = [f for f in write(root, "train240.txt").verify() if f.what.startswith("identical images")]
    assert not finding.ok
    assert "on both sides: images/coast_x0.jpg = images/coast_x3.jpg" in finding.detail


# ---------------------------------------------------------------------- downloads


def test_the_manifest_and_the_downloads_are_the_whole_release() -> None:
    files = {download.path: download for download in make().downloads()}
    assert len(files) == 2689
    assert sum(path.startswith("images/") for path in files) == 2688
    assert sum(download.size for path, download in files.items() if path.startswith("images/")) == 127_273_522
    scenes = [path.removeprefix("images/").split("_")[0] for path in files if path.startswith("images/")]
    assert [scenes.count(name) for name in osr.CLASSES] == [356, 308, 292, 260, 360, 410, 374, 328]
    base = "https://raw.githubusercontent.com"
    assert files["outdoor_scenes.mat"].mirrors == (
        f"{base}/apriltuesday/RelativeAttributes/982b975f3b62d628d6b1c69c27acb429d7360e64/data/outdoor_scenes.mat",
    )
    assert files["images/insidecity_art1082.jpg"].mirrors == (
        f"{base}/jellis505/reproducingcodes/07de6095470dfca62e4b6ce66575395801b34b65/DATA/osr/images/insidecity_art1082.jpg",
        f"{base}/EauDeData/MCV-M3-W4/55c4cfff266b032f954c03215fa9319c4490a057/data/MIT_split/train/inside_city/art1082.jpg",
        f"{base}/EauDeData/MCV-M3-W4/55c4cfff266b032f954c03215fa9319c4490a057/data/MIT_split/test/inside_city/art1082.jpg",
    )
    # the second copy's naming, back to ours: class.lower().replace('_', '') + '_' + name
    for path, download in files.items():
        for url in download.mirrors[1:]:
            scene, name = url.split("/")[-2:]
            assert f"images/{scene.lower().replace('_', '')}_{name}" == path


def test_a_fetched_release_works(
    root: Path, tmp_path: Path, copies: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, address = copies
    for name in ("FIRST_COPY", "SECOND_COPY", "SPLIT_COPY"):
        monkeypatch.setattr(osr, name, f"{address}/{name}")
    places = [  # a third of the images in each of the places where one may be
        lambda name: f"FIRST_COPY/DATA/osr/images/{name}",
        lambda name: f"SECOND_COPY/data/MIT_split/train/{second(name)}",
        lambda name: f"SECOND_COPY/data/MIT_split/test/{second(name)}",
    ]

    def second(name: str) -> str:
        scene, _, rest = name.partition("_")
        return f"{ {'insidecity': 'inside_city', 'opencountry': 'Opencountry'}.get(scene, scene) }/{rest}"

    for i, name in enumerate(NAMES):
        place = served / places[i % 3](name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "all/images" / name, place)
    (served / "SPLIT_COPY/data").mkdir(parents=True)
    shutil.copy(tmp_path / "all/outdoor_scenes.mat", served / "SPLIT_COPY/data/outdoor_scenes.mat")

    dataset = make()
    done = fetch_files(dataset.downloads(), dataset.root, what="osr", policy=RetryPolicy(tries=2, sleep=lambda s: None))
    assert done.fetched == 41
    assert make().missing() is None
    assert problems(make()) == {}
    task = make().task(TaskName("osr", "natural", "standard"))
    assert sorted(task.train.images.names) == sorted(TRAINING)


def test_importing_is_light() -> None:
    heavy = "{'scipy', 'torch', 'requests'}"
    code = f"import sys, relattr.datasets.osr; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_checksums_are_of_the_files_they_name(root: Path, tmp_path: Path) -> None:
    chosen = random.Random(0).sample(NAMES, 5)
    entries = {entry.path: entry for entry in _release_files.cached_manifest(tmp_path / "osr.txt")}
    for name in chosen:
        content = (tmp_path / "all/images" / name).read_bytes()
        assert entries[f"images/{name}"].sha256 == hashlib.sha256(content).hexdigest()
