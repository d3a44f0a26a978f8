"""Dataset `folder`: the user's own images with one CSV file of comparisons (pairs, votes or scores).

The rows of the file are read by `_folder_csv`; the test images are drawn by `_folder_split`. A pair is used for
training if both its images are training images, for testing if both are test images, and left out otherwise. Scored
images give all their pairs, or a random sample of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput, Blocked
from relattr.images import FileSource, Images
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.system.digests import digest_file, digest_files
from relattr.task import Task, TaskName, TestSet, TrainingSet

from ._folder_csv import PAIRS, SCORES, VOTES, Comparisons, find_csv, read_comparisons
from ._folder_split import draw_held_out
from ._release_files import missing_files, require_available, require_task
from ._verification import check_available, join_first, run_check

USAGE = (
    f"set folder.path to a .csv file with the columns {PAIRS}, or {VOTES}, or {SCORES}, or to a folder with one in it; "
    "images are named by their paths below that folder"
)


@register_dataset("folder", label="Own images")
class Folder(Dataset):
    """Your own images and one CSV file of pairs, votes or scores of them; some images are held out for testing.

    Parameters
    ----------
    path : the CSV file, or a folder with exactly one; images are named by paths below that folder.
    test : the share of images held out for testing, drawn at random, the same for all attributes.
    seed : decides which images are held out, the sides of test pairs, and which pairs of scored images are drawn.
    n_train_pairs, n_test_pairs : number of pairs to draw among scored images; None takes all of them.
    """

    path: str = ""
    test: float = 0.3
    seed: int = 0
    n_train_pairs: int | None = None
    n_test_pairs: int | None = None

    citation = "The images and comparisons are the user's own; cite their authors."
    licence = "the user's own"
    homepage = "https://github.com/relattr/relattr/blob/main/docs/folder.md"

    def __post_init__(self) -> None:
        if not 0 < self.test < 1:
            raise BadInput(f"dataset folder: test must be a share between 0 and 1; got {self.test}")
        if self.seed < 0:
            raise BadInput(f"dataset folder: seed must be >= 0; got {self.seed}")
        for name in ("n_train_pairs", "n_test_pairs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"dataset folder: {name} must be at least 1, or None for all pairs; got {value}")

    @property
    def root(self) -> Path:
        """The folder that image paths are relative to."""
        path = Path(self.path).expanduser()
        return path if path.is_dir() else path.parent

    # ------------------------------------------------------------------ files

    @property
    def comparisons(self) -> Comparisons:
        """The contents of the file. Raises `Blocked` if no path is set, `BadInput` for anything wrong in the file."""
        if not self.path:
            raise Blocked(f"{self.name}: no path; {USAGE}")
        return read_comparisons(find_csv(Path(self.path).expanduser()))

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
            return f"{self.comparisons.path} names {len(images)} images; expected at least 4, to train on and to test"
        missing = missing_files(self.root, images)
        if missing:
            return (
                f"{len(missing):,} of the {len(images):,} images in {self.comparisons.path} do not exist: "
                f"{join_first(missing, 3)}; looked in {self.root}"
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
        return digest_files(self.root, [file.relative_to(self.root).as_posix(), *self.comparisons.images])

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """All images; the tasks share this collection, so that each image is decoded once."""
        return Images(FileSource(self.root, self.comparisons.images))

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of the test images, ascending; the same for every attribute."""
        pairs = self.comparisons.pairs.values()
        left, right = (np.concatenate([np.empty(0, np.int32), *(p.arrays[k] for p in pairs)]) for k in (0, 1))
        seed = derive_seed(self.seed, "folder", "split")
        held_out = draw_held_out(len(self.comparisons.images), left, right, self.test, seed)
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def pairs(self, attribute: str) -> tuple[Pairs, Pairs]:
        """The training pairs and the test pairs, over all images. Raises `BadInput` if either has no ordered pair."""
        build = self._sampled_pairs if self.comparisons.kind == "scores" else self._listed_pairs
        train, test = (
            build(attribute, part, images) for part, images in zip(("train", "test"), self.parts, strict=True)
        )
        for purpose, pairs, images in (("train on", train, self.parts[0]), ("test", test, self.parts[1])):
            if not pairs.n_ordered:
                raise BadInput(
                    f"{self.comparisons.path}: attribute {attribute!r} has no ordered pair to {purpose} among the "
                    f"{images.size} images for it; give more comparisons, or set another folder.test "
                    f"(now {self.test:g}) or folder.seed (now {self.seed})"
                )
        return train, test

    def _listed_pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """The pairs of the file both of whose images are among these."""
        pairs = self.comparisons.pairs[attribute]
        inside = np.isin(pairs.left, images) & np.isin(pairs.right, images)
        return pairs.take(inside).random_sides(derive_seed(self.seed, "folder", attribute, part))

    def _sampled_pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """All pairs of the scored images among these, or a sample; equal scores are similar pairs."""
        items, scores = self.comparisons.scores[attribute]
        inside = np.isin(items, images)
        seed, count = derive_seed(self.seed, "folder", attribute, part), getattr(self, f"n_{part}_pairs")
        n_pairs = np.count_nonzero(inside) * (np.count_nonzero(inside) - 1) // 2
        # a small file may have fewer pairs than requested; it then gives all of them
        count = None if count is None or count >= n_pairs else count
        return Pairs.from_scores(scores[inside], items=items[inside], count=count, seed=seed)

    def task(self, name: TaskName) -> Task:
        self._require_files()
        require_task(self, name)
        train, test = self.pairs(name.attribute)
        train_images = train.images
        categories, category_names = self._categories(train_images)
        return Task(
            name,
            TrainingSet(
                self._images.subset(train_images),
                train.renumbered(train_images),
                scores=self._scores(name.attribute, train_images),
                categories=categories,
                category_names=category_names,
            ),
            [
                TestSet(
                    "test",
                    self._images.subset(test.images),
                    test.renumbered(test.images),
                    scores=self._scores(name.attribute, test.images),
                )
            ],
            protocol=self._protocol(train, test),
            notes=self._notes(name.attribute, train, test),
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

    def _protocol(self, train: Pairs, test: Pairs) -> str:
        labels = {
            "pairs": "Pairs labelled in the user's file",
            "votes": "Pairs in the user's file, labelled by the most votes (ties go to the first of left, right)",
            "scores": "Pairs of the images scored in the user's file, similar where scores are equal",
        }[self.comparisons.kind]
        return (
            f"{labels}. {self.parts[1].size:,} of the {len(self.comparisons.images):,} images are held out, drawn at "
            f"random with seed {self.seed}; {len(train):,} training pairs among the others, {len(test):,} test pairs "
            f"among these, {test.n_ordered:,} of them ordered."
        )

    def _notes(self, attribute: str, train: Pairs, test: Pairs) -> tuple[str, ...]:
        if self.comparisons.kind == "scores":
            return ()
        lost = len(self.comparisons.pairs[attribute]) - len(train) - len(test)
        if not lost:
            return ()
        return (f"{lost:,} pairs of {attribute} compare a training image with a test image and are left out",)

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
        return findings + [run_check(f"pairs of {a}", partial(self._check_pairs, a)) for a in self.attributes()]

    def _check_images(self) -> tuple[bool, str]:
        from relattr.images.decode import decode

        errors = []
        for name in self.comparisons.images:
            try:
                decode(self.root / name)
            except BadInput as error:
                errors.append(error)
        return not errors, join_first(errors) or f"{len(self.comparisons.images):,}"

    def _check_duplicates(self) -> tuple[bool, str]:
        by_digest: dict[str, str] = {}
        duplicates = []
        for name in self.comparisons.images:
            first = by_digest.setdefault(digest_file(self.root / name), name)
            if first != name:
                duplicates.append(f"{first} = {name}")
        return not duplicates, join_first(duplicates) or f"{len(by_digest):,} different files"

    def _check_pairs(self, attribute: str) -> tuple[bool, str]:
        train, test = self.pairs(attribute)
        return True, "; ".join(
            [
                f"{train.n_ordered:,} ordered and {train.n_similar:,} similar training pairs",
                f"{test.n_ordered:,} and {test.n_similar:,} test pairs",
                *self._notes(attribute, train, test),
            ]
        )
