"""Datasets `relative-attributes`, `osr-shipped` and `pubfig`: a ``data.mat`` of Parikh and Grauman (ICCV 2011).

The file names images and their classes, ranks the classes by each attribute, marks the training images, and ships
features: 512 for each of 2,688 outdoor scenes (OSR), 542 for each of 772 faces (PubFig). A pair is labelled by the
ranks of its images' classes; all pairs of the training images are used for training, all pairs of the other images
for testing. Images are optional: without them, methods on the shipped features still run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput, Blocked
from relattr.images import FileSource, Images, MissingFileSource
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.system.digests import digest_files, digest_text
from relattr.system.download import Download
from relattr.system.manifest import ManifestEntry
from relattr.system.paths import data_dir, expand_home
from relattr.task import Task, TaskName, TestSet, TrainingSet

from ._relative_attributes_file import RelativeAttributesFile, read_relative_attributes
from ._release_files import (
    CHECKSUMS,
    REPRODUCING_CODES,
    cached_manifest,
    compare_with_manifest,
    missing_files,
    require_available,
    require_task,
)
from ._verification import check_available, join_first, run_check

RELEASE = "relative_attributes"
IMAGE_FOLDERS = ("images", "spatial_envelope_256x256_static_8outdoorcategories")

KNOWN_SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "osr-shipped": (2688, 512, 6, 240),
    "pubfig": (772, 542, 11, 241),
}
"""Images, features, attributes and training images of the releases."""

PUBFIG_FILE = "pubfig/data.mat"
PUBFIG_COPY = f"{REPRODUCING_CODES}/DATA/pubfig"
PUBFIG_MANIFEST = CHECKSUMS / "pubfig.txt"


@register_dataset(
    "relative-attributes",
    label="Relative attributes",
    summary="Any data set in the file format of Parikh and Grauman, with its features.",
)
@register_dataset(
    "osr-shipped",
    label="OSR, shipped features",
    summary="OSR in Parikh and Grauman's files, with the features released with it.",
    file="osr/data.mat",
)
@register_dataset(
    "pubfig",
    label="PubFig",
    summary="772 portraits of 8 people, eleven attributes; the class order of each attribute labels all pairs.",
    file=PUBFIG_FILE,
)
class RelativeAttributes(Dataset):
    """Images whose classes are ranked by each attribute, with the features in Parikh and Grauman's file.

    The features are available as `Images.shipped_features`. If the image files are missing, methods that read no
    pixels still run and the others are blocked.

    Parameters
    ----------
    file : the ``data.mat``; a relative path is below RELATTR_DATA or its folder ``relative_attributes``.
    images : the folder of images; by default ``images`` or OSR's own folder beside the file, if it exists.
    """

    file: str = ""
    images: str = ""

    citation = """\
@inproceedings{parikh2011relative,
  author = {Parikh, Devi and Grauman, Kristen},
  title = {Relative Attributes},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  pages = {503--510}, year = {2011}
}"""
    licence = (
        "none stated; for research, citing Parikh and Grauman (2011), and PubFig for non-commercial research only; do "
        "not redistribute"
    )
    homepage = "https://www.cc.gatech.edu/~parikh/relative.html"
    location_parameters = ("file", "images")

    # ------------------------------------------------------------------ files

    @property
    def _path(self) -> Path:
        """The file; where it does not exist, the last place searched."""
        given = expand_home(self.file)
        places = [data_dir() / given, data_dir() / RELEASE / given]  # an absolute path stays as it is
        return next((place for place in places if place.is_file()), places[-1])

    @property
    def root(self) -> Path:
        return self._path.parent

    @property
    def released(self) -> RelativeAttributesFile:
        """The contents of the file. Raises `Blocked` if it is missing, `BadInput` for anything wrong in it."""
        if not self.file:
            raise Blocked(f"{self.name}: no file; set {self.name}.file to a data.mat in Parikh and Grauman's format")
        if not self._path.is_file():
            release = f"get the relative_attributes release ({self.homepage}) and unpack it in {data_dir()}"
            raise Blocked(f"{self.name}: {self._path} does not exist; {self._fetch_hint() or release}")
        return read_relative_attributes(self._path)

    def attributes(self) -> Sequence[str]:
        """The attributes in the file; empty if it cannot be read (`missing` gives the reason)."""
        try:
            return self.released.attributes
        except (BadInput, Blocked):
            return ()

    @property
    def image_folder(self) -> Path | None:
        """The folder of images; None where there is none."""
        if self.images:
            return expand_home(self.images)
        return next((folder for name in IMAGE_FOLDERS if (folder := self.root / name).is_dir()), None)

    def missing(self) -> str | None:
        try:
            names, folder = self.released.names, self.image_folder
        except (BadInput, Blocked) as error:
            return str(error)
        if folder is None:
            return None
        if not folder.is_dir():
            return f"{self.name}: images={folder} is not a folder"
        missing = missing_files(folder, names)
        if missing:
            hint = self._fetch_hint()
            return (
                f"{self.name}: {len(missing):,} of {len(names):,} images are not in {folder} (first {missing[0]})"
                f"{hint and '; '}{hint}"
            )
        return None

    @property
    def _entries(self) -> tuple[ManifestEntry, ...]:
        """The files of PubFig, unless the parameters name other ones; none for other data."""
        return cached_manifest(PUBFIG_MANIFEST) if self.file == PUBFIG_FILE and not self.images else ()

    def _fetch_hint(self) -> str:
        size = sum(entry.size for entry in self._entries) / 1e6
        if not self._entries:
            return ""
        return f"'relattr data fetch {self.name}' downloads it ({len(self._entries):,} files, {size:.0f} MB)"

    def downloads(self) -> Sequence[Download]:
        """The files of PubFig, of which a public copy is known; none for other data."""
        return [
            Download(entry.path, (f"{PUBFIG_COPY}/{entry.path}",), entry.sha256, entry.size) for entry in self._entries
        ]

    def _require_files(self) -> None:
        """Raise `BadInput` for an invalid file, `Blocked` if something is missing."""
        _ = self.released
        require_available(self.missing())

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        self._require_files()
        file = digest_files(self.root, [self._path.name])
        folder = self.image_folder
        return digest_text(file, "" if folder is None else digest_files(folder, self.released.names))

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _images(self) -> Images:
        """All images with their features; the tasks share this collection."""
        folder, names = self.image_folder, self.released.names
        if folder is not None:
            return Images(FileSource(folder, names), features=self.released.features)
        reason = f"{self.name} has no folder of images; looked in {self.root} for {' and '.join(IMAGE_FOLDERS)}"
        source = MissingFileSource(names, digest_files(self.root, [self._path.name]), reason)
        return Images(source, features=self.released.features)

    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of the test images, ascending."""
        return np.flatnonzero(self.released.trained), np.flatnonzero(~self.released.trained)

    def pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """All pairs of these images, labelled by the ranks of their classes; images are numbered from 0."""
        released = self.released
        ranks = released.ranks[released.attributes.index(attribute)]
        # the seed decides which image of a pair is on the left, so that the label does not depend on the side
        return Pairs.from_classes(released.classes[images], ranks, seed=derive_seed(0, self.name, attribute, part))

    def task(self, name: TaskName) -> Task:
        self._require_files()
        require_task(self, name)
        train, test = self.parts()
        pairs = [self.pairs(name.attribute, part, images) for part, images in (("train", train), ("test", test))]
        return Task(
            name,
            TrainingSet(
                self._images.subset(train),
                pairs[0],
                categories=self.released.classes[train],
                category_names=self.released.class_names,
            ),
            [TestSet("test", self._images.subset(test), pairs[1])],
            protocol=(
                f"Pairs labelled by the order of {len(self.released.class_names)} classes (Parikh & Grauman, ICCV "
                f"2011): all pairs of the {train.size:,} images marked as used_for_training, and all pairs of the "
                f"other {test.size:,}; pairs of equal rank are trained on and never scored."
            ),
            notes=(f"the {self.released.features.shape[1]} features of an image are those in the release",),
        )

    # ------------------------------------------------------------------ verification

    def verify(self) -> list[VerificationResult]:
        """Check the file, its images, its sizes where known, and that its predictions follow from its predictor."""
        findings = [check_available("the file can be used", self.missing(), str(self._path))]
        if not findings[0].ok:
            return findings
        if self._entries:
            findings.append(run_check("checksums", self._check_manifest))
        findings.append(run_check("sizes", self._check_sizes))
        findings.append(
            run_check("relative_att_predictions are feat . relative_att_predictor", self._check_predictions)
        )
        return findings + [run_check(f"pairs of {a}", partial(self._check_pairs, a)) for a in self.attributes()]

    def _check_manifest(self) -> tuple[bool, str]:
        has_images = self.image_folder is not None
        return compare_with_manifest(self.root, [e for e in self._entries if has_images or e.path == self._path.name])

    def _check_sizes(self) -> tuple[bool, str]:
        r = self.released
        sizes = (len(r.names), r.features.shape[1], len(r.attributes), int(r.trained.sum()))
        known = KNOWN_SIZES.get(self.name, sizes)
        expected = "" if self.name not in KNOWN_SIZES else f", expected {known}"
        images = "with images" if self.image_folder else "without images"
        return sizes == known, f"{sizes} images, features, attributes and training images{expected}; {images}"

    def _check_predictions(self) -> tuple[bool, str]:
        r = self.released
        if r.predictor is None or r.predictions is None:
            return True, "the file has no predictor or no predictions"
        error = np.abs(r.features @ r.predictor - r.predictions).max(0) / np.abs(r.predictions).max(0).clip(1e-300)
        wrong = [f"{a}: {e:.1e}" for a, e in zip(r.attributes, error.tolist(), strict=True) if not e < 1e-6]
        return not wrong, join_first(wrong) or f"largest difference {error.max():.1e} of the largest prediction"

    def _check_pairs(self, attribute: str) -> tuple[bool, str]:
        from relattr.statistics import count_strengths

        (train, test), r = self.parts(), self.released
        train_pairs, test_pairs = self.pairs(attribute, "train", train), self.pairs(attribute, "test", test)
        detail = f"{train_pairs.n_ordered:,} ordered training pairs and {test_pairs.n_ordered:,} ordered test pairs"
        if r.predictions is not None:
            count = count_strengths(r.predictions[test, r.attributes.index(attribute)], test_pairs)
            detail += f"; the released predictions order {100 * count.correct / max(1, count.ordered):.2f} % of these"
        return bool(train_pairs.n_ordered and test_pairs.n_ordered), detail
