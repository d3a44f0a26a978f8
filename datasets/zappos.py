"""Datasets `zappos` and `zappos-fine`: UT-Zap50K, 50,025 shoes, four attributes (Yu & Grauman, CVPR 2014).

UT-Zap50K-1 has about 1,700 ordered and 1,150 equal pairs per attribute, labelled by votes, and ten released splits of
the ordered pairs: 300 pairs of each attribute for testing, the others for training (dataset `zappos`). UT-Zap50K-2 has
about 1,100 fine-grained pairs per attribute: equal pairs of UT-Zap50K-1 for which people were asked again which image
has more. `zappos-fine` trains on all ordered pairs of UT-Zap50K-1 and tests on the fine-grained pairs. Most test images
are also training images; the test set ``test-unseen`` has the test pairs whose images are not.
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
from relattr.errors import BadInput
from relattr.images import FileSource, Images
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.system.digests import digest_files, digest_text
from relattr.system.download import Download
from relattr.system.paths import data_dir
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
from ._zappos_files import ATTRIBUTES, FILES, N_SPLITS, ZapposRelease, paths_on_disk, read_zappos
from ._zappos_verification import verify_annotations

N_IMAGES, N_TEST = 50_025, 300

ANNOTATION_FOLDERS = ("ut-zap50k-data", ".")
IMAGE_FOLDERS = ("ut-zap50k-images", "ut-zap50k-images-square")
HOME = "https://vision.cs.utexas.edu/projects/finegrained/utzap50k/"
COPY = (
    "https://raw.githubusercontent.com/PenguinZhou/Shoe_Searching_Comparison/"
    "154f3a9d50d37000e7edcbd6e7ceb63aeb513cbf/ut-zap50k-data"
)


@register_dataset("zappos", label="UT-Zap50K-1")
class Zappos(Dataset):
    """50,025 shoes, four attributes; about 1,700 ordered pairs of each in ten splits, 300 of them test pairs.

    Read from the official release: ``ut-zap50k-data/`` (or its files themselves) and ``ut-zap50k-images/``
    or ``ut-zap50k-images-square/``. Only the 5,551 images that are in a pair are read.
    """

    citation = """\
@inproceedings{yu2014fine,
  author = {Yu, Aron and Grauman, Kristen},
  title = {Fine-Grained Visual Comparisons with Local Learning},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {192--199}, year = {2014}
}
@inproceedings{yu2017semantic,
  author = {Yu, Aron and Grauman, Kristen},
  title = {Semantic Jitter: Dense Supervision for Visual Comparisons via Synthetic Images},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  year = {2017}
}"""
    licence = "for non-commercial use only, citing Yu and Grauman (2014, 2017); the photographs are Zappos.com's"
    homepage = HOME

    manifest: ClassVar[Path] = CHECKSUMS / "zappos.txt"
    published: ClassVar[PublishedTraining] = PublishedTraining(epochs=200, initial_scale=1 / 2)
    """Of Singh & Lee (ECCV 2016) for UT-Zap50K-1; the paper has no category network there."""
    n_images: ClassVar[int] = N_IMAGES
    n_test: ClassVar[int] = N_TEST

    @property
    def root(self) -> Path:
        return data_dir() / "zappos"

    def attributes(self) -> Sequence[str]:
        return ATTRIBUTES

    def splits(self) -> Sequence[str]:
        """``1`` to ``10``, as released."""
        return tuple(str(k) for k in range(1, N_SPLITS + 1))

    # ------------------------------------------------------------------ files

    @property
    def folder(self) -> Path:
        """The folder of annotations."""
        candidates = (self.root / name for name in ANNOTATION_FOLDERS)
        return next((folder for folder in candidates if not missing_files(folder, FILES)), self.root)

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def missing_annotations(self) -> str | None:
        """Why the pairs cannot be read and what to do about it; None if they can."""
        missing = missing_files(self.folder, FILES)
        if not missing:
            return None
        problem = f"{len(missing)} of {len(FILES)} annotation files are missing (first {missing[0]})"
        return missing_files_message("zappos", problem, self.root, cached_manifest(self.manifest))

    def missing(self) -> str | None:
        reason, folder = self.missing_annotations(), self._image_folder()
        if folder is None:
            no_images = f"no folder {' or '.join(IMAGE_FOLDERS)}; looked in {self.root}. {self._how_to_get_images()}"
            return f"{reason}; {no_images}" if reason else f"{self.name}: {no_images}"
        if reason:
            return reason
        try:
            names = self._image_names(folder)
        except BadInput as error:  # invalid annotations block this dataset's cells, not the whole plan
            return f"{self.name}: {error}"
        missing = missing_files(self.root / folder, names)
        if missing:
            problem = (
                f"{len(missing):,} of the {len(names):,} images in pairs are missing in {folder} (first {missing[0]})"
            )
            return f"{self.name}: {problem}; looked in {self.root}. {self._how_to_get_images()}"
        return None

    def _how_to_get_images(self) -> str:
        return (
            f"Download {IMAGE_FOLDERS[0]}.zip (or {IMAGE_FOLDERS[1]}.zip) from {self.homepage} and unpack it in "
            f"{self.root}; relattr knows no copy with checksums that it could download"
        )

    def _image_names(self, folder: str) -> list[str]:
        """The files of the images that are in pairs, relative to that folder."""
        paths = self.released.paths
        return paths_on_disk(self.root / folder, (paths[i] for i in self.released.used.tolist()))

    @property
    def released(self) -> ZapposRelease:
        """The annotations; needs no image. Raises `BadInput` if they are invalid."""
        return read_zappos(self.folder, self.n_images, self.n_test)

    def _require_images(self) -> str:
        """The folder of images. Raises `BadInput` for invalid annotations, `Blocked` if something is missing."""
        if not self.missing_annotations():
            _ = self.released
        require_available(self.missing())
        folder = self._image_folder()
        assert folder is not None
        return folder

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        folder = self._require_images()
        annotations = digest_files(self.folder, FILES)
        return digest_text(annotations, digest_files(self.root / folder, self._image_names(folder)))

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """The images that are in any pair; the tasks share this collection."""
        folder = self._require_images()
        return Images(FileSource(self.root / folder, self._image_names(folder)))

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        """The training and the test pairs, over all images as numbered in the release (from 0).

        The sides of the test pairs are random. No image is needed.
        """
        ordered = self.released.ordered[attribute]
        train, test = self.released.splits[attribute][int(split) - 1]
        return ordered.pairs(train), ordered.pairs(test).random_sides(derive_seed(0, "zappos", attribute, split))

    def task(self, name: TaskName) -> Task:
        require_task(self, name)
        self._require_images()
        train, test = self.pairs(name.attribute, name.split)
        return Task(
            name,
            TrainingSet(self._subset(train.images), train.renumbered(train.images), published=self.published),
            self._test_sets(train, test),
            protocol=self._protocol(name.split, train, test),
            notes=self._notes(),
            deviations=self._deviations(),
        )

    def _subset(self, images: NDArray[np.int32]) -> Images:
        return self._images.subset(np.searchsorted(self.released.used, images))

    def _test_sets(self, train: Pairs, test: Pairs) -> list[TestSet]:
        """All test pairs, and those whose images are not training images."""
        seen = np.isin(test.left, train.images) | np.isin(test.right, train.images)
        shared = np.intersect1d(test.images, train.images).size
        note = (
            f"{shared} of the {test.images.size} test images are also trained on, in {np.count_nonzero(seen)} of the "
            f"{len(test)} test pairs; no test pair is"
        )
        unseen = test.take(~seen)
        tests = [TestSet("test", self._subset(test.images), test.renumbered(test.images), note=note if shared else "")]
        if len(unseen):
            tests.append(TestSet("test-unseen", self._subset(unseen.images), unseen.renumbered(unseen.images)))
        return tests

    def _protocol(self, split: str, train: Pairs, test: Pairs) -> str:
        return (
            f"UT-Zap50K-1 (Yu & Grauman, CVPR 2014), split {split} of {N_SPLITS}: {len(train):,} ordered training "
            f"pairs and {len(test)} test pairs; test-unseen: the test pairs without training images."
        )

    def _notes(self) -> tuple[str, ...]:
        return ("equal pairs are in no split: only ordered pairs are trained on",)

    def _deviations(self) -> tuple[str, ...]:
        if self._image_folder() == IMAGE_FOLDERS[1]:
            return ("the images are those of the square release, padded with white to 136 x 136 pixels",)
        return ()

    # ------------------------------------------------------------------ downloads and verification

    def downloads(self) -> Sequence[Download]:
        """The annotations; the images must be downloaded from the homepage by hand."""
        return [Download(e.path, (f"{COPY}/{e.path}",), e.sha256, e.size) for e in cached_manifest(self.manifest)]

    def verify(self) -> list[VerificationResult]:
        """Check checksums, counts, splits and images in pairs against known values; runs without images too."""
        available = check_available("all images exist", self.missing(), "those that are in pairs")
        if self.missing_annotations():
            return [available]
        return [available, *verify_annotations(self.folder, self.manifest, lambda: self.released)]


@register_dataset("zappos-fine", label="UT-Zap50K-2")
class ZapposFine(Zappos):
    """The same shoes; trained on all ordered pairs of UT-Zap50K-1, tested on the fine-grained pairs of UT-Zap50K-2.

    Parameters
    ----------
    similar : also train on equal pairs of UT-Zap50K-1, as similar pairs. All fine-grained test pairs are equal pairs
        for which people were asked again which image has more; only the few that are not test pairs are trained on.
    """

    similar: bool = False

    published: ClassVar[PublishedTraining] = PublishedTraining()

    def splits(self) -> Sequence[str]:
        return ("standard",)

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        train, test = self.released.ordered[attribute].pairs(), self.released.fine[attribute].pairs()
        if self.similar:
            train = Pairs.concatenate(
                [train, self.released.equal[attribute].pairs(~self.released.asked_again(attribute))]
            )
        return train, test.random_sides(derive_seed(0, "zappos-fine", attribute))

    def _protocol(self, split: str, train: Pairs, test: Pairs) -> str:
        return (
            f"UT-Zap50K-2 (Yu & Grauman, CVPR 2014): {train.n_ordered:,} ordered and {train.n_similar} similar "
            f"training pairs of UT-Zap50K-1, {len(test):,} fine-grained test pairs; test-unseen: the test pairs "
            "without training images."
        )

    def _notes(self) -> tuple[str, ...]:
        similar = (
            "equal pairs of UT-Zap50K-1 that are not fine-grained test pairs are trained on as similar"
            if self.similar
            else "equal pairs of UT-Zap50K-1 are not trained on: all fine-grained test pairs are among them"
        )
        return (similar,)
