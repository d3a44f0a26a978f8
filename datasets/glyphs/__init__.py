"""Datasets `glyphs` and `glyphs-aligned`: scenes drawn on the fly whose strengths, positions and categories are known.

Each image is a cluttered scene with three badges, a large one with a blue rim, a medium one with a red rim and a small
one with a gold rim, among decoys with grey rims. Each badge shows a glyph, whose spikiness is the badge's strength. One
collection of images serves four attributes, each of which tests one claim about methods:

``global``      how crowded the scene is; visible in the whole image, and weakly correlated with the spikiness.
``local``       the spikiness of the medium badge: too coarse to see in a shrunken image, clear in a crop.
``multiscale``  the sum of the spikiness of all three badges: no single scale shows all of them.
``category``    the spikiness of the medium badge plus a shift that depends on the background pattern.

The surroundings are a weak hint: spiky badges tend to come with spiky clutter and a bold background. A method that sees
the whole image but no badge is above chance, as on photographs, and far below one that attends to the badges.

In `glyphs-aligned` the medium badge is at about the same position in every image, like the mouth in aligned faces, and
``local`` is the only attribute. The two datasets differ in whether a transformer has to find one position for all
images, or one for each image.

Training sets have scores with a heavy tail (to compare pairs with regression) and categories; test sets have the true
boxes of the badges that decide the attribute. Labels have a little noise, so no method can reach 100 %. Training and
test scenes are sampled independently. Pairs of training images are similar where their strengths are in the same band
(`scores.band_strengths`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.dataset import Dataset, VerificationResult
from relattr.errors import BadInput, UnknownName
from relattr.identity import source_digest
from relattr.images import DrawnSource, Images
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.registry import register_dataset
from relattr.system.digests import digest_text
from relattr.task import Task, TaskName, TestSet, TrainingSet

from . import backbone  # noqa: F401 - registers `micro`
from .scene import CATEGORIES, Scene, sample_scene
from .scores import band_strengths, heavy_tailed_scores, noisy_strengths

ATTRIBUTES = ("global", "local", "multiscale", "category")

CUES_OF = {"local": (1,), "multiscale": (0, 1, 2), "category": (1,)}
"""Which of the large, medium and small cue decide an attribute; only these have boxes."""

_DRAWING = ("canvas", "outlines", "style", "scene", "drawing")
_SYNTHETIC = "synthetic: drawn by relattr, so there is no published number to compare with"


@register_dataset("glyphs", label="Glyphs", summary="Synthetic scenes with known strengths, boxes and categories.")
@register_dataset(
    "glyphs-aligned",
    label="Aligned glyphs",
    summary="Synthetic scenes as in glyphs, with the informative badge at a fixed position.",
    jitter=0.04,
)
class Glyphs(Dataset):
    """Synthetic scenes with known strengths, positions and categories; in `glyphs-aligned` the badge has one place."""

    n_train: int = 400
    """Number of training images."""
    n_test: int = 300
    """Number of test images."""
    n_pairs: int | None = None
    """Number of training pairs, a random sample; None: all pairs of training images."""
    n_test_pairs: int | None = None
    """Number of test pairs, a random sample; None: all pairs of test images."""
    similar: float = 0.1
    """Approximate share of training pairs that are similar; 0, or in (0, 0.5]."""
    noise: float = 0.125
    """Standard deviation of the label noise, relative to that of the strength."""
    size: int = 128
    """Side of the images in pixels."""
    jitter: float | None = None
    """Largest distance of the medium badge from one position, in x and y, relative to the side; None: anywhere."""
    seed: int = 0
    """Seed of the images and labels."""

    citation = "Drawn by relattr."
    licence = "MIT"
    homepage = "https://github.com/relattr/relattr"

    def __post_init__(self) -> None:
        for name, lower, upper in (
            ("n_train", 2, 10**7),
            ("n_test", 2, 10**7),
            ("size", 32, 512),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if not lower <= value <= upper:
                raise BadInput(f"dataset glyphs: {name} must be between {lower} and {upper}; got {value}")
        for name, n in (("n_pairs", self.n_train), ("n_test_pairs", self.n_test)):
            value, most = getattr(self, name), n * (n - 1) // 2
            if value is not None and not 1 <= value <= most:
                raise BadInput(
                    f"dataset glyphs: {name} must be between 1 and {most}, the number of pairs of {n} images, "
                    f"or None for all of them; got {value}"
                )
        if self.jitter is not None and not 0 <= self.jitter <= 0.2:
            raise BadInput(f"dataset glyphs: jitter must be between 0 and 0.2, or None; got {self.jitter}")
        if not 0 <= self.similar <= 0.5:
            raise BadInput(f"dataset glyphs: similar must be a share between 0 and 0.5; got {self.similar}")
        if not 0 <= self.noise <= 10:
            raise BadInput(f"dataset glyphs: noise must be between 0 and 10; got {self.noise}")

    def attributes(self) -> Sequence[str]:
        return ATTRIBUTES if self.jitter is None else ("local",)

    def fingerprint(self) -> str:
        labels = (self.n_pairs, self.n_test_pairs, self.similar, self.noise)
        return digest_text(self._pixels_digest, *map(str, labels), *_digests(("scores", "")))

    def task(self, name: TaskName) -> Task:
        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        attribute = name.attribute
        strength = self.strengths(attribute, "train")
        train = TrainingSet(
            images=self.images.subset(range(self.n_train)),
            pairs=Pairs.from_scores(
                band_strengths(strength, self.similar),
                count=self.n_pairs,
                seed=derive_seed(self.seed, "training pairs", attribute),
            ),
            scores=heavy_tailed_scores(strength),
            categories=self.categories("train"),
            category_names=CATEGORIES,
        )
        test = TestSet(
            name="test",
            images=self.images.subset(range(self.n_train, self.n_train + self.n_test)),
            pairs=Pairs.from_scores(
                self.strengths(attribute, "test"),
                count=self.n_test_pairs,
                seed=derive_seed(self.seed, "test pairs", attribute),
            ),
            boxes=self.boxes(attribute),
        )
        return Task(name=name, train=train, tests=[test], protocol=self._protocol(), deviations=[_SYNTHETIC])

    def verify(self) -> list[VerificationResult]:
        """Check the scenes, the images and the scores."""
        from .verification import verify_glyphs  # imports Pillow

        return verify_glyphs(
            self.scenes,
            self.images,
            [self.strengths(attribute, "train") for attribute in self.attributes()],
            seed=self.seed,
            size=self.size,
            jitter=self.jitter,
        )

    # ------------------------------------------------------------------ ground truth

    @cached_property
    def scenes(self) -> dict[str, list[Scene]]:
        """The scenes of the ``train`` and ``test`` images, in their order."""
        sizes = {"train": self.n_train, "test": self.n_test}
        return {
            stream: [sample_scene(self.seed, stream, k, self.jitter) for k in range(n)] for stream, n in sizes.items()
        }

    @cached_property
    def images(self) -> Images:
        """The training images, then the test images; all attributes share this collection."""
        from .drawing import draw_scene  # imports Pillow

        scenes = [*self.scenes["train"], *self.scenes["test"]]
        names = [f"{stream}-{k:05d}" for stream, part in self.scenes.items() for k in range(len(part))]
        return Images(DrawnSource(names, lambda k: draw_scene(scenes[k], self.size), self._pixels_digest))

    def strengths(self, attribute: str, stream: str) -> NDArray[np.float64]:
        """Return the strength ``(n,)`` of an attribute, with label noise, in the ``train`` or ``test`` images."""
        return noisy_strengths(self.scenes[stream], attribute, self.seed, stream, self.noise)

    def categories(self, stream: str) -> NDArray[np.int64]:
        """Return the category ``(n,)`` of each ``train`` or ``test`` image."""
        return np.array([scene.category for scene in self.scenes[stream]], np.int64)

    def boxes(self, attribute: str, stream: str = "test") -> NDArray[Any] | None:
        """Return the boxes ``(n, k, 4)`` of the deciding cues, as x0, y0, x1, y1 in [0, 1]; None if no cue decides."""
        cues = CUES_OF.get(attribute)
        if cues is None:
            return None
        return np.array([[scene.cues[k].box for k in cues] for scene in self.scenes[stream]])

    @property
    def _pixels_digest(self) -> str:
        """A digest of everything that decides the pixels."""
        sizes = (self.seed, self.size, self.n_train, self.n_test, self.jitter)
        return digest_text(*map(str, sizes), *_digests(_DRAWING))

    def _protocol(self) -> str:
        train = "all" if self.n_pairs is None else f"{self.n_pairs:,} of the"
        test = "all" if self.n_test_pairs is None else f"{self.n_test_pairs:,} of the"
        aligned = "" if self.jitter is None else f"; the badge within {self.jitter:g} of one position"
        return (
            f"{self.n_train:,} training and {self.n_test:,} test images drawn independently with seed {self.seed}; "
            f"labels from known strengths with noise of {self.noise:g} standard deviations; {train} pairs of training "
            f"images, similar within bands of {self.similar:.0%} of the images; {test} pairs of test images, random "
            f"sides{aligned}"
        )


def _digests(modules: Sequence[str]) -> list[str]:
    """Return the digests of these modules of this package: a change in how images are drawn is a change of data."""
    return [source_digest(f"{__name__}.{module}" if module else __name__) for module in modules]
