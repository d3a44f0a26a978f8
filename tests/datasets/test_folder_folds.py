"""Cross-validation of the dataset `folder`: which pairs are tested, with which images, and when it is used."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from relattr.datasets import _folder_folds
from relattr.datasets._folder_design import explain_design
from relattr.datasets.folder import Folder

from relattr.audit import audit_dataset
from relattr.check import dataset_checks
from relattr.errors import BadInput, UnknownName
from relattr.pairs import Pairs
from relattr.registry import registry

N = 24
NAMES = [f"p/{k:02}.png" for k in range(N)]
ALL = list(itertools.combinations(range(N), 2))


def make_folder(root: Path, lines: list[str], names: list[str] = NAMES, **values: Any) -> Folder:
    """A folder with different images and these lines in `any.csv`."""
    (root / "p").mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        if not (root / name).exists():
            Image.fromarray(np.full((3, 3, 3), k, np.uint8)).save(root / name)
    (root / "any.csv").write_text("\n".join(lines) + "\n")
    dataset = registry.dataset("folder").create({"path": str(root), **values})
    assert isinstance(dataset, Folder)
    return dataset


def pair_lines(pairs: list[tuple[int, int]]) -> list[str]:
    return ["left,right,label", *(f"{NAMES[a]},{NAMES[b]},{1 if a > b else -1}" for a, b in pairs)]


def score_lines(n: int = N) -> list[str]:
    return ["image,score", *(f"{NAMES[k]},{k}" for k in range(n))]


def pairs_of_folds(dataset: Folder) -> list[frozenset[str]]:
    """The pairs of all folds, by the names of their images; no fold trains on an image that it tests."""
    tested = []
    for name in dataset.tasks():
        task = dataset.task(name)
        (test,) = task.tests
        assert test.fold
        assert not set(task.train.images.names) & set(test.images.names)
        for a, b, label in zip(*(side.tolist() for side in test.pairs.arrays), strict=True):
            more, less = (a, b) if label > 0 else (b, a)
            assert test.images.names[more] > test.images.names[less]
            tested.append(frozenset((test.images.names[a], test.images.names[b])))
    return tested


def test_any_two_groups_are_held_out_together_once() -> None:
    for pair in itertools.combinations(range(7), 2):
        assert sum(set(pair) <= set(fold) for fold in _folder_folds.FOLDS) == 1
    first, second = np.divmod(np.arange(49), 7)
    for a, b, fold in zip(first, second, _folder_folds.fold_of_pairs(first, second), strict=True):
        assert {a, b} <= set(_folder_folds.FOLDS[fold])


@pytest.mark.parametrize("kind", ["pairs", "scores"])
def test_each_pair_is_tested_once(tmp_path: Path, kind: str) -> None:
    pairs = ALL[::2] if kind == "pairs" else ALL
    dataset = make_folder(tmp_path, pair_lines(pairs) if kind == "pairs" else score_lines())
    assert dataset.is_cross_validated
    assert [task.split for task in dataset.tasks()] == [f"fold-{k}" for k in range(1, 8)]
    assert sorted(map(sorted, pairs_of_folds(dataset))) == sorted([NAMES[a], NAMES[b]] for a, b in pairs)
    assert not dataset.task(dataset.tasks()[0]).notes


def test_disjoint_pairs_are_all_tested(tmp_path: Path) -> None:
    pairs = [(k, k + 1) for k in range(0, N, 2)]
    assert len(set(pairs_of_folds(make_folder(tmp_path, pair_lines(pairs))))) == len(pairs)


def test_training_pairs_are_all_pairs_of_the_other_images(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path, score_lines())
    for name in dataset.tasks():
        held_out = np.isin(dataset.protocol.groups, _folder_folds.FOLDS[_folder_folds.FOLD_NAMES.index(name.split)])
        n = int((~held_out).sum())
        assert len(dataset.task(name).train.pairs) == n * (n - 1) // 2


def test_the_group_of_an_image_depends_on_its_name_and_the_seed(tmp_path: Path) -> None:
    all_images = make_folder(tmp_path / "a", score_lines())
    some = make_folder(tmp_path / "b", [score_lines()[0], *reversed(score_lines(15)[1:])])
    assert all_images.protocol.groups[:15].tolist() == some.protocol.groups.tolist()
    assert (
        make_folder(tmp_path / "a", score_lines(), seed=1).protocol.groups.tolist()
        != all_images.protocol.groups.tolist()
    )


def test_pairs_that_cannot_be_tested_are_counted(tmp_path: Path) -> None:
    # two images are in every pair: where both are held out, nothing is left to train on
    pairs = [(a, b) for a in (0, 1) for b in range(2, N)] + [(0, 1)]
    dataset = make_folder(tmp_path, pair_lines(pairs))
    n_tested = len(set(pairs_of_folds(dataset)))
    assert 0 < n_tested < len(pairs)
    (note,) = dataset.task(dataset.tasks()[0]).notes
    assert note.startswith(f"{len(pairs) - n_tested} pairs of any are not tested")


def test_a_star_cannot_be_tested(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path, pair_lines([(0, b) for b in range(1, N)]))
    with pytest.raises(BadInput, match=r"no fold of the cross-validation of 'any' .*every ordered pair has the image"):
        dataset.task(dataset.tasks()[0])


@pytest.mark.parametrize(
    ("values", "cross_validated"),
    [
        ({}, True),
        ({"test": 0.3}, False),
        ({"split": "held-out"}, False),
        ({"split": "cross-validation"}, True),
    ],
)
def test_small_files_are_cross_validated_unless_asked(
    tmp_path: Path, values: dict[str, Any], cross_validated: bool
) -> None:
    assert make_folder(tmp_path, score_lines(), **values).is_cross_validated == cross_validated


def test_large_files_are_split_once(tmp_path: Path) -> None:
    names = [f"p/{k:04}.png" for k in range(500)]
    scored = ["image,score", *(f"{name},{k}" for k, name in enumerate(names))]
    assert not make_folder(tmp_path, scored, names=[]).is_cross_validated
    few_pairs = ["left,right,label", *(f"{a},{b},-1" for a, b in itertools.pairwise(names))]
    assert make_folder(tmp_path, few_pairs, names=[]).is_cross_validated


def test_a_share_and_cross_validation_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"test=0.2 is the share .* held out once; .* set split=held-out"):
        make_folder(tmp_path, score_lines(), split="cross-validation", test=0.2)


def test_sampled_pairs_are_divided_among_the_folds(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path, score_lines(), n_test_pairs=100)
    assert len(set(pairs_of_folds(dataset))) == 100


def test_contract(tmp_path: Path) -> None:
    make_folder(tmp_path, score_lines())
    findings = [check.run() for check in dataset_checks("folder", values={"path": str(tmp_path)})]
    assert {f.law.name: f.detail for f in findings if f.outcome != "passed"} == {}


def test_few_test_pairs_are_a_warning(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path, pair_lines(ALL[:90]))
    (warning,) = [result for result in dataset.verify() if result.warning]
    assert warning.ok
    assert "only 90 ordered test pairs" in warning.detail
    assert "compare about 500 pairs of images, or give scores of about 130 images" in warning.detail
    (observation,) = [o for o in audit_dataset(dataset).observations if o.kind == "few pairs"]
    assert (observation.severity, observation.where) == ("warning", "folder/any test")
    assert observation.text == warning.detail
    enough = make_folder(tmp_path, pair_lines(ALL[:100]))
    assert not any(result.warning for result in enough.verify())


def test_everything_that_is_labelled(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path, pair_lines(ALL[::3]))
    train = dataset.labelled("any")
    assert len(train.pairs) == len(ALL[::3])
    assert set(train.images.names) == {NAMES[k] for pair in ALL[::3] for k in pair}
    with pytest.raises(UnknownName, match="no attribute is called 'an'; did you mean any"):
        dataset.labelled("an")


def test_the_advice_names_parameters_that_the_split_takes() -> None:
    two_pairs = Pairs([0, 2], [1, 3], [1, 1])
    images = ["a", "b", "c", "d"]
    assert "(folder.seed=0 gives" in explain_design(two_pairs, 2, images, lambda seed: True, "folder.seed")
    assert explain_design(two_pairs, 2, images, lambda seed: False, "folder.seed").endswith("(set another folder.seed)")
