"""Visual chains: where in the images an attribute is seen, and a ranking function on those patches alone.

Xiao & Lee, "Discovering the Spatial Extent of Relative Attributes", ICCV 2015. No code was published; what the
paper leaves open is chosen here, and each such choice is a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import Method, register_method
from relattr.needs import DEEP, Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Pairs, Run, TrainingSet
    from relattr.chains.growing import Chain
    from relattr.chains.patches import PatchSource

_PUBLISHED = {"n_init": 5, "n_iter": 80, "k_init": 20, "k_pert": 20, "k_ens": 60, "gain": 0.05, "rounds": 3}
_CHUNK = 32
"""Images described at a time."""


@register_method("visual-chains", label="Xiao and Lee")
class VisualChains(Method):
    """Patches that change smoothly along the attribute, found by chains, and RankSVM on the best of them.

    A RankSVM on the whole images orders them. On the ``n_init`` strongest, the ``k_init`` cheapest chains of
    patches that look alike are found; each grows in ``rounds`` rounds, by ``n_iter`` images each, with a
    linear SVM as its detector, and has ``k_pert`` companions, the same patches moved and scaled at random. The
    ``k_ens`` chains whose patches rank held-out images best are kept; an image is then described by the patch
    that each of their detectors likes most.

    Parameters
    ----------
    backbone, image_size : the network, and the px a side of its input, into which the image is squeezed.
    appearance : what the rankers see of a patch: the mean of the network's last map over ``cells x cells`` parts of
        it, or an 8 x 8 template of HOG.
    discovery : the same for chains and detectors, where it is reduced to ``components`` principal components.
    sides, stride, max_candidates : the grid of patches, the image's side being 1; the stride grows until
        there are no more patches than that.
    per_end, chain_overlap : chains begin as the ``per_end`` cheapest into each patch of the last image;
        those whose mean intersection over union with a better one is larger are dropped.
    gain : what a detector's response counts against distances (lambda).
    detector_c, negatives, max_negatives, apart, folds : see `relattr.chains.detector.Training`.
    shift, scales : of a companion, in units of the patch.
    selection_folds, chain_c : chains are judged on held-out folds of the images by RankSVMs with this C.
    C : of the order and of the final ranking; "auto" chooses it on training pairs held out by image.
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

        least = {
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
        for name, low in least.items():
            if getattr(self, name) < low:
                raise BadInput(f"visual-chains: {name} must be at least {low}; got {getattr(self, name)}")
        for name in ("detector_c", "chain_c"):
            if not getattr(self, name) > 0:
                raise BadInput(f"visual-chains: {name} must be above 0; got {getattr(self, name)}")
        if not self.scales or min(self.scales) <= 0:
            raise BadInput(f"visual-chains: scales must be above 0, at least one; got {list(self.scales)}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import Weights

        return (DEEP, Weights(self.backbone)) if "backbone" in (self.appearance, self.discovery) else ()

    def deviations(self) -> Sequence[str]:
        found = [
            f"{name} is {getattr(self, name):g}, published {value:g}"
            for name, value in _PUBLISHED.items()
            if getattr(self, name) != value
        ]
        if self.appearance == "hog":
            found.append("rankers see HOG templates of the patches, not pool5 of AlexNet")
        else:
            found.append(
                f"rankers see the last map of {self.backbone} over the whole image, averaged over {self.cells} x "
                f"{self.cells} parts of a patch, not a pass of Caffe's AlexNet over each patch"
            )
        what = "HOG templates" if self.discovery == "hog" else f"the same map of {self.backbone}"
        found.append(
            f"chains and detectors see {self.components} principal components of {what}, on at most "
            f"{self.max_candidates} patches an image"
        )
        return found

    # ------------------------------------------------------------------ fitting

    def fit(self, train: TrainingSet, run: Run) -> None:
        import numpy as np

        from relattr.chains.boxes import iou, random_moves
        from relattr.chains.candidates import candidate_boxes
        from relattr.chains.dynamic import best_chains, distinct
        from relattr.chains.ensemble import best, parts_of

        self._run = run
        images = train.images
        boxes = candidate_boxes(self.sides, self.stride, self.max_candidates)
        seen, found = self._sources()
        held_seen = self._read(seen, images, run)
        held_found = held_seen if found is seen else self._read(found, images, run)

        order = self._order(seen, held_seen, train, run)
        pairs = train.pairs.renumbered(order)  # from here on image 0 is the strongest
        patches = self._compressed(found, held_found, order, boxes, run)
        overlap = iou(boxes, boxes)
        paths, _ = best_chains(list(patches[: self.n_init]), per_end=self.per_end)
        firsts = paths[distinct(paths, overlap, self.chain_overlap, self.k_init)]
        chains = self._grown(patches, firsts, overlap, run)

        moves = np.stack(
            [
                np.vstack(
                    [[0.0, 0.0, 1.0], random_moves(self.k_pert, self.shift, self.scales, run.rng("companions", k))]
                )
                for k in range(len(chains))
            ]
        )  # (chains, 1 + k_pert, 3); the first is the chain itself
        detected = np.stack([chain.detections(patches) for chain in chains])
        parts = parts_of(pairs, self.selection_folds, run.seed_for("selection"))
        accuracy = self._accuracies(seen, held_seen, order, boxes[detected], moves, parts, run)
        kept = best(accuracy.ravel(), self.k_ens)
        parent, companion = np.divmod(kept, accuracy.shape[1])

        used, self.parent_ = np.unique(parent, return_inverse=True)
        self.moves_ = moves[parent, companion]
        self.detectors_ = np.stack([chains[k].detector.weights for k in used])
        self.boxes_ = boxes
        x = self._described(seen, held_seen, order, boxes[detected[used]])
        self.C_, coef = self._ranker(x.reshape(len(x), -1), pairs, "final", run)
        self.coef_ = coef.reshape(len(kept), seen.dim).astype(np.float32)
        self._keep_examples(chains, order, boxes[detected], moves, accuracy)

    def _sources(self) -> tuple[PatchSource, PatchSource]:
        """What rankers see, and what chains and detectors see."""
        made: dict[str, PatchSource] = {}
        for kind in (self.appearance, self.discovery):
            if kind in made:
                continue
            if kind == "backbone":
                from relattr.chains.maps import MapPatches

                made[kind] = MapPatches(self.backbone, self.image_size, self.cells, self._circumstances.device)
            else:
                from relattr.chains.templates import HogPatches

                made[kind] = HogPatches(self._circumstances.threads)
        return made[self.appearance], made[self.discovery]

    def _read(self, source: PatchSource, images: Images, run: Run) -> Any:
        with run.track("reading the training images", len(images)) as advance:
            return source.read(images, advance)

    def _order(self, source: PatchSource, held: Any, train: TrainingSet, run: Run) -> NDArray[np.int64]:
        """The training images by the strength that a RankSVM on the whole images gives them, strongest first."""
        import numpy as np

        from relattr.chains.patches import WHOLE

        x = source.describe(held, np.arange(len(train.images)), WHOLE)[:, 0]
        _, coef = self._ranker(x, train.pairs, "order", run)
        return np.argsort(-(x @ coef), kind="stable")

    def _ranker(self, x: NDArray[Any], pairs: Pairs, what: str, run: Run) -> tuple[float, NDArray[np.float64]]:
        """The C and the weights of a RankSVM."""
        from relattr.ranksvm import RankSVM, RankSVMCV

        if self.C == "auto":
            chosen = RankSVMCV(seed=run.seed_for(what, "folds")).fit(x, pairs)
            return float(chosen.C_), chosen.coef_
        return self.C, RankSVM(C=self.C).fit(x, pairs).coef_

    def _compressed(
        self, source: PatchSource, held: Any, order: NDArray[np.int64], boxes: NDArray[Any], run: Run
    ) -> NDArray[np.float16]:
        """What chains and detectors see of all candidates of the images in this order, ``(n, n_patches, d)``."""
        import numpy as np

        from relattr.chains.patches import Compression

        compress = Compression.learn(source, held, order.size, boxes, self.components, run.rng("components"))
        self.basis_ = compress.basis
        patches = np.empty((order.size, len(boxes), compress.basis.shape[1]), np.float16)
        with run.track("describing patches", order.size) as advance:
            for start in range(0, order.size, _CHUNK):
                some = order[start : start + _CHUNK]
                patches[start : start + _CHUNK] = compress(source.describe(held, some, boxes))
                advance(some.size)
        return patches

    def _grown(self, patches: NDArray[Any], firsts: NDArray[np.int64], overlap: NDArray[Any], run: Run) -> list[Chain]:
        from relattr.chains.detector import DetectorSettings
        from relattr.chains.growing import Growth, grow

        training = DetectorSettings(self.detector_c, self.negatives, self.max_negatives, self.apart, self.folds)
        how = Growth(self.rounds, self.n_iter, self.gain, training)
        chains = []
        with run.track("growing chains", len(firsts)) as advance:
            for k, first in enumerate(firsts):
                chains.append(grow(patches, first, overlap, how, run.rng("growing", k)))
                advance(1)
        return chains

    def _accuracies(
        self,
        source: PatchSource,
        held: Any,
        order: NDArray[np.int64],
        detected: NDArray[Any],
        moves: NDArray[Any],
        parts: Any,
        run: Run,
    ) -> NDArray[np.float64]:
        """The held-out accuracy of each chain and each companion, ``(chains, 1 + k_pert)``.

        ``detected`` ``(chains, n, 4)`` are the boxes that each chain's detector likes most.
        """
        import numpy as np

        from relattr.chains.boxes import moved
        from relattr.chains.ensemble import held_out_accuracy

        found = np.empty(moves.shape[:2])
        with run.track("judging chains", found.size) as advance:
            for k, own in enumerate(moves):  # one chain's at a time: together they would not fit into memory
                x = source.describe(held, order, moved(detected[k][:, None], own[None]))
                for j in range(len(own)):
                    found[k, j] = held_out_accuracy(np.ascontiguousarray(x[:, j]), parts, self.chain_c)
                    advance(1)
        return found

    def _described(
        self, source: PatchSource, held: Any, which: NDArray[np.int64], detected: NDArray[Any]
    ) -> NDArray[np.float32]:
        """What the final ranker sees of some images, ``(n, k_ens, dim)``; ``detected`` ``(detectors, n, 4)``."""
        from relattr.chains.boxes import moved

        return source.describe(held, which, moved(detected[self.parent_].swapaxes(0, 1), self.moves_[None]))

    # ------------------------------------------------------------------ judging

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        import numpy as np

        from relattr.chains.patches import Compression

        run = self._circumstances
        seen, found = self._sources()
        compress = Compression(self.basis_)
        strengths = np.empty(len(images))
        with run.track("finding patches", len(images)) as advance:
            for start in range(0, len(images), _CHUNK):
                part = images.subset(np.arange(start, min(start + _CHUNK, len(images))))
                which = np.arange(len(part))
                held_seen = seen.read(part, lambda n: None)
                held_found = held_seen if found is seen else found.read(part, lambda n: None)
                patches = compress(found.describe(held_found, which, self.boxes_)).astype(np.float16)
                detected = np.empty((len(self.detectors_), len(part), 4))
                for k in which:
                    responses = patches[k].astype(np.float32) @ self.detectors_[:, :-1].T
                    detected[:, k] = self.boxes_[responses.argmax(0)]
                x = self._described(seen, held_seen, which, detected)
                strengths[start : start + len(part)] = np.einsum("nkd,kd->n", x, self.coef_)
                advance(len(part))
        return strengths

    @property
    def _circumstances(self) -> Run:
        """Those of the fit; the usual ones for a method that was loaded."""
        from relattr import Run

        return getattr(self, "_run", Run())

    # ------------------------------------------------------------------ what it found, for a figure

    def _keep_examples(
        self,
        chains: Sequence[Chain],
        order: NDArray[np.int64],
        detected: NDArray[Any],
        moves: NDArray[Any],
        accuracy: NDArray[np.float64],
        k: int = 3,
        m: int = 10,
    ) -> None:
        """Keep ``m`` patches, weak to strong, of the best chains, one or a companion of it."""
        import numpy as np

        from relattr.chains.boxes import moved
        from relattr.chains.ensemble import best

        parents = best(accuracy.max(1), k)
        images, boxes = [], []
        for p in parents:
            grown = chains[p].images[::-1]  # the strongest comes first in a chain
            some = grown[np.linspace(0, grown.size - 1, m).round().astype(int)]
            images.append(order[some])
            boxes.append(moved(detected[p][some], moves[p, accuracy[p].argmax()][None]))
        self.example_images_ = np.stack(images)
        self.example_boxes_ = np.stack(boxes).astype(np.float32)
        self.example_accuracy_ = accuracy.max(1)[parents]

    def exhibits(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Patches of the best chains: training images ``(k, m)`` weak to strong, boxes ``(k, m, 4)``, accuracies."""
        return {
            "chain images": self.example_images_,
            "chain boxes": self.example_boxes_,
            "chain accuracy": self.example_accuracy_,
        }
