"""Check that the scenes and images of `glyphs` are what its parameters promise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.dataset import VerificationResult
from relattr.images import Images

from .drawing import draw_scene
from .pretraining import picture_seed
from .scene import CATEGORIES, Scene, sample_scene
from .scores import heavy_tailed_scores

DECIDES_RESULTS = False

_N_REDRAWN = 8


def verify_glyphs(
    scenes: Mapping[str, Sequence[Scene]],
    images: Images,
    strengths: Sequence[NDArray[np.float64]],
    *,
    seed: int,
    size: int,
    jitter: float | None,
) -> list[VerificationResult]:
    """Check counts, drawing, disjoint seeds, boxes, tail and categories.

    ``scenes``: the ``train`` and ``test`` scenes, drawn as ``images`` in that order. ``strengths``: the training
    strengths of each attribute. ``seed``, ``size`` and ``jitter`` are parameters of the dataset.
    """
    train, test = scenes["train"], scenes["test"]
    results = [_result("images", len(images) == len(train) + len(test), f"{len(train)} training, {len(test)} test")]

    redrawn = range(0, len(train), max(1, len(train) // _N_REDRAWN))
    same = sum(
        np.array_equal(images[k], draw_scene(sample_scene(seed, "train", k, jitter), size)) for k in reversed(redrawn)
    )
    detail = f"{same} of {len(redrawn)} images identical"
    results.append(_result("images are the same when drawn again", same == len(redrawn), detail))

    seeds = {s.seed for s in train} | {s.seed for s in test}
    distinct = len(seeds) == len(train) + len(test)
    results.append(_result("training and test scenes are distinct", distinct, f"{len(seeds)} distinct scenes"))
    shared = seeds & {picture_seed(seed, k) for k in range(len(seeds))}
    results.append(_result("pretraining pictures are distinct", not shared, f"{len(shared)} shared seeds"))

    boxes = np.array([[cue.box for cue in s.cues] for s in (*train, *test)])
    inside = bool((boxes >= 0).all() and (boxes <= 1).all())
    results.append(_result("boxes are inside the image", inside, f"from {boxes.min():.3f} to {boxes.max():.3f}"))
    overlaps = sum(_overlap(image[i], image[j]) for image in boxes for i, j in ((0, 1), (0, 2), (1, 2)))
    results.append(_result("boxes do not overlap", overlaps == 0, f"{overlaps} overlap"))

    scores = np.concatenate([heavy_tailed_scores(values) for values in strengths])
    top = np.sort(scores**2)[-max(1, scores.size // 100) :].sum() / (scores**2).sum()
    detail = f"1 % of {scores.size:,} scores have {top:.0%} of the sum of squares (normal: 7 %)"
    results.append(_result("heavy tail", top > 0.2, detail))

    counts = np.bincount([s.category for s in (*train, *test)], minlength=len(CATEGORIES))
    expected = counts.sum() / len(CATEGORIES)
    even = bool((np.abs(counts - expected) <= 5 * math.sqrt(expected) + 1).all())
    detail = ", ".join(f"{name} {n}" for name, n in zip(CATEGORIES, counts, strict=True))
    results.append(_result("categories of similar size", even, detail))
    return results


def _result(what: str, ok: bool, detail: str) -> VerificationResult:
    return VerificationResult(what, bool(ok), detail)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
