"""What is known of UT-Zap50K, checked on the files of a release; the images need not be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from . import _matlab, _zappos_files
from ._release import listed, look, some
from ._zappos_files import ATTRIBUTES, N_SPLITS

if TYPE_CHECKING:
    from relattr.dataset import Finding

    from .zappos import Zappos

COUNTS: Mapping[str, tuple[int, int, int]] = {
    "open": (1763, 1187, 1100),
    "pointy": (1528, 1270, 1172),
    "sporty": (1683, 1160, 1083),
    "comfort": (1777, 995, 979),
}
"""Ordered, equal and fine-grained pairs of each attribute."""
N_USED = (4888, 5551)
"""Images in ordered pairs, and in any pair."""


def findings(zappos: Zappos) -> list[Finding]:
    """Everything that was looked at, in one list."""

    def images() -> tuple[bool, str]:
        gone = zappos.missing()
        return not gone, gone or "those that are in pairs"

    checks: dict[str, Callable[[Zappos], tuple[bool, str]]] = {
        "annotations have their checksums": _content,
        "pairs are well-formed, none twice": _read,
        "images": _images,
        **{f"pairs of {attribute}": partial(_pairs, attribute=attribute) for attribute in ATTRIBUTES},
        f"{_zappos_files.SPLIT_PAIRS} has the same splits": _split_pairs,
        "fine-grained pairs are equal pairs, asked again": _fine,
    }
    there = look("all images are there", images)
    if zappos.missing_annotations():
        return [there]
    return [there, *(look(what, partial(check, zappos)) for what, check in checks.items())]


def _content(zappos: Zappos) -> tuple[bool, str]:
    from relattr.system.manifest import differences

    entries = listed(zappos.manifest)
    wrong = differences(zappos.folder, entries)
    return not wrong, some(f"{k} {v}" for k, v in wrong.items()) or f"{len(entries)} files as in the manifest"


def _read(zappos: Zappos) -> tuple[bool, str]:
    return True, f"{sum(v.left.size for v in zappos.released.ordered.values()):,} ordered pairs"


def _images(zappos: Zappos) -> tuple[bool, str]:
    import numpy as np

    released = zappos.released
    ordered = np.unique(np.concatenate([s for v in released.ordered.values() for s in (v.left, v.right)])).size
    found = ordered, released.used.size
    return found == N_USED, (
        f"{len(released.paths):,} listed, {found[0]:,} in ordered pairs and {found[1]:,} in any pair, expected "
        f"{N_USED[0]:,} and {N_USED[1]:,}"
    )


def _pairs(zappos: Zappos, attribute: str) -> tuple[bool, str]:
    import numpy as np

    released = zappos.released
    found = tuple(of[attribute].left.size for of in (released.ordered, released.equal, released.fine))
    shared = []
    for rows in released.splits[attribute]:
        train, test = (released.ordered[attribute].pairs(of) for of in rows)
        shared.append(np.intersect1d(train.images, test.images).size)
    sizes = {(train.size, test.size) for train, test in released.splits[attribute]}
    expected = COUNTS[attribute]
    ok = found == expected and sizes == {(expected[0] - zappos.n_test, zappos.n_test)}
    return ok, (
        f"{found[0]} ordered, {found[1]} equal, {found[2]} fine-grained, expected {expected}; {N_SPLITS} splits of "
        f"{' or '.join(f'{a} and {b}' for a, b in sorted(sizes))}; {min(shared)} to {max(shared)} test images are "
        "also trained on"
    )


def _split_pairs(zappos: Zappos) -> tuple[bool, str]:
    import numpy as np

    path = zappos.folder / _zappos_files.SPLIT_PAIRS
    copies = _matlab.load(path, ["trainPairsAll", "testPairsAll"])
    rows = _matlab.load(zappos.folder / _zappos_files.LABELS, ["mturkOrder"])["mturkOrder"].ravel()
    wrong = []
    for name, part in (("trainPairsAll", 0), ("testPairsAll", 1)):
        for a, attribute in enumerate(ATTRIBUTES):
            for k, split in enumerate(zappos.released.splits[attribute]):
                if not np.array_equal(copies[name].ravel()[a].ravel()[k], rows[a][split[part]]):
                    wrong.append(f"{name} of {attribute}, split {k + 1}")
    return not wrong, some(wrong) or "all 80 parts"


def _fine(zappos: Zappos) -> tuple[bool, str]:
    counts = {attribute: int((~zappos.released.asked_again(attribute)).sum()) for attribute in ATTRIBUTES}
    ok = all(counts[a] == COUNTS[a][1] - COUNTS[a][2] for a in ATTRIBUTES)
    return ok, "equal pairs that are no fine-grained ones: " + ", ".join(f"{a} {n}" for a, n in counts.items())
