"""Files in Parikh and Grauman's format: pairs compared with plain loops, shipped features, error messages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from relattr.datasets import relative_attributes
from relattr.datasets.relative_attributes import RelativeAttributes

from relattr.check import dataset_checks, method_checks
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.execution.evaluate import evaluate_cell
from relattr.harness.cell import Cell
from relattr.harness.result import Result
from relattr.registry import registry
from relattr.run_settings import Run
from relattr.system import manifest
from relattr.system.fetch import fetch_files
from relattr.task import TaskName

CLASSES = ["Alex Rodriguez", "Clive Owen", "Hugh Laurie", "Jared Leto"]
RANKS = {"Male": (1, 2, 2, 4), "Smiling": (3, 3, 1, 2)}
N = 48
OF = [k % 4 for k in range(N)]
NAMES = [f"{CLASSES[c].split()[0]}_{k}.jpg" for k, c in enumerate(OF)]
TRAINED = [k % 3 == 0 for k in range(N)]


def cells(texts: list[str]) -> np.ndarray:
    array = np.empty((1, len(texts)), object)
    array[0] = texts
    return array


def contents() -> dict[str, Any]:
    """Features that encode the order of the classes, plus noise."""
    rng = np.random.default_rng(0)
    truth = np.array([[RANKS[a][c] for a in RANKS] for c in OF], float)
    feat = np.hstack([truth + rng.normal(0, 0.2, truth.shape), rng.normal(0, 1, (N, 3))])
    predictor = rng.normal(0, 1, (5, 2))
    return {
        "im_names": cells(NAMES),
        "class_names": cells(CLASSES),
        "class_labels": np.array([[c + 1] for c in OF], np.uint8),
        "attribute_names": cells(list(RANKS)),
        "relative_ordering": np.array(list(RANKS.values()), np.uint8),
        "used_for_training": np.array([[t] for t in TRAINED], np.uint8),
        "feat": feat,
        "binary_predicates": np.zeros((4, 2), np.uint8),
        "relative_att_predictor": predictor,
        "relative_att_predictions": feat @ predictor,
    }


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    path = tmp_path / "relative_attributes" / "pubfig" / "data.mat"
    path.parent.mkdir(parents=True)
    scipy.io.savemat(path, contents())
    return path


def rewrite(path: Path, **changed: Any) -> None:
    scipy.io.savemat(path, {k: v for k, v in {**contents(), **changed}.items() if v is not None})


def write_images(folder: Path) -> None:
    folder.mkdir()
    for k, name in enumerate(NAMES):
        Image.fromarray(np.full((4, 4, 3), 5 * k, np.uint8)).save(folder / name)


def make(name: str = "pubfig", **values: Any) -> RelativeAttributes:
    dataset = registry.dataset(name).create(values)
    assert isinstance(dataset, RelativeAttributes)
    return dataset


@pytest.mark.parametrize("attribute", RANKS)
@pytest.mark.parametrize("images", [True, False])
def test_a_task(path: Path, attribute: str, images: bool) -> None:
    if images:
        write_images(path.parent / "images")
    task = make().task(TaskName("pubfig", attribute, "standard"))
    known = dict(zip(NAMES, OF, strict=True))
    for part, pairs, trained in (
        (task.train.images, task.train.pairs, True),
        (task.tests[0].images, task.tests[0].pairs, False),
    ):
        names = part.names
        assert sorted(names) == sorted(n for n, t in zip(NAMES, TRAINED, strict=True) if t == trained)
        stronger = {
            frozenset((names[a], names[b])): (names[a], y)
            for a, b, y in zip(*map(np.ndarray.tolist, pairs.arrays), strict=True)
        }
        assert len(stronger) == len(pairs) == len(names) * (len(names) - 1) // 2
        for one, other in itertools.combinations(names, 2):
            left, y = stronger[frozenset((one, other))]
            right = other if left == one else one
            a, b = (RANKS[attribute][known[name]] for name in (left, right))
            assert y == (a > b) - (a < b)
        assert part.shipped_features is not None
        rows = [NAMES.index(name) for name in names]
        np.testing.assert_array_equal(part.shipped_features, contents()["feat"][rows])
        if images:
            assert abs(int(part[3].mean()) - 5 * rows[3]) < 3
    assert task.train.categories is not None
    assert [task.train.category_names[c] for c in task.train.categories] == [
        CLASSES[known[n]] for n in task.train.images.names
    ]


def run(method: str, dataset: str = "pubfig", attribute: str = "Male", **values: Any) -> Result:
    parameters = {} if method == "chance" else {"C": 1.0}  # no search: it is tested with the solver
    cell = Cell(method, parameters, dataset, values, attribute, "standard", 0)
    result, _ = evaluate_cell(cell, registry, {}, None, Run())  # type: ignore[arg-type]  # only handed on
    return result


def test_only_methods_on_features_run_without_images(path: Path) -> None:
    registry.discover()
    result = run("ranksvm-shipped-features")
    assert result.status == "ok", result.reason
    assert result.tests[0].n_correct / result.tests[0].n_ordered > 0.95
    assert run("chance").status == "ok"  # it looks at no image
    blocked = run("ranksvm-hog2x2")
    assert blocked.status == "blocked"
    assert "has no folder of images" in blocked.reason


def test_without_such_features_the_method_does_not_apply() -> None:
    registry.discover()
    result = run("ranksvm-shipped-features", "glyphs", "global", n_train=20, n_test=20)
    assert result.status == "skipped"
    assert result.reason == "needs features shipped with the images, and glyphs has none"


@pytest.mark.parametrize("check", method_checks("ranksvm-shipped-features"), ids=lambda check: check.law.name)
def test_contract_of_the_method(check: Any) -> None:
    finding = check.run()
    assert finding.outcome in ("passed", "not applicable"), finding.detail


def outcomes(name: str, **values: Any) -> dict[str, str]:
    return {f.law.name: f"{f.outcome} {f.detail}" for f in (c.run() for c in dataset_checks(name, values=values))}


def test_contract_with_images(path: Path) -> None:
    write_images(path.parent / "images")
    results = outcomes("relative-attributes", file=str(path))
    assert {law: outcome for law, outcome in results.items() if outcome != "passed "} == {}


def test_contract_without_images(path: Path) -> None:
    results = outcomes("relative-attributes", file=str(path))
    assert results.pop("decode").startswith("blocked image ")
    assert results.pop("no-leak") == "passed by name only: the images are not available"
    assert set(results.values()) == {"passed "}


def test_contract_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    for name, match in (
        ("relative-attributes", "set relative-attributes.file"),
        ("pubfig", "pubfig/data.mat does not exist"),
    ):
        assert make(name).attributes() == ()
        assert match in str(make(name).missing())
        with pytest.raises(Blocked, match=match):
            make(name).fingerprint()
        assert not [outcome for outcome in outcomes(name).values() if outcome.startswith("failed")]


def test_the_fingerprint_follows_file_and_images(path: Path) -> None:
    seen = [make().fingerprint(), make().fingerprint()]
    assert seen[0] == seen[1]
    write_images(path.parent / "images")
    seen.append(make().fingerprint())
    (path.parent / "images" / NAMES[0]).write_bytes((path.parent / "images" / NAMES[1]).read_bytes())
    seen.append(make().fingerprint())
    rewrite(path, feat=contents()["feat"] + 1)
    seen.append(make().fingerprint())
    assert len(set(seen)) == 4


def test_verify_compares_the_predictions_with_the_predictor(path: Path) -> None:
    def wrong() -> dict[str, str]:
        return {f.what: f.detail for f in make().verify() if not f.ok}

    assert list(wrong()) == ["checksums", "sizes"]  # a small file is not PubFig
    assert "expected (772, 542, 11, 241)" in wrong()["sizes"]
    assert not [f for f in make("relative-attributes", file=str(path)).verify() if not f.ok]
    changed = contents()["relative_att_predictions"].copy()
    changed[7, 1] += 0.01
    rewrite(path, relative_att_predictions=changed)
    assert wrong()["relative_att_predictions are feat . relative_att_predictor"].startswith("Smiling: ")
    # the name that the release's README has for it
    rewrite(path, relative_att_predictor=None, relative_att_predictors=contents()["relative_att_predictor"])
    assert list(wrong()) == ["checksums", "sizes"]
    rewrite(path, relative_att_predictor=None)
    assert list(wrong()) == ["checksums", "sizes"]


# ---------------------------------------------------------------------- downloads


def test_the_downloads_are_all_files_of_pubfig() -> None:
    files = {download.path: download for download in make().downloads()}
    assert len(files) == 773
    assert sum(download.size for download in files.values()) == 8_279_123
    assert files["data.mat"].size == 1_846_194
    assert files["images/HughLaurie_102.jpg"].mirrors == (
        "https://raw.githubusercontent.com/jellis505/reproducingcodes/07de6095470dfca62e4b6ce66575395801b34b65/DATA/"
        "pubfig/images/HughLaurie_102.jpg",
    )
    people = [path.removeprefix("images/").split("_")[0] for path in files if path.startswith("images/")]
    assert len(people) == 772
    assert len(set(people)) == 8
    for other in (make("osr-shipped"), make(file="my/data.mat"), make(images="my_images")):
        assert not other.downloads()


def test_a_fetched_release_works(
    path: Path, copies: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, address = copies
    write_images(path.parent / "images")
    release = path.parent.rename(served / "pubfig")
    manifest.write_manifest(tmp_path / "pubfig.txt", release, ["data.mat", "images"])
    monkeypatch.setattr(relative_attributes, "PUBFIG_MANIFEST", tmp_path / "pubfig.txt")
    monkeypatch.setattr(relative_attributes, "PUBFIG_COPY", f"{address}/pubfig")
    hint = rf"; 'relattr data fetch pubfig' downloads it \({N + 1} files, 0 MB\)$"
    assert re.search(rf"pubfig/data\.mat does not exist{hint}", str(make().missing()))

    assert fetch_files(make().downloads(), make().root).fetched == N + 1
    assert make().missing() is None
    assert (make().root, make().image_folder) == (path.parent, path.parent / "images")
    assert make().task(TaskName("pubfig", "Male", "standard")).train.images[3].shape == (4, 4, 3)
    assert "checksums" not in [finding.what for finding in make().verify() if not finding.ok]

    (path.parent / "images" / NAMES[5]).write_bytes(b"damaged")
    (wrong,) = [finding.detail for finding in make().verify() if finding.what == "checksums"]
    assert f"images/{NAMES[5]}" in wrong
    (path.parent / "images" / NAMES[5]).unlink()
    assert re.search(rf"first {NAMES[5]}\){hint}", str(make().missing()))
    assert fetch_files(make().downloads(), make().root).fetched == 1


# ---------------------------------------------------------------------- faults

BAD_FEATURES = contents()["feat"].copy()
BAD_FEATURES[4, 2] = np.nan

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "no features": ({"feat": None}, "has no variable 'feat'"),
    "features of other images": ({"feat": np.zeros((N - 1, 5))}, f"feat has shape (47, 5); expected ({N}, d)"),
    "NaN": ({"feat": BAD_FEATURES}, "feat(5, 3) is nan; expected a finite number"),
    "labels from 0": ({"class_labels": np.array([[c] for c in OF])}, "class_labels(1, 1) is 0; expected 1 to 4"),
    "label of no class": (
        {"class_labels": np.array([[c + 2] for c in OF])},
        "class_labels(4, 1) is 5; expected 1 to 4",
    ),
    "half a label": ({"class_labels": np.full((N, 1), 1.5)}, "class_labels(1, 1) is 1.5"),
    "too few labels": ({"class_labels": np.ones((N - 1, 1))}, f"class_labels has shape (47, 1); expected ({N}, 1)"),
    "mask": ({"used_for_training": np.full((N, 1), 2)}, "used_for_training(1, 1) is 2; expected 0 to 1"),
    "nothing to test": ({"used_for_training": np.ones((N, 1))}, f"used_for_training marks {N} of {N} images"),
    "order turned": ({"relative_ordering": np.ones((4, 2))}, "relative_ordering has shape (4, 2); expected (2, 4)"),
    "predictor turned": (
        {"relative_att_predictor": np.ones((2, 5))},
        "relative_att_predictor has shape (2, 5); expected (5, 2)",
    ),
    "an image twice": ({"im_names": cells([NAMES[0], *NAMES[:-1]])}, f"im_names names {NAMES[0]!r} twice"),
    "an attribute twice": ({"attribute_names": cells(["a", "a"])}, "attribute_names names 'a' twice"),
    "names": ({"im_names": np.zeros((1, N))}, "expected text"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fault_is_named(path: Path, change: str) -> None:
    changed, match = CHANGES[change]
    rewrite(path, **changed)
    with pytest.raises(BadInput) as error:
        make().task(TaskName("pubfig", "Male", "standard"))
    assert match in str(error.value)
    assert str(path) in str(error.value)
    assert make().missing() == str(error.value)  # a plan goes on and says the same


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:700]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("<html>not found</html>" * 50),
    ],
    ids=["truncated", "empty", "web page"],
)
def test_a_damaged_file(path: Path, damage: Callable[[Path], Any]) -> None:
    damage(path)
    with pytest.raises(BadInput, match="not a complete MATLAB file"):
        make().task(TaskName("pubfig", "Male", "standard"))


def test_missing_images_are_reported(path: Path, tmp_path: Path) -> None:
    write_images(path.parent / "images")
    (path.parent / "images" / NAMES[5]).unlink()
    with pytest.raises(Blocked, match=f"1 of {N} images are not in .*first {NAMES[5]}"):
        make().task(TaskName("pubfig", "Male", "standard"))
    with pytest.raises(Blocked, match="is not a folder"):
        make(images=str(tmp_path / "nowhere")).fingerprint()


def test_an_unknown_task_raises(path: Path) -> None:
    with pytest.raises(UnknownName, match="Female"):
        make().task(TaskName("pubfig", "Female", "standard"))
