"""Dataset `lfw10`: 2,000 faces from Labeled Faces in the Wild, ten attributes (Sandeep et al., CVPR 2014).

Each attribute has 500 pairs to train on and 500 to test, of different images. Five people voted on each pair for left,
right or similar; the label is the answer with the most votes; ties go to the first in that order. Nine attributes
train on images 1 to 1,000 and test on the others; ``goodlooking`` does the reverse. The official release has the votes
of all pairs. The copies that can be downloaded have the votes of the training pairs, but for the test pairs one label
each, in which "similar" wins ties: fewer test pairs are ordered than in the published numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput
from relattr.images import FileSource, Images
from relattr.random import derive_seed
from relattr.system.digests import digest_files
from relattr.system.download import Download
from relattr.system.manifest import ManifestEntry
from relattr.task import PublishedTraining, Task, TaskName, TestSet, TrainingSet

from ._lfw10_annotations import ATTRIBUTES, TEST_LIST, LFW10Release
from ._lfw10_verification import EXCHANGED, ORDERED_TEST_PAIRS, verify_lfw10
from ._release_files import (
    CHECKSUMS,
    cached_manifest,
    missing_files,
    missing_files_message,
    require_available,
    require_task,
)
from ._verification import check_available

HALF = 1000
"""Images 1 to HALF are one half of the set, the rest the other; no attribute trains and tests on the same half."""

OFFICIAL_FOLDERS = (".", "LFW10")

PUBLISHED = PublishedTraining(epochs=400, initial_scale=1 / 3, supplement="OpenFace")
"""Epochs and scale: Singh & Lee (ECCV 2016); supplement: Dubey & Agarwal (MM 2017, Section 3.3)."""

ANNOTATION_COPY = "https://raw.githubusercontent.com/qianqianxu010/AAAI21/96917bfd874884445e2e44db4bed0657ecd00166"
IMAGE_COPY = (
    "https://raw.githubusercontent.com/GentleZhu/human_annotation_system/48d1605009a99d00616c9289a35f7615e8127d0c"
)
COPIES = {  # the address of each of our folders
    "images/": f"{IMAGE_COPY}/public/img/",
    "gentlezhu_train/": f"{IMAGE_COPY}/public/train/",
    "aaai21/": f"{ANNOTATION_COPY}/lfw10/",
}

TEST_LABELS = {
    "votes": "the five votes of the official files, by the same rule",
    "lists": f"one label per pair in {TEST_LIST}, not the labels behind the published numbers",
}


@register_dataset("lfw10", label="LFW-10")
class LFW10(Dataset):
    """2,000 faces, ten attributes, 500 training pairs and 500 test pairs for each, by votes.

    Read from the official release (``annotations/{attribute}{train,test}.mat`` and ``images/``) if it exists,
    otherwise from lists (``aaai21/lfw10_{train,test}.txt`` and ``images/``), whose test labels differ.
    """

    citation = """\
@inproceedings{sandeep2014relative,
  author = {Sandeep, Ramachandruni N. and Verma, Yashaswi and Jawahar, C. V.},
  title = {Relative Parts: Distinctive Parts for Learning Relative Attributes},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {3614--3621}, year = {2014}
}
@techreport{huang2007labeled,
  author = {Huang, Gary B. and Ramesh, Manu and Berg, Tamara and Learned-Miller, Erik},
  title = {Labeled Faces in the Wild: A Database for Studying Face Recognition in Unconstrained Environments},
  institution = {University of Massachusetts, Amherst},
  number = {07-49}, year = {2007}
}"""
    n_images = 2_000
    licence = "none stated; the photographs of Labeled Faces in the Wild are for research; do not redistribute"
    homepage = "https://www.cv-foundation.org/openaccess/content_cvpr_2014/html/Sandeep_Relative_Parts_Distinctive_2014_CVPR_paper.html"

    manifest: ClassVar[Path] = CHECKSUMS / "lfw10.txt"
    pairs_per_part: ClassVar[int] = 500
    half: ClassVar[int] = HALF

    def attributes(self) -> Sequence[str]:
        return ATTRIBUTES

    # ------------------------------------------------------------------ files

    @cached_property
    def _image_entries(self) -> tuple[ManifestEntry, ...]:
        """The image files, ``images/<number>.jpg``, in the order of their numbers."""
        images = [entry for entry in cached_manifest(self.manifest) if entry.path.startswith("images/")]
        return tuple(sorted(images, key=lambda entry: int(entry.path[len("images/") : -len(".jpg")])))

    @cached_property
    def release(self) -> LFW10Release:
        """The annotations: in the folder that has ``annotations/`` (the official layout), otherwise in the root."""
        candidates = (self.root / name for name in OFFICIAL_FOLDERS)
        folder = next((folder for folder in candidates if (folder / "annotations").is_dir()), self.root)
        return LFW10Release(folder, len(self._image_entries), self.pairs_per_part)

    @property
    def _files(self) -> list[str]:
        """All files that are read, relative to the folder of the release."""
        return [*self.release.files, *(entry.path for entry in self._image_entries)]

    def missing(self) -> str | None:
        entries = cached_manifest(self.manifest)
        missing = missing_files(self.release.folder, self._files)
        if len(missing) == len(self._files):
            problem = "neither the official release (annotations/, images/) nor lists of pairs (aaai21/, images/)"
            return missing_files_message(self.name, problem, self.root, entries)
        if missing:
            problem = f"{len(missing):,} files are missing (first {missing[0]})"
            return missing_files_message(self.name, problem, self.release.folder, entries)
        return None

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        require_available(self.missing())
        return digest_files(self.release.folder, self._files)

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """All images in the order of their numbers; the tasks share this collection."""
        names = [entry.path.removeprefix("images/") for entry in self._image_entries]
        return Images(FileSource(self.release.folder / "images", names))

    def task(self, name: TaskName) -> Task:
        require_task(self, name)
        require_available(self.missing())
        train, test = self.release.pairs(name.attribute, "train"), self.release.pairs(name.attribute, "test")
        shared = np.intersect1d(train.images, test.images)
        if shared.size:
            raise BadInput(
                f"{self.release.folder}: image {shared[0] + 1} is in training and test pairs of {name.attribute}"
            )
        test = test.random_sides(derive_seed(0, "lfw10", name.attribute))
        return Task(
            name,
            TrainingSet(self._images.subset(train.images), train.renumbered(train.images), published=PUBLISHED),
            [TestSet("test", self._images.subset(test.images), test.renumbered(test.images))],
            protocol=(
                f"{len(train)} voted training pairs of {train.images.size} images, {len(test)} test pairs of "
                f"{test.images.size} other images, {test.n_ordered} of them ordered. The label of a training pair is "
                f"the answer with the most of its five votes; ties go to the first of left, right, similar. "
                f"Test labels: {TEST_LABELS[self.release.layout]}."
            ),
            notes=self._notes(),
            deviations=self._deviations(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [
            "the training images are those that occur in training pairs",
            f"{EXCHANGED} is trained on the images that the other attributes are tested on, and the reverse (as in the "
            "released files): nothing fitted on one attribute may be used for another",
        ]
        if self.release.layout == "votes":
            notes.append("read from the official annotations: labels by the five votes behind the published numbers")
        return tuple(notes)

    def _deviations(self) -> tuple[str, ...]:
        if self.release.layout == "votes":
            return ()
        counts = {layout: f"{sum(n):,}" for layout, n in ORDERED_TEST_PAIRS.items()}
        return (
            "the test labels are not those of the published numbers: a list gives one label per pair, in which "
            f"'similar' wins ties ({counts['lists']} ordered pairs over the ten attributes); the published numbers "
            f"use the five votes of the official files ({counts['votes']})",
        )

    # ------------------------------------------------------------------ downloads and verification

    def downloads(self) -> Sequence[Download]:
        files = []
        for entry in cached_manifest(self.manifest):
            folder, _, base = entry.path.rpartition("/")
            files.append(Download(entry.path, (COPIES[f"{folder}/"] + base,), entry.sha256, entry.size))
        return files

    def verify(self) -> list[VerificationResult]:
        """Check checksums, halves, label codes and numbers of pairs against the known values of LFW-10."""
        available = check_available("all files exist", self.missing(), f"as {self.release.layout}")
        if not available.ok:
            return [available]
        return [available, *verify_lfw10(self.release, cached_manifest(self.manifest), self.half)]
