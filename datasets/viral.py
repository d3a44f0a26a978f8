"""Dataset `viral`: 10,078 Reddit images with a virality score (Deza & Parikh, CVPR 2015).

The score of an image is A ln(M / mean M): A is the largest normalised upvote count of its submissions, M the number of
its submissions (data crawled by Lakkaraju et al., ICWSM 2013). A pair is labelled by the scores of its images.

Training pairs are drawn among a random 80 % of the images. There are four test sets: ``complete``, pairs of the other
20 %; ``pairs``, each of the 250 most viral images with each of the 250 least viral; ``pairs-matching``, each of those
in one pair; ``random-pairs``, 489 released pairs. In the split ``published``, as in the paper, images of the last three
are also training images; in the split ``held-out`` none is. The images cannot be downloaded any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput
from relattr.images import FileSource, Images, PairAnswers
from relattr.pairs import Pairs
from relattr.system.digests import digest_files
from relattr.system.download import Download
from relattr.task import PublishedTraining, Task, TaskName, TestSet, TrainingSet

from ._release_files import (
    CHECKSUMS,
    cached_manifest,
    missing_files,
    missing_files_message,
    require_available,
    require_task,
)
from ._verification import check_available
from ._viral_attributes import (
    ANNOTATION_FILES,
    ATTRIBUTES,
    PREDICTION_FILES,
    PairAttributes,
    read_annotations,
    read_predictions,
)
from ._viral_files import ALL_PAIRS, GROUPS, RANDOM_PAIRS, SCORES, SUBREDDITS, read_ranked_pairs
from ._viral_release import ViralRelease
from ._viral_splits import SPLITS
from ._viral_verification import verify_annotations

ATTRIBUTE = "virality"
ANNOTATORS, RELEASED_SVMS = "annotators", "released-svms"
N_IMAGES, N_EXTREMES, N_RANDOM_PAIRS = 10_078, 250, 489

IMAGE_FOLDERS = ("images", "Viral_total")
FORMER_IMAGE_ADDRESS = "http://brie.uchicago.edu/ftp-www/Viral_total/"
REQUIRED_FILES = (SCORES, RANDOM_PAIRS, GROUPS, SUBREDDITS)
PUBLISHED = PublishedTraining(
    supplement="a network trained on the five categories of the training images", categories_of="viral"
)
"""Of Dubey & Agarwal (MM 2017, Section 3.3), who state no number of epochs and no initial scale for this dataset."""
COPY = "https://raw.githubusercontent.com/ArturoDeza/virality/5a62d3022b8687cf5ce596b5fd92fa4585399615"


@register_dataset("viral", label="Viral images")
class Viral(Dataset):
    """10,078 Reddit images with a virality score; tested on random pairs, on the extremes and on 489 released pairs.

    Read from the release's own folders (``Create_Dataset_Code/`` and others) and ``images/`` or ``Viral_total/`` with
    a file ``<img_id>.jpg`` for each image. Methods that read no pixels run without the images. What people and the
    released SVMs answered about five attributes of pairs is available as the images' ``answers``.

    Parameters
    ----------
    n_train_pairs, n_test_pairs : number of pairs drawn among the training images, and among the test images for the
        test set ``complete``; None takes all of them.
    seed : decides the split, the pairs drawn and the matching.
    categories : ``five``: the Viral Categories funny, WTF, aww, atheism, gaming, for an image submitted to
        exactly one of them; ``subreddits``: the one of the release's 20 subreddits that an image was
        submitted to most. Any other image has no category.
    """

    n_train_pairs: int | None = 10_000_000
    n_test_pairs: int | None = 1_000_000
    seed: int = 0
    categories: Literal["five", "subreddits"] = "five"

    unpublished_parameters: ClassVar[Sequence[str]] = ("seed",)

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
        """``published``: some test images are training images, as in the paper; ``held-out``: none is."""
        return SPLITS

    # ------------------------------------------------------------------ files

    @cached_property
    def release(self) -> ViralRelease:
        """The annotations, read on access; the images need not exist."""
        return ViralRelease(
            self.root,
            n_images=self.n_images,
            n_extremes=self.n_extremes,
            n_random_pairs=self.n_random_pairs,
            n_train_pairs=self.n_train_pairs,
            n_test_pairs=self.n_test_pairs,
            seed=self.seed,
            categories=self.categories,
        )

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def missing_annotations(self) -> str | None:
        """Why the pairs cannot be read and what to do about it; None if they can."""
        missing = missing_files(self.root, REQUIRED_FILES)
        if not missing:
            return None
        problem = f"{len(missing)} of {len(REQUIRED_FILES)} annotation files are missing (first {missing[0]})"
        return missing_files_message(self.name, problem, self.root, cached_manifest(self.manifest))

    def missing_labels(self) -> str | None:
        """As `missing`, for methods that read no pixels."""
        reason = self.missing_annotations()
        if reason:
            return reason
        try:
            _ = self.release.scores
        except BadInput as error:
            return f"{self.name}: {error}"
        return None

    def missing(self) -> str | None:
        reason, folder = self.missing_annotations(), self._image_folder()
        if folder is None:
            problem = f"no folder {' or '.join(IMAGE_FOLDERS)} with the {self.n_images:,} images <img_id>.jpg"
            no_images = f"{problem}; looked in {self.root}. {self._how_to_get_images()}"
            return f"{reason}; {no_images}" if reason else f"{self.name}: {no_images}"
        if reason:
            return reason
        try:
            names = self.release.image_names
        except BadInput as error:  # invalid annotations block this dataset's cells, not the whole plan
            return f"{self.name}: {error}"
        missing = missing_files(self.root, (f"{folder}/{name}" for name in names))
        if missing:
            problem = f"{len(missing):,} of {len(names):,} images are missing (first {missing[0]})"
            return f"{self.name}: {problem}; looked in {self.root}. {self._how_to_get_images()}"
        return None

    def _how_to_get_images(self) -> str:
        return (
            f"They cannot be downloaded: {FORMER_IMAGE_ADDRESS}, the address in the release, no longer exists. Ask the "
            f"authors of the dataset (see {self.homepage}) and put them into {self.root / IMAGE_FOLDERS[0]}"
        )

    def _require_images(self) -> str:
        """The folder of images. Raises `BadInput` for an invalid list of them, `Blocked` if something is missing."""
        if not self.missing_annotations():
            _ = self.release.scores
        require_available(self.missing())
        folder = self._image_folder()
        assert folder is not None
        return folder

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        folder = self._require_images()
        images = (f"{folder}/{name}" for name in self.release.image_names)
        return digest_files(self.root, [*self._annotation_files(), *images])

    def labels_fingerprint(self) -> str:
        return digest_files(self.root, self._annotation_files())

    def _annotation_files(self) -> list[str]:
        """The annotation files that decide the tasks: scores, pairs, and those answers that exist."""
        answers = [*ANNOTATION_FILES, *PREDICTION_FILES]
        return [*REQUIRED_FILES, *(path for path in answers if (self.root / path).is_file())]

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """All images in the order of the file of scores; the tasks share this collection.

        It can be created without the image files, for methods that read no pixels.
        """
        folder = self._image_folder() or IMAGE_FOLDERS[0]
        return Images(FileSource(self.root / folder, self.release.image_names))

    @cached_property
    def _answers(self) -> dict[str, tuple[PairAnswers | None, PairAnswers]]:
        """Answers on the five attributes of pairs, by source: those for training (if any), those on random-pairs.

        ``annotators``: people. ``released-svms``: the SVMs of Deza and Parikh; only their answers on the random-pairs
        are published, and these were given for the more viral image minus the less viral one. Answers on random-pairs
        are never used for training.
        """
        position = {image: k for k, image in enumerate(self.release.scores.ids.tolist())}
        tested = {tuple(pair) for pair in self.release.scores.ids[self.release.split.random_pairs].tolist()}

        def select(attributes: PairAttributes, mask: list[bool]) -> PairAnswers:
            rows = np.array(mask, bool)
            positions = [[position[i] for i in pair] for pair in attributes.ids[rows].tolist()]
            return PairAnswers(np.array(positions, np.int64).reshape(-1, 2), attributes.answers[rows], ATTRIBUTES)

        answers: dict[str, tuple[PairAnswers | None, PairAnswers]] = {}
        if not missing_files(self.root, ANNOTATION_FILES):
            annotations = read_annotations(self.root)
            is_test = [tuple(pair) in tested for pair in annotations.ids.tolist()]
            train = select(annotations, [not test for test in is_test])
            answers[ANNOTATORS] = train, select(annotations, is_test)
        if not missing_files(self.root, PREDICTION_FILES):
            predictions = read_predictions(self.root)
            answers[RELEASED_SVMS] = None, select(predictions, [True] * len(predictions.ids))
        return answers

    def task(self, name: TaskName) -> Task:
        require_task(self, name)
        require_available(self.missing_annotations())
        split, scores = self.release.split, self.release.scores
        train, pairs = split.training_images(name.split), split.training_pairs(name.split)
        categories, category_names = self.release.image_categories()
        tests = self._test_sets(train)
        train_images = self._images.subset(train)
        for source, (train_answers, _) in self._answers.items():
            if train_answers is not None:
                train_images = train_images.with_answers(source, train_answers)
        return Task(
            name,
            TrainingSet(
                train_images,
                pairs.renumbered(train),
                scores=scores.score[train],
                categories=categories[train],
                category_names=category_names,
                published=PUBLISHED,
            ),
            tests,
            protocol=self._protocol(name.split, train.size, pairs, tests[0].pairs),
            notes=self._notes(name.split),
            deviations=self._deviations(name.split),
        )

    def _test_sets(self, train: NDArray[np.int64]) -> list[TestSet]:
        """The four test sets; a note says how many of their images are among the training images ``train``."""
        split, tests = self.release.split, []
        for name, pairs in split.test_pairs.items():
            positions = split.parts[1] if name == "complete" else pairs.images
            shared = np.intersect1d(positions, train).size
            note = f"{shared:,} of the {positions.size:,} images of {name} are also trained on" if shared else ""
            images = self._images.subset(positions)
            if name == "random-pairs":
                for source, (_, answers) in self._answers.items():
                    images = images.with_answers(source, answers)
            scores = self.release.scores.score[positions] if name == "complete" else None
            tests.append(TestSet(name, images, pairs.renumbered(positions), note=note, scores=scores))
        return tests

    def _protocol(self, split: str, n_train: int, pairs: Pairs, complete: Pairs) -> str:
        n, n_test, k = self.n_images, self.release.split.parts[1].size, self.n_extremes
        excluded = "" if split == "published" else f", except those of the other test sets ({n_train:,} images remain)"
        return (
            f"Pairs labelled by the virality score of Deza and Parikh (CVPR 2015). Trained on {len(pairs):,} pairs of "
            f"a random {n - n_test:,} of the {n:,} images{excluded}. Tested on {len(complete):,} pairs of the other "
            f"{n_test:,} images (complete), on the {k} most with the {k} least viral images, all {k * k:,} pairs "
            f"(pairs) or {k} (pairs-matching), and on {self.n_random_pairs} released pairs (random-pairs)."
        )

    def _notes(self, split: str) -> tuple[str, ...]:
        notes = [
            "the published split and the 10 million training and 1 million test pairs were drawn at random and not "
            "released: these are drawn in the same way",
            f"the published Viral-Pairs are not released: all pairs of the {self.n_extremes} most and least viral "
            "images, and one matching of them, stand in for them",
            f"categories: {self.categories}, from the subreddits; those of the paper are not released",
        ]
        if split != "held-out":
            pairs = "and all pairs, so those pairs too" if self.n_train_pairs is None else "though not those pairs"
            notes.append(
                f"this protocol leaks, as published: images of pairs, pairs-matching and random-pairs are trained on "
                f"({pairs}); the split held-out trains on none of them"
            )
        return tuple(notes)

    def _deviations(self, split: str) -> tuple[str, ...]:
        if split != "held-out":
            return ()
        return (
            "not the published split: none of the images of pairs and random-pairs is trained on, so none of the "
            f"{self.n_extremes} most and least viral ones",
        )

    def released_pairs(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        pairs = {}
        for file, variable in ((ALL_PAIRS, "pair_matrix_spot"), (RANDOM_PAIRS, "top_pair_matrix_489")):
            if (self.root / file).exists():
                ids = read_ranked_pairs(self.root / file, variable)
                score = self.release.scores.score[self.release.scores.positions(ids, file)]
                pairs[file] = ids[:, 0], ids[:, 1], np.sign(score[:, 0] - score[:, 1]).astype(np.int64)
        return pairs

    # ------------------------------------------------------------------ downloads and verification

    def downloads(self) -> Sequence[Download]:
        """The annotations; the images cannot be downloaded any more."""
        return [Download(e.path, (f"{COPY}/{e.path}",), e.sha256, e.size) for e in cached_manifest(self.manifest)]

    def verify(self) -> list[VerificationResult]:
        """Check scores, pairs, splits, annotations and predictions against known values; runs without images too."""
        available = check_available("all images exist", self.missing(), f"{self.n_images:,}")
        if self.missing_annotations():
            return [available]
        return [available, *verify_annotations(self.release, self.manifest)]
