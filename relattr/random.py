"""Seeds for the components of a computation, derived from the seed of the cell and the name of the component.

Adding a component, or drawing more numbers in one, does not change the random numbers of the others.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive_seed(seed: int, *component: str | int) -> int:
    """A seed in ``[0, 2**63)`` for the component with this name (one or more words)."""
    words = "\x1f".join([str(seed), *map(str, component)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *component: str | int) -> np.random.Generator:
    """A NumPy random generator for the component with this name (one or more words)."""
    import numpy as np

    return np.random.default_rng(derive_seed(seed, *component))
