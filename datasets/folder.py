"""Dataset `folder`: the user's own images with one CSV file of comparisons (pairs, votes or scores).

The rows of the file are read by `_folder_csv`. A large file is split once: the test images are drawn by
`_folder_split`, by their names. A small one is cross-validated over images: `_folder_folds` draws the images of each
fold. A pair is used for training if both its images are training images, for testing if both are test images, and left
out otherwise. Scored images give all their pairs, or a random sample of them. Nothing depends on the order of the rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.images import FileSource, Images
from relattr.pairs import Pairs
from relattr.progress import track
from relattr.random import derive_seed
from relattr.system.digests import digest_file, digest_files, digest_text
from relattr.task import Task, TaskName, TestSet, TrainingSet

from ._folder_csv import PAIRS, SCORES, VOTES, Comparisons, find_csv, read_comparisons
from ._folder_design import explain_design
from ._folder_files import find_images
from ._folder_folds import FOLD_NAMES, FOLDS, draw_groups, fold_of_pairs
from ._folder_pairs import sample_pairs
from ._folder_split import draw_held_out
from ._release_files import require_available, require_task
from ._verification import check_available, join_first, run_check

USAGE = (
    f"set folder.path to a .csv file with the columns {PAIRS}, or {VOTES}, or {SCORES}, or to a folder with one in it; "
    "images are named by their paths below that folder"
)

MAX_EXPLAINED_PAIRS = 5_000_000
"""Of larger files, the design is not analysed for a message."""
MAX_LISTED_PAIRS = 5_000_000
"""Cross-validation lists all pairs of scored images up to this number."""
SHARE = 0.3
"""The share of images that is held out by default."""
MIN_TEST_IMAGES = 100
MIN_TEST_PAIRS = 400
"""With fewer held-out images or ordered pairs of them, a file is cross-validated. 400 pairs that share no image have
an interval of +- 4 points at 80 %, 100 images of which all pairs are tested one of about the same width."""


@register_dataset("folder", label="Own images")
class Folder(Dataset):
    """Your own images and one CSV file of pairs, votes or scores of them; tested on images that are held out.

    Parameters
    ----------
    path : the CSV file, or a folder with exactly one; images are named by paths below that folder.
    split : ``held-out``: some images are for testing, the others for training; ``cross-validation``: seven folds, in
        which each pair is tested once; ``auto``: cross-validation where so few images or pairs would be held out that
        the interval of an accuracy is wide.
    test : the share of images held out for testing, drawn by their names, the same for all attributes; None is 0.3.
        With a share, ``auto`` is ``held-out``.
    seed : decides which images are held out, the sides of test pairs, and which pairs of scored images are drawn.
    n_train_pairs, n_test_pairs : number of pairs to draw among scored images; None takes all of them. In
        cross-validation, ``n_test_pairs`` is the number in all folds together.
    """

    path: str = ""
    split: Literal["auto", "held-out", "cross-validation"] = "auto"
    test: float | None = None
    seed: int = 0
    n_train_pairs: int | None = None
    n_test_pairs: int | None = None

    citation = "The images and comparisons are the user's own; cite their authors."
    licence = "the user's own"
    homepage = "https://github.com/relattr/relattr/blob/main/docs/folder.md"
    location_parameters = ("path",)

    def __post_init__(self) -> None:
        if self.test is not None and not 0 < self.test < 1:
            raise BadInput(f"dataset folder: test must be a share between 0 and 1; got {self.test}")
        if self.test is not None and self.split == "cross-validation":
            raise BadInput(
                f"dataset folder: test={self.test} is the share of images that are held out once; leave it out with "
                "split=cross-validation, or set split=held-out"
            )
        if self.seed < 0:
            raise BadInput(f"dataset folder: seed must be >= 0; got {self.seed}")
        for name in ("n_train_pairs", "n_test_pairs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"dataset folder: {name} must be at least 1, or None for all pairs; got {value}")

    @property
    def root(self) -> Path:
        """The folder that image paths are relative to."""
        path = _expand(self.path)
        return path if path.is_dir() else path.parent

    # ------------------------------------------------------------------ files

    @property
    def comparisons(self) -> Comparisons:
        """The contents of the file. Raises `Blocked` if no path is set, `BadInput` for anything wrong in the file."""
        if not self.path:
            raise Blocked(f"{self.name}: no path; {USAGE}")
        return read_comparisons(find_csv(_expand(self.path)))

    def attributes(self) -> Sequence[str]:
        """The attributes in the file; empty if it cannot be read (`missing` gives the reason)."""
        try:
            return self.comparisons.attributes
        except (BadInput, Blocked):
            return ()

    def missing(self) -> str | None:
        try:
            images = self.comparisons.images
        except (BadInput, Blocked) as error:
            return str(error)
        if len(images) < 4:
            n = "1 image" if len(images) == 1 else f"{len(images)} images"
            return f"{self.comparisons.path} names {n}; expected at least 4, to train on and to test"
        paths, missing = find_images(self.root, images)
        if missing:
            return (
                f"{len(missing):,} of the {len(images):,} images in {self.comparisons.path} do not exist: "
                f"{join_first(missing, 3)}; looked in {self.root}"
            )
        names: dict[str, str] = {}
        for name, path in paths.items():
            if names.setdefault(path, name) != name:
                return (
                    f"{self.comparisons.path} names the image {path} in two forms of Unicode; write the name the same "
                    "way in all rows"
                )
        return None

    def _require_files(self) -> None:
        """Raise `BadInput` for an invalid file, `Blocked` if something is missing."""
        _ = self.comparisons
        require_available(self.missing())

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        self._require_files()
        file = self.comparisons.path
        return digest_files(self.root, [file.relative_to(self.root).as_posix(), *self._paths])

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _paths(self) -> list[str]:
        """The path of each image below `root`."""
        paths, _ = find_images(self.root, self.comparisons.images)
        return [paths.get(name, name) for name in self.comparisons.images]

    @cached_property
    def _images(self) -> Images:
        """All images; the tasks share this collection, so that each image is decoded once."""
        return Images(FileSource(self.root, self._paths))

    @cached_property
    def _identities(self) -> NDArray[np.int64]:
        """A number for each image that depends on its name alone."""
        names = (unicodedata.normalize("NFC", name) for name in self.comparisons.images)
        return np.array([int(digest_text(name)[:15], 16) for name in names], np.int64)

    @property
    def _share(self) -> float:
        return SHARE if self.test is None else self.test

    @cached_property
    def is_cross_validated(self) -> bool:
        """Whether the splits are the folds of a cross-validation, rather than one part that is held out."""
        if self.split != "auto" or self.test is not None:
            return self.split == "cross-validation"
        return any(self._holds_out_few(attribute) for attribute in self.comparisons.attributes)

    def _holds_out_few(self, attribute: str) -> bool:
        """Whether few images or pairs of an attribute would be held out."""
        if self.comparisons.kind == "scores":
            items, _ = self.comparisons.scores[attribute]
            return int(np.isin(items, self.parts[1]).sum()) < MIN_TEST_IMAGES
        test = self._listed_pairs(attribute, "test", self.parts[1])
        return test.images.size < MIN_TEST_IMAGES or test.n_ordered < MIN_TEST_PAIRS

    def splits(self) -> Sequence[str]:
        """``standard``, or the folds of a cross-validation."""
        try:
            return FOLD_NAMES if self.is_cross_validated else ("standard",)
        except (BadInput, Blocked):
            return ("standard",)

    def tasks(self) -> list[TaskName]:
        """One of each attribute, or one of each of its folds that has ordered pairs to train on and to test."""
        names = super().tasks()
        if not names or not self.is_cross_validated:
            return names
        usable = {attribute: self._usable_folds(attribute) for attribute in self.attributes()}
        return [name for name in names if FOLD_NAMES.index(name.split) in (usable[name.attribute] or (0,))]

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of the images held out, ascending; the same for every attribute."""
        return self._parts_with_seed(self.seed)

    def _parts_with_seed(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        held_out = draw_held_out(self.comparisons.images, *self._compared_images, self._share, seed)
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    @cached_property
    def _compared_images(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The images of the pairs of all attributes; empty if the file has scores."""
        pairs = self.comparisons.pairs.values()
        left, right = (np.concatenate([np.empty(0, np.int32), *(p.arrays[k] for p in pairs)]) for k in (0, 1))
        return left, right

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The group of each image, ``(n,)``, for cross-validation."""
        return draw_groups(self.comparisons.images, *self._compared_images, self.seed)

    def pairs(self, attribute: str, split: str = "standard") -> tuple[Pairs, Pairs]:
        """The training pairs and the test pairs, over all images. Raises `BadInput` if either has no ordered pair."""
        if split != "standard":
            return self._pairs_of_fold(attribute, FOLD_NAMES.index(split))
        build = self._sampled_pairs if self.comparisons.kind == "scores" else self._listed_pairs
        train, test = (
            build(attribute, part, images) for part, images in zip(("train", "test"), self.parts, strict=True)
        )
        for purpose, pairs, images in (("train", train, self.parts[0]), ("test", test, self.parts[1])):
            if not pairs.n_ordered:
                raise BadInput(
                    f"{self.comparisons.path}: attribute {attribute!r} has no ordered pair to {purpose} on "
                    f"{images.size} images (folder.test={self._share:g}, folder.seed={self.seed}): "
                    f"{self._explain(attribute)}"
                )
        return train, test

    def _pairs_of_fold(self, attribute: str, fold: int) -> tuple[Pairs, Pairs]:
        if not self._usable_folds(attribute):
            raise BadInput(
                f"{self.comparisons.path}: no fold of the cross-validation of {attribute!r} has ordered pairs both to "
                f"train on and to test (folder.seed={self.seed}): {self._explain(attribute)}"
            )
        images = np.flatnonzero(~np.isin(self.groups, FOLDS[fold]))
        build = self._sampled_pairs if self.comparisons.kind == "scores" else self._listed_pairs
        pairs, folds = self._folded_pairs(attribute)
        sides = derive_seed(self.seed, "folder", attribute, "test")
        return build(attribute, "train", images), pairs.take(folds == fold).random_sides(sides, self._identities)

    def _folded_pairs(self, attribute: str) -> tuple[Pairs, NDArray[np.int64]]:
        """All pairs that are tested, and the fold of each, ``(n_pairs,)``."""
        if attribute not in self._folded:
            pairs = self._tested_pairs(attribute)
            self._folded[attribute] = pairs, fold_of_pairs(self.groups[pairs.left], self.groups[pairs.right])
        return self._folded[attribute]

    @cached_property
    def _folded(self) -> dict[str, tuple[Pairs, NDArray[np.int64]]]:
        return {}

    def _tested_pairs(self, attribute: str) -> Pairs:
        """All pairs of an attribute that cross-validation tests."""
        if self.comparisons.kind != "scores":
            return self.comparisons.pairs[attribute]
        items, _ = self.comparisons.scores[attribute]
        n_pairs = items.size * (items.size - 1) // 2
        if min(self.n_test_pairs or n_pairs, n_pairs) > MAX_LISTED_PAIRS:
            raise BadInput(
                f"dataset folder: the {items.size:,} images with a score of {attribute!r} have {n_pairs:,} pairs; "
                f"cross-validation tests at most {MAX_LISTED_PAIRS:,}: set n_test_pairs, or split=held-out"
            )
        return self._sampled_pairs(attribute, "test", items.astype(np.int64))

    def _usable_folds(self, attribute: str) -> tuple[int, ...]:
        """The folds with ordered pairs to train on and to test."""
        if attribute not in self._usable:
            self._usable[attribute] = self._folds_with_pairs(attribute, self.groups)
        return self._usable[attribute]

    @cached_property
    def _usable(self) -> dict[str, tuple[int, ...]]:
        return {}

    def _folds_with_pairs(self, attribute: str, groups: NDArray[np.int64]) -> tuple[int, ...]:
        ordered = self._tested_pairs(attribute)
        ordered = ordered.take(ordered.label != 0)
        first, second = groups[ordered.left], groups[ordered.right]
        tested = np.bincount(fold_of_pairs(first, second), minlength=len(FOLDS))
        return tuple(
            k
            for k, held_out in enumerate(FOLDS)
            if tested[k] and (~np.isin(first, held_out) & ~np.isin(second, held_out)).any()
        )

    def _explain(self, attribute: str) -> str:
        """Why one side of the split has no ordered pair, and what to change."""
        pairs = self._all_pairs(attribute)
        if pairs.n_ordered and len(pairs) > MAX_EXPLAINED_PAIRS:
            return "give more comparisons, or set another folder.test or folder.seed"
        ordered = pairs.ordered() if pairs.n_ordered else pairs.take(np.empty(0, np.int64))

        def works_with_seed(seed: int) -> bool:
            if self.is_cross_validated:
                groups = draw_groups(self.comparisons.images, *self._compared_images, seed)
                return bool(self._folds_with_pairs(attribute, groups))
            return all(
                (np.isin(ordered.left, images) & np.isin(ordered.right, images)).any()
                for images in self._parts_with_seed(seed)
            )

        return explain_design(ordered, len(pairs), self.comparisons.images, works_with_seed)

    def _all_pairs(self, attribute: str) -> Pairs:
        """All pairs of an attribute, over all images."""
        if self.comparisons.kind == "scores":
            items, scores = self.comparisons.scores[attribute]
            return Pairs.from_scores(scores, items=items)
        return self.comparisons.pairs[attribute]

    def _listed_pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """The pairs of the file both of whose images are among these."""
        pairs = self.comparisons.pairs[attribute]
        inside = np.isin(pairs.left, images) & np.isin(pairs.right, images)
        return pairs.take(inside).random_sides(derive_seed(self.seed, "folder", attribute, part), self._identities)

    def _sampled_pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """All pairs of the scored images among these, or a sample; equal scores are similar pairs."""
        items, scores = self.comparisons.scores[attribute]
        inside = np.isin(items, images)
        items, scores = items[inside], scores[inside]
        seed, count = derive_seed(self.seed, "folder", attribute, part), getattr(self, f"n_{part}_pairs")
        # a small file may have fewer pairs than requested; it then gives all of them
        if count is None or count >= items.size * (items.size - 1) // 2:
            return Pairs.from_scores(scores, items=items, seed=seed)
        left, right = sample_pairs(self._identities[items], count, seed)
        label = np.sign(scores[left] - scores[right]).astype(np.int8)
        return Pairs(items[left], items[right], label).random_sides(seed, self._identities)

    def task(self, name: TaskName) -> Task:
        self._require_files()
        require_task(self, name)
        train, test = self.pairs(name.attribute, name.split)
        return Task(
            name,
            self._training_set(name.attribute, train),
            [
                TestSet(
                    "test",
                    self._images.subset(test.images),
                    test.renumbered(test.images),
                    scores=self._scores(name.attribute, test.images),
                    fold=self.is_cross_validated,
                )
            ],
            protocol=self._protocol(name, train, test),
            notes=self._notes(name.attribute, train, test),
        )

    def labelled(self, attribute: str) -> TrainingSet:
        """All images and comparisons of an attribute, to fit a method for use on other images.

        Raises `UnknownName` for an unknown attribute, `BadInput` if no pair is ordered.
        """
        self._require_files()
        if attribute not in self.comparisons.attributes:
            raise UnknownName("attribute", attribute, self.comparisons.attributes)
        everything = np.arange(len(self.comparisons.images))
        build = self._sampled_pairs if self.comparisons.kind == "scores" else self._listed_pairs
        pairs = build(attribute, "train", everything)
        if not pairs.n_ordered:
            raise BadInput(f"{self.comparisons.path}: attribute {attribute!r} has no ordered pair to train on")
        return self._training_set(attribute, pairs)

    def _training_set(self, attribute: str, train: Pairs) -> TrainingSet:
        train_images = train.images
        categories, category_names = self._categories(train_images)
        return TrainingSet(
            self._images.subset(train_images),
            train.renumbered(train_images),
            scores=self._scores(attribute, train_images),
            categories=categories,
            category_names=category_names,
        )

    def _scores(self, attribute: str, images: NDArray[np.int32]) -> NDArray[np.float64] | None:
        """The score of each of these images; None where the file has no scores."""
        if self.comparisons.kind != "scores":
            return None
        items, scores = self.comparisons.scores[attribute]
        of_image = np.full(len(self.comparisons.images), np.nan)
        of_image[items] = scores
        return of_image[images]

    def _categories(self, images: NDArray[np.int32]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        """The category of each of these images as an index, and the names; None where the file has no categories."""
        of_image = self.comparisons.categories
        if of_image is None:
            return None, ()
        names = tuple(sorted(set(of_image)))
        index = {name: k for k, name in enumerate(names)}
        return np.array([index[of_image[k]] for k in images], np.int64), names

    def _protocol(self, name: TaskName, train: Pairs, test: Pairs) -> str:
        labels = {
            "pairs": "Pairs labelled in the user's file",
            "votes": "Pairs in the user's file, labelled by the most votes (similar without a majority)",
            "scores": "Pairs of the images scored in the user's file, similar where scores are equal",
        }[self.comparisons.kind]
        if self.is_cross_validated:
            held_out = np.isin(self.groups, FOLDS[FOLD_NAMES.index(name.split)])
            return (
                f"{labels}. Cross-validation over images: seven groups, drawn by the images' names with seed "
                f"{self.seed}; each of seven folds holds out three groups, any two together in one fold, so that each "
                f"pair is tested once. {name.split}: {int(held_out.sum()):,} of the {len(self.comparisons.images):,} "
                f"images are held out; {len(train):,} training pairs, {len(test):,} test pairs, {test.n_ordered:,} of "
                "them ordered."
            )
        return (
            f"{labels}. {self.parts[1].size:,} of the {len(self.comparisons.images):,} images are held out, drawn by "
            f"their names with seed {self.seed} and share {self._share:g}; {len(train):,} training pairs among the "
            f"others, {len(test):,} test pairs among these, {test.n_ordered:,} of them ordered."
        )

    def _notes(self, attribute: str, train: Pairs, test: Pairs) -> tuple[str, ...]:
        notes = [f"{attribute}: {note}" for note in self.comparisons.notes.get(attribute, ())]
        if self.is_cross_validated:
            _, folds = self._folded_pairs(attribute)
            lost = int((~np.isin(folds, self._usable_folds(attribute))).sum())
            if lost:
                notes.append(
                    f"{lost:,} pairs of {attribute} are not tested: in their fold no ordered pair is left to train on"
                )
        elif self.comparisons.kind != "scores":
            lost = len(self.comparisons.pairs[attribute]) - len(train) - len(test)
            if lost:
                notes.append(
                    f"{lost:,} pairs of {attribute} compare a training image with a test image and are left out"
                )
        return tuple(notes)

    # ------------------------------------------------------------------ verification

    def verify(self) -> list[VerificationResult]:
        """Check the file, the images, and the training and test pairs of each attribute."""
        findings = [check_available("file and images exist", self.missing(), str(self.root))]
        if not findings[0].ok:
            return findings
        findings += [
            run_check("images can be read", self._check_images),
            run_check("no two images are identical", self._check_duplicates),
        ]
        for attribute in self.attributes():
            findings.append(run_check(f"pairs of {attribute}", partial(self._check_pairs, attribute)))
            warning = self._few_pairs(attribute) if findings[-1].ok else ""
            if warning:
                findings.append(VerificationResult(f"test pairs of {attribute}", True, warning, warning=True))
        return findings

    def _few_pairs(self, attribute: str) -> str:
        """A warning if an attribute has few ordered test pairs, and what it needs; else empty."""
        from relattr.statistics import FEW_TEST_PAIRS, describe_few_pairs

        splits = [task.split for task in self.tasks() if task.attribute == attribute]
        n = sum(self.pairs(attribute, split)[1].n_ordered for split in splits)
        return describe_few_pairs(n, cross_validated=self.is_cross_validated) if n < FEW_TEST_PAIRS else ""

    def _check_images(self) -> tuple[bool, str]:
        from relattr.images import MAX_STORED_SIDE
        from relattr.images.decode import decode

        errors = []
        with track("reading images", len(self._paths)) as advance:
            for name in self._paths:
                try:
                    decode(self.root / name, MAX_STORED_SIDE)
                except BadInput as error:
                    errors.append(error)
                advance(1)
        return not errors, join_first(errors) or f"{len(self.comparisons.images):,}"

    def _check_duplicates(self) -> tuple[bool, str]:
        by_digest: dict[str, str] = {}
        duplicates = []
        for name in self._paths:
            first = by_digest.setdefault(digest_file(self.root / name), name)
            if first != name:
                duplicates.append(f"{first} = {name}")
        return not duplicates, join_first(duplicates) or f"{len(by_digest):,} different files"

    def _check_pairs(self, attribute: str) -> tuple[bool, str]:
        if not self.is_cross_validated:
            train, test = self.pairs(attribute)
            counts = [
                f"{train.n_ordered:,} ordered and {train.n_similar:,} similar training pairs",
                f"{test.n_ordered:,} and {test.n_similar:,} test pairs",
            ]
            return True, "; ".join([*counts, *self._notes(attribute, train, test)])
        folds = [self.pairs(attribute, FOLD_NAMES[k]) for k in self._usable_folds(attribute) or (0,)]
        n_train = [train.n_ordered for train, _ in folds]
        n_ordered, n_similar = (sum(getattr(test, n) for _, test in folds) for n in ("n_ordered", "n_similar"))
        counts = [
            f"{n_ordered:,} ordered and {n_similar:,} similar pairs, each tested once in {len(folds)} folds",
            f"{min(n_train):,} to {max(n_train):,} ordered training pairs in a fold",
        ]
        return True, "; ".join([*counts, *self._notes(attribute, *folds[0])])


def _expand(text: str) -> Path:
    """The path with the home folder in place of ~; text that names an existing file, or no user, stays as it is."""
    path = Path(text)
    if path.exists():
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path
