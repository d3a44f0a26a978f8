"""What the linear methods share: features of images, put together from blocks by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import Method
from relattr.errors import BadInput, UnknownName
from relattr.needs import DEEP, Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run

DEEP_BLOCKS = ("decaf", "objects")
COLORS = ("color-histogram", "color-patches")


class OnBlocks(Method):
    """A method on blocks of features put side by side; a subclass says what is learned on them.

    Parameters
    ----------
    blocks : names of `relattr.features.blocks`; ``decaf``, the layer ``layer`` of ``backbone``; ``objects``, its
        class scores before the softmax.
    scaling : ``l2`` scales each block of an image to length 1; ``standard`` each number to mean 0 and variance 1
        over the training images (one that never varies to 0); ``none`` takes them as they are.
    words : size of the dictionaries.
    vocabulary : which 50 colour names; ``DD50`` are the published ones, whose table the user brings.
    """

    blocks: tuple[str, ...] = ()
    scaling: Literal["none", "l2", "standard"] = "none"
    words: int = 256
    vocabulary: Literal["lattice", "DD50"] = "lattice"
    backbone: str = "alexnet"
    layer: str | None = "fc6"

    check_with: ClassVar[dict[str, Any]] = {"words": 16}

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import Weights
        from relattr.features.color_names import DD50

        found: list[Need] = []
        if {"gist", *DEEP_BLOCKS} & set(self.blocks):
            found.append(DEEP)
        if set(DEEP_BLOCKS) & set(self.blocks):
            found.append(Weights(self.backbone))
        if set(COLORS) & set(self.blocks) and self.vocabulary == "DD50":
            found.append(DD50())
        return found

    def deviations(self) -> Sequence[str]:
        found = []
        if set(COLORS) & set(self.blocks) and self.vocabulary != "DD50":
            found.append("50 colour names of relattr's own, not the discriminative ones of Khan et al. (2013)")
        if "lab-histogram" in self.blocks:
            found.append("the ends of the bins of the L*a*b* histogram are relattr's own; theirs are not published")
        if set(DEEP_BLOCKS) & set(self.blocks):
            whose = "torchvision's AlexNet" if self.backbone == "alexnet" else self.backbone
            found.append(f"layers and class scores of {whose}, not of Caffe's AlexNet")
        return found

    def prepare(self, images: Images, run: Run) -> None:
        """Learn dictionaries and scales from the training images."""
        import numpy as np

        from relattr.features import blocks

        known = (*blocks.BLOCKS, *DEEP_BLOCKS)
        if not self.blocks:
            raise BadInput(f"{self.name}: blocks is empty; expected some of {', '.join(known)}")
        for name in self.blocks:
            if name not in known:
                raise UnknownName("block of features", name, known)
        self._run = run
        for name in self.blocks:
            if name in blocks.CODED:
                words = blocks.learn_words(name, images, run.seed_for("dictionary", name), self.words, self.vocabulary)
                setattr(self, _words(name), words)
        if self.scaling == "standard":
            self.means_, self.scales_ = np.zeros(0, np.float32), np.zeros(0, np.float32)
            x = self._raw(images)
            self.means_ = x.mean(0, dtype=np.float64).astype(np.float32)
            deviations = x.std(0, dtype=np.float64)
            constant = deviations <= 1e-7 * np.maximum(1.0, np.abs(self.means_))
            self.scales_ = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviations)).astype(np.float32)

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of these images, ``(n, d)`` float32."""
        x = self._raw(images)
        if self.scaling == "standard":
            x -= self.means_
            x *= self.scales_
        return x

    def _raw(self, images: Images) -> NDArray[np.float32]:
        import numpy as np

        parts = []
        for name in self.blocks:
            part = self._block(name, images)
            if self.scaling == "l2":
                length = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
                part *= (1 / np.where(length > 0, length, 1.0)).astype(np.float32)[:, None]
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _block(self, name: str, images: Images) -> NDArray[np.float32]:
        from relattr.features import blocks

        run = self._circumstances
        if name in DEEP_BLOCKS:
            from relattr.backbones.extraction import cached_deep_features

            layer = "scores" if name == "objects" else self.layer
            return cached_deep_features(images, self.backbone, layer, device=run.device)
        if name in blocks.CODED:
            return blocks.coded_rows(name, images, getattr(self, _words(name)), self.vocabulary, run.threads)
        return blocks.plain_rows(name, images, self.vocabulary)

    @property
    def _circumstances(self) -> Run:
        """Those of the fit; the usual ones for a method that was loaded."""
        from relattr import Run

        return getattr(self, "_run", Run())


def _words(block: str) -> str:
    """The attribute that keeps the dictionary of a block."""
    return f"words_{block.replace('-', '_')}_"
