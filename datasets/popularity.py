"""Dataset `popularity`: 2.3 million Flickr photographs with a popularity score (Khosla et al., WWW 2014).

The score is log2(views / days + 1). Three settings are the attributes: one-per-user (930,000 photographs of 400,000
users), user-mix (photographs of many users together) and user-specific (the photographs of one user, a split for each
user). In each, half of the photographs are for training and half for testing; pairs with different scores are drawn
within a half. Neither the lists of ids and scores nor the photographs can be downloaded from here (docs/popularity.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from relattr import Dataset, register_dataset
from relattr.dataset import VerificationResult
from relattr.errors import BadInput, Blocked
from relattr.images import Images, SampledFileSource
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.sampling import random_words
from relattr.system.digests import digest_files, digest_text
from relattr.task import PublishedTraining, Task, TaskName, TestSet, TrainingSet

from ._popularity_lists import COLUMNS, FileNames, PopularityScores, identify_photographs, read_scores_list
from ._release_files import require_available, require_task
from ._verification import check_available, join_first, run_check

ONE_PER_USER, USER_MIX, USER_SPECIFIC = "one-per-user", "user-mix", "user-specific"
LISTS = {ONE_PER_USER: "one-per-user.csv", USER_MIX: "user-mix.csv", USER_SPECIFIC: "user-mix.csv"}
"""The list that each setting is drawn from."""
EVERYONE, EACH_USER = "standard", "each-user"
IMAGES = "images"
PUBLISHED = PublishedTraining(supplement="the network trained on the categories of viral", categories_of="viral")
"""Of Dubey & Agarwal (MM 2017, Section 3.3), who state no number of epochs and no initial scale for this dataset."""
_PHOTOGRAPHERS = {
    ONE_PER_USER: "of about 400,000 users",
    USER_MIX: "of all users together",
    USER_SPECIFIC: "of one user",
}


@register_dataset("popularity", label="Image popularity")
class Popularity(Dataset):
    """2.3 million Flickr photographs and how many views a day they get; pairs of them in three settings.

    Read from ``one-per-user.csv`` and ``user-mix.csv`` (columns ``id,score[,user]``, the score log2(views / days + 1))
    and ``images/<id>.jpg``, or ``images/<first three characters of id>/<id>.jpg``. The attributes are the three
    settings; user-specific has a split for each user of ``user-mix.csv``. A photograph is opened when it is first
    used; only a sample is tested for existence before.

    Parameters
    ----------
    n_pairs : training pairs, and test pairs, of one-per-user and user-mix; fewer where there are not as many.
    n_user_pairs : the same for each user of user-specific.
    seed : decides the halves and the pairs drawn.
    """

    n_pairs: int = 1_000_000
    n_user_pairs: int = 100_000
    seed: int = 0

    unpublished_parameters: ClassVar[Sequence[str]] = ("n_pairs", "n_user_pairs", "seed")

    citation = """\
@inproceedings{khosla2014makes,
  author = {Khosla, Aditya and Das Sarma, Atish and Hamid, Raffay},
  title = {What Makes an Image Popular?},
  booktitle = {International World Wide Web Conference (WWW)},
  pages = {867--876}, year = {2014}
}"""
    licence = "lists: none stated; photographs: each as its Flickr user says; do not redistribute"
    homepage = "http://popularity.csail.mit.edu/"

    def __post_init__(self) -> None:
        for name, lower in (("n_pairs", 1), ("n_user_pairs", 1), ("seed", 0)):
            if getattr(self, name) < lower:
                raise BadInput(f"dataset popularity: {name} must be at least {lower}; got {getattr(self, name)}")

    def attributes(self) -> Sequence[str]:
        return tuple(LISTS)

    def splits(self) -> Sequence[str]:
        """``standard``; for user-specific the users, or ``each-user`` while the list of them is missing."""
        return (EVERYONE, *self._users)

    def tasks(self) -> list[TaskName]:
        shared = [TaskName(self.name, setting, EVERYONE) for setting in (ONE_PER_USER, USER_MIX)]
        return shared + [TaskName(self.name, USER_SPECIFIC, user) for user in self._users]

    @property
    def _users(self) -> tuple[str, ...]:
        try:
            return self.scored(USER_SPECIFIC).users or (EACH_USER,)
        except (BadInput, Blocked):
            return (EACH_USER,)

    # ------------------------------------------------------------------ files

    def _available_settings(self) -> list[str]:
        """The settings whose list exists."""
        return [setting for setting in (ONE_PER_USER, USER_MIX) if (self.root / LISTS[setting]).is_file()]

    def missing(self) -> str | None:
        settings = self._available_settings()
        if not settings:
            return self._missing_message(f"neither {LISTS[ONE_PER_USER]} nor {LISTS[USER_MIX]} (columns {COLUMNS})")
        if not (self.root / IMAGES).is_dir():
            return self._missing_message(f"no folder {IMAGES} with the photographs <id>.jpg")
        try:
            sample = [path for setting in settings for path in self._source(setting).sampled()]
        except BadInput as error:  # an invalid list blocks this dataset's cells, not the whole plan
            return f"{self.name}: {error}"
        missing = [path.name for path in sample if not path.is_file()]
        if missing:
            return self._missing_message(
                f"of a sample of photographs {len(missing)} are not in {IMAGES} (first {missing[0]})"
            )
        return None

    def _missing_message(self, problem: str) -> str:
        return (
            f"{self.name}: {problem}; looked in {self.root}. The data cannot be downloaded: ask at {self.homepage} for "
            "the ids and scores, write them as such lists, and get the photographs by their ids from Flickr "
            "(docs/popularity.md)"
        )

    def scored(self, setting: str) -> PopularityScores:
        """The photographs of a setting. Raises `Blocked` if its list is missing, `BadInput` if it is invalid."""
        path = self.root / LISTS[setting]
        if not path.is_file():
            raise Blocked(self._missing_message(f"no list {path.name} (columns {COLUMNS})"))
        scores = read_scores_list(path)
        if setting == ONE_PER_USER and len(scores.users) not in (0, scores.ids.size):
            raise BadInput(
                f"{path} has {scores.ids.size:,} photographs of {len(scores.users):,} users; expected one of each"
            )
        if setting == USER_SPECIFIC and not scores.users:
            raise BadInput(f"{path} has no column 'user', which {USER_SPECIFIC} needs; expected {COLUMNS}")
        return scores

    def locate(self, name: str) -> Path:
        """The path of a photograph, whether or not it exists."""
        flat = self.root / IMAGES / name
        nested = self.root / IMAGES / name[:3] / name
        return nested if not flat.exists() and nested.exists() else flat

    def _source(self, setting: str) -> SampledFileSource:
        ids = self.scored(setting).ids
        key = digest_files(self.root, [LISTS[setting]])
        return SampledFileSource(self.root, FileNames(ids), self.locate, key)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        require_available(self.missing())
        return digest_text(
            *(part for setting in self._available_settings() for part in (setting, self._source(setting).fingerprint))
        )

    # ------------------------------------------------------------------ tasks

    @cached_property
    def _collections(self) -> dict[str, Images]:
        return {}

    def _images(self, setting: str) -> Images:
        """The photographs of the setting's list; user-mix and user-specific share one collection."""
        name = LISTS[setting]
        if name not in self._collections:
            self._collections[name] = Images(self._source(setting))
        return self._collections[name]

    def halves(self, setting: str, split: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The training and the test photographs, a random half each: positions in the list, ascending.

        The ids decide: a photograph that is added moves at most one other to the other half.
        """
        scores = self.scored(setting)
        members = scores.of_user(split) if setting == USER_SPECIFIC else np.arange(scores.ids.size)
        n = members.size
        identities = identify_photographs(scores.ids[members])
        order = members[np.argsort(random_words(identities, derive_seed(self.seed, "popularity", setting, split)))]
        return np.sort(order[: n // 2]), np.sort(order[n // 2 :])

    def pairs(self, setting: str, part: str, split: str, images: NDArray[np.int64]) -> Pairs:
        """Draw pairs of these photographs with different scores; random sides, positions in the list."""
        scores = self.scored(setting).score[images]
        n_ordered = Pairs.all_of(scores).n_ordered
        if not n_ordered:
            raise BadInput(
                f"{self.root / LISTS[setting]}: the {images.size} photographs to {part} of {setting} ({split}) all "
                "have the same score; expected different scores"
            )
        count = self.n_user_pairs if setting == USER_SPECIFIC else self.n_pairs
        seed = derive_seed(self.seed, "popularity", setting, split, part)
        return Pairs.from_scores(scores, count=min(count, n_ordered), seed=seed, ties="skip", items=images)

    def task(self, name: TaskName) -> Task:
        if name.split == EACH_USER and name.attribute == USER_SPECIFIC:
            self.scored(USER_SPECIFIC)  # raises an error that names the missing list
        require_task(self, name)
        reason = self.missing()
        scores = self.scored(name.attribute)
        require_available(reason)
        train, test = self.halves(name.attribute, name.split)
        pairs = {
            part: self.pairs(name.attribute, part, name.split, images).renumbered(images)
            for part, images in (("train", train), ("test", test))
        }
        collection = self._images(name.attribute)
        return Task(
            name,
            TrainingSet(collection.subset(train), pairs["train"], scores=scores.score[train], published=PUBLISHED),
            [TestSet("test", collection.subset(test), pairs["test"], scores=scores.score[test])],
            protocol=(
                f"Pairs labelled by log2(views / days + 1) (Khosla et al., WWW 2014), pairs of equal scores left out. "
                f"{len(pairs['train']):,} training pairs of {train.size:,} photographs "
                f"{_PHOTOGRAPHERS[name.attribute]}, {len(pairs['test']):,} test pairs of the other {test.size:,}; "
                "halves and pairs drawn at random."
            ),
            notes=self._notes(name.attribute),
        )

    def _notes(self, setting: str) -> tuple[str, ...]:
        notes = [
            "the published halves and pairs are not released: these are drawn in the same way",
            "the data's fingerprint includes only a sample of the photographs",
        ]
        if setting == USER_MIX:
            notes.append("users have photographs on both sides of the split; no photograph is on both")
        return tuple(notes)

    # ------------------------------------------------------------------ verification

    def verify(self) -> list[VerificationResult]:
        """Check that the lists are valid and that every photograph exists."""
        findings = [check_available("lists and photographs exist", self.missing(), "a sample was tested")]
        for setting in self._available_settings():
            findings.append(run_check(f"{LISTS[setting]} can be read", partial(self._check_list, setting)))
            if findings[0].ok:
                what = f"all photographs of {LISTS[setting]} exist"
                findings.append(run_check(what, partial(self._check_photographs, setting)))
        return findings

    def _check_list(self, setting: str) -> tuple[bool, str]:
        scores = self.scored(setting)
        users = f" of {len(scores.users):,} users" if scores.users else ""
        smallest, largest = float(np.min(scores.score)), float(np.max(scores.score))
        return smallest >= 0, (
            f"{scores.ids.size:,} photographs{users}, scores {smallest:g} to {largest:g}, expected none below 0"
        )

    def _check_photographs(self, setting: str) -> tuple[bool, str]:
        missing = [name for name in self._source(setting).names if not self.locate(name).is_file()]
        return not missing, join_first(missing) or f"{self.scored(setting).ids.size:,}"
