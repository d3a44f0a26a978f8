"""The annotations of the virality release with the parameters that decide how images and pairs are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.errors import UnknownName

from ._viral_files import (
    RANDOM_PAIRS,
    ViralScores,
    five_categories,
    read_ranked_pairs,
    read_submissions,
    read_viral_scores,
    subreddit_categories,
)
from ._viral_splits import ViralSplit


@dataclass(frozen=True, eq=False)
class ViralRelease:
    """The annotations below ``root``; the images need not exist.

    The other parameters are those of the dataset `viral`. Every property raises `BadInput`, naming the file, if the
    annotations are invalid.
    """

    root: Path
    n_images: int
    n_extremes: int
    n_random_pairs: int
    n_train_pairs: int | None
    n_test_pairs: int | None
    seed: int
    categories: Literal["five", "subreddits"]

    @property
    def scores(self) -> ViralScores:
        """The scored images; positions among them number the images."""
        return read_viral_scores(self.root, self.n_images)

    @property
    def image_names(self) -> list[str]:
        """The file name of each image."""
        return [f"{i}.jpg" for i in self.scores.ids.tolist()]

    @cached_property
    def split(self) -> ViralSplit:
        """The training and test pairs over all images."""
        path = self.root / RANDOM_PAIRS
        ids = read_ranked_pairs(path, "top_pair_matrix_489", self.n_random_pairs)
        pairs = self.scores.positions_of_ranked(ids, str(path))
        return ViralSplit(self.scores, pairs, self.n_extremes, self.n_train_pairs, self.n_test_pairs, self.seed)

    def image_categories(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The category ``(n,)`` of each image, -1 for one without a category, and the names of the categories."""
        assign = {"five": five_categories, "subreddits": subreddit_categories}
        if self.categories not in assign:
            raise UnknownName("categories of viral", self.categories, assign)
        submitted = read_submissions(self.root).subreddits_of(self.scores.groups)
        categories, names = assign[self.categories](submitted)
        return np.array(categories, np.int64), names
