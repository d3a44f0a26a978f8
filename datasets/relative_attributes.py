"""Any ``data.mat`` of Parikh and Grauman's form, with the features in it: OSR, PubFig; images or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed
from relattr.system.paths import data_dir

from . import _relative_attributes_file
from ._relative_attributes_file import RelativeAttributesFile
from ._release import look, not_there, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.task import Task, TaskName

RELEASE = "relative_attributes"
IMAGE_FOLDERS = ("images", "spatial_envelope_256x256_static_8outdoorcategories")

KNOWN: Mapping[str, tuple[int, int, int, int]] = {"osr-shipped": (2688, 512, 6, 240), "pubfig": (772, 542, 11, 241)}
"""Images, features, attributes and training images of the releases."""


@register_dataset("relative-attributes", label="Relative attributes")
@register_dataset("osr-shipped", label="OSR, shipped features", file="osr/data.mat")
@register_dataset("pubfig", label="PubFig", file="pubfig/data.mat")
class RelativeAttributes(Dataset):
    """Images of classes whose order per attribute labels all pairs, with the features in Parikh and Grauman's file.

    The features are handed on as `Images.shipped_features`. Where the images are not here, methods that look at none
    run all the same, and the others are blocked.

    Parameters
    ----------
    file : the ``data.mat``; where it is not absolute, below RELATTR_DATA or its folder ``relative_attributes``.
    images : the folder of images; by default ``images`` or OSR's own folder beside the file, if it is there.
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
    licence = "none stated; for research, citing Parikh and Grauman (2011); do not redistribute"
    homepage = "https://www.cc.gatech.edu/~parikh/relative.html"

    # ------------------------------------------------------------------ what is there

    @property
    def _path(self) -> Path:
        """The file, or where it is looked for first."""
        given = Path(self.file).expanduser()
        places = [data_dir() / given, data_dir() / RELEASE / given]  # an absolute path stays what it is
        return next((place for place in places if place.is_file()), places[-1])

    @property
    def root(self) -> Path:
        return self._path.parent

    @property
    def released(self) -> RelativeAttributesFile:
        """What the file says. Raises `Blocked` where it is not here, `BadInput` for whatever is wrong in it."""
        if not self.file:
            raise Blocked(f"{self.name}: no file; set {self.name}.file to a data.mat of Parikh and Grauman's form")
        if not self._path.is_file():
            raise Blocked(
                f"{self.name}: {self._path} is not there; get the relative_attributes release ({self.homepage}) and "
                f"unpack it in {data_dir()}"
            )
        return _relative_attributes_file.read(self._path)

    def attributes(self) -> Sequence[str]:
        """The attributes in the file; none where it cannot be used, and `missing` says why."""
        try:
            return self.released.attributes
        except (BadInput, Blocked):
            return ()

    @property
    def image_folder(self) -> Path | None:
        """The folder of images; None where there is none."""
        if self.images:
            return Path(self.images).expanduser()
        return next((folder for name in IMAGE_FOLDERS if (folder := self.root / name).is_dir()), None)

    def missing(self) -> str | None:
        try:
            names, folder = self.released.names, self.image_folder
        except (BadInput, Blocked) as error:
            return str(error)
        if folder is None:
            return None
        if not folder.is_dir():
            return f"{self.name}: images={folder} is no folder"
        lost = not_there(folder, names)
        if lost:
            return f"{self.name}: {len(lost):,} of {len(names):,} images are not in {folder} (first {lost[0]})"
        return None

    def _check_there(self) -> None:
        """Raises `BadInput` for a file that is not right, `Blocked` where something is missing."""
        _ = self.released
        gone = self.missing()
        if gone:
            raise Blocked(gone)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files, digest_text

        self._check_there()
        file = digest_files(self.root, [self._path.name])
        folder = self.image_folder
        return digest_text(file, "" if folder is None else digest_files(folder, self.released.names))

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """All images with their features; every task looks into this one collection."""
        from relattr.images import FileSource, Images, NoFiles
        from relattr.system.digests import digest_files

        folder, names = self.image_folder, self.released.names
        if folder is not None:
            return Images(FileSource(folder, names), features=self.released.features)
        why = (
            f"{self.name} was found without a folder of images; looked in {self.root} for {' and '.join(IMAGE_FOLDERS)}"
        )
        source = NoFiles(names, digest_files(self.root, [self._path.name]), why)
        return Images(source, features=self.released.features)

    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images to train on and those to test: indices, ascending."""
        import numpy as np

        return np.flatnonzero(self.released.trained), np.flatnonzero(~self.released.trained)

    def pairs(self, attribute: str, part: str, images: NDArray[np.int64]) -> Pairs:
        """All pairs of these images, labelled by the order of their classes; numbered from 0."""
        from relattr.pairs import Pairs

        released = self.released
        ranks = released.ranks[released.attributes.index(attribute)]
        # the seed decides which image of a pair is on the left: no label is tied to a side
        return Pairs.from_classes(released.classes[images], ranks, seed=derive_seed(0, self.name, attribute, part))

    def task(self, name: TaskName) -> Task:
        from relattr.task import Task, TestSet, TrainingSet

        self._check_there()
        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
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

    # ------------------------------------------------------------------ whether it is right

    def verify(self) -> list[Finding]:
        """The file, its images, its sizes where they are known, and whether its predictions are its predictor's."""
        findings = [look("the file can be used", lambda: (not (gone := self.missing()), gone or str(self._path)))]
        if not findings[0].ok:
            return findings
        findings.append(look("sizes", self._check_sizes))
        findings.append(look("relative_att_predictions are feat . relative_att_predictor", self._check_predictions))
        return findings + [look(f"pairs of {a}", partial(self._check_pairs, a)) for a in self.attributes()]

    def _check_sizes(self) -> tuple[bool, str]:
        r = self.released
        found = (len(r.names), r.features.shape[1], len(r.attributes), int(r.trained.sum()))
        known = KNOWN.get(self.name, found)
        expected = "" if self.name not in KNOWN else f", expected {known}"
        there = "images are here" if self.image_folder else "images are not here"
        return found == known, f"{found} images, features, attributes and training images{expected}; {there}"

    def _check_predictions(self) -> tuple[bool, str]:
        import numpy as np

        r = self.released
        if r.predictor is None or r.predictions is None:
            return True, "the file has no predictor or no predictions"
        error = np.abs(r.features @ r.predictor - r.predictions).max(0) / np.abs(r.predictions).max(0).clip(1e-300)
        wrong = [f"{a}: {e:.1e}" for a, e in zip(r.attributes, error.tolist(), strict=True) if not e < 1e-6]
        return not wrong, some(wrong) or f"largest difference {error.max():.1e} of the largest prediction"

    def _check_pairs(self, attribute: str) -> tuple[bool, str]:
        from relattr.statistics import count_strengths

        (train, test), r = self.parts(), self.released
        of_train, of_test = self.pairs(attribute, "train", train), self.pairs(attribute, "test", test)
        detail = f"{of_train.n_ordered:,} ordered to train on and {of_test.n_ordered:,} to test"
        if r.predictions is not None:
            count = count_strengths(r.predictions[test, r.attributes.index(attribute)], of_test)
            detail += f"; the released predictions order {100 * count.correct / max(1, count.ordered):.2f} % of these"
        return bool(of_train.n_ordered and of_test.n_ordered), detail
