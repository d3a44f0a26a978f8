"""Check the annotations of UT-Zap50K against their known checksums, counts and splits; no image is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from relattr.dataset import VerificationResult

from ._matlab import read_mat
from ._release_files import cached_manifest, compare_with_manifest
from ._verification import join_first, run_check
from ._zappos_files import ATTRIBUTES, LABELS, N_SPLITS, SPLIT_PAIRS, ZapposRelease

DECIDES_RESULTS = False

COUNTS: Mapping[str, tuple[int, int, int]] = {
    "open": (1763, 1187, 1100),
    "pointy": (1528, 1270, 1172),
    "sporty": (1683, 1160, 1083),
    "comfort": (1777, 995, 979),
}
"""Ordered, equal and fine-grained pairs of each attribute."""
N_USED = (4888, 5551)
"""Images in ordered pairs, and in any pair."""


def verify_annotations(folder: Path, manifest: Path, read: Callable[[], ZapposRelease]) -> list[VerificationResult]:
    """Check the annotation files in ``folder``; ``read`` reads them and raises `BadInput` if they are invalid."""

    def check(what: str, of_release: Callable[[ZapposRelease], tuple[bool, str]]) -> VerificationResult:
        return run_check(what, lambda: of_release(read()))

    return [
        run_check("annotations have their checksums", lambda: compare_with_manifest(folder, cached_manifest(manifest))),
        check("pairs are valid, none listed twice", _check_validity),
        check("images", _check_images),
        *(check(f"pairs of {attribute}", partial(_check_pairs, attribute=attribute)) for attribute in ATTRIBUTES),
        check(f"{SPLIT_PAIRS} has the same splits", partial(_check_split_pairs, folder=folder)),
        check("fine-grained pairs are equal pairs, asked again", _check_fine_pairs),
    ]


def _check_validity(release: ZapposRelease) -> tuple[bool, str]:
    return True, f"{sum(v.left.size for v in release.ordered.values()):,} ordered pairs"


def _check_images(release: ZapposRelease) -> tuple[bool, str]:
    in_ordered = np.unique(np.concatenate([s for v in release.ordered.values() for s in (v.left, v.right)])).size
    counts = in_ordered, release.used.size
    return counts == N_USED, (
        f"{len(release.paths):,} listed, {counts[0]:,} in ordered pairs and {counts[1]:,} in any pair, expected "
        f"{N_USED[0]:,} and {N_USED[1]:,}"
    )


def _check_pairs(release: ZapposRelease, attribute: str) -> tuple[bool, str]:
    counts = tuple(of[attribute].left.size for of in (release.ordered, release.equal, release.fine))
    shared = []
    for rows in release.splits[attribute]:
        train, test = (release.ordered[attribute].pairs(part) for part in rows)
        shared.append(np.intersect1d(train.images, test.images).size)
    sizes = {(train.size, test.size) for train, test in release.splits[attribute]}
    expected = COUNTS[attribute]
    ok = counts == expected and sizes == {(expected[0] - release.n_test, release.n_test)}
    return ok, (
        f"{counts[0]} ordered, {counts[1]} equal, {counts[2]} fine-grained, expected {expected}; {N_SPLITS} splits of "
        f"{' or '.join(f'{a} and {b}' for a, b in sorted(sizes))}; {min(shared)} to {max(shared)} test images are "
        "also trained on"
    )


def _check_split_pairs(release: ZapposRelease, folder: Path) -> tuple[bool, str]:
    copies = read_mat(folder / SPLIT_PAIRS, ["trainPairsAll", "testPairsAll"])
    rows = read_mat(folder / LABELS, ["mturkOrder"])["mturkOrder"].ravel()
    wrong = []
    for name, part in (("trainPairsAll", 0), ("testPairsAll", 1)):
        for a, attribute in enumerate(ATTRIBUTES):
            for k, split in enumerate(release.splits[attribute]):
                if not np.array_equal(copies[name].ravel()[a].ravel()[k], rows[a][split[part]]):
                    wrong.append(f"{name} of {attribute}, split {k + 1}")
    return not wrong, join_first(wrong) or "all 80 parts"


def _check_fine_pairs(release: ZapposRelease) -> tuple[bool, str]:
    counts = {attribute: int((~release.asked_again(attribute)).sum()) for attribute in ATTRIBUTES}
    ok = all(counts[a] == COUNTS[a][1] - COUNTS[a][2] for a in ATTRIBUTES)
    return ok, "equal pairs that are not fine-grained pairs: " + ", ".join(f"{a} {n}" for a, n in counts.items())
