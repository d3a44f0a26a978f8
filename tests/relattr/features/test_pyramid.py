"""Max pooling against a loop over dense codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from relattr.errors import BadInput
from relattr.features.pyramid import max_pool


def reference_pool(
    codes: npt.NDArray[np.float32], positions: npt.NDArray[np.float64], size: tuple[int, int], levels: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    blocks = []
    for g in levels:
        for col in range(g):
            for row in range(g):
                inside = [
                    code
                    for code, (y, x) in zip(codes, positions, strict=True)
                    if size[0] * row / g <= y < size[0] * (row + 1) / g
                    and size[1] * col / g <= x < size[1] * (col + 1) / g
                ]
                blocks.append(np.max(inside, axis=0) if inside else np.zeros(codes.shape[1], np.float32))
    return np.concatenate(blocks)


@pytest.mark.parametrize(("n", "m", "k"), [(200, 32, 3), (12, 4, 3), (40, 3, 3), (1, 5, 2), (0, 5, 2)])
@pytest.mark.parametrize("levels", [(4, 2, 1), (3,), (1, 5)])
def test_equals_a_loop_over_dense_codes(n: int, m: int, k: int, levels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(n)
    size = (97, 150)
    positions = rng.random((n, 2)) * size
    indices = np.argsort(rng.random((n, m)), axis=1)[:, :k]
    weights = rng.normal(size=(n, k)).astype(np.float32)
    codes = np.zeros((n, m), np.float32)
    np.put_along_axis(codes, indices, weights, axis=1)
    result = max_pool(indices, weights, positions, size, m, levels)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, reference_pool(codes, positions, size, levels))


def test_default_is_21_cells_of_256_words() -> None:
    assert max_pool([[0, 1, 2]], [[0.5, 0.2, 0.3]], [[1, 1]], (10, 10)).shape == (5376,)


def test_finest_level_first_and_column_major() -> None:
    # One descriptor in the second row, fourth column of the 4 x 4 cells.
    pooled = max_pool([[0]], [[1.0]], [[35.0, 99.0]], (100, 100), n_words=1)
    assert np.flatnonzero(pooled).tolist() == [3 * 4 + 1, 16 + 2, 20]


def test_maximum_is_signed_and_counts_zeros() -> None:
    positions = [[1, 1], [2, 2]]
    both = max_pool([[0, 1], [0, 1]], [[-2.0, 3.0], [-1.0, 2.0]], positions, (10, 10), 2, (1,))
    assert both.tolist() == [-1.0, 3.0]  # every descriptor has a weight for word 0, all negative
    one = max_pool([[0, 1], [2, 1]], [[-2.0, 3.0], [-1.0, 2.0]], positions, (10, 10), 3, (1,))
    assert one.tolist() == [0.0, 3.0, 0.0]  # words 0 and 2 are each absent, weight 0, in one code


def test_positions_outside_belong_to_border_cells() -> None:
    pooled = max_pool([[0], [0]], [[1.0], [2.0]], [[-3, 5], [5, 10]], (10, 10), 1, (2,))
    assert pooled.tolist() == [0.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": [[0, 256, 1]]}, "256 words"),
        ({"indices": [[-1, 2, 1]]}, "from -1"),
        ({"weights": [[1.0, 0.0]]}, "must both be"),
        ({"positions": [[1.0, 0.0], [1, 1]]}, "positions"),
        ({"positions": [[1.0, np.nan]]}, "NaN or infinity"),
        ({"size": (0, 5)}, "at least 1"),
        ({"levels": ()}, "some level"),
        ({"levels": (2, 0)}, "at least 1"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "indices": [[0, 1, 2]],
        "weights": [[0.5, 0.2, 0.3]],
        "positions": [[1.0, 1.0]],
        "size": (10, 10),
    }
    with pytest.raises(BadInput, match=message):
        max_pool(**(arguments | change))  # type: ignore[arg-type]
