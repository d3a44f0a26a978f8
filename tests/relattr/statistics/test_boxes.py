"""Localisation scores of boxes against examples and a reference loop."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.statistics.boxes import score_boxes


def reference(boxes, cues):
    inside, best = [], []
    for predicted, true in zip(boxes, cues, strict=True):
        for c in true:
            hit, most = False, 0.0
            for b in predicted:
                x, y = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
                hit |= c[0] <= x <= c[2] and c[1] <= y <= c[3]
                w, h = min(b[2], c[2]) - max(b[0], c[0]), min(b[3], c[3]) - max(b[1], c[1])
                both = max(w, 0) * max(h, 0)
                area = (b[2] - b[0]) * (b[3] - b[1]) + (c[2] - c[0]) * (c[3] - c[1]) - both
                most = max(most, both / area)
            inside.append(hit)
            best.append(most)
    return np.mean(inside), np.mean(best)


def test_scores_equal_a_reference_loop():
    rng = np.random.default_rng(0)

    def random_boxes(k):
        lower = rng.random((30, k, 2)) * 0.7
        return np.concatenate([lower, lower + 0.05 + 0.5 * rng.random((30, k, 2))], -1)

    boxes, cues = random_boxes(3), random_boxes(2)
    assert score_boxes(boxes, cues) == pytest.approx(reference(boxes, cues))


def test_a_box_on_the_cue_scores_one_beside_does_not():
    cue = np.array([[[0.2, 0.2, 0.4, 0.4]]])
    assert score_boxes(cue, cue) == (1.0, 1.0)
    assert score_boxes(cue + 0.5, cue) == (0.0, 0.0)
    assert score_boxes(np.array([[[0.1, 0.1, 0.5, 0.5]]]), cue) == pytest.approx((1.0, 0.25))
    flat = np.array([[[0.3, 0.3, 0.3, 0.3]]])
    assert score_boxes(flat, cue) == (1.0, 0.0)
