"""Images, and arrays as a cell with transformers stores them."""

import numpy as np
import pytest

from relattr import Images
from relattr.harness.arrays import CellArrays

N_IMAGES = 12


@pytest.fixture
def images():
    """Grey images, each brighter than the one before."""
    return Images.from_arrays([np.full((40, 60, 3), 20 * k, np.uint8) for k in range(N_IMAGES)])


@pytest.fixture
def make_arrays():
    """Makes the arrays of a cell on these images."""

    def make(n_scales=1):
        rng = np.random.default_rng(0)
        corners = rng.random((N_IMAGES, n_scales, 2)) * 0.5
        neighbours = np.array([[(i + j) % N_IMAGES for j in range(1, 4)] for i in range(N_IMAGES)], np.int32)
        return CellArrays(
            strengths={"test": rng.normal(size=N_IMAGES)},
            boxes={"test": np.concatenate([corners, corners + 0.4], -1).astype(np.float32)},
            artifacts={
                "neighbours": neighbours,
                "neighbours before": neighbours[:, ::-1],
                "strengths": np.arange(N_IMAGES, dtype=np.float32),
            },
        )

    return make
