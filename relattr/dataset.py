"""The contract of a dataset: it yields tasks, and knows its licence, citation, files and checksums."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from relattr.system.paths import data_dir
from relattr.task import TaskName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.system.download import Download
    from relattr.task import Task

DECIDES_RESULTS = False


@dataclass(frozen=True)
class VerificationResult:
    """One thing that `Dataset.verify` looked at: what was expected, what was found."""

    what: str
    ok: bool
    detail: str


@dataclass_transform(kw_only_default=True, eq_default=False)
class Dataset:
    """Base class of all datasets. A subclass writes `attributes`, `fingerprint` and `task`."""

    name: ClassVar[str] = ""
    """The name it is registered under; also that of its folder in `data_dir`."""
    citation: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    homepage: ClassVar[str] = ""
    files: ClassVar[Sequence[str]] = ()
    """Files beyond those in `fingerprint` that decide its tasks, as paths relative to its module."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """The laws of `relattr.check` it need not keep, each with the reason."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(kw_only=True, eq=False)(cls)

    @property
    def root(self) -> Path:
        """The folder its files are in, or would be."""
        return data_dir() / self.name

    def attributes(self) -> Sequence[str]:
        """The attributes, in the order of its tables; none where they are to be read from files that are `missing`."""
        raise TypeError(f"{type(self).__name__} does not define attributes()")

    def splits(self) -> Sequence[str]:
        """The names of its splits."""
        return ("standard",)

    def tasks(self) -> list[TaskName]:
        """Every (dataset, attribute, split)."""
        return [TaskName(self.name, attribute, split) for attribute in self.attributes() for split in self.splits()]

    def missing(self) -> str | None:
        """Why it cannot be used here and what to do about it; None if it can."""
        return None

    def fingerprint(self) -> str:
        """What decides its images and labels, as one string; the same on every machine."""
        raise TypeError(f"{type(self).__name__} does not define fingerprint()")

    def missing_labels(self) -> str | None:
        """Why not even pairs and annotations can be had here; None if they can.

        Where they lie in files apart from the images, a dataset says so here, gives `labels_fingerprint`, and makes
        tasks without looking at an image: then methods that look at no pixel (``uses_pixels`` is false) run.
        """
        return self.missing()

    def labels_fingerprint(self) -> str:
        """What decides its pairs and annotations, as `fingerprint` does for images too."""
        return self.fingerprint()

    def task(self, name: TaskName) -> Task:
        """The task of this name. Raises `UnknownName` for one that is not in `tasks`."""
        raise TypeError(f"{type(self).__name__} does not define task(name)")

    def released_pairs(self) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Its pair files as they were released, sides and all, for `relattr audit`: ``left, right, label`` by name.

        Images are told by number, the same in all files. They need not be there.
        """
        return {}

    def downloads(self) -> Sequence[Download]:
        """The files to fetch, with their mirrors and checksums; empty where nothing can be fetched."""
        return ()

    def verify(self) -> list[VerificationResult]:
        """Check files, counts, splits and label codes against what is known of them."""
        return []
