"""A user's own images, with comparisons of them in one CSV file: pairs, votes or scores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed

from . import _folder_files
from ._folder_files import PAIRS, SCORES, VOTES, Comparisons
from ._folder_split import held_out
from ._release import look, not_there, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.task import Task, TaskName

HOW = (
    f"set folder.path to a .csv file with the columns {PAIRS}, or {VOTES}, or {SCORES}, or to a folder with one in it; "
    "images are named by their paths below that folder"
)


@register_dataset("folder", label="Own images")
class Folder(Dataset):
    """Your own images and one CSV file of pairs, votes or scores of them; some of the images are held out.

    Parameters
    ----------
    path : the file, or the folder that it is the only .csv file of; images are named by paths below that folder.
    test : the share of images held out for the test, drawn by lot for all attributes together.
    seed : decides which images these are, the sides of test pairs, and the pairs drawn.
    n_train_pairs, n_test_pairs : of scored images, how many pairs to draw; None takes all of them.
    """

    path: str = ""
    test: float = 0.3
    seed: int = 0
    n_train_pairs: int | None = None
    n_test_pairs: int | None = None

    citation = "The images and comparisons are the user's own; cite whoever made them."
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
        """The folder that images are named below."""
        path = Path(self.path).expanduser()
        return path if path.is_dir() else path.parent

    # ------------------------------------------------------------------ what is there

    @property
    def comparisons(self) -> Comparisons:
        """What the file says. Raises `Blocked` where no path is set, `BadInput` for whatever is wrong with the file."""
        if not self.path:
            raise Blocked(f"{self.name}: no path; {HOW}")
        return _folder_files.read(_folder_files.find(Path(self.path).expanduser()))

    def attributes(self) -> Sequence[str]:
        """The attributes in the file; none where it cannot be used, and `missing` says why."""
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
        lost = not_there(self.root, images)
        if lost:
            return (
                f"{len(lost):,} of the {len(images):,} images in {self.comparisons.path} are not there: "
                f"{some(lost, 3)}; looked in {self.root}"
            )
        return None

    def _check_there(self) -> None:
        """Raises `BadInput` for a file that is not right, `Blocked` where something is missing."""
        _ = self.comparisons
        gone = self.missing()
        if gone:
            raise Blocked(gone)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files

        self._check_there()
        file = self.comparisons.path
        return digest_files(self.root, [file.relative_to(self.root).as_posix(), *self.comparisons.images])

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """All images; every task looks into this one collection, so that it is decoded once."""
        from relattr.images import FileSource, Images

        return Images(FileSource(self.root, self.comparisons.images))

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images to train on and those held out: indices, ascending; the same for every attribute."""
        import numpy as np

        pairs = self.comparisons.pairs.values()
        left, right = (np.concatenate([np.empty(0, np.int32), *(p.arrays[k] for p in pairs)]) for k in (0, 1))
        test = held_out(len(self.comparisons.images), left, right, self.test, derive_seed(self.seed, "folder", "split"))
        return np.flatnonzero(~test), np.flatnonzero(test)

    def pairs(self, attribute: str) -> tuple[Pairs, Pairs]:
        """The pairs to train on and those to test, over all images. Raises `BadInput` where none is ordered."""
        pair = self._of_scores if self.comparisons.kind == "scores" else self._given
        train, test = (
            pair(attribute, part, images) for part, images in zip(("train", "test"), self.parts, strict=True)
        )
        for what, made, images in (("train on", train, self.parts[0]), ("test", test, self.parts[1])):
            if not made.n_ordered:
                raise BadInput(
                    f"{self.comparisons.path}: of {attribute!r} there is no ordered pair to {what} among the "
                    f"{images.size} images for it; give more comparisons, or set another folder.test "
                    f"(now {self.test:g}) or folder.seed (now {self.seed})"
                )
        return train, test

    def _given(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """The pairs of the file with both images among these."""
        import numpy as np

        pairs = self.comparisons.pairs[attribute]
        inside = np.isin(pairs.left, images) & np.isin(pairs.right, images)
        return pairs.take(inside).random_sides(derive_seed(self.seed, "folder", attribute, part))

    def _of_scores(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """All pairs of these images that have a score, or as many as asked for; equal scores are similar."""
        import numpy as np

        from relattr.pairs import Pairs

        items, scores = self.comparisons.scores[attribute]
        inside = np.isin(items, images)
        seed, count = derive_seed(self.seed, "folder", attribute, part), getattr(self, f"n_{part}_pairs")
        most = np.count_nonzero(inside) * (np.count_nonzero(inside) - 1) // 2
        # fewer than asked for are all of them: that a small file has no million pairs is no error
        count = None if count is None or count >= most else count
        return Pairs.from_scores(scores[inside], items=items[inside], count=count, seed=seed)

    def task(self, name: TaskName) -> Task:
        from relattr.task import Task, TestSet, TrainingSet

        self._check_there()
        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        train, test = self.pairs(name.attribute)
        used = train.images
        categories, category_names = self._categories(used)
        return Task(
            name,
            TrainingSet(
                self._images.subset(used),
                train.renumbered(used),
                scores=self._scores(name.attribute, used),
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
        import numpy as np

        if self.comparisons.kind != "scores":
            return None
        items, scores = self.comparisons.scores[attribute]
        found = np.full(len(self.comparisons.images), np.nan)
        found[items] = scores
        return found[images]

    def _categories(self, images: NDArray[np.int32]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        """The category of each of these images, an index into the names; None where the file has none."""
        import numpy as np

        of_image = self.comparisons.categories
        if of_image is None:
            return None, ()
        names = tuple(sorted(set(of_image)))
        index = {name: k for k, name in enumerate(names)}
        return np.array([index[of_image[k]] for k in images], np.int64), names

    def _protocol(self, train: Pairs, test: Pairs) -> str:
        how = {
            "pairs": "Pairs labelled in the user's file",
            "votes": "Pairs in the user's file, labelled by the most votes, of equal counts the first of left, right",
            "scores": "Pairs of the images scored in the user's file, similar where scores are equal",
        }[self.comparisons.kind]
        return (
            f"{how}. {self.parts[1].size:,} of the {len(self.comparisons.images):,} images are held out, drawn by lot "
            f"with seed {self.seed}; {len(train):,} pairs of the others to train on, {len(test):,} of these to test, "
            f"{test.n_ordered:,} of them ordered."
        )

    def _notes(self, attribute: str, train: Pairs, test: Pairs) -> tuple[str, ...]:
        if self.comparisons.kind == "scores":
            return ()
        lost = len(self.comparisons.pairs[attribute]) - len(train) - len(test)
        return (f"{lost:,} pairs of {attribute} have one image on either side of the split and are left out",) * bool(
            lost
        )

    # ------------------------------------------------------------------ whether it is right

    def verify(self) -> list[Finding]:
        """The file, its images, and the pairs of each attribute on either side of the split."""
        findings = [look("file and images are there", lambda: (not (gone := self.missing()), gone or str(self.root)))]
        if not findings[0].ok:
            return findings
        findings += [
            look("images can be read", self._check_images),
            look("no image is there twice", self._check_duplicates),
        ]
        return findings + [look(f"pairs of {a}", partial(self._check_pairs, a)) for a in self.attributes()]

    def _check_images(self) -> tuple[bool, str]:
        from relattr.images.decode import decode

        wrong = []
        for name in self.comparisons.images:
            try:
                decode(self.root / name)
            except BadInput as error:
                wrong.append(error)
        return not wrong, some(wrong) or f"{len(self.comparisons.images):,}"

    def _check_duplicates(self) -> tuple[bool, str]:
        from relattr.system.digests import digest_file

        first: dict[str, str] = {}
        twice = []
        for name in self.comparisons.images:
            before = first.setdefault(digest_file(self.root / name), name)
            if before != name:
                twice.append(f"{before} = {name}")
        return not twice, some(twice) or f"{len(first):,} different files"

    def _check_pairs(self, attribute: str) -> tuple[bool, str]:
        train, test = self.pairs(attribute)
        return True, "; ".join(
            [
                f"{train.n_ordered:,} ordered and {train.n_similar:,} similar to train on",
                f"{test.n_ordered:,} and {test.n_similar:,} to test",
                *self._notes(attribute, train, test),
            ]
        )
