"""Viral images (Deza & Parikh): 10,078 Reddit images with a virality score, and three sets of test pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName

from . import _viral_attributes, _viral_files
from ._release import CHECKSUMS, listed, not_there, say_missing
from ._viral_splits import SPLITS, ViralSplit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images, PairAnswers
    from relattr.pairs import Pairs
    from relattr.system.download import Download
    from relattr.task import Task, TaskName

ATTRIBUTE = "virality"
ANNOTATORS, RELEASED_SVMS = "annotators", "released-svms"
N_IMAGES, N_EXTREMES, N_RANDOM_PAIRS = 10_078, 250, 489

IMAGE_FOLDERS = ("images", "Viral_total")
IMAGES_WERE_AT = "http://brie.uchicago.edu/ftp-www/Viral_total/"
NEEDED = (_viral_files.SCORES, _viral_files.RANDOM_PAIRS, _viral_files.GROUPS, _viral_files.SUBREDDITS)
COPY = "https://raw.githubusercontent.com/ArturoDeza/virality/5a62d3022b8687cf5ce596b5fd92fa4585399615"


@register_dataset("viral", label="Viral images")
class Viral(Dataset):
    """10,078 Reddit images with a virality score; pairs of them, of the extremes, and 489 random pairs to test.

    Read from the release's own folders (``Create_Dataset_Code/`` and others) and ``images/`` or
    ``Viral_total/`` with a file ``<img_id>.jpg`` for each image. Methods that look at no image run without them.
    What people and the released SVMs answered about five attributes of pairs comes with the images' ``answers``.

    Parameters
    ----------
    n_train_pairs, n_test_pairs : pairs drawn among the training images, and among the test images for the
        test set ``complete``; None takes all of them.
    seed : decides the split, the pairs drawn and the matching.
    categories : ``five``: the Viral Categories funny, WTF, aww, atheism, gaming, for an image submitted to
        exactly one of them; ``subreddits``: the one of the release's 20 subreddits that an image was
        submitted to most. Any other image is of the last category, ``other``.
    """

    n_train_pairs: int | None = 10_000_000
    n_test_pairs: int | None = 1_000_000
    seed: int = 0
    categories: Literal["five", "subreddits"] = "five"

    citation = """\
@inproceedings{deza2015virality,
  author = {Deza, Arturo and Parikh, Devi},
  title = {Understanding Image Virality},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {1818--1826}, year = {2015}
}
@inproceedings{lakkaraju2013name,
  author = {Lakkaraju, Himabindu and McAuley, Julian and Leskovec, Jure},
  title = {What's in a Name? {U}nderstanding the Interplay between Titles, Content, and Communities in Social Media},
  booktitle = {International AAAI Conference on Weblogs and Social Media (ICWSM)},
  year = {2013}
}"""
    licence = (
        "annotations: BSD 2-clause, Copyright (c) 2015 Arturo Deza; images: of their Reddit submitters, none stated"
    )
    homepage = "https://github.com/ArturoDeza/virality"

    manifest: ClassVar[Path] = CHECKSUMS / "viral.txt"
    n_images: ClassVar[int] = N_IMAGES
    n_extremes: ClassVar[int] = N_EXTREMES
    n_random_pairs: ClassVar[int] = N_RANDOM_PAIRS

    def attributes(self) -> Sequence[str]:
        return (ATTRIBUTE,)

    def splits(self) -> Sequence[str]:
        """``published``: as in the paper, test images trained on; ``held-out``: none is."""
        return SPLITS

    # ------------------------------------------------------------------ what is there

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def missing_annotations(self) -> str | None:
        """Why the pairs cannot be read here and what to do about it; None if they can."""
        gone = not_there(self.root, NEEDED)
        if not gone:
            return None
        what = f"{len(gone)} of {len(NEEDED)} annotation files are missing (first {gone[0]})"
        return say_missing(self.name, what, self.root, listed(self.manifest))

    def missing_labels(self) -> str | None:
        """As `missing`, for methods that look at no image."""
        reason = self.missing_annotations()
        if reason:
            return reason
        try:
            self._names()
        except BadInput as error:
            return f"{self.name}: {error}"
        return None

    def missing(self) -> str | None:
        reason, folder = self.missing_annotations(), self._image_folder()
        if folder is None:
            where = f"no folder {' or '.join(IMAGE_FOLDERS)} with the {self.n_images:,} images <img_id>.jpg"
            without = f"{where}; looked in {self.root}. {self._how_to_get_images()}"
            return f"{reason}; {without}" if reason else f"{self.name}: {without}"
        if reason:
            return reason
        try:
            names = self._names()
        except BadInput as error:  # what is there cannot be used: a gap in the plan, not the end of it
            return f"{self.name}: {error}"
        lost = not_there(self.root, (f"{folder}/{name}" for name in names))
        if lost:
            what = f"{len(lost):,} of {len(names):,} images are missing (first {lost[0]})"
            return f"{self.name}: {what}; looked in {self.root}. {self._how_to_get_images()}"
        return None

    def _how_to_get_images(self) -> str:
        return (
            f"They cannot be downloaded: {IMAGES_WERE_AT}, the address in the release, is gone. Ask the authors of "
            f"the dataset (see {self.homepage}) and put them into {self.root / IMAGE_FOLDERS[0]}"
        )

    def _names(self) -> list[str]:
        return [f"{i}.jpg" for i in self.scored.ids.tolist()]

    @property
    def scored(self) -> _viral_files.ViralScores:
        """The scored images, in the order in which they are counted."""
        return _viral_files.read_scores(self.root, self.n_images)

    def _check_there(self) -> str:
        """The folder of images. Raises `BadInput` for a damaged list of them, `Blocked` where something is missing."""
        if not self.missing_annotations():
            self._names()
        gone, folder = self.missing(), self._image_folder()
        if gone or folder is None:
            raise Blocked(gone or "")
        return folder

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files

        folder = self._check_there()
        return digest_files(self.root, [*self._annotations(), *(f"{folder}/{name}" for name in self._names())])

    def labels_fingerprint(self) -> str:
        from relattr.system.digests import digest_files

        return digest_files(self.root, self._annotations())

    def _annotations(self) -> list[str]:
        """The annotation files that decide what a task is: scores, pairs, and answers as far as they are here."""
        answers = [*_viral_attributes.ANNOTATION_FILES, *_viral_attributes.PREDICTION_FILES]
        return [*NEEDED, *(path for path in answers if (self.root / path).is_file())]

    @cached_property
    def drawn(self) -> ViralSplit:
        """The training and test pairs over all images; the images need not be there.

        Raises `BadInput`, naming the file, for annotations that are not what they should be.
        """
        path = self.root / _viral_files.RANDOM_PAIRS
        ids = _viral_files.read_pairs(path, "top_pair_matrix_489", self.n_random_pairs)
        pairs = self.scored.ranked(ids, str(path))
        return ViralSplit(self.scored, pairs, self.n_extremes, self.n_train_pairs, self.n_test_pairs, self.seed)

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """All images in the order of the scores' file; every task looks into this one collection.

        Where the images are not here it is made all the same, for methods that look at none.
        """
        from relattr.images import FileSource, Images

        return Images(FileSource(self.root / (self._image_folder() or IMAGE_FOLDERS[0]), self._names()))

    @cached_property
    def _answers(self) -> dict[str, tuple[PairAnswers | None, PairAnswers]]:
        """What was answered about the five attributes of pairs: about pairs to train on (if any), and random-pairs.

        ``annotators``: people. ``released-svms``: the SVMs of Deza and Parikh, who publish their answers about
        the random-pairs alone, given to the more viral image less the other one. No answer about random-pairs is
        ever trained on.
        """
        import numpy as np

        from relattr.images import PairAnswers

        place = {image: k for k, image in enumerate(self.scored.ids.tolist())}
        tested = {tuple(pair) for pair in self.scored.ids[self.drawn.random_pairs].tolist()}

        def made(known: _viral_attributes.PairAttributes, keep: list[bool]) -> PairAnswers:
            positions = [[place[i] for i in pair] for pair in known.ids[np.array(keep, bool)].tolist()]
            return PairAnswers(
                np.array(positions, np.int64).reshape(-1, 2),
                known.answers[np.array(keep, bool)],
                _viral_attributes.ATTRIBUTES,
            )

        found: dict[str, tuple[PairAnswers | None, PairAnswers]] = {}
        if not not_there(self.root, _viral_attributes.ANNOTATION_FILES):
            known = _viral_attributes.read_annotations(self.root)
            test = [tuple(pair) in tested for pair in known.ids.tolist()]
            found[ANNOTATORS] = made(known, [not t for t in test]), made(known, test)
        if not not_there(self.root, _viral_attributes.PREDICTION_FILES):
            known = _viral_attributes.read_predictions(self.root)
            found[RELEASED_SVMS] = None, made(known, [True] * len(known.ids))
        return found

    def image_categories(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The category of each image, and their names."""
        import numpy as np

        choose = {"five": _viral_files.five_categories, "subreddits": _viral_files.subreddit_categories}
        if self.categories not in choose:
            raise UnknownName("categories of viral", self.categories, choose)
        submitted = _viral_files.read_submissions(self.root).of_each(self.scored.groups)
        chosen, names = choose[self.categories](submitted)
        return np.array(chosen, np.int64), names

    def task(self, name: TaskName) -> Task:
        import numpy as np

        from relattr.task import Task, TestSet, TrainingSet

        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        gone = self.missing_annotations()
        if gone:
            raise Blocked(gone)
        drawn = self.drawn
        train, pairs = drawn.training_images(name.split), drawn.training_pairs(name.split)
        categories, category_names = self.image_categories()
        tests = []
        for test, judged in drawn.test_pairs.items():
            images = drawn.parts[1] if test == "complete" else judged.images
            shared = np.intersect1d(images, train).size
            note = f"{shared:,} of the {images.size:,} images of {test} are also trained on" if shared else ""
            shown = self._images.subset(images)
            if test == "random-pairs":
                for who, (_, answers) in self._answers.items():
                    shown = shown.with_answers(who, answers)
            scores = self.scored.score[images] if test == "complete" else None
            tests.append(TestSet(test, shown, judged.renumbered(images), note=note, scores=scores))
        learnt = self._images.subset(train)
        for who, (to_train, _) in self._answers.items():
            learnt = learnt if to_train is None else learnt.with_answers(who, to_train)
        return Task(
            name,
            TrainingSet(
                learnt,
                pairs.renumbered(train),
                scores=self.scored.score[train],
                categories=categories[train],
                category_names=category_names,
            ),
            tests,
            protocol=self._protocol(name.split, train.size, pairs, tests[0].pairs),
            notes=self._notes(name.split),
        )

    def _protocol(self, split: str, n_train: int, pairs: Pairs, complete: Pairs) -> str:
        n, n_test, k = self.n_images, self.drawn.parts[1].size, self.n_extremes
        kept = "" if split == "published" else f", less those of the other test sets, so {n_train:,} images"
        return (
            f"Pairs labelled by the virality score of Deza and Parikh (CVPR 2015). Trained on {len(pairs):,} pairs of "
            f"{n - n_test:,} of the {n:,} images drawn by lot{kept}. Tested on {len(complete):,} pairs of the other "
            f"{n_test:,} images (complete), on the {k} most with the {k} least viral images, all {k * k:,} pairs "
            f"(pairs) or {k} (pairs-matching), and on {self.n_random_pairs} released pairs (random-pairs)."
        )

    def _notes(self, split: str) -> tuple[str, ...]:
        notes = [
            "the published split and the 10 million training and 1 million test pairs were drawn by lot and not "
            "released: these are other ones, of the same kind",
            f"the published Viral-Pairs are not released: all pairs of the {self.n_extremes} most and least viral "
            "images, and one matching of them, stand in for them",
            f"categories: {self.categories}, from the subreddits; those of the paper are not released",
        ]
        if split == "held-out":
            notes.append(
                f"not the published split: none of the images of pairs and random-pairs is trained on, so none of the "
                f"{self.n_extremes} most and least viral ones"
            )
        else:
            pairs = "and all pairs, so those pairs too" if self.n_train_pairs is None else "though not those pairs"
            notes.append(
                f"this protocol leaks: images of pairs, pairs-matching and random-pairs are trained on ({pairs}); the "
                "split held-out trains on none of them"
            )
        return tuple(notes)

    def released_pairs(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        import numpy as np

        found = {}
        for file, variable in (
            (_viral_files.ALL_PAIRS, "pair_matrix_spot"),
            (_viral_files.RANDOM_PAIRS, "top_pair_matrix_489"),
        ):
            if (self.root / file).exists():
                ids = _viral_files.read_pairs(self.root / file, variable)
                score = self.scored.score[self.scored.positions(ids, file)]
                found[file] = ids[:, 0], ids[:, 1], np.sign(score[:, 0] - score[:, 1]).astype(np.int64)
        return found

    # ------------------------------------------------------------------ where to get it, whether it is right

    def downloads(self) -> Sequence[Download]:
        """The annotations; the images cannot be fetched any more."""
        from relattr.system.download import Download

        return [Download(e.path, (f"{COPY}/{e.path}",), e.sha256, e.size) for e in listed(self.manifest)]

    def verify(self) -> list[Finding]:
        """Scores, pairs, splits, annotations and predictions, against what is known of them; images or not."""
        from ._viral_verify import findings

        return findings(self)
