"""OSR: outdoor scenes of eight classes, whose order per attribute labels every pair of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed

from ._release import CHECKSUMS, listed, look, not_there, same_bytes, say_missing, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images
    from relattr.system.download import Download
    from relattr.system.manifest import ManifestEntry
    from relattr.task import Task, TaskName

CLASSES = ("tallbuilding", "insidecity", "street", "highway", "coast", "opencountry", "mountain", "forest")

ORDER: Mapping[str, tuple[int, ...]] = {
    "natural": (1, 2, 2, 3, 4, 4, 4, 4),
    "open": (1, 2, 2, 4, 4, 4, 3, 1),
    "perspective": (7, 5, 6, 4, 2, 1, 3, 3),
    "size-large": (5, 3, 3, 4, 4, 2, 2, 1),
    "diagonal-plane": (6, 4, 4, 5, 3, 2, 2, 1),
    "depth-close": (4, 4, 4, 4, 1, 3, 2, 4),
}
"""Rank of each of `CLASSES` (larger = more, equal = similar): Parikh & Grauman, ICCV 2011, Table 1."""

IMAGES_OF_CLASS = (356, 308, 292, 260, 360, 410, 374, 328)
TRAINED_A_CLASS = 30
ORDERED_TRAINING_PAIRS = (18_900, 20_700, 24_300, 22_500, 23_400, 16_200)
ORDERED_TEST_PAIRS = (1_857_012, 2_154_896, 2_511_068, 2_334_124, 2_410_024, 1_838_916)
TRAINING_NAMES = "fba36bee3b17fc4e3beb4fc79711d43731cde7301e3d85ef8652efafd3409baf"
"""SHA-256 of the 240 names in outdoor_scenes.mat, sorted, joined by newlines."""

DUPLICATES = (
    ("images/insidecity_urb992.jpg", "images/tallbuilding_urb992.jpg"),
    ("images/mountain_sclos4.jpg", "images/mountain_sharp59.jpg"),
)

OFFICIAL_IMAGES = "spatial_envelope_256x256_static_8outdoorcategories"
IMAGE_FOLDERS = ("images", OFFICIAL_IMAGES)
OFFICIAL_DATA = ("data.mat", "osr/data.mat", "relative_attributes/osr/data.mat")
SPLIT_FILES = (*OFFICIAL_DATA, "train240.txt", "outdoor_scenes.mat")

# the first copy has the files under the names they have here; the second in a folder a class, and in
# one of its two splits, so that one of its two addresses answers 404
FIRST_COPY = "https://raw.githubusercontent.com/jellis505/reproducingcodes/07de6095470dfca62e4b6ce66575395801b34b65"
SECOND_COPY = "https://raw.githubusercontent.com/EauDeData/MCV-M3-W4/55c4cfff266b032f954c03215fa9319c4490a057"
SECOND_FOLDERS = {"opencountry": "Opencountry", "insidecity": "inside_city"}
SPLIT_COPY = (
    "https://raw.githubusercontent.com/apriltuesday/RelativeAttributes/982b975f3b62d628d6b1c69c27acb429d7360e64"
)


@dataclass(frozen=True)
class Release:
    """What was found on disk: the folder of images, the file that names the training images, and both lists."""

    images: str
    split: str
    names: tuple[str, ...]
    training: frozenset[str]


@register_dataset("osr", label="OSR")
class OSR(Dataset):
    """2,688 outdoor scenes; all pairs of 240 images to train on, all pairs of the other 2,448 as the test.

    Read from ``images/`` or the official ``spatial_envelope_256x256_static_8outdoorcategories/``; the
    training images from the first that is there of Parikh and Grauman's ``data.mat``, ``train240.txt``
    and ``outdoor_scenes.mat``.
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
    licence = "none stated with the images; for research, citing Oliva and Torralba (2001); do not redistribute"
    homepage = "https://people.csail.mit.edu/torralba/code/spatialenvelope/"

    manifest: ClassVar[Path] = CHECKSUMS / "osr.txt"
    trained_a_class: ClassVar[int] = TRAINED_A_CLASS

    def attributes(self) -> Sequence[str]:
        return tuple(ORDER)

    # ------------------------------------------------------------------ what is there

    @cached_property
    def _entries(self) -> tuple[ManifestEntry, ...]:
        """The image files, ``images/<name>``, sorted by name."""
        return tuple(entry for entry in listed(self.manifest) if entry.path.startswith("images/"))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(entry.path.removeprefix("images/") for entry in self._entries)

    def _image_folder(self) -> str | None:
        return next((folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()), None)

    def _split_file(self) -> str | None:
        return next((file for file in SPLIT_FILES if (self.root / file).is_file()), None)

    def missing(self) -> str | None:
        folder = self._image_folder()
        if folder is None:
            return say_missing(self.name, f"no folder {' or '.join(IMAGE_FOLDERS)}", self.root, listed(self.manifest))
        if self._split_file() is None:
            what = f"no file with the training images ({', '.join(SPLIT_FILES)})"
            return say_missing(self.name, what, self.root, listed(self.manifest))
        gone = not_there(self.root, (f"{folder}/{name}" for name in self._names))
        if gone:
            what = f"{len(gone):,} of {len(self._names):,} images are missing (first {gone[0]})"
            return say_missing(self.name, what, self.root, listed(self.manifest))
        return None

    @cached_property
    def _release(self) -> Release:
        gone = self.missing()
        if gone:
            raise Blocked(gone)
        folder, split = self._image_folder(), self._split_file()
        assert folder is not None
        assert split is not None
        return Release(folder, split, self._names, frozenset(self._training(split)))

    def _training(self, split: str) -> list[str]:
        """The training images that a file names. Raises `BadInput` unless they are as many, and images."""
        path = self.root / split
        names = _training_names(path)
        unknown = sorted(set(names) - set(self._names))
        if unknown:
            raise BadInput(f"{path} names {unknown[0]!r}, which is not one of the {len(self._names):,} images of OSR")
        expected = self.trained_a_class * len(CLASSES)
        if len(set(names)) != len(names) or len(names) != expected:
            raise BadInput(
                f"{path} names {len(names)} training images, {len(set(names))} of them different; expected {expected}"
            )
        return names

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files

        release = self._release
        return digest_files(self.root, [release.split, *(f"{release.images}/{name}" for name in release.names)])

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """All images; every task looks into this one collection, so that it is decoded once."""
        from relattr.images import FileSource, Images

        return Images(FileSource(self.root / self._release.images, self._release.names))

    def _classes(self) -> NDArray[np.int64]:
        """The class of each image, an index into `CLASSES`."""
        import numpy as np

        index = {name: i for i, name in enumerate(CLASSES)}
        return np.array([index[_class_of(name)] for name in self._names], np.int64)

    def _split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of the test images."""
        import numpy as np

        trained = np.array([name in self._release.training for name in self._names])
        return np.flatnonzero(trained), np.flatnonzero(~trained)

    def task(self, name: TaskName) -> Task:
        from relattr.pairs import Pairs
        from relattr.task import Task, TestSet, TrainingSet

        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        classes, (train, test), ranks = self._classes(), self._split(), ORDER[name.attribute]

        def pairs(which: NDArray[np.int64], part: str) -> Pairs:
            # the seed decides which image of a pair is on the left: no label is tied to a side
            return Pairs.from_classes(classes[which], ranks, seed=derive_seed(0, "osr", name.attribute, part))

        return Task(
            name,
            TrainingSet(
                self._images.subset(train),
                pairs(train, "train"),
                categories=classes[train],
                category_names=CLASSES,
            ),
            [TestSet("test", self._images.subset(test), pairs(test, "test"))],
            protocol=(
                f"Pairs labelled by the order of the eight scene classes (Parikh & Grauman, ICCV 2011): all pairs of "
                f"the {train.size:,} training images, {self.trained_a_class} a class, and all pairs of the other "
                f"{test.size:,} images; pairs of equal rank are trained on and never scored."
            ),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [
            "every ordered pair of the test images is scored; some published numbers are on a random 5 % of them",
            "two pairs of files are the same image: mountain_sclos4 and mountain_sharp59, and insidecity_urb992 and "
            "tallbuilding_urb992, one image in two classes; all four are test images, none is trained on",
        ]
        if self._release.split not in OFFICIAL_DATA:
            notes.append(
                f"the training images are the {self.trained_a_class * len(CLASSES)} named in "
                f"{self._release.split}; the used_for_training mask of the official data.mat has as many a class, but "
                "was not compared name by name"
            )
        return tuple(notes)

    # ------------------------------------------------------------------ where to get it, whether it is right

    def downloads(self) -> Sequence[Download]:
        from relattr.system.download import Download

        split = next(entry for entry in listed(self.manifest) if entry.path == "outdoor_scenes.mat")
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

    def verify(self) -> list[Finding]:
        """Checksums, classes, split, class order and pair counts, against what is known of OSR."""
        findings = [look("all files are there", lambda: (not (gone := self.missing()), gone or "yes"))]
        if not findings[0].ok:
            return findings
        findings += [
            look("images have their checksums", self._check_content),
            look("images of each class", self._check_classes),
            look("training images", self._check_training),
            look("identical images, and none on both sides of the split", self._check_duplicates),
        ]
        for file in OFFICIAL_DATA:
            if (self.root / file).is_file():
                what = f"{file} has the same names, classes and class order"
                findings.append(look(what, partial(self._check_data, file)))
        if (self.root / "relative_ordering_table1.json").is_file():
            findings.append(look("relative_ordering_table1.json agrees with the class order", self._check_table))
        for i, attribute in enumerate(ORDER):
            findings.append(look(f"pairs of {attribute}", partial(self._check_pairs, i, attribute)))
        return findings

    def _check_content(self) -> tuple[bool, str]:
        from relattr.system.manifest import ManifestEntry, differences

        folder = self._release.images
        entries = [
            ManifestEntry(f"{folder}/{n}", e.sha256, e.size) for e, n in zip(self._entries, self._names, strict=True)
        ]
        wrong = differences(self.root, entries)
        return not wrong, some(f"{k} {v}" for k, v in wrong.items()) or f"{len(entries):,} files as in the manifest"

    def _check_classes(self) -> tuple[bool, str]:
        found = Counter(map(_class_of, self._names))
        counts = tuple(found[name] for name in CLASSES)
        return counts == IMAGES_OF_CLASS, f"{counts}, expected {IMAGES_OF_CLASS} of {', '.join(CLASSES)}"

    def _check_training(self) -> tuple[bool, str]:
        from hashlib import sha256

        sets = {file: frozenset(self._training(file)) for file in SPLIT_FILES if (self.root / file).is_file()}
        a_class = Counter(map(_class_of, self._release.training))
        if {a_class[name] for name in CLASSES} != {self.trained_a_class}:
            return False, f"{dict(a_class)} a class, expected {self.trained_a_class} of each"
        if len(set(sets.values())) > 1:
            return False, f"{' and '.join(sets)} name different training images"
        digest = sha256("\n".join(sorted(self._release.training)).encode()).hexdigest()
        known = "the known ones" if digest == TRAINING_NAMES else f"not the known ones (SHA-256 {digest})"
        return digest == TRAINING_NAMES, f"{self.trained_a_class} a class, from {' and '.join(sets)}; {known}"

    def _check_duplicates(self) -> tuple[bool, str]:
        groups = same_bytes(self._entries)
        across = [group for group in groups if len({Path(p).name in self._release.training for p in group}) > 1]
        detail = some(" = ".join(group) for group in groups) or "none"
        where = f"on both sides: {some(' = '.join(group) for group in across)}" if across else "none on both sides"
        return tuple(groups) == DUPLICATES and not across, f"{detail}; {where}"

    def _check_table(self) -> tuple[bool, str]:
        import json

        path = self.root / "relative_ordering_table1.json"
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            wrong = _order_differs(table["attributes"], table["classes"], table["relative_ordering"])
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise BadInput(f"{path} is not a table of class orders: {error!r}") from error
        return not wrong, some(wrong) or "the same for all attributes"

    def _check_data(self, file: str) -> tuple[bool, str]:
        from . import _matlab

        path = self.root / file
        fields = ("im_names", "class_names", "class_labels", "attribute_names", "relative_ordering")
        data = _matlab.load(path, fields)
        names = _matlab.texts(data["im_names"], f"{path}: im_names")
        classes = _matlab.texts(data["class_names"], f"{path}: class_names")
        attributes = _matlab.texts(data["attribute_names"], f"{path}: attribute_names")
        labels = [int(x) for x in _matlab.numbers(data["class_labels"], f"{path}: class_labels").ravel()]
        wrong: list[str] = []
        if sorted(names) != list(self._names):
            wrong.append(f"its {len(names):,} image names are not those of the images")
        if len(labels) != len(names):
            wrong.append(f"{len(labels)} class labels for {len(names)} images")
        for name, label in zip(names, labels, strict=False):
            if not 1 <= label <= len(classes) or classes[label - 1] != _class_of(name):
                wrong.append(f"class {label} for {name}")
        ranks = _matlab.numbers(data["relative_ordering"], f"{path}: relative_ordering")
        if ranks.shape != (len(attributes), len(classes)):
            wrong.append(f"relative_ordering is {ranks.shape}, expected {len(attributes), len(classes)}")
        else:
            wrong += _order_differs(attributes, classes, ranks.tolist())
        return not wrong, some(wrong) or f"{len(names):,} names, their classes and six orders are the same"

    def _check_pairs(self, i: int, attribute: str) -> tuple[bool, str]:
        from relattr.pairs import Pairs

        classes, (train, test) = self._classes(), self._split()
        found = tuple(Pairs.from_classes(classes[which], ORDER[attribute]).n_ordered for which in (train, test))
        expected = ORDERED_TRAINING_PAIRS[i], ORDERED_TEST_PAIRS[i]
        return found == expected, "{:,} ordered to train on and {:,} to test, expected {:,} and {:,}".format(
            *found, *expected
        )


def _class_of(name: str) -> str:
    """``coast_natu919.jpg`` -> ``coast``. Raises `BadInput` for a name of no class."""
    scene = name.partition("_")[0]
    if scene not in CLASSES:
        raise BadInput(f"image {name!r} is of none of the classes {', '.join(CLASSES)}")
    return scene


def _training_names(path: Path) -> list[str]:
    """The names in any of `SPLIT_FILES`, with their order and repetitions."""
    if path.suffix == ".txt":
        try:
            return path.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"cannot read the training images from {path}: {error}") from error
    from . import _matlab

    if path.name == "outdoor_scenes.mat":
        return _matlab.texts(_matlab.load(path, ["image_names"])["image_names"], f"{path}: image_names")
    data = _matlab.load(path, ["im_names", "used_for_training"])
    names = _matlab.texts(data["im_names"], f"{path}: im_names")
    used = _matlab.numbers(data["used_for_training"], f"{path}: used_for_training").ravel()
    if used.size != len(names) or not set(used.tolist()) <= {0.0, 1.0}:
        raise BadInput(f"{path}: used_for_training must be {len(names)} of 0 and 1, one for each of im_names")
    return [name for name, flag in zip(names, used, strict=True) if flag]


def _order_differs(attributes: Sequence[str], classes: Sequence[str], ranks: Sequence[Sequence[float]]) -> list[str]:
    """The attributes whose class order, in whatever integers it is written, is not that of `ORDER`."""
    if sorted(attributes) != sorted(ORDER) or sorted(classes) != sorted(CLASSES):
        return [f"attributes {list(attributes)} of classes {list(classes)}"]
    wrong = []
    for attribute, row in zip(attributes, ranks, strict=True):
        theirs = dict(zip(classes, row, strict=True))
        levels = sorted(set(row))
        if tuple(levels.index(theirs[name]) + 1 for name in CLASSES) != ORDER[attribute]:
            wrong.append(f"another order for {attribute}: {theirs}")
    return wrong
