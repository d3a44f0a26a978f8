"""Dataset `osr`: the Outdoor Scene Recognition images (Oliva & Torralba, IJCV 2001), six attributes.

2,688 scenes of eight classes. Parikh and Grauman (ICCV 2011, Table 1) rank the classes by each attribute; a pair is
labelled by the ranks of its images' classes, and is similar where they are equal. 240 images, 30 per class, are for
training; all other 2,448 are for testing. All pairs of each part are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.images import FileSource, Images
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.system.digests import digest_files
from relattr.system.download import Download
from relattr.system.manifest import ManifestEntry
from relattr.task import PublishedTraining, Task, TaskName, TestSet, TrainingSet

from ._osr_classes import CLASS_RANKS, CLASSES
from ._osr_files import OFFICIAL_DATA, SPLIT_FILES, OSRRelease
from ._osr_verification import verify_osr
from ._release_files import (
    CHECKSUMS,
    REPRODUCING_CODES,
    cached_manifest,
    missing_files,
    missing_files_message,
    require_available,
    require_task,
)
from ._verification import check_available

N_TRAIN_PER_CLASS = 30
PUBLISHED = PublishedTraining(epochs=15, initial_scale=1 / 2, supplement="Places205-AlexNet and Hybrid-CNN")
"""Epochs and scale: Singh & Lee (ECCV 2016); supplement: Dubey & Agarwal (MM 2017, Section 3.3)."""

OFFICIAL_IMAGES = "spatial_envelope_256x256_static_8outdoorcategories"
IMAGE_FOLDERS = ("images", OFFICIAL_IMAGES)

# the first copy has the files under the names they have here; the second in one folder per class, in one of its two
# splits, so one of its two addresses answers 404
FIRST_COPY = REPRODUCING_CODES
SECOND_COPY = "https://raw.githubusercontent.com/EauDeData/MCV-M3-W4/55c4cfff266b032f954c03215fa9319c4490a057"
SECOND_FOLDERS = {"opencountry": "Opencountry", "insidecity": "inside_city"}
SPLIT_COPY = (
    "https://raw.githubusercontent.com/apriltuesday/RelativeAttributes/982b975f3b62d628d6b1c69c27acb429d7360e64"
)


@register_dataset("osr", label="OSR")
class OSR(Dataset):
    """2,688 outdoor scenes; all pairs of 240 training images, all pairs of the other 2,448 as the test set.

    Read from ``images/`` or the official ``spatial_envelope_256x256_static_8outdoorcategories/``. The training images
    are named by the first of these that exists: Parikh and Grauman's ``data.mat``, ``train240.txt``,
    ``outdoor_scenes.mat``.
    """

    citation = """\
@article{oliva2001modeling,
  author = {Oliva, Aude and Torralba, Antonio},
  title = {Modeling the Shape of the Scene: A Holistic Representation of the Spatial Envelope},
  journal = {International Journal of Computer Vision},
  volume = {42}, number = {3}, pages = {145--175}, year = {2001}
}
@inproceedings{parikh2011relative,
  author = {Parikh, Devi and Grauman, Kristen},
  title = {Relative Attributes},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  pages = {503--510}, year = {2011}
}"""
    n_images = 2_688
    licence = "none stated with the images; for research, citing Oliva and Torralba (2001); do not redistribute"
    homepage = "https://people.csail.mit.edu/torralba/code/spatialenvelope/"

    manifest: ClassVar[Path] = CHECKSUMS / "osr.txt"
    n_train_per_class: ClassVar[int] = N_TRAIN_PER_CLASS

    def attributes(self) -> Sequence[str]:
        return tuple(CLASS_RANKS)

    # ------------------------------------------------------------------ files

    @cached_property
    def _entries(self) -> tuple[ManifestEntry, ...]:
        """The image files, ``images/<name>``, sorted by name."""
        return tuple(entry for entry in cached_manifest(self.manifest) if entry.path.startswith("images/"))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(entry.path.removeprefix("images/") for entry in self._entries)

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def _split_file(self) -> str | None:
        return next((file for file in SPLIT_FILES if (self.root / file).is_file()), None)

    def missing(self) -> str | None:
        folder, problem = self._image_folder(), ""
        if folder is None:
            problem = f"no folder {' or '.join(IMAGE_FOLDERS)}"
        elif self._split_file() is None:
            problem = f"no file with the training images ({', '.join(SPLIT_FILES)})"
        elif missing := missing_files(self.root, (f"{folder}/{name}" for name in self._names)):
            problem = f"{len(missing):,} of {len(self._names):,} images are missing (first {missing[0]})"
        if not problem:
            return None
        return missing_files_message(self.name, problem, self.root, cached_manifest(self.manifest))

    @cached_property
    def release(self) -> OSRRelease:
        """The files. Raises `Blocked` if any is missing."""
        require_available(self.missing())
        image_folder, split_file = self._image_folder(), self._split_file()
        assert image_folder is not None
        assert split_file is not None
        return OSRRelease(self.root, image_folder, split_file, self._entries, self.n_train_per_class)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        release = self.release
        _ = release.is_training  # an invalid list of training images has no fingerprint
        return digest_files(self.root, [release.split_file, *(f"{release.image_folder}/{n}" for n in release.names)])

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """All images; the tasks share this collection, so that each image is decoded once."""
        return Images(FileSource(self.root / self.release.image_folder, self.release.names))

    def task(self, name: TaskName) -> Task:
        require_task(self, name)
        train, test = np.flatnonzero(self.release.is_training), np.flatnonzero(~self.release.is_training)
        classes, ranks = self.release.classes, CLASS_RANKS[name.attribute]

        def pairs(images: NDArray[np.int64], part: str) -> Pairs:
            # the seed decides which image of a pair is on the left, so that the label does not depend on the side
            return Pairs.from_classes(classes[images], ranks, seed=derive_seed(0, "osr", name.attribute, part))

        return Task(
            name,
            TrainingSet(
                self._images.subset(train),
                pairs(train, "train"),
                categories=classes[train],
                category_names=CLASSES,
                published=PUBLISHED,
            ),
            [TestSet("test", self._images.subset(test), pairs(test, "test"))],
            protocol=(
                f"Pairs labelled by the order of the eight scene classes (Parikh & Grauman, ICCV 2011): all pairs of "
                f"the {train.size:,} training images, {self.n_train_per_class} per class, and all pairs of the other "
                f"{test.size:,} images; pairs of equal rank are trained on and never scored."
            ),
            notes=self._notes(),
            deviations=self._deviations(),
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            "every ordered pair of the test images is scored; some published numbers are on a random 5 % of them",
            "two pairs of files contain identical images: mountain_sclos4 and mountain_sharp59, and insidecity_urb992 "
            "and tallbuilding_urb992, one image in two classes; all four are test images, none is trained on",
        )

    def _deviations(self) -> tuple[str, ...]:
        if self.release.split_file in OFFICIAL_DATA:
            return ()
        return (
            f"the training images are the {self.n_train_per_class * len(CLASSES)} named in "
            f"{self.release.split_file}; the used_for_training mask of the official data.mat has as many per "
            "class, but was not compared name by name",
        )

    # ------------------------------------------------------------------ downloads and verification

    def downloads(self) -> Sequence[Download]:
        split = next(entry for entry in cached_manifest(self.manifest) if entry.path == "outdoor_scenes.mat")
        files = [Download(split.path, (f"{SPLIT_COPY}/data/{split.path}",), split.sha256, split.size)]
        for entry, name in zip(self._entries, self._names, strict=True):
            scene, _, rest = name.partition("_")
            folder = SECOND_FOLDERS.get(scene, scene)
            mirrors = (
                f"{FIRST_COPY}/DATA/osr/images/{name}",
                f"{SECOND_COPY}/data/MIT_split/train/{folder}/{rest}",
                f"{SECOND_COPY}/data/MIT_split/test/{folder}/{rest}",
            )
            files.append(Download(entry.path, mirrors, entry.sha256, entry.size))
        return files

    def verify(self) -> list[VerificationResult]:
        """Check checksums, classes, split, class order and numbers of pairs against the known values of OSR."""
        available = check_available("all files exist", self.missing(), "yes")
        if not available.ok:
            return [available]
        return [available, *verify_osr(self.release)]
