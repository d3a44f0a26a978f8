"""Image popularity (Khosla et al.): 2.3 million Flickr photographs with a score, in three settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from relattr import Dataset, register_dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.random import derive_seed
from relattr.task import TaskName

from . import _popularity_files
from ._popularity_files import COLUMNS, FileNames, PopularityScores
from ._release import look, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.dataset import Finding
    from relattr.images import Images, ManyFiles
    from relattr.pairs import Pairs
    from relattr.task import Task

ONE_PER_USER, USER_MIX, USER_SPECIFIC = "one-per-user", "user-mix", "user-specific"
LISTS = {ONE_PER_USER: "one-per-user.csv", USER_MIX: "user-mix.csv", USER_SPECIFIC: "user-mix.csv"}
"""The list that each setting is drawn from."""
EVERYONE, EACH_USER = "standard", "each-user"
IMAGES = "images"


@register_dataset("popularity", label="Image popularity")
class Popularity(Dataset):
    """2.3 million Flickr photographs and how many views a day they get; pairs of them in three settings.

    Read from ``one-per-user.csv`` and ``user-mix.csv`` (columns ``id,score[,user]``, the score log2(views / days + 1))
    and ``images/<id>.jpg``, or ``images/<first three characters of id>/<id>.jpg``. The attributes are the three
    settings; user-specific has a split for each user of ``user-mix.csv``. A photograph is looked for when it is read.

    Parameters
    ----------
    n_pairs : training pairs, and test pairs, of one-per-user and user-mix; fewer where there are not as many.
    n_user_pairs : the same for each user of user-specific.
    seed : decides the halves and the pairs drawn.
    """

    n_pairs: int = 1_000_000
    n_user_pairs: int = 100_000
    seed: int = 0

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
        for name, low in (("n_pairs", 1), ("n_user_pairs", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise BadInput(f"dataset popularity: {name} must be at least {low}; got {getattr(self, name)}")

    def attributes(self) -> Sequence[str]:
        return tuple(LISTS)

    def splits(self) -> Sequence[str]:
        """``standard``; for user-specific the users, or ``each-user`` where the list of them is not here."""
        return (EVERYONE, *self._users)

    def tasks(self) -> list[TaskName]:
        whole = [TaskName(self.name, setting, EVERYONE) for setting in (ONE_PER_USER, USER_MIX)]
        return whole + [TaskName(self.name, USER_SPECIFIC, user) for user in self._users]

    @property
    def _users(self) -> tuple[str, ...]:
        try:
            return self.scored(USER_SPECIFIC).users or (EACH_USER,)
        except (BadInput, Blocked):
            return (EACH_USER,)

    # ------------------------------------------------------------------ what is there

    def _there(self) -> list[str]:
        """The settings whose list is here."""
        return [setting for setting in (ONE_PER_USER, USER_MIX) if (self.root / LISTS[setting]).is_file()]

    def missing(self) -> str | None:
        there = self._there()
        if not there:
            return self._say(f"neither {LISTS[ONE_PER_USER]} nor {LISTS[USER_MIX]} (columns {COLUMNS}) is there")
        if not (self.root / IMAGES).is_dir():
            return self._say(f"no folder {IMAGES} with the photographs <id>.jpg")
        try:
            lost = [path.name for setting in there for path in self._source(setting).sampled() if not path.is_file()]
        except BadInput as error:  # what is there cannot be used: a gap in the plan, not the end of it
            return f"{self.name}: {error}"
        if lost:
            return self._say(f"of some photographs looked for {len(lost)} are not in {IMAGES} (first {lost[0]})")
        return None

    def _say(self, what: str) -> str:
        return (
            f"{self.name}: {what}; looked in {self.root}. Nothing can be fetched: ask at {self.homepage} for the ids "
            "and scores, write them as such lists, and get the photographs by their ids from Flickr "
            "(docs/popularity.md)"
        )

    def scored(self, setting: str) -> PopularityScores:
        """The photographs of a setting. Raises `Blocked` where its list is not here, `BadInput` for faults in it."""
        path = self.root / LISTS[setting]
        if not path.is_file():
            raise Blocked(self._say(f"no list {path.name} (columns {COLUMNS})"))
        found = _popularity_files.read(path)
        if setting == ONE_PER_USER and len(found.users) not in (0, found.ids.size):
            raise BadInput(
                f"{path} has {found.ids.size:,} photographs of {len(found.users):,} users; expected one of each"
            )
        if setting == USER_SPECIFIC and not found.users:
            raise BadInput(f"{path} has no column 'user', which {USER_SPECIFIC} needs; expected {COLUMNS}")
        return found

    def locate(self, name: str) -> Path:
        """The file of this name, or where it would be."""
        flat = self.root / IMAGES / name
        below = self.root / IMAGES / name[:3] / name
        return below if not flat.exists() and below.exists() else flat

    def _source(self, setting: str) -> ManyFiles:
        from relattr.images import ManyFiles
        from relattr.system.digests import digest_files

        ids = self.scored(setting).ids
        key = digest_files(self.root, [LISTS[setting]])
        return ManyFiles(self.root, FileNames(ids), self.locate, key)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        from relattr.system.digests import digest_text

        gone = self.missing()
        if gone:
            raise Blocked(gone)
        return digest_text(
            *(part for setting in self._there() for part in (setting, self._source(setting).fingerprint))
        )

    # ------------------------------------------------------------------ the tasks

    @cached_property
    def _collections(self) -> dict[str, Images]:
        return {}

    def _images(self, setting: str) -> Images:
        """The photographs of the setting's list; user-mix and user-specific look into one collection."""
        from relattr.images import Images

        name = LISTS[setting]
        if name not in self._collections:
            self._collections[name] = Images(self._source(setting))
        return self._collections[name]

    def halves(self, setting: str, split: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The photographs to train on and to test: positions in the list, ascending; drawn by lot."""
        import numpy as np

        from relattr.sampling import permuted

        scored = self.scored(setting)
        mine = scored.of_user(split) if setting == USER_SPECIFIC else np.arange(scored.ids.size)
        order = mine[permuted(0, mine.size, mine.size, derive_seed(self.seed, "popularity", setting, split))]
        return np.sort(order[: mine.size // 2]), np.sort(order[mine.size // 2 :])

    def pairs(self, setting: str, part: str, split: str, images: NDArray[np.int64]) -> Pairs:
        """Pairs of these photographs with different scores, drawn by lot; sides are random. Numbered as in the list."""
        from relattr.pairs import Pairs

        scores = self.scored(setting).score[images]
        most = Pairs.all_of(scores).n_ordered
        if not most:
            raise BadInput(
                f"{self.root / LISTS[setting]}: the {images.size} photographs to {part} of {setting} ({split}) all "
                "have one score; expected different ones"
            )
        wanted = self.n_user_pairs if setting == USER_SPECIFIC else self.n_pairs
        seed = derive_seed(self.seed, "popularity", setting, split, part)
        return Pairs.from_scores(scores, count=min(wanted, most), seed=seed, ties="skip", items=images)

    def task(self, name: TaskName) -> Task:
        from relattr.task import Task, TestSet, TrainingSet

        if name.split == EACH_USER and name.attribute == USER_SPECIFIC:
            self.scored(USER_SPECIFIC)  # says what is missing
        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        gone = self.missing()
        scored = self.scored(name.attribute)
        if gone:
            raise Blocked(gone)
        train, test = self.halves(name.attribute, name.split)
        pairs = {
            part: self.pairs(name.attribute, part, name.split, images).renumbered(images)
            for part, images in (("train", train), ("test", test))
        }
        collection = self._images(name.attribute)
        return Task(
            name,
            TrainingSet(collection.subset(train), pairs["train"], scores=scored.score[train]),
            [TestSet("test", collection.subset(test), pairs["test"], scores=scored.score[test])],
            protocol=(
                f"Pairs labelled by log2(views / days + 1) (Khosla et al., WWW 2014), pairs of equal scores left out. "
                f"{len(pairs['train']):,} pairs of {train.size:,} photographs {_WHOSE[name.attribute]} to train on, "
                f"{len(pairs['test']):,} pairs of the other {test.size:,} to test; halves and pairs drawn by lot."
            ),
            notes=self._notes(name.attribute),
        )

    def _notes(self, setting: str) -> tuple[str, ...]:
        notes = [
            "the published halves and pairs are not released: these are other ones, of the same kind",
            "of the photographs themselves only some are in the data's fingerprint",
        ]
        if setting == USER_MIX:
            notes.append("photographs of a user are on both sides of the split, no photograph is")
        return tuple(notes)

    # ------------------------------------------------------------------ whether it is right

    def verify(self) -> list[Finding]:
        """The lists, and whether every photograph is there."""
        findings = [
            look("lists and photographs are there", lambda: (not (gone := self.missing()), gone or "some looked at"))
        ]
        for setting in self._there():
            findings.append(look(f"{LISTS[setting]} can be read", partial(self._check_list, setting)))
            if findings[0].ok:
                findings.append(
                    look(f"all photographs of {LISTS[setting]} are there", partial(self._check_all, setting))
                )
        return findings

    def _check_list(self, setting: str) -> tuple[bool, str]:
        import numpy as np

        found = self.scored(setting)
        users = f" of {len(found.users):,} users" if found.users else ""
        low, high = float(np.min(found.score)), float(np.max(found.score))
        return low >= 0, f"{found.ids.size:,} photographs{users}, scores {low:g} to {high:g}, expected none below 0"

    def _check_all(self, setting: str) -> tuple[bool, str]:
        lost = [name for name in self._source(setting).names if not self.locate(name).is_file()]
        return not lost, some(lost) or f"{self.scored(setting).ids.size:,}"


_WHOSE = {ONE_PER_USER: "of as many users", USER_MIX: "of all users together", USER_SPECIFIC: "of one user"}
