"""LFW-10: faces, ten attributes, 500 voted pairs of each to train on and 500 to test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed

from ._release import CHECKSUMS, listed, look, not_there, same_bytes, say_missing, some

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.system.download import Download
    from relattr.system.manifest import ManifestEntry
    from relattr.task import Task, TaskName

ATTRIBUTES = (
    "baldhead",
    "darkhair",
    "eyesopen",
    "goodlooking",
    "masculinelooking",
    "mouthopen",
    "smile",
    "v_teeth",
    "vforehead",
    "young",
)
"""In the order of the published tables; it is also the numbering of the annotation lists."""

EXCHANGED = "goodlooking"
"""The attribute whose training pairs are of the images that the others are tested on, and the reverse."""

HALF = 1000
"""Images 1 to HALF are one half of the set, the rest the other; no attribute trains and tests on one half."""

VOTES = 5
ORDERED_TRAINING_PAIRS = (227, 341, 156, 275, 182, 300, 328, 305, 251, 474)
ORDERED_TEST_PAIRS: Mapping[str, tuple[int, ...]] = {
    "votes": (274, 337, 133, 323, 174, 298, 354, 325, 256, 469),
    "lists": (238, 281, 108, 279, 149, 262, 302, 297, 213, 424),
}
"""By layout: the votes of the official files (the counts behind the published numbers), or the lists."""

TRAINING_LIST, TEST_LIST = "aaai21/lfw10_train.txt", "aaai21/lfw10_test.txt"
OFFICIAL_FOLDERS = (".", "LFW10")

ANNOTATION_COPY = "https://raw.githubusercontent.com/qianqianxu010/AAAI21/96917bfd874884445e2e44db4bed0657ecd00166"
IMAGE_COPY = (
    "https://raw.githubusercontent.com/GentleZhu/human_annotation_system/48d1605009a99d00616c9289a35f7615e8127d0c"
)
COPIES = {  # where a file of ours lies in its copy
    "images/": f"{IMAGE_COPY}/public/img/",
    "gentlezhu_train/": f"{IMAGE_COPY}/public/train/",
    "aaai21/": f"{ANNOTATION_COPY}/lfw10/",
}


@dataclass(frozen=True)
class LFW10Votes:
    """Pairs of one attribute and part, as annotated: image numbers ``left``, ``right`` ``(n,)`` and, where
    they are known, ``votes`` ``(n, 3)`` for left, right and similar; else only the ``label`` ``(n,)``.
    """

    where: str
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    votes: NDArray[np.int64] | None
    label: NDArray[np.int64] | None

    def pairs(self) -> Pairs:
        """The pairs with one label each, over image indices (number - 1)."""
        from relattr.pairs import Pairs

        if self.votes is not None:
            return Pairs.from_votes(self.left - 1, self.right - 1, self.votes)
        assert self.label is not None
        return Pairs(self.left - 1, self.right - 1, self.label)


@register_dataset("lfw10", label="LFW-10")
class LFW10(Dataset):
    """2,000 faces, ten attributes, 500 pairs to train on and 500 to test for each, five votes a pair.

    Read from the official release (``annotations/{attribute}{train,test}.mat`` and ``images/``), or
    where that is not there from lists (``aaai21/lfw10_{train,test}.txt`` and ``images/``), whose test
    labels are others.
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
    licence = "none stated; the photographs of Labeled Faces in the Wild are for research; do not redistribute"
    homepage = "https://www.cv-foundation.org/openaccess/content_cvpr_2014/html/Sandeep_Relative_Parts_Distinctive_2014_CVPR_paper.html"

    manifest: ClassVar[Path] = CHECKSUMS / "lfw10.txt"
    pairs_a_part: ClassVar[int] = 500
    half: ClassVar[int] = HALF

    def attributes(self) -> Sequence[str]:
        return ATTRIBUTES

    # ------------------------------------------------------------------ what is there

    @cached_property
    def _entries(self) -> tuple[ManifestEntry, ...]:
        """The image files, ``images/<number>.jpg``, in the order of their numbers."""
        images = [entry for entry in listed(self.manifest) if entry.path.startswith("images/")]
        return tuple(sorted(images, key=lambda entry: int(entry.path[len("images/") : -len(".jpg")])))

    @cached_property
    def _folder(self) -> Path:
        """The folder that has ``annotations/`` in it, in the official layout; else the root."""
        return next((f for name in OFFICIAL_FOLDERS if ((f := self.root / name) / "annotations").is_dir()), self.root)

    @property
    def layout(self) -> str:
        """``votes``: the official files are there; ``lists``: they are not."""
        return "votes" if (self._folder / "annotations").is_dir() else "lists"

    def _annotations(self) -> list[str]:
        """The annotation files that are read, relative to `_folder`."""
        if self.layout == "votes":
            return [f"annotations/{attribute}{part}.mat" for attribute in ATTRIBUTES for part in ("train", "test")]
        return [TRAINING_LIST, TEST_LIST]

    def missing(self) -> str | None:
        entries = listed(self.manifest)
        gone = not_there(self._folder, [*self._annotations(), *(entry.path for entry in self._entries)])
        if len(gone) == len(self._annotations()) + len(self._entries):
            what = "neither the official release (annotations/, images/) nor lists of pairs (aaai21/, images/)"
            return say_missing(self.name, what, self.root, entries)
        if gone:
            what = f"{len(gone):,} files are missing (first {gone[0]})"
            return say_missing(self.name, what, self._folder, entries)
        return None

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_files

        self._check_there()
        return digest_files(self._folder, [*self._annotations(), *(entry.path for entry in self._entries)])

    def _check_there(self) -> None:
        gone = self.missing()
        if gone:
            raise Blocked(gone)

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _images(self) -> Images:
        """All images in the order of their numbers; every task looks into this one collection."""
        from relattr.images import FileSource, Images

        names = [entry.path.removeprefix("images/") for entry in self._entries]
        return Images(FileSource(self._folder / "images", names))

    @cached_property
    def _lists(self) -> dict[tuple[str, str], LFW10Votes]:
        return {
            **_read_training_list(self._folder / TRAINING_LIST, len(self._entries), self.pairs_a_part),
            **_read_test_list(self._folder / TEST_LIST, len(self._entries), self.pairs_a_part),
        }

    def _voted(self, attribute: str, part: str) -> LFW10Votes:
        if self.layout == "lists":
            return self._lists[attribute, part]
        path = self._folder / "annotations" / f"{attribute}{part}.mat"
        return _read_official(path, len(self._entries), self.pairs_a_part)

    def _pairs(self, attribute: str, part: str) -> Pairs:
        """The labelled pairs, over all images. Raises `BadInput` for contradictions."""
        voted = self._voted(attribute, part)
        pairs = voted.pairs()
        _refuse_contradictions(voted.where, pairs)
        return pairs

    def task(self, name: TaskName) -> Task:
        import numpy as np

        from relattr.task import Task, TestSet, TrainingSet

        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        self._check_there()
        train, test = self._pairs(name.attribute, "train"), self._pairs(name.attribute, "test")
        shared = np.intersect1d(train.images, test.images)
        if shared.size:
            raise BadInput(f"{self._folder}: image {shared[0] + 1} is in training and test pairs of {name.attribute}")
        test = test.random_sides(derive_seed(0, "lfw10", name.attribute))
        return Task(
            name,
            TrainingSet(self._images.subset(train.images), train.renumbered(train.images)),
            [TestSet("test", self._images.subset(test.images), test.renumbered(test.images))],
            protocol=(
                f"{len(train)} voted pairs of {train.images.size} images to train on, {len(test)} pairs of "
                f"{test.images.size} other images to test, {test.n_ordered} of them ordered. A training pair has the "
                f"label with the most of its five votes; of equal counts the first of left, right, similar. "
                f"Test labels: {TEST_LABELS[self.layout]}."
            ),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [
            "only the images that occur in training pairs are given to train on",
            f"{EXCHANGED} is trained on the images that the other attributes are tested on, and the reverse (so in the "
            "released files): nothing fitted on one attribute may be used for another",
        ]
        if self.layout == "votes":
            notes.append("read from the official annotations: labels by the five votes behind the published numbers")
        else:
            counts = {layout: f"{sum(n):,}" for layout, n in ORDERED_TEST_PAIRS.items()}
            notes.append(
                "the test labels are not those of the published numbers: these are one label a pair, from a list in "
                f"which 'similar' wins ties ({counts['lists']} ordered pairs over the ten attributes); those are the "
                f"five votes of the official files ({counts['votes']})"
            )
        return tuple(notes)

    # ------------------------------------------------------------------ where to get it, whether it is right

    def downloads(self) -> Sequence[Download]:
        from relattr.system.download import Download

        files = []
        for entry in listed(self.manifest):
            folder, _, base = entry.path.rpartition("/")
            files.append(Download(entry.path, (COPIES[f"{folder}/"] + base,), entry.sha256, entry.size))
        return files

    def verify(self) -> list[Finding]:
        """Checksums, halves, label codes and pair counts, against what is known of LFW-10."""
        findings = [look("all files are there", lambda: (not (gone := self.missing()), gone or f"as {self.layout}"))]
        if not findings[0].ok:
            return findings
        findings += [
            look("files have their checksums", self._check_content),
            look("no two images are identical", self._check_duplicates),
        ]
        for i, attribute in enumerate(ATTRIBUTES):
            findings.append(look(f"pairs of {attribute}", partial(self._check_pairs, i, attribute)))
            if (self._folder / "gentlezhu_train" / attribute).is_file():
                what = f"gentlezhu_train/{attribute} agrees with the votes"
                findings.append(look(what, partial(self._check_second, attribute)))
        return findings

    def _check_content(self) -> tuple[bool, str]:
        from relattr.system.manifest import differences

        used = {"images", "aaai21"} if self.layout == "lists" else {"images"}
        entries = [entry for entry in listed(self.manifest) if entry.path.partition("/")[0] in used]
        wrong = differences(self._folder, entries)
        return not wrong, some(f"{k} {v}" for k, v in wrong.items()) or f"{len(entries):,} files as in the manifest"

    def _check_duplicates(self) -> tuple[bool, str]:
        groups = same_bytes(self._entries)
        return not groups, some(" = ".join(group) for group in groups) or f"{len(self._entries):,} different files"

    def _check_pairs(self, i: int, attribute: str) -> tuple[bool, str]:
        train, test = self._pairs(attribute, "train"), self._pairs(attribute, "test")
        first, second = (train, test) if attribute != EXCHANGED else (test, train)
        halves = bool(first.images.max() < self.half <= second.images.min())
        found = train.n_ordered, test.n_ordered
        expected = ORDERED_TRAINING_PAIRS[i], ORDERED_TEST_PAIRS[self.layout][i]
        where = f"training and test on {'the halves expected' if halves else 'OTHER HALVES than expected'}"
        counts = "{} ordered to train on and {} to test, expected {} and {}".format(*found, *expected)
        return halves and found == expected, f"{counts}; {where}"

    def _check_second(self, attribute: str) -> tuple[bool, str]:
        """A second copy of the training labels: lines of image, image, 1 (left more), 2 (right) or 3 (similar)."""
        path = self._folder / "gentlezhu_train" / attribute
        pairs = self._pairs(attribute, "train")
        ours = {(a + 1, b + 1): y for a, b, y in zip(*(side.tolist() for side in pairs.arrays), strict=True)}
        theirs = {}
        for number, line in enumerate(_lines(path), start=1):
            words = line.split()
            if len(words) != 3 or not all(word.isdecimal() for word in words) or words[2] not in ("1", "2", "3"):
                raise BadInput(f"{path}, line {number}: expected 'image image 1|2|3', got {line[:80]!r}")
            theirs[int(words[0]), int(words[1])] = {"1": 1, "2": -1, "3": 0}[words[2]]
        wrong = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
        return not wrong, some(f"pair {k}: {ours.get(k)} and {theirs.get(k)}" for k in wrong) or f"{len(ours)} labels"


TEST_LABELS = {
    "votes": "the five votes of the official files, by the same rule",
    "lists": f"the one label a pair in {TEST_LIST}, not the labels behind the published numbers",
}


# ---------------------------------------------------------------------- reading


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def _number(name: str, n_images: int, where: str) -> int:
    """The number of an image, from ``.../123.jpg``. Raises `BadInput` if there is no such image."""
    base = name.rpartition("/")[2]
    stem = base.removesuffix(".jpg")
    if stem == base or not stem.isdecimal() or not 1 <= int(stem) <= n_images:
        raise BadInput(f"{where} names image {name!r}; expected 1.jpg to {n_images}.jpg")
    return int(stem)


def _rows(path: Path, n_images: int) -> Iterable[tuple[str, int, int, int]]:
    """The rows ``path,path,label,attribute`` of a list: attribute, left, right, label."""
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        words = line.split(",")
        if len(words) != 4:
            raise BadInput(f"{where}: expected 'image,image,label,attribute', got {line[:120]!r}")
        if words[2] not in ("1", "-1", "0"):
            raise BadInput(f"{where}: label {words[2]!r}; expected 1 (left more), -1 (right more) or 0 (similar)")
        if not words[3].isdecimal() or int(words[3]) >= len(ATTRIBUTES):
            raise BadInput(f"{where}: attribute {words[3]!r}; expected 0 to {len(ATTRIBUTES) - 1}")
        left, right = _number(words[0], n_images, where), _number(words[1], n_images, where)
        yield ATTRIBUTES[int(words[3])], left, right, int(words[2])


def _read_training_list(path: Path, n_images: int, n_pairs: int) -> dict[tuple[str, str], LFW10Votes]:
    """Five rows a pair, one for each vote, anywhere in the file; pairs in the order of their first row."""
    votes: dict[str, dict[tuple[int, int], list[int]]] = {attribute: {} for attribute in ATTRIBUTES}
    for attribute, left, right, label in _rows(path, n_images):
        counts = votes[attribute].setdefault((left, right), [0, 0, 0])
        counts[(1, -1, 0).index(label)] += 1
    found = {}
    for attribute, of_pair in votes.items():
        where = f"{path}: {attribute}"
        for pair, counts in of_pair.items():
            if sum(counts) != VOTES:
                raise BadInput(f"{where} has {sum(counts)} votes on pair {pair}; expected {VOTES}")
        _check_count(where, len(of_pair), n_pairs)
        found[attribute, "train"] = _voted(where, list(of_pair), votes=list(of_pair.values()))
    return found


def _read_test_list(path: Path, n_images: int, n_pairs: int) -> dict[tuple[str, str], LFW10Votes]:
    """One row a pair, with its label."""
    rows: dict[str, list[tuple[int, int]]] = {attribute: [] for attribute in ATTRIBUTES}
    labels: dict[str, list[int]] = {attribute: [] for attribute in ATTRIBUTES}
    for attribute, left, right, label in _rows(path, n_images):
        rows[attribute].append((left, right))
        labels[attribute].append(label)
    found = {}
    for attribute, of_attribute in rows.items():
        where = f"{path}: {attribute}"
        _check_count(where, len(of_attribute), n_pairs)
        found[attribute, "test"] = _voted(where, of_attribute, labels=labels[attribute])
    return found


def _read_official(path: Path, n_images: int, n_pairs: int) -> LFW10Votes:
    """``images_compare`` cells ``(n, 3)``, file names in the last two columns, and ``attribute_strengths``
    ``(n, 4)``, votes for the first, the second and neither in the last three.
    """
    import numpy as np

    from . import _matlab

    data = _matlab.load(path, ["images_compare", "attribute_strengths"])
    shapes = {"images_compare": (n_pairs, 3), "attribute_strengths": (n_pairs, 4)}
    for name, shape in shapes.items():
        if data[name].shape != shape:
            raise BadInput(f"{path}: {name} has shape {data[name].shape}; expected {shape}")
    votes = _matlab.numbers(data["attribute_strengths"], f"{path}: attribute_strengths")[:, 1:]
    bad = np.flatnonzero(~np.isfinite(votes).all(1) | (votes < 0).any(1) | (votes % 1 != 0).any(1) | ~votes.any(1))
    if bad.size:
        raise BadInput(f"{path}: row {bad[0] + 1} has votes {votes[bad[0]].tolist()}; expected counts, at least one")
    rows = []
    for i, row in enumerate(data["images_compare"][:, 1:], start=1):
        where = f"{path}, row {i}"
        names = [_matlab.text(cell, where) for cell in row]
        rows.append((_number(names[0], n_images, where), _number(names[1], n_images, where)))
    return _voted(str(path), rows, votes=votes.astype(np.int64))


def _check_count(where: str, found: int, expected: int) -> None:
    if found != expected:
        raise BadInput(f"{where} has {found} pairs; expected {expected}. Is the file truncated?")


def _voted(where: str, rows: Sequence[tuple[int, int]], *, votes: Any = None, labels: Any = None) -> LFW10Votes:
    import numpy as np

    sides = np.array(rows, np.int64).reshape(-1, 2)
    same = np.flatnonzero(sides[:, 0] == sides[:, 1])
    if same.size:
        raise BadInput(f"{where} pairs image {sides[same[0], 0]} with itself")
    return LFW10Votes(
        where,
        sides[:, 0],
        sides[:, 1],
        None if votes is None else np.array(votes, np.int64),
        None if labels is None else np.array(labels, np.int64),
    )


def _refuse_contradictions(where: str, pairs: Pairs) -> None:
    """Raise `BadInput` where two images are paired twice, in either order, with labels that disagree."""
    seen: dict[tuple[int, int], int] = {}
    for left, right, label in zip(*(side.tolist() for side in pairs.arrays), strict=True):
        key, upright = ((left, right), label) if left < right else ((right, left), -label)
        if seen.setdefault(key, upright) != upright:
            raise BadInput(
                f"{where} has images {key[0] + 1} and {key[1] + 1} twice, with labels {seen[key]} and {upright}"
            )
