"""The one mechanism of randomness: every component gets a seed derived from the cell's and its name.

Adding a component, or drawing more numbers in one, leaves the numbers of all the others as they were.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive_seed(seed: int, *component: str | int) -> int:
    """A seed in ``[0, 2**63)`` for the component that these words name."""
    words = "\x1f".join([str(seed), *map(str, component)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *component: str | int) -> np.random.Generator:
    """A NumPy generator for the component that these words name."""
    import numpy as np

    return np.random.default_rng(derive_seed(seed, *component))
