"""Visual chains: the patches in which an attribute is visible, and a ranking function on those patches alone.

Xiao & Lee, "Discovering the Spatial Extent of Relative Attributes", ICCV 2015. Their released code could not
be obtained; each choice that the paper leaves open is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Method, register_method
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.mixins import InspectionMixin
from relattr.needs import Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Pairs, Run, TrainingSet
    from relattr.chains.growing import Chain, Halves
    from relattr.chains.patch_descriptor import PatchDescriptor
    from relattr.task import TaskName

_PUBLISHED: Mapping[str, Any] = {
    "sides": (40.0, 50.0, 70.0, 100.0),
    "n_init": 5,
    "k_init": 20,
    "rounds": 3,
    "n_iter": 80,
    "gain": 0.05,
    "apart": 0.3,
    "k_pert": 20,
    "shift": 0.6,
    "scales": (0.25, 1.0),
    "k_ens": 60,
}
_CHUNK = 32
"""Images described at once."""


@register_method(
    "visual-chains",
    label="Xiao and Lee",
    summary="RankSVM on patches whose appearance changes smoothly along the attribute (Xiao and Lee, 2015).",
)
@register_method(
    "visual-chains-global",
    label="Xiao and Lee + global feature",
    summary="The same with the features of the whole image (Xiao and Lee, 2015).",
    global_feature=True,
)
class VisualChains(FitRun, InspectionMixin, Method):
    """RankSVM on patches whose appearance changes smoothly along the attribute.

    The training pairs are split by image into a part for training and a part for validation. A RankSVM on the whole
    images orders those for training. On the ``n_init`` strongest, the ``k_init`` cheapest chains of similar patches are
    computed; each grows in ``rounds`` rounds, by ``n_iter`` images each, with a linear SVM as its detector, and gets
    ``k_pert`` companions, the same patches shifted and scaled at random. For each chain and companion a RankSVM is
    trained and evaluated on the validation pairs, where a tie counts as correct. An image is described by the patches
    of the ``k_ens`` most accurate ones, each block of features times the accuracy; the final RankSVM is trained on all
    training pairs.

    With ``appearance="patches"`` an image takes ``k_init * (1 + k_pert)`` passes of the network in training, 420 by
    default, and ``k_ens`` in tests; its final features take 2.8 MB.

    Parameters
    ----------
    backbone : the network.
    appearance : features for ranking: ``patches``, the network's layer ``spatial`` (AlexNet: pool5) on each patch, one
        pass a patch; ``map``, one of its maps of the whole image, averaged over ``cells x cells`` parts of the patch,
        one pass an image; or ``hog``, an 8 x 8 HOG template.
    discovery : features for chains and detectors, ``hog`` or ``map``, reduced to ``components`` principal components.
    image_size : for ``map``, the side in pixels to which images are resized; None: twice the backbone's input size.
    layer : for ``map``, the layer; None: the last one with about 16 pixels per position.
    cells : for ``map``, the parts per side of a patch.
    components : see ``discovery``.
    sides : of the candidate patches, px of the original image; images are taken to have the median size of the
        training images.
    stride, max_candidates : grid of candidate patches, in units of the patch's side; the stride is increased until
        there are at most ``max_candidates``.
    per_end, chain_overlap : initial chains are the ``per_end`` cheapest into each patch of the last image, without
        those whose mean intersection over union with a better one exceeds ``chain_overlap``.
    n_init, k_init, rounds, n_iter : growth of the chains, see above: images of a first chain, number of chains, rounds,
        images added in a round.
    k_pert, k_ens : companions of a chain, and chains or companions that describe an image.
    gain : weight of a detector's response against distances (lambda in the paper).
    detector_c, negatives, max_negatives, apart : of the detectors; see `relattr.chains.detector.DetectorConfig`
        (``apart`` is ``max_overlap``).
    shift, scales : of a companion: shifts in units of the patch's side, up to ``shift`` in each direction, and the set
        of factors of the side.
    validation : share of validation pairs.
    chain_c : C of the RankSVMs on single chains.
    global_feature : also describe an image by the same features of the whole image, as one more block.
    C : of the RankSVMs for the order and for the final ranking; "auto" selects it on training pairs held out by image.
    """

    backbone: str = DEFAULT_BACKBONE
    appearance: Literal["patches", "map", "hog"] = "patches"
    discovery: Literal["hog", "map"] = "hog"
    image_size: int | None = None
    layer: str | None = None
    cells: int = 2
    components: int = 256
    sides: tuple[float, ...] = (40.0, 50.0, 70.0, 100.0)
    stride: float = 0.25
    max_candidates: int = 1000
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
    k_pert: int = 20
    shift: float = 0.6
    scales: tuple[float, ...] = (0.25, 1.0)
    k_ens: int = 60
    validation: float = 0.4
    chain_c: float = 0.1
    global_feature: bool = False
    C: float | Literal["auto"] = "auto"

    reference: ClassVar[str] = "Xiao and Lee, Discovering the Spatial Extent of Relative Attributes, ICCV 2015"
    published_parameters: ClassVar[Mapping[str, Any]] = {"backbone": "caffenet"}
    unpublished_parameters: ClassVar[Sequence[str]] = (
        "stride",
        "per_end",
        "chain_overlap",
        "detector_c",
        "negatives",
        "max_negatives",
        "validation",
        "chain_c",
        "C",
    )
    check_with: ClassVar[Mapping[str, Any]] = {
        "appearance": "hog",
        "components": 32,
        "sides": (24.0, 40.0),
        "max_candidates": 25,
        "n_iter": 15,
        "k_init": 4,
        "k_pert": 2,
        "k_ens": 6,
    }

    def __post_init__(self) -> None:
        from relattr.errors import BadInput

        minima = {
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
            "k_pert": 0,
            "k_ens": 1,
        }
        for name, minimum in minima.items():
            if getattr(self, name) < minimum:
                raise BadInput(f"visual-chains: {name} must be at least {minimum}; got {getattr(self, name)}")
        if self.image_size is not None and self.image_size < 32:
            raise BadInput(f"visual-chains: image_size must be at least 32; got {self.image_size}")
        for name in ("detector_c", "chain_c"):
            if not getattr(self, name) > 0:
                raise BadInput(f"visual-chains: {name} must be above 0; got {getattr(self, name)}")
        if not 0 < self.validation < 1:
            raise BadInput(f"visual-chains: validation must be between 0 and 1; got {self.validation}")
        for name in ("scales", "sides"):
            values = getattr(self, name)
            if not values or min(values) <= 0:
                raise BadInput(f"visual-chains: {name} must be one or more numbers above 0; got {list(values)}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import backbone_needs

        if {"patches", "map"} & {self.appearance, self.discovery}:
            return backbone_needs(self.backbone)
        return ()

    def deviations(self) -> Sequence[str]:
        deviations = []
        for name, value in _PUBLISHED.items():
            if getattr(self, name) != value:
                deviations.append(f"{name} is {_as_text(getattr(self, name))}, published {_as_text(value)}")
        if self.appearance == "hog":
            deviations.append("ranked on HOG templates of the patches, not pool5 of AlexNet")
        elif self.appearance == "map":
            deviations.append(
                f"ranked on a map of {self.backbone} over the whole image, averaged over {self.cells} x {self.cells} "
                "parts of a patch, not a pass of Caffe's AlexNet over each patch"
            )
        elif self.backbone != "caffenet":
            network = "torchvision's AlexNet" if self.backbone == "alexnet" else self.backbone
            deviations.append(f"ranked on the last feature map of {network}, not pool5 of Caffe's AlexNet")
        features = "HOG templates" if self.discovery == "hog" else f"a map of {self.backbone}"
        deviations.append(
            f"chains and detectors use {self.components} principal components of {features}, on at most "
            f"{self.max_candidates} patches an image"
        )
        return deviations

    def notes(self) -> Sequence[str]:
        notes = [
            "choices where the paper is silent: the sizes of patches between 40 and 100 px (those of the released "
            "chains), the C of every SVM, the share of validation pairs, that the detector of a chain also places the "
            "patches of its companions, about the centre of a patch, and that patches beyond the edge are moved inside"
        ]
        if end := getattr(self, "C_end_", ""):
            notes.append(f"C = {self.C_:g} is the {end} end of the values tried; a better one may lie beyond it")
        return notes

    def notes_on(self, task: TaskName) -> Sequence[str]:
        if task.dataset.startswith("osr"):
            return (
                "Singh and Lee (ECCV 2016) call visual chains not applicable to OSR, whose attributes have no visually "
                "consistent place; the number of Dubey and Agarwal is the only one published",
            )
        if task.dataset.startswith("zappos") and not self.global_feature:
            return (
                "the published 95.47 is with the features of the whole image (visual-chains-global); without it, Xiao "
                "and Lee have 94.83",
            )
        return ()

    # ------------------------------------------------------------------ fitting

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.chains.boxes import box_iou, random_transforms
        from relattr.chains.candidates import candidate_boxes, median_size
        from relattr.chains.dynamic_programming import cheapest_chains, suppress_overlapping
        from relattr.chains.growing import split_into_halves
        from relattr.chains.selection import most_accurate, split_pairs

        self._run = run
        images = train.images
        boxes = candidate_boxes(self.sides, median_size(images), self.stride, self.max_candidates)
        ranking, discovery = self._descriptors()
        ranking_data = self._read(ranking, images, run)
        discovery_data = ranking_data if discovery is ranking else self._read(discovery, images, run)

        training, validation = split_pairs(train.pairs, self.validation, run.seed_for("validation"))
        whole = self._whole_images(ranking, ranking_data, len(images))
        order, n_mined = self._order(whole, training, run)
        training, validation, pairs = (p.renumbered(order) for p in (training, validation, train.pairs))
        # from here on image 0 is the strongest, and chains grow on the first n_mined images, those of training pairs
        patches = self._project(discovery, discovery_data, order, boxes, run)
        halves = split_into_halves(n_mined, run.rng("halves"))
        overlap = box_iou(boxes, boxes)
        paths, _ = cheapest_chains(list(patches[halves[0][: self.n_init]]), per_end=self.per_end)
        firsts = paths[suppress_overlapping(paths, overlap, self.chain_overlap, self.k_init)]
        chains = self._grow(patches, halves, firsts, overlap, run)

        transforms = np.stack(
            [
                np.vstack(
                    [[0.0, 0.0, 1.0], random_transforms(self.k_pert, self.shift, self.scales, run.rng("companions", k))]
                )
                for k in range(len(chains))
            ]
        )  # (chains, 1 + k_pert, 3); the first is the chain itself
        detected = np.stack([chain.detections(patches) for chain in chains])
        accuracy = self._accuracies(
            ranking, ranking_data, order, boxes[detected], transforms, training, validation, run
        )
        selected = most_accurate(accuracy.ravel(), self.k_ens)
        parent, companion = np.divmod(selected, accuracy.shape[1])

        used_chains, self.parent_ = np.unique(parent, return_inverse=True)
        self.moves_ = transforms[parent, companion]
        self.detectors_ = np.stack([chains[k].detector.weights for k in used_chains])
        self.boxes_ = boxes
        self.weights_ = accuracy.ravel()[selected]
        if self.global_feature:
            self.weights_ = np.append(self.weights_, self._accuracy(whole[order], training, validation))
        x = self._patch_features(ranking, ranking_data, order, boxes[detected[used_chains]])
        self.C_, self.C_end_, coef = self._ranker(x.reshape(len(x), -1), pairs, "final", run)
        self.coef_ = coef.reshape(self.weights_.size, ranking.dim).astype(np.float32)
        self._store_examples(chains, order, boxes[detected], transforms, accuracy)

    def _descriptors(self) -> tuple[PatchDescriptor, PatchDescriptor]:
        """The descriptors for ranking and for discovery; one object if both are the same."""
        descriptors: dict[str, PatchDescriptor] = {}
        for kind in (self.appearance, self.discovery):
            if kind in descriptors:
                continue
            if kind == "patches":
                from relattr.chains.network_patches import NetworkPatches

                descriptors[kind] = NetworkPatches(self.backbone, self.fit_run.device)
            elif kind == "map":
                from relattr.chains.feature_maps import FeatureMapPatches

                descriptors[kind] = FeatureMapPatches(
                    self.backbone, self.image_size, self.cells, layer=self.layer, device=self.fit_run.device
                )
            else:
                from relattr.chains.hog_templates import HogPatches

                descriptors[kind] = HogPatches(self.fit_run.threads)
        return descriptors[self.appearance], descriptors[self.discovery]

    def _read(self, descriptor: PatchDescriptor, images: Images, run: Run) -> Any:
        with run.track("reading the training images", len(images)) as advance:
            return descriptor.read(images, advance)

    def _whole_images(self, descriptor: PatchDescriptor, data: Any, n: int) -> NDArray[np.float32]:
        """The features of ``n`` whole images, ``(n, dim)``."""
        from relattr.chains.patch_descriptor import WHOLE_IMAGE

        return descriptor.describe(data, np.arange(n), WHOLE_IMAGE)[:, 0]

    def _order(self, whole: NDArray[np.float32], training: Pairs, run: Run) -> tuple[NDArray[np.int64], int]:
        """The images of training pairs in descending order of strength, then all others; and the number of the former.

        A RankSVM on the whole images, fitted to the training pairs, orders them.
        """
        _, _, coef = self._ranker(whole, training, "order", run)
        mined = training.images
        mined = mined[np.argsort(-(whole[mined] @ coef), kind="stable")]
        return np.concatenate([mined, np.setdiff1d(np.arange(len(whole)), mined)]).astype(np.int64), mined.size

    def _ranker(self, x: NDArray[Any], pairs: Pairs, purpose: str, run: Run) -> tuple[float, str, NDArray[np.float64]]:
        """C, the end of the candidates that it is (or ""), and the weights of a RankSVM.

        ``purpose`` names its random numbers.
        """
        from relattr.ranksvm import RankSVM, RankSVMCV

        if self.C == "auto":
            search = RankSVMCV(seed=run.seed_for(purpose, "folds")).fit(x, pairs)
            return search.C_, search.end_, search.coef_
        return float(self.C), "", RankSVM(C=self.C).fit(x, pairs).coef_

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

    def _grow(
        self, patches: NDArray[Any], halves: Halves, firsts: NDArray[np.int64], overlap: NDArray[Any], run: Run
    ) -> list[Chain]:
        from relattr.chains.detector import DetectorConfig
        from relattr.chains.growing import GrowthConfig, grow_chain

        detector = DetectorConfig(self.detector_c, self.negatives, self.max_negatives, self.apart)
        config = GrowthConfig(self.rounds, self.n_iter, self.gain, detector)
        chains = []
        with run.track("growing chains", len(firsts)) as advance:
            for k, first in enumerate(firsts):
                chains.append(grow_chain(patches, halves, first, overlap, config, run.rng("growing", k)))
                advance(1)
        return chains

    def _accuracies(
        self,
        descriptor: PatchDescriptor,
        data: Any,
        order: NDArray[np.int64],
        detected: NDArray[Any],
        transforms: NDArray[Any],
        training: Pairs,
        validation: Pairs,
        run: Run,
    ) -> NDArray[np.float64]:
        """The validation accuracy of each chain and each of its companions, ``(chains, 1 + k_pert)``.

        ``detected`` ``(chains, n, 4)`` are the boxes with the largest response of each chain's detector.
        """
        from relattr.chains.boxes import transform_boxes

        accuracies = np.empty(transforms.shape[:2])
        with run.track("evaluating chains", accuracies.size) as advance:
            for k, of_chain in enumerate(transforms):  # chain by chain: the features of all would not fit into memory
                x = descriptor.describe(data, order, transform_boxes(detected[k][:, None], of_chain[None]))
                for j in range(len(of_chain)):
                    accuracies[k, j] = self._accuracy(np.ascontiguousarray(x[:, j]), training, validation)
                    advance(1)
        return accuracies

    def _accuracy(self, x: NDArray[Any], training: Pairs, validation: Pairs) -> float:
        from relattr.chains.selection import validation_accuracy

        return validation_accuracy(x, training, validation, self.chain_c)

    def _patch_features(
        self, descriptor: PatchDescriptor, data: Any, indices: NDArray[np.int64], detected: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Features for the final ranking, ``(n, blocks, dim)``; ``detected`` ``(detectors, n, 4)``.

        There is a block for each selected chain and, if it is used, one for the whole image; each is multiplied by its
        validation accuracy.
        """
        from relattr.chains.boxes import transform_boxes
        from relattr.chains.patch_descriptor import WHOLE_IMAGE

        boxes = transform_boxes(detected[self.parent_].swapaxes(0, 1), self.moves_[None])
        if self.global_feature:
            boxes = np.concatenate([boxes, np.broadcast_to(WHOLE_IMAGE, (len(boxes), 1, 4))], axis=1)
        x = descriptor.describe(data, indices, boxes)
        x *= self.weights_.astype(np.float32)[:, None]
        return x

    # ------------------------------------------------------------------ ranking

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        ranking, _ = self._descriptors()
        strengths = np.empty(len(images))
        start = 0
        for detected in self._detected(images):
            stop = start + detected.shape[1]
            data = ranking.read(images.subset(np.arange(start, stop)), lambda n: None)
            x = self._patch_features(ranking, data, np.arange(stop - start), detected)
            strengths[start:stop] = np.einsum("nkd,kd->n", x, self.coef_)
            start = stop
        return strengths

    def chain_boxes(self, images: Images) -> NDArray[np.float64]:
        """The patches that describe each image, ``(n, k_ens, 4)``, those of the most accurate chain first."""
        from relattr.chains.boxes import transform_boxes

        return np.concatenate(
            [
                transform_boxes(detected[self.parent_].swapaxes(0, 1), self.moves_[None])
                for detected in self._detected(images)
            ]
        )

    def _detected(self, images: Images) -> Iterator[NDArray[np.float64]]:
        """For some images after the others: the boxes of largest response of each detector, ``(detectors, m, 4)``."""
        from relattr.chains.patch_descriptor import PatchPCA

        _, discovery = self._descriptors()
        pca = PatchPCA(self.basis_)
        with self.fit_run.track("detecting patches", len(images)) as advance:
            for start in range(0, len(images), _CHUNK):
                part = images.subset(np.arange(start, min(start + _CHUNK, len(images))))
                data = discovery.read(part, lambda n: None)
                patches = pca(discovery.describe(data, np.arange(len(part)), self.boxes_)).astype(np.float16)
                detected = np.empty((len(self.detectors_), len(part), 4))
                for k in range(len(part)):
                    responses = patches[k].astype(np.float32) @ self.detectors_[:, :-1].T
                    detected[:, k] = self.boxes_[responses.argmax(0)]
                yield detected
                advance(len(part))

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


def _as_text(value: Any) -> str:
    return " ".join(f"{item:g}" for item in value) if isinstance(value, tuple) else f"{value:g}"
