"""Dataset `folder`: the user's own images with one CSV file of comparisons (pairs, votes or scores).

The rows of the file are read by `_folder_csv`. A large file is split once (`_folder_held_out`), a small one is
cross-validated over images (`_folder_cross_validation`). A pair is used for training if both its images are training
images, for testing if both are test images, and left out otherwise. Scored images give all their pairs, or a random
sample of them (`_folder_labels`). Nothing depends on the order of the rows.
"""

from __future__ import annotations

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
from relattr.system.digests import digest_file, digest_files
from relattr.system.paths import expand_data
from relattr.task import Task, TaskName, TestSet, TrainingSet

from ._folder_cross_validation import CrossValidation
from ._folder_csv import PAIRS, SCORES, VOTES, Comparisons, find_csv, read_comparisons
from ._folder_files import find_images
from ._folder_held_out import SHARE, HeldOut
from ._folder_labels import FolderLabels
from ._release_files import require_available, require_task
from ._verification import check_available, join_first, run_check

USAGE = (
    f"set folder.path to a .csv file with the columns {PAIRS}, or {VOTES}, or {SCORES}, or to a folder with one in it; "
    "images are named by their paths below that folder"
)

LABELS = {
    "pairs": "Pairs labelled in the user's file",
    "votes": "Pairs in the user's file, labelled by the most votes (similar without a majority)",
    "scores": "Pairs of the images scored in the user's file, similar where scores are equal",
}
"""Where labels come from, by the kind of file."""


@register_dataset("folder", label="Own images")
class Folder(Dataset):
    """Your own images and one CSV file of pairs, votes or scores; methods are tested on held-out images.

    Parameters
    ----------
    path : the CSV file, or a folder with exactly one; the file names images by their paths below its folder. A path
        that begins with ``$RELATTR_DATA/`` is below the folder of datasets.
    split : ``held-out``: some images are for testing, the others for training; ``cross-validation``: seven folds, in
        which each pair is tested once; ``auto``: cross-validation if fewer than 100 images or 400 ordered pairs would
        be held out for some attribute, else ``held-out``.
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
        """The contents of the file. Raises `Blocked` if no path is set, `BadInput` for an invalid file."""
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
                f"{len(missing):,} of the {len(images):,} images in {self.comparisons.path} "
                f"{'does' if len(missing) == 1 else 'do'} not exist: {join_first(missing, 3)}; "
                f"looked in {self.root}"
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
    def labels(self) -> FolderLabels:
        """The labelled pairs of the file."""
        return FolderLabels(self.comparisons, self.seed, self.n_train_pairs, self.n_test_pairs)

    @cached_property
    def _held_out(self) -> HeldOut:
        return HeldOut(self.labels, SHARE if self.test is None else self.test)

    @property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of those held out, where the images are divided once."""
        return self._held_out.parts

    @cached_property
    def protocol(self) -> HeldOut | CrossValidation:
        """How images are divided into those for training and those for testing."""
        held_out = self._held_out
        if self.split == "auto" and self.test is None:
            small = any(held_out.is_small(attribute) for attribute in self.comparisons.attributes)
            return CrossValidation(self.labels) if small else held_out
        return CrossValidation(self.labels) if self.split == "cross-validation" else held_out

    @property
    def is_cross_validated(self) -> bool:
        """Whether the splits are the folds of a cross-validation, rather than one part that is held out."""
        return isinstance(self.protocol, CrossValidation)

    def splits(self) -> Sequence[str]:
        """``standard``, or the folds of a cross-validation."""
        try:
            return self.protocol.splits
        except (BadInput, Blocked):
            return HeldOut.splits

    def tasks(self) -> list[TaskName]:
        """One of each attribute, or one of each of its folds that has ordered pairs to train on and to test."""
        return [
            TaskName(self.name, attribute, split)
            for attribute in self.attributes()
            for split in self.protocol.splits_of(attribute)
        ]

    def pairs(self, attribute: str, split: str = "standard") -> tuple[Pairs, Pairs]:
        """The training pairs and the test pairs, over all images. Raises `BadInput` if either has no ordered pair."""
        return self.protocol.pairs(attribute, split)

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
            protocol=f"{LABELS[self.comparisons.kind]}. {self.protocol.describe(name.split, train, test)}",
            notes=self._notes(name.attribute),
        )

    def labelled(self, attribute: str) -> TrainingSet:
        """All images and comparisons of an attribute, to fit a method for use on other images.

        Raises `UnknownName` for an unknown attribute, `BadInput` if no pair is ordered.
        """
        self._require_files()
        if attribute not in self.comparisons.attributes:
            raise UnknownName("attribute", attribute, self.comparisons.attributes)
        pairs = self.labels.among(attribute, "train", np.arange(self.labels.n_images))
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

    def _notes(self, attribute: str) -> tuple[str, ...]:
        of_rows = (f"{attribute}: {note}" for note in self.comparisons.notes.get(attribute, ()))
        return (*of_rows, *self.protocol.notes(attribute))

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

        n = sum(self.pairs(attribute, split)[1].n_ordered for split in self.protocol.splits_of(attribute))
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
        return True, "; ".join([self.protocol.summary(attribute), *self._notes(attribute)])


def _expand(text: str) -> Path:
    """The path with folders in place of ``~`` and ``$RELATTR_DATA``; that of an existing file stays as it is."""
    path = Path(expand_data(text))
    if path.exists():
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path
