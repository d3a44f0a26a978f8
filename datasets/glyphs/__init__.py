"""`glyphs`, the embedded dataset: scenes drawn on the fly whose strengths, places and categories are known.

Each image is a cluttered scene with three badges, a large blue-rimmed one, a medium red-rimmed one and
a small gold-rimmed one, among decoys without colour. In a badge is a glyph; how spiky it is, is the
strength. One collection of images serves four attributes, each for one claim about methods:

``global``      how crowded the scene is: every method can see it in the whole image, and it goes, loosely,
                with the spikes of the badges.
``local``       the spikes of the medium badge alone: too coarse in a shrunken image, plain in a crop.
``multiscale``  the spikes of all three badges, added up: no one scale shows them all.
``category``    the spikes of the medium badge, plus a shift by what the ground is strewn with.

The scenery is a loose hint: where the badges are spiky, the clutter often is too, and the ground is bold. A
method that sees the whole image but no badge is so above chance, as on photographs, and far below one
that looks at the badges.

In `glyphs-aligned` the medium badge lies at about the same place in every image, as the mouth does in aligned
faces, and ``local`` is its one attribute. Whether a transformer has to find one place for all images or one in
each is what tells the two apart.

Training sets carry the scores, with a heavy tail (pairs against regression), and the categories; test
sets carry the true boxes of the badges that decide. The labels have a little noise, so that no method
can be at 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from relattr.dataset import Dataset, VerificationResult
from relattr.errors import BadInput, UnknownName
from relattr.identity import source_digest
from relattr.registry import register_dataset
from relattr.system.digests import digest_text
from relattr.task import Task, TaskName, TestSet, TrainingSet

from . import backbone  # noqa: F401 - registers `micro`

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images

    from .scene import Scene

ATTRIBUTES = ("global", "local", "multiscale", "category")

CUES_OF = {"local": (1,), "multiscale": (0, 1, 2), "category": (1,)}
"""Which of a scene's large, medium and small cue have a say in an attribute; the others have no boxes."""

_DRAWING = ("canvas", "outlines", "style", "scene", "draw")
_SYNTHETIC = "synthetic: drawn by relattr, so there is no published number to compare with"


@register_dataset("glyphs", label="Glyphs")
@register_dataset("glyphs-aligned", label="Aligned glyphs", jitter=0.04)
class Glyphs(Dataset):
    """Drawn scenes of known strengths, places and categories; aligned, the badge that decides is in one place."""

    n_train: int = 400
    """Training images."""
    n_test: int = 300
    """Test images."""
    n_pairs: int | None = None
    """Training pairs, a seeded sample; None: every two training images."""
    n_test_pairs: int | None = None
    """Test pairs, a seeded sample; None: every two test images."""
    similar: float = 0.1
    """The share of training pairs that are similar, about; 0, or in (0, 0.5]."""
    noise: float = 0.125
    """Standard deviation of the label noise, the strength's own being 1."""
    size: int = 128
    """Side of the images in pixels."""
    jitter: float | None = None
    """How far the medium badge is from one place, at most, in x and y, the side being 1; None: anywhere."""
    seed: int = 0
    """Another seed, other images."""

    citation = "Drawn by relattr."
    licence = "MIT"
    homepage = "https://github.com/relattr/relattr"

    def __post_init__(self) -> None:
        for name, low, high in (("n_train", 2, 10**7), ("n_test", 2, 10**7), ("size", 32, 512), ("seed", 0, 2**63 - 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInput(f"dataset glyphs: {name} must be between {low} and {high}; got {value}")
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
        return digest_text(self._pictures, *map(str, labels), *_digests(("scores", "")))

    def task(self, name: TaskName) -> Task:
        from relattr.pairs import Pairs
        from relattr.random import derive_seed

        from .scene import CATEGORIES
        from .scores import banded, heavy

        if name not in self.tasks():
            raise UnknownName("task", str(name), map(str, self.tasks()))
        attribute = name.attribute
        strength = self.strengths(attribute, "train")
        train = TrainingSet(
            images=self.images.subset(range(self.n_train)),
            pairs=Pairs.from_scores(
                banded(strength, self.similar),
                count=self.n_pairs,
                seed=derive_seed(self.seed, "training pairs", attribute),
            ),
            scores=heavy(strength),
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
        return Task(name=name, train=train, tests=[test], protocol=self._protocol(), notes=[_SYNTHETIC])

    def verify(self) -> list[VerificationResult]:
        from .checks import findings

        return findings(self)

    # ------------------------------------------------------------------ the truth behind the images

    @cached_property
    def scenes(self) -> dict[str, list[Scene]]:
        """What is in each image: ``train`` and ``test``, in the order of the images."""
        from .scene import scene

        sizes = {"train": self.n_train, "test": self.n_test}
        return {stream: [scene(self.seed, stream, k, self.jitter) for k in range(n)] for stream, n in sizes.items()}

    @cached_property
    def images(self) -> Images:
        """The one collection of all attributes: the training images, then the test images."""
        from relattr.images import DrawnSource, Images

        from .draw import draw

        scenes = [*self.scenes["train"], *self.scenes["test"]]
        names = [f"{stream}-{k:05d}" for stream, part in self.scenes.items() for k in range(len(part))]
        return Images(DrawnSource(names, lambda k: draw(scenes[k], self.size), self._pictures))

    def strengths(self, attribute: str, stream: str) -> NDArray[np.float64]:
        """The strength ``(n,)`` of an attribute, label noise included, in the ``train`` or ``test`` images."""
        from .scores import latent

        return latent(self.scenes[stream], attribute, self.seed, stream, self.noise)

    def categories(self, stream: str) -> NDArray[np.int64]:
        """The category ``(n,)`` of each ``train`` or ``test`` image."""
        import numpy as np

        return np.array([scene.category for scene in self.scenes[stream]], np.int64)

    def boxes(self, attribute: str, stream: str = "test") -> NDArray[Any] | None:
        """The boxes ``(n, k, 4)`` of the cues that decide, as x0, y0, x1, y1 in [0, 1]; None where none does."""
        import numpy as np

        which = CUES_OF.get(attribute)
        if which is None:
            return None
        return np.array([[scene.cues[k].box for k in which] for scene in self.scenes[stream]])

    @property
    def _pictures(self) -> str:
        """What decides every pixel, as one string."""
        sizes = (self.seed, self.size, self.n_train, self.n_test, self.jitter)
        return digest_text(*map(str, sizes), *_digests(_DRAWING))

    def _protocol(self) -> str:
        some = "all" if self.n_pairs is None else f"{self.n_pairs:,} of the"
        judged = "all" if self.n_test_pairs is None else f"{self.n_test_pairs:,} of the"
        aligned = "" if self.jitter is None else f"; the badge within {self.jitter:g} of one place"
        return (
            f"{self.n_train:,} training and {self.n_test:,} test images drawn apart with seed {self.seed}; labels "
            f"from known strengths with noise of {self.noise:g} standard deviations; {some} pairs of training "
            f"images, similar within bands of {self.similar:.0%} of them; {judged} pairs of test images, sides random"
            f"{aligned}"
        )


def _digests(modules: Sequence[str]) -> list[str]:
    """Return the digests of these modules of this package: a change in how images are drawn is a change of data."""
    return [source_digest(f"{__name__}.{module}" if module else __name__) for module in modules]
