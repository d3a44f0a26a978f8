"""UT-Zap50K: shoes, four attributes; voted pairs in ten splits (-1), and fine-grained pairs to test (-2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed
from relattr.system.paths import data_dir

from . import _zappos_files
from ._release import CHECKSUMS, listed, not_there, say_missing
from ._zappos_files import ATTRIBUTES, FILES, N_SPLITS, ZapposRelease

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.system.download import Download
    from relattr.task import Task, TaskName, TestSet

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
    """50,025 shoes, four attributes; about 1,700 ordered pairs of each in ten splits, 300 of them to test.

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

    # ------------------------------------------------------------------ what is there

    @property
    def folder(self) -> Path:
        """The folder of annotations."""
        here = (self.root / name for name in ANNOTATION_FOLDERS)
        return next((folder for folder in here if not not_there(folder, FILES)), self.root)

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def missing_annotations(self) -> str | None:
        """Why the pairs cannot be read here and what to do about it; None if they can."""
        gone = not_there(self.folder, FILES)
        if not gone:
            return None
        what = f"{len(gone)} of {len(FILES)} annotation files are missing (first {gone[0]})"
        return say_missing("zappos", what, self.root, listed(self.manifest))

    def missing(self) -> str | None:
        reason, folder = self.missing_annotations(), self._image_folder()
        if folder is None:
            without = f"no folder {' or '.join(IMAGE_FOLDERS)}; looked in {self.root}. {self._how_to_get_images()}"
            return f"{reason}; {without}" if reason else f"{self.name}: {without}"
        if reason:
            return reason
        try:
            names = self._names(folder)
        except BadInput as error:  # what is there cannot be used: a gap in the plan, not the end of it
            return f"{self.name}: {error}"
        lost = not_there(self.root / folder, names)
        if lost:
            what = f"{len(lost):,} of the {len(names):,} images in pairs are missing in {folder} (first {lost[0]})"
            return f"{self.name}: {what}; looked in {self.root}. {self._how_to_get_images()}"
        return None

    def _how_to_get_images(self) -> str:
        return (
            f"Download {IMAGE_FOLDERS[0]}.zip (or {IMAGE_FOLDERS[1]}.zip) from {self.homepage} and unpack it in "
            f"{self.root}; no copy with known checksums is there to be fetched"
        )

    def _names(self, folder: str) -> list[str]:
        """The files of the images that are in pairs, below that folder."""
        paths = self.released.paths
        return _zappos_files.on_disk(self.root / folder, (paths[i] for i in self.released.used.tolist()))

    @property
    def released(self) -> ZapposRelease:
        """The annotations; the images need not be there. Raises `BadInput` where they are not what they should be."""
        return _zappos_files.read(self.folder, self.n_images, self.n_test)

    def _check_there(self) -> str:
        """The folder of images. Raises `BadInput` for damaged annotations, `Blocked` where something is missing."""
        if not self.missing_annotations():
            _ = self.released
        gone, folder = self.missing(), self._image_folder()
        if gone or folder is None:
            raise Blocked(gone or "")
        return folder

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files, digest_text

        folder = self._check_there()
        annotations = digest_files(self.folder, FILES)
        return digest_text(annotations, digest_files(self.root / folder, self._names(folder)))

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """The images that are in any pair; every task looks into this one collection."""
        from relattr.images import FileSource, Images

        folder = self._check_there()
        return Images(FileSource(self.root / folder, self._names(folder)))

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        """The pairs to train on and to test, over all images as numbered in the release (from 0).

        Sides of the test pairs are drawn by lot. The images need not be there.
        """
        ordered = self.released.ordered[attribute]
        train, test = self.released.splits[attribute][int(split) - 1]
        return ordered.pairs(train), ordered.pairs(test).random_sides(derive_seed(0, "zappos", attribute, split))

    def task(self, name: TaskName) -> Task:
        from relattr.task import Task, TrainingSet

        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        self._check_there()
        train, test = self.pairs(name.attribute, name.split)
        return Task(
            name,
            TrainingSet(self._subset(train.images), train.renumbered(train.images)),
            self._tests(train, test),
            protocol=self._protocol(name.split, train, test),
            notes=self._notes(),
        )

    def _subset(self, images: NDArray[np.int32]) -> Images:
        import numpy as np

        return self._images.subset(np.searchsorted(self.released.used, images))

    def _tests(self, train: Pairs, test: Pairs) -> list[TestSet]:
        """The test pairs, and those of them with no image that is trained on."""
        import numpy as np

        from relattr.task import TestSet

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
            f"UT-Zap50K-1 (Yu & Grauman, CVPR 2014), split {split} of {N_SPLITS}: {len(train):,} ordered pairs to "
            f"train on and {len(test)} to test; test-unseen: those of them with no image that is trained on."
        )

    def _notes(self) -> tuple[str, ...]:
        notes = ["equal pairs are in no split: only ordered pairs are trained on"]
        if self._image_folder() == IMAGE_FOLDERS[1]:
            notes.append("the images are those of the square release, padded with white to 136 x 136 pixels")
        return tuple(notes)

    # ------------------------------------------------------------------ where to get it, whether it is right

    def downloads(self) -> Sequence[Download]:
        """The annotations; the images are to be downloaded from the homepage by hand."""
        from relattr.system.download import Download

        return [Download(e.path, (f"{COPY}/{e.path}",), e.sha256, e.size) for e in listed(self.manifest)]

    def verify(self) -> list[Finding]:
        """Checksums, counts, splits and images in pairs, against what is known of them; images or not."""
        from ._zappos_verify import findings

        return findings(self)


@register_dataset("zappos-fine", label="UT-Zap50K-2")
class ZapposFine(Zappos):
    """The same shoes; trained on all ordered pairs of UT-Zap50K-1, tested on the fine-grained ones of -2.

    Parameters
    ----------
    similar : train also on equal pairs of UT-Zap50K-1, as similar ones. All fine-grained test pairs are among
        these, people having been asked again which image has more; only the few that are no test pair are
        trained on.
    """

    similar: bool = False

    def splits(self) -> Sequence[str]:
        return ("standard",)

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        from relattr.pairs import Pairs

        train, test = self.released.ordered[attribute].pairs(), self.released.fine[attribute].pairs()
        if self.similar:
            train = Pairs.concatenate(
                [train, self.released.equal[attribute].pairs(~self.released.asked_again(attribute))]
            )
        return train, test.random_sides(derive_seed(0, "zappos-fine", attribute))

    def _protocol(self, split: str, train: Pairs, test: Pairs) -> str:
        return (
            f"UT-Zap50K-2 (Yu & Grauman, CVPR 2014): {train.n_ordered:,} ordered and {train.n_similar} similar pairs "
            f"of UT-Zap50K-1 to train on, {len(test):,} fine-grained pairs to test; test-unseen: those of them with no "
            "image that is trained on."
        )

    def _notes(self) -> tuple[str, ...]:
        similar = (
            "of the equal pairs of UT-Zap50K-1, those that are no fine-grained test pair are trained on as similar"
            if self.similar
            else "equal pairs of UT-Zap50K-1 are not trained on: all fine-grained test pairs are among them"
        )
        return (similar, *super()._notes()[1:])
