"""Base class of the linear methods: image features concatenated from named blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Method
from relattr.errors import BadInput, UnknownName
from relattr.needs import DEEP, Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Run

DEEP_BLOCKS = ("decaf", "objects")
COLOUR_BLOCKS = ("color-histogram", "color-patches")


class FeatureBlockMethod(FitRun, Method):
    """A method on concatenated blocks of features; a subclass defines what is learned from them.

    Parameters
    ----------
    blocks : names of `relattr.features.blocks`; ``decaf``, the layer ``layer`` of ``backbone``; ``objects``, its
        class scores before the softmax.
    scaling : ``l2`` scales each block of an image to length 1; ``standard`` each feature to mean 0 and variance 1
        over the training images (a constant one to 0); ``none`` leaves the blocks as they are defined. Encoded blocks
        (HOG, colour patches) have length 1 by definition.
    words : size of the dictionaries.
    vocabulary : the 50 colour names; ``DD50`` are the published ones, whose table the user has to provide.
    backbone, layer : the pretrained network and its layer for the blocks ``decaf`` and ``objects``.
    """

    blocks: tuple[str, ...] = ()
    scaling: Literal["none", "l2", "standard"] = "none"
    words: int = 256
    vocabulary: Literal["lattice", "DD50"] = "lattice"
    backbone: str = "alexnet"
    layer: str | None = "fc6"

    check_with: ClassVar[dict[str, Any]] = {"words": 16}
    published_parameters: ClassVar[Mapping[str, Any]] = {"backbone": "caffenet", "vocabulary": "DD50"}
    unpublished_parameters: ClassVar[Sequence[str]] = ("C", "loss", "words", "scaling")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights
        from relattr.features.color_names import DD50

        needs: list[Need] = []
        if {"gist", *DEEP_BLOCKS} & set(self.blocks):
            needs.append(DEEP)
        if set(DEEP_BLOCKS) & set(self.blocks):
            needs.append(PretrainedWeights(self.backbone))
        if set(COLOUR_BLOCKS) & set(self.blocks) and self.vocabulary == "DD50":
            needs.append(DD50())
        return needs

    def deviations(self) -> Sequence[str]:
        deviations = []
        if set(COLOUR_BLOCKS) & set(self.blocks) and self.vocabulary != "DD50":
            deviations.append("50 colour names of relattr's own, not the discriminative ones of Khan et al. (2013)")
        if set(DEEP_BLOCKS) & set(self.blocks) and self.backbone != "caffenet":
            network = "torchvision's AlexNet" if self.backbone == "alexnet" else self.backbone
            deviations.append(f"layers and class scores of {network}, not of Caffe's AlexNet")
        return deviations

    def notes(self) -> Sequence[str]:
        notes = []
        if "lab-histogram" in self.blocks:
            notes.append("the range of the L*a*b* histogram is relattr's own; the original one is not published")
        if set(DEEP_BLOCKS) & set(self.blocks) and self.backbone == "caffenet":
            notes.append("layers and class scores of CaffeNet; which network DeCAF and Objects used is not published")
        return notes

    def prepare(self, images: Images, run: Run) -> None:
        """Learn dictionaries and scales from the training images."""
        from relattr.features import blocks

        known = (*blocks.BLOCKS, *DEEP_BLOCKS)
        if not self.blocks:
            raise BadInput(f"{self.name}: blocks is empty; expected some of {', '.join(known)}")
        for name in self.blocks:
            if name not in known:
                raise UnknownName("block of features", name, known)
        self._run = run
        for name in self.blocks:
            if name in blocks.ENCODED:
                seed = run.seed_for("dictionary", name)
                words = blocks.learn_dictionary(name, images, seed, self.words, self.vocabulary)
                setattr(self, _words_attribute(name), words)
        if self.scaling == "standard":
            self.means_, self.scales_ = np.zeros(0, np.float32), np.zeros(0, np.float32)
            x = self._unstandardised(images)
            self.means_ = x.mean(0, dtype=np.float64).astype(np.float32)
            deviations = x.std(0, dtype=np.float64)
            constant = deviations <= 1e-7 * np.maximum(1.0, np.abs(self.means_))
            self.scales_ = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviations)).astype(np.float32)

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of these images, ``(n, d)`` float32."""
        x = self._unstandardised(images)
        if self.scaling == "standard":
            x -= self.means_
            x *= self.scales_
        return x

    def _unstandardised(self, images: Images) -> NDArray[np.float32]:
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

        run = self.fit_run
        if name in DEEP_BLOCKS:
            from relattr.backbones.extraction import cached_deep_features

            layer = "scores" if name == "objects" else self.layer
            return cached_deep_features(images, self.backbone, layer, device=run.device, normalise="none")
        if name in blocks.ENCODED:
            words = getattr(self, _words_attribute(name))
            return blocks.encoded_features(name, images, words, self.vocabulary, run.threads)
        return blocks.direct_features(name, images, self.vocabulary)


def _words_attribute(block: str) -> str:
    """The attribute with the dictionary of a block."""
    return f"words_{block.replace('-', '_')}_"
