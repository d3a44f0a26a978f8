"""The pairs of test sets, stored with results, so that every accuracy can be judged without the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from relattr.errors import BadInput
from relattr.harness.result import Result
from relattr.system.digests import digest_array, digest_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.pairs import Pairs

TestKey = str
"""Identifies the pairs of a test set: the same for every method and seed."""


@dataclass(frozen=True, eq=False)
class TestPairs:
    """The pairs of a test set.

    ``image_ids`` ``(n,)`` is the index in the dataset of each image of the test set, ``names`` ``(n,)`` its name; None
    where the names are not known.
    """

    __test__: ClassVar[bool] = False  # pytest should not collect it

    pairs: Pairs
    image_ids: NDArray[np.integer]
    names: Sequence[str] | None = None


def test_key(result: Result, test: str) -> TestKey:
    """Return the key of the pairs of a result's test set."""
    cell = result.cell
    parameters = ",".join(f"{k}={v!r}" for k, v in sorted(cell.dataset_parameters.items()))
    data = result.fingerprints.get("data", "")
    return digest_text(cell.dataset, parameters, cell.attribute, cell.split, test, data)[:32]


def pairs_to_arrays(key: TestKey, test_pairs: TestPairs) -> dict[str, NDArray[Any]]:
    """Return the arrays that are stored for the pairs of a test set, with their SHA-256."""
    import numpy as np

    order = test_pairs.pairs.order
    if order is not None:
        arrays: dict[str, NDArray[Any]] = {
            "items": order.items,
            "strengths": order.strengths,
            "seed": np.array([order.seed], np.uint64),
        }
    else:
        arrays = dict(zip(("left", "right", "label"), test_pairs.pairs.arrays, strict=True))
    arrays["identities"] = np.asarray(test_pairs.image_ids, np.int64)
    if test_pairs.names is not None:
        arrays["names"] = np.array([storable_text(name) for name in test_pairs.names], dtype=np.str_)
    return {**arrays, "sha256": _digest(key, arrays)}


def pairs_from_arrays(key: TestKey, arrays: Mapping[str, NDArray[Any]]) -> TestPairs | None:
    """Return the pairs in stored arrays; None if they are damaged or of another test set."""
    import numpy as np

    from relattr.pairs import Pairs

    contents = {name: array for name, array in arrays.items() if name != "sha256"}
    digest = arrays.get("sha256")  # older files have none
    if digest is not None and not np.array_equal(digest, _digest(key, contents)):
        return None
    try:
        if "items" in contents:
            seed = int(contents["seed"][0])
            pairs = Pairs.all_of(contents["strengths"], items=contents["items"], seed=seed)
        else:
            pairs = Pairs(contents["left"], contents["right"], contents["label"])
        names = contents.get("names")
        return TestPairs(pairs, contents["identities"], None if names is None else names.tolist())
    except (KeyError, TypeError, IndexError, BadInput):
        return None


def storable_text(text: str) -> str:
    """Return text that can be written as UTF-8: a file name on Linux may have other bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _digest(key: TestKey, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """SHA-256 of the stored arrays and of what they belong to, ``(32,)``."""
    import numpy as np

    parts = [part for name in sorted(arrays) for part in (name, digest_array(arrays[name]))]
    return np.frombuffer(bytes.fromhex(digest_text(key, *parts)), np.uint8)
