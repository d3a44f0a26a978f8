"""The base class of datasets: a dataset provides tasks, and states its licence, citation, files and checksums."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from relattr.errors import BadInput
from relattr.system.paths import data_dir
from relattr.task import TaskName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.system.download import Download
    from relattr.task import Task, TrainingSet

DECIDES_RESULTS = False


@dataclass(frozen=True)
class VerificationResult:
    """The outcome of one check of `Dataset.verify`; ``detail`` gives the actual and the expected values."""

    what: str
    ok: bool
    detail: str
    warning: bool = False
    """Whether the data is valid, but too small or odd for a purpose that ``detail`` states."""


@dataclass_transform(kw_only_default=True, eq_default=False)
class Dataset:
    """Base class of all datasets. A subclass defines `attributes`, `fingerprint` and `task`."""

    name: ClassVar[str] = ""
    """The name under which it is registered, and of its folder in `data_dir`."""
    citation: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    n_images: ClassVar[int] = 0
    """How many images it has, for lists; 0 if that depends on its parameters or files."""
    homepage: ClassVar[str] = ""
    files: ClassVar[Sequence[str]] = ()
    """Files beyond those in `fingerprint` that decide its tasks, as paths relative to its module."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """Laws of `relattr.check` that do not apply to it: law -> reason."""
    location_parameters: ClassVar[Sequence[str]] = ()
    """Parameters that only say where its files are: they are recorded, and `fingerprint` identifies its results."""
    unpublished_parameters: ClassVar[Sequence[str]] = ()
    """Parameters whose published value is unknown; a value other than the default is a note, not a deviation."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(kw_only=True, eq=False)(cls)

    @property
    def root(self) -> Path:
        """The folder of its files, which may not exist yet."""
        return data_dir() / self.name

    def attributes(self) -> Sequence[str]:
        """The attributes, in the order of its tables; empty if they are defined in files that are `missing`."""
        raise TypeError(f"{type(self).__name__} does not define attributes()")

    def splits(self) -> Sequence[str]:
        """The names of its splits."""
        return ("standard",)

    def tasks(self) -> list[TaskName]:
        """Every (dataset, attribute, split)."""
        return [TaskName(self.name, attribute, split) for attribute in self.attributes() for split in self.splits()]

    def missing(self) -> str | None:
        """Why the dataset cannot be used and what to do about it; None if it can be used."""
        return None

    def fingerprint(self) -> str:
        """A string that changes whenever images or labels change; the same on every machine."""
        raise TypeError(f"{type(self).__name__} does not define fingerprint()")

    def missing_labels(self) -> str | None:
        """Why pairs and annotations cannot be used either; None if they can be used.

        A dataset whose pairs and annotations are in other files than its images overrides this and
        `labels_fingerprint`, and creates tasks without reading an image. Methods whose ``uses_pixels`` is false then
        run without the images.
        """
        return self.missing()

    def labels_fingerprint(self) -> str:
        """A string that changes whenever pairs or annotations change; like `fingerprint`, without the images."""
        return self.fingerprint()

    def task(self, name: TaskName) -> Task:
        """The task of this name. Raises `UnknownName` if it is not one of `tasks`."""
        raise TypeError(f"{type(self).__name__} does not define task(name)")

    def labelled(self, attribute: str) -> TrainingSet:
        """All images and comparisons of an attribute, those for testing too, to fit a method for use on other images.

        Raises `BadInput` for a dataset of a benchmark, whose test images are for testing only.
        """
        raise BadInput(f"{self.name} keeps its test images for testing; use task(attribute).train")

    def released_pairs(self) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """The pairs as released, with their original sides, for ``relattr audit``: ``left, right, label`` by file name.

        Images are identified by numbers that are the same in all files. The images themselves are not required.
        """
        return {}

    def downloads(self) -> Sequence[Download]:
        """The files to download, with mirrors and checksums; empty if nothing can be downloaded."""
        return ()

    def verify(self) -> list[VerificationResult]:
        """Compare files, counts, splits and label codes with the expected ones."""
        return []
