"""Boxes against cues, by hand and by a loop."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.statistics.boxes import found


def slow(boxes, cues):
    inside, best = [], []
    for own, true in zip(boxes, cues, strict=True):
        for c in true:
            hit, most = False, 0.0
            for b in own:
                x, y = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
                hit |= c[0] <= x <= c[2] and c[1] <= y <= c[3]
                w, h = min(b[2], c[2]) - max(b[0], c[0]), min(b[3], c[3]) - max(b[1], c[1])
                both = max(w, 0) * max(h, 0)
                area = (b[2] - b[0]) * (b[3] - b[1]) + (c[2] - c[0]) * (c[3] - c[1]) - both
                most = max(most, both / area)
            inside.append(hit)
            best.append(most)
    return np.mean(inside), np.mean(best)


def test_they_are_what_a_loop_gives():
    rng = np.random.default_rng(0)

    def drawn(k):
        low = rng.random((30, k, 2)) * 0.7
        return np.concatenate([low, low + 0.05 + 0.5 * rng.random((30, k, 2))], -1)

    boxes, cues = drawn(3), drawn(2)
    assert found(boxes, cues) == pytest.approx(slow(boxes, cues))


def test_the_cue_itself_is_found_and_a_box_beside_it_is_not():
    cue = np.array([[[0.2, 0.2, 0.4, 0.4]]])
    assert found(cue, cue) == (1.0, 1.0)
    assert found(cue + 0.5, cue) == (0.0, 0.0)
    assert found(np.array([[[0.1, 0.1, 0.5, 0.5]]]), cue) == pytest.approx((1.0, 0.25))
    flat = np.array([[[0.3, 0.3, 0.3, 0.3]]])
    assert found(flat, cue) == (1.0, 0.0)
