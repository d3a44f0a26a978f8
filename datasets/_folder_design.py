"""Explain why no pair is left on one side of a split, from the design: which images are compared with which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from relattr.pairs import Pairs

MAX_HUBS = 10
"""So many images, at most, that are in every pair are named as the cause."""
N_SEEDS = 20
"""So many other seeds are tried for one with which both sides have pairs."""


def find_hubs(pairs: Pairs) -> list[int] | None:
    """At most `MAX_HUBS` images of which each pair has one, the most frequent first; None if there are more."""
    left, right = pairs.left, pairs.right
    hubs: list[int] = []
    while left.size:
        if len(hubs) == MAX_HUBS:
            return None
        hub = int(np.bincount(np.concatenate([left, right])).argmax())
        hubs.append(hub)
        rest = (left != hub) & (right != hub)
        left, right = left[rest], right[rest]
    return hubs


def can_be_split(pairs: Pairs) -> bool:
    """Whether the images can be divided so that both sides have a pair: two of the pairs have no image in common."""
    hubs = find_hubs(pairs)
    if hubs is None:
        return True
    is_triangle = pairs.images.size == 3
    return len(hubs) > 1 and not is_triangle


def explain_design(
    ordered: Pairs, n_pairs: int, images: Sequence[str], works_with_seed: Callable[[int], bool], choices: str
) -> str:
    """What to change so that both sides of the split have ordered pairs.

    ``n_pairs`` includes the similar ones; ``choices`` are the parameters that change the split.
    """
    if not len(ordered):
        return f"all {n_pairs:,} pairs are similar or without a majority; give pairs of which one image has more"
    hubs = find_hubs(ordered)
    named = ", ".join(images[k] for k in (hubs or [])[:3])
    if hubs is not None and len(hubs) > 3:
        named += f" and {len(hubs) - 3} more"
    if not can_be_split(ordered):
        what = f"the image {named}" if hubs is not None and len(hubs) == 1 else "two of the same three images"
        return (
            f"no share and no seed can change that, because every ordered pair has {what}, and both images of a pair "
            "must be on one side; compare other images with one another"
        )
    seed = next((seed for seed in range(N_SEEDS) if works_with_seed(seed)), None)
    advice = f"folder.seed={seed} gives pairs to both sides" if seed is not None else f"set another {choices}"
    if hubs is not None:
        return (
            f"every ordered pair has one of {len(hubs)} images ({named}), and these are not on both sides; compare "
            f"more of the other images with one another, or try another split ({advice})"
        )
    return f"give more comparisons, or try another split ({advice})"
