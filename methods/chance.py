"""Chance level: random strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from relattr import Method, register_method

if TYPE_CHECKING:
    from relattr import Images, Run, TrainingSet


@register_method("chance", label="Chance", summary="A random strength for each image: 50 % accuracy in expectation.")
class Chance(Method):
    """Gives each image a random strength: 50 % accuracy in expectation."""

    uses_pixels: ClassVar[bool] = False
    guesses: ClassVar[bool] = True
    exempt = {"learns": "it is random: the level that methods should exceed"}  # noqa: RUF012

    def fit(self, train: TrainingSet, run: Run) -> None:
        self.seed_ = run.seed_for("chance")

    def strength(self, images: Images) -> NDArray[np.float64]:
        # one number per image of the collection: the strength of an image does not depend on the images given with it
        strengths = np.random.default_rng(self.seed_).random(images.n_collection)
        return strengths[images.indices]
