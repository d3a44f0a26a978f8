"""The files of a release of OSR: its images, and those that name the training images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.system.manifest import ManifestEntry
from relattr.system.reading import MAX_TEXT, read_text

from ._matlab import cell_texts, numeric_array, read_mat
from ._osr_classes import CLASSES, class_of

OFFICIAL_DATA = ("data.mat", "osr/data.mat", "relative_attributes/osr/data.mat")
SPLIT_FILES = (*OFFICIAL_DATA, "train240.txt", "outdoor_scenes.mat")
"""The files that name the training images; the first that exists is used."""


@dataclass(frozen=True, eq=False)
class OSRRelease:
    """A release below ``root``, all of whose files exist.

    ``image_folder`` contains the images; ``split_file``, one of `SPLIT_FILES`, names the training images,
    ``n_train_per_class`` of each class; ``entries`` are the images in the manifest, ``images/<name>``.
    """

    root: Path
    image_folder: str
    split_file: str
    entries: Sequence[ManifestEntry]
    n_train_per_class: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The file name of each image."""
        return tuple(entry.path.removeprefix("images/") for entry in self.entries)

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """The class ``(n,)`` of each image, an index into `CLASSES`."""
        index = {name: i for i, name in enumerate(CLASSES)}
        return np.array([index[class_of(name)] for name in self.names], np.int64)

    @cached_property
    def is_training(self) -> NDArray[np.bool_]:
        """Which images are training images, ``(n,)``. Raises `BadInput` if the split file is invalid."""
        names = self.training_names(self.split_file)
        return np.array([name in names for name in self.names])

    def training_names(self, split_file: str) -> frozenset[str]:
        """Read the training images named in a file.

        Raises `BadInput` unless they are different images of OSR and as many as expected.
        """
        path, n_expected = self.root / split_file, self.n_train_per_class * len(CLASSES)
        names = _names_in_split_file(path)
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise BadInput(f"{path} names {unknown[0]!r}, which is not one of the {len(self.names):,} images of OSR")
        if len(set(names)) != len(names) or len(names) != n_expected:
            raise BadInput(
                f"{path} names {len(names)} training images, {len(set(names))} of them different; expected {n_expected}"
            )
        return frozenset(names)


def _names_in_split_file(path: Path) -> list[str]:
    """The names in the file's order, repetitions included."""
    if path.suffix == ".txt":
        try:
            return read_text(path, MAX_TEXT).split()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"cannot read the training images from {path}: {error}") from error
    if path.name == "outdoor_scenes.mat":
        return cell_texts(read_mat(path, ["image_names"])["image_names"], f"{path}: image_names")
    data = read_mat(path, ["im_names", "used_for_training"])
    names = cell_texts(data["im_names"], f"{path}: im_names")
    used = numeric_array(data["used_for_training"], f"{path}: used_for_training").ravel()
    if used.size != len(names) or not set(used.tolist()) <= {0.0, 1.0}:
        raise BadInput(f"{path}: used_for_training must be {len(names)} of 0 and 1, one for each of im_names")
    return [name for name, flag in zip(names, used, strict=True) if flag]
