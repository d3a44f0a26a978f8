"""Visual chains: the patches in which an attribute is visible, and a ranking function on those patches alone.

Xiao & Lee, "Discovering the Spatial Extent of Relative Attributes", ICCV 2015. No code was published; each
choice that the paper leaves open is a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Method, register_method
from relattr.mixins import InspectionMixin
from relattr.needs import DEEP, Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Pairs, Run, TrainingSet
    from relattr.chains.growing import Chain
    from relattr.chains.patch_descriptor import PatchDescriptor

_PUBLISHED = {"n_init": 5, "n_iter": 80, "k_init": 20, "k_pert": 20, "k_ens": 60, "gain": 0.05, "rounds": 3}
_CHUNK = 32
"""Images described at once."""


@register_method(
    "visual-chains",
    label="Xiao and Lee",
    summary="RankSVM on patches whose appearance changes smoothly along the attribute (Xiao and Lee, 2015).",
)
class VisualChains(FitRun, InspectionMixin, Method):
    """RankSVM on patches whose appearance changes smoothly along the attribute.

    A RankSVM on the whole images orders them. On the ``n_init`` strongest, the ``k_init`` cheapest chains of similar
    patches are computed; each grows in ``rounds`` rounds, by ``n_iter`` images each, with a linear SVM as its detector,
    and gets ``k_pert`` companions, the same patches shifted and scaled at random. The ``k_ens`` chains and companions
    whose patches rank held-out images best are selected; an image is then described by the patches with the largest
    responses of their detectors.

    Parameters
    ----------
    backbone, image_size : the network, and the px a side to which the image is resized for it.
    appearance : features for ranking: the network's last map averaged over ``cells x cells`` parts of the patch, or an
        8 x 8 HOG template.
    discovery : features for chains and detectors, reduced to ``components`` principal components.
    cells : parts a side of a patch.
    components : see ``discovery``.
    sides, stride, max_candidates : grid of candidate patches, in units of the image's side; the stride is increased
        until there are at most ``max_candidates``.
    per_end, chain_overlap : initial chains are the ``per_end`` cheapest into each patch of the last image, without
        those whose mean intersection over union with a better one exceeds ``chain_overlap``.
    gain : weight of a detector's response against distances (lambda in the paper).
    detector_c, negatives, max_negatives, apart, folds : of the detectors; see `relattr.chains.detector.DetectorConfig`
        (``apart`` is ``max_overlap``).
    shift, scales : of a companion, in units of the patch's side.
    selection_folds, chain_c : chains are evaluated on held-out folds of the images by RankSVMs with this C.
    C : of the RankSVMs for the order and for the final ranking; "auto" selects it on training pairs held out by image.
    """

    backbone: str = "alexnet"
    image_size: int = 227
    appearance: Literal["backbone", "hog"] = "backbone"
    discovery: Literal["backbone", "hog"] = "hog"
    cells: int = 2
    components: int = 256
    sides: tuple[float, ...] = (0.25, 0.375, 0.5)
    stride: float = 0.0625
    max_candidates: int = 300
    n_init: int = 5
    k_init: int = 20
    per_end: int = 20
    chain_overlap: float = 0.5
    rounds: int = 3
    n_iter: int = 80
    gain: float = 0.05
    detector_c: float = 0.1
    negatives: int = 200
    max_negatives: int = 5000
    apart: float = 0.3
    folds: int = 5
    k_pert: int = 20
    shift: float = 0.5
    scales: tuple[float, ...] = (0.75, 1.0, 4 / 3)
    k_ens: int = 60
    selection_folds: int = 5
    chain_c: float = 0.1
    C: float | Literal["auto"] = "auto"

    reference: ClassVar[str] = "Xiao and Lee, Discovering the Spatial Extent of Relative Attributes, ICCV 2015"
    check_with: ClassVar[Mapping[str, Any]] = {
        "appearance": "hog",
        "discovery": "hog",
        "components": 32,
        "sides": (0.5, 0.75),
        "max_candidates": 25,
        "n_iter": 15,
        "k_init": 4,
        "k_pert": 2,
        "k_ens": 6,
        "folds": 3,
    }

    def __post_init__(self) -> None:
        from relattr.errors import BadInput

        minima = {
            "image_size": 32,
            "cells": 1,
            "components": 1,
            "max_candidates": 1,
            "n_init": 2,
            "k_init": 1,
            "per_end": 1,
            "rounds": 1,
            "n_iter": 1,
            "negatives": 1,
            "max_negatives": 1,
            "folds": 2,
            "k_pert": 0,
            "k_ens": 1,
            "selection_folds": 2,
        }
        for name, minimum in minima.items():
            if getattr(self, name) < minimum:
                raise BadInput(f"visual-chains: {name} must be at least {minimum}; got {getattr(self, name)}")
        for name in ("detector_c", "chain_c"):
            if not getattr(self, name) > 0:
                raise BadInput(f"visual-chains: {name} must be above 0; got {getattr(self, name)}")
        if not self.scales or min(self.scales) <= 0:
            raise BadInput(f"visual-chains: scales must be one or more numbers above 0; got {list(self.scales)}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights

        return (DEEP, PretrainedWeights(self.backbone)) if "backbone" in (self.appearance, self.discovery) else ()

    def deviations(self) -> Sequence[str]:
        deviations = [
            f"{name} is {getattr(self, name):g}, published {value:g}"
            for name, value in _PUBLISHED.items()
            if getattr(self, name) != value
        ]
        if self.appearance == "hog":
            deviations.append("ranked on HOG templates of the patches, not pool5 of AlexNet")
        else:
            deviations.append(
                f"ranked on the last map of {self.backbone} over the whole image, averaged over {self.cells} x "
                f"{self.cells} parts of a patch, not a pass of Caffe's AlexNet over each patch"
            )
        features = "HOG templates" if self.discovery == "hog" else f"the same map of {self.backbone}"
        deviations.append(
            f"chains and detectors use {self.components} principal components of {features}, on at most "
            f"{self.max_candidates} patches an image"
        )
        return deviations

    # ------------------------------------------------------------------ fitting

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.chains.boxes import box_iou, random_transforms
        from relattr.chains.candidates import candidate_boxes
        from relattr.chains.dynamic_programming import cheapest_chains, suppress_overlapping
        from relattr.chains.selection import most_accurate, split_into_folds

        self._run = run
        images = train.images
        boxes = candidate_boxes(self.sides, self.stride, self.max_candidates)
        ranking, discovery = self._descriptors()
        ranking_data = self._read(ranking, images, run)
        discovery_data = ranking_data if discovery is ranking else self._read(discovery, images, run)

        order = self._order(ranking, ranking_data, train, run)
        pairs = train.pairs.renumbered(order)  # from here on image 0 is the strongest
        patches = self._project(discovery, discovery_data, order, boxes, run)
        overlap = box_iou(boxes, boxes)
        paths, _ = cheapest_chains(list(patches[: self.n_init]), per_end=self.per_end)
        firsts = paths[suppress_overlapping(paths, overlap, self.chain_overlap, self.k_init)]
        chains = self._grow(patches, firsts, overlap, run)

        transforms = np.stack(
            [
                np.vstack(
                    [[0.0, 0.0, 1.0], random_transforms(self.k_pert, self.shift, self.scales, run.rng("companions", k))]
                )
                for k in range(len(chains))
            ]
        )  # (chains, 1 + k_pert, 3); the first is the chain itself
        detected = np.stack([chain.detections(patches) for chain in chains])
        folds = split_into_folds(pairs, self.selection_folds, run.seed_for("selection"))
        accuracy = self._accuracies(ranking, ranking_data, order, boxes[detected], transforms, folds, run)
        selected = most_accurate(accuracy.ravel(), self.k_ens)
        parent, companion = np.divmod(selected, accuracy.shape[1])

        used_chains, self.parent_ = np.unique(parent, return_inverse=True)
        self.moves_ = transforms[parent, companion]
        self.detectors_ = np.stack([chains[k].detector.weights for k in used_chains])
        self.boxes_ = boxes
        x = self._patch_features(ranking, ranking_data, order, boxes[detected[used_chains]])
        self.C_, coef = self._ranker(x.reshape(len(x), -1), pairs, "final", run)
        self.coef_ = coef.reshape(len(selected), ranking.dim).astype(np.float32)
        self._store_examples(chains, order, boxes[detected], transforms, accuracy)

    def _descriptors(self) -> tuple[PatchDescriptor, PatchDescriptor]:
        """The descriptors for ranking and for discovery; one object if both are the same."""
        descriptors: dict[str, PatchDescriptor] = {}
        for kind in (self.appearance, self.discovery):
            if kind in descriptors:
                continue
            if kind == "backbone":
                from relattr.chains.feature_maps import FeatureMapPatches

                descriptors[kind] = FeatureMapPatches(self.backbone, self.image_size, self.cells, self.fit_run.device)
            else:
                from relattr.chains.hog_templates import HogPatches

                descriptors[kind] = HogPatches(self.fit_run.threads)
        return descriptors[self.appearance], descriptors[self.discovery]

    def _read(self, descriptor: PatchDescriptor, images: Images, run: Run) -> Any:
        with run.track("reading the training images", len(images)) as advance:
            return descriptor.read(images, advance)

    def _order(self, descriptor: PatchDescriptor, data: Any, train: TrainingSet, run: Run) -> NDArray[np.int64]:
        """The training images in descending order of strength, as ranked by a RankSVM on the whole images."""
        from relattr.chains.patch_descriptor import WHOLE_IMAGE

        x = descriptor.describe(data, np.arange(len(train.images)), WHOLE_IMAGE)[:, 0]
        _, coef = self._ranker(x, train.pairs, "order", run)
        return np.argsort(-(x @ coef), kind="stable")

    def _ranker(self, x: NDArray[Any], pairs: Pairs, purpose: str, run: Run) -> tuple[float, NDArray[np.float64]]:
        """C and weights of a RankSVM; ``purpose`` names its random numbers."""
        from relattr.ranksvm import RankSVM, RankSVMCV

        if self.C == "auto":
            search = RankSVMCV(seed=run.seed_for(purpose, "folds")).fit(x, pairs)
            return float(search.C_), search.coef_
        return self.C, RankSVM(C=self.C).fit(x, pairs).coef_

    def _project(
        self, descriptor: PatchDescriptor, data: Any, order: NDArray[np.int64], boxes: NDArray[Any], run: Run
    ) -> NDArray[np.float16]:
        """The reduced features of all candidates, images in this order, ``(n, n_patches, d)``; stores the basis."""
        from relattr.chains.patch_descriptor import PatchPCA

        pca = PatchPCA.fit(descriptor, data, order.size, boxes, self.components, run.rng("components"))
        self.basis_ = pca.basis
        patches = np.empty((order.size, len(boxes), pca.basis.shape[1]), np.float16)
        with run.track("describing patches", order.size) as advance:
            for start in range(0, order.size, _CHUNK):
                chunk = order[start : start + _CHUNK]
                patches[start : start + _CHUNK] = pca(descriptor.describe(data, chunk, boxes))
                advance(chunk.size)
        return patches

    def _grow(self, patches: NDArray[Any], firsts: NDArray[np.int64], overlap: NDArray[Any], run: Run) -> list[Chain]:
        from relattr.chains.detector import DetectorConfig
        from relattr.chains.growing import GrowthConfig, grow_chain

        detector = DetectorConfig(self.detector_c, self.negatives, self.max_negatives, self.apart, self.folds)
        config = GrowthConfig(self.rounds, self.n_iter, self.gain, detector)
        chains = []
        with run.track("growing chains", len(firsts)) as advance:
            for k, first in enumerate(firsts):
                chains.append(grow_chain(patches, first, overlap, config, run.rng("growing", k)))
                advance(1)
        return chains

    def _accuracies(
        self,
        descriptor: PatchDescriptor,
        data: Any,
        order: NDArray[np.int64],
        detected: NDArray[Any],
        transforms: NDArray[Any],
        folds: Any,
        run: Run,
    ) -> NDArray[np.float64]:
        """The held-out accuracy of each chain and each of its companions, ``(chains, 1 + k_pert)``.

        ``detected`` ``(chains, n, 4)`` are the boxes with the largest response of each chain's detector.
        """
        from relattr.chains.boxes import transform_boxes
        from relattr.chains.selection import held_out_accuracy

        accuracies = np.empty(transforms.shape[:2])
        with run.track("evaluating chains", accuracies.size) as advance:
            for k, of_chain in enumerate(transforms):  # chain by chain: the features of all would not fit into memory
                x = descriptor.describe(data, order, transform_boxes(detected[k][:, None], of_chain[None]))
                for j in range(len(of_chain)):
                    accuracies[k, j] = held_out_accuracy(np.ascontiguousarray(x[:, j]), folds, self.chain_c)
                    advance(1)
        return accuracies

    def _patch_features(
        self, descriptor: PatchDescriptor, data: Any, indices: NDArray[np.int64], detected: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Features for the final ranking, ``(n, k_ens, dim)``; ``detected`` ``(detectors, n, 4)``."""
        from relattr.chains.boxes import transform_boxes

        boxes = transform_boxes(detected[self.parent_].swapaxes(0, 1), self.moves_[None])
        return descriptor.describe(data, indices, boxes)

    # ------------------------------------------------------------------ ranking

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        from relattr.chains.patch_descriptor import PatchPCA

        run = self.fit_run
        ranking, discovery = self._descriptors()
        pca = PatchPCA(self.basis_)
        strengths = np.empty(len(images))
        with run.track("detecting patches", len(images)) as advance:
            for start in range(0, len(images), _CHUNK):
                part = images.subset(np.arange(start, min(start + _CHUNK, len(images))))
                indices = np.arange(len(part))
                ranking_data = ranking.read(part, lambda n: None)
                discovery_data = ranking_data if discovery is ranking else discovery.read(part, lambda n: None)
                patches = pca(discovery.describe(discovery_data, indices, self.boxes_)).astype(np.float16)
                detected = np.empty((len(self.detectors_), len(part), 4))
                for k in indices:
                    responses = patches[k].astype(np.float32) @ self.detectors_[:, :-1].T
                    detected[:, k] = self.boxes_[responses.argmax(0)]
                x = self._patch_features(ranking, ranking_data, indices, detected)
                strengths[start : start + len(part)] = np.einsum("nkd,kd->n", x, self.coef_)
                advance(len(part))
        return strengths

    # ------------------------------------------------------------------ artifacts for a figure

    def _store_examples(
        self,
        chains: Sequence[Chain],
        order: NDArray[np.int64],
        detected: NDArray[Any],
        transforms: NDArray[Any],
        accuracy: NDArray[np.float64],
        k: int = 3,
        m: int = 10,
    ) -> None:
        """Store ``m`` patches, weak to strong, of the ``k`` best chains (each itself or its best companion)."""
        from relattr.chains.boxes import transform_boxes
        from relattr.chains.selection import most_accurate

        parents = most_accurate(accuracy.max(1), k)
        images, boxes = [], []
        for p in parents:
            weak_to_strong = chains[p].images[::-1]
            examples = weak_to_strong[np.linspace(0, weak_to_strong.size - 1, m).round().astype(int)]
            images.append(order[examples])
            boxes.append(transform_boxes(detected[p][examples], transforms[p, accuracy[p].argmax()][None]))
        self.example_images_ = np.stack(images)
        self.example_boxes_ = np.stack(boxes).astype(np.float32)
        self.example_accuracy_ = accuracy.max(1)[parents]

    def artifacts(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Patches of the best chains: training images ``(k, m)`` weak to strong, boxes ``(k, m, 4)``, accuracies."""
        return {
            "chain images": self.example_images_,
            "chain boxes": self.example_boxes_,
            "chain accuracy": self.example_accuracy_,
        }
