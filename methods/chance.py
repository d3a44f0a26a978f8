"""The floor of every table: a coin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relattr import Method, register_method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet


@register_method("chance", label="Chance")
class Chance(Method):
    """Gives every image a random strength: 50 % in expectation."""

    exempt = {"learns": "it is a coin: the floor that methods are to be above"}  # noqa: RUF012

    def fit(self, train: TrainingSet, run: Run) -> None:
        self.seed_ = run.seed_for("chance")

    def strength(self, images: Images) -> NDArray[np.float64]:
        import numpy as np

        # one number per image of the collection, so that an image keeps its strength in any company
        everyone = np.random.default_rng(self.seed_).random(images.n_collection)
        return everyone[images.indices]
