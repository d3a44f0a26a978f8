"""Images from least to most of an attribute, in the order of methods that were not trained on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from relattr.errors import BadInput
from relattr.harness.own_data import is_own
from relattr.harness.result import Result, TestResult
from relattr.harness.result_selection import variant_key
from relattr.report.figures.canvas import evenly_ranked
from relattr.report.figures.thumbnails import thumbnail_uri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.harness.stored_results import StoredResults
    from relattr.images import Images
    from relattr.registry import Registry

MAX_SHOWN = 60
"""Images shown for each attribute, evenly spread over the order."""


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of an image: its data URI, its name, and what is written between it and its file name."""

    uri: str
    name: str
    text: str = ""

    @property
    def file_name(self) -> str:
        """The name without folders."""
        return self.name.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True)
class OrderedImages:
    """Images of an attribute from least to most, and how they were ordered."""

    attribute: str
    method: str
    accuracy: float
    """Of the method on the pairs of these images, in [0, 1]."""
    n_images: int
    images: tuple[Thumbnail, ...]


def order_own_images(results: Sequence[Result], registry: Registry, store: StoredResults) -> list[OrderedImages]:
    """Order the test images of each attribute of a user's own data by the method with the highest accuracy.

    An attribute is left out if no method has strengths for it, if the images are not available, or if no method is more
    accurate than one that guesses.
    """
    groups: dict[tuple[str, str], dict[tuple[str, str, int], list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        cell = result.cell
        if result.status == "ok" and is_own(cell) and cell.dataset in registry.datasets:
            groups[cell.dataset, cell.attribute][cell.method, variant_key(cell), cell.seed].append(result)
    ordered = []
    for (_, attribute), by_method in groups.items():
        for of_method in sorted(by_method.values(), key=_accuracy, reverse=True):
            method = registry.methods.get(of_method[0].cell.method)
            if method is not None and method.cls.guesses:
                break
            try:
                images = _ordered(attribute, of_method, registry, store)
            except (BadInput, OSError, KeyError, IndexError):  # its images or strengths are not available
                images = None
            if images is not None:
                ordered.append(images)
                break
    return ordered


def _tests(results: Sequence[Result]) -> list[TestResult]:
    return [test for result in results for test in result.tests]


def _accuracy(results: Sequence[Result]) -> float:
    """The accuracy on the pairs of all test sets together."""
    tests = _tests(results)
    return sum(test.n_correct for test in tests) / max(1, sum(test.n_ordered for test in tests))


def _ordered(
    attribute: str, results: Sequence[Result], registry: Registry, store: StoredResults
) -> OrderedImages | None:
    """The order by one method; None if it has no strengths.

    Strengths of different models, those of the folds of a cross-validation, have no common unit: they are standardised
    in each fold, and an image has the mean of its folds.
    """
    sums: dict[int, float] = defaultdict(float)
    counts: dict[int, int] = defaultdict(int)
    where: dict[int, tuple[int, int]] = {}
    sources: dict[int, Images] = {}
    for result in results:
        cell = result.cell
        dataset = registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
        if dataset.missing() is not None or dataset.fingerprint() != result.fingerprints.get("data", cell.data):
            return None
        task = dataset.task(cell.task)
        strengths = store.arrays(result, verify=False).strengths
        for test in task.tests:
            if test.name not in strengths or strengths[test.name].shape != (len(test.images),):
                return None
            sources[id(test.images)] = test.images
            for k, value in enumerate(_standardised(strengths[test.name]).tolist()):
                if np.isfinite(value):
                    image = int(test.images.indices[k])
                    sums[image] += value
                    counts[image] += 1
                    where[image] = (id(test.images), k)
    if not sums:
        return None
    images = np.array(sorted(sums))
    shown = evenly_ranked(np.array([sums[k] / counts[k] for k in images.tolist()]), MAX_SHOWN)
    thumbnails = []
    for image in images[shown].tolist():
        source, k = where[image]
        thumbnails.append(Thumbnail(thumbnail_uri(sources[source][k]), sources[source].names[k]))
    label = results[0].label
    return OrderedImages(attribute, label, _accuracy(results), len(images), tuple(thumbnails))


def _standardised(strengths: NDArray[np.floating]) -> NDArray[np.float64]:
    """Strengths with mean 0 and standard deviation 1; NaN stays."""
    values = np.asarray(strengths, np.float64)
    known = values[np.isfinite(values)]
    spread = float(known.std()) if known.size else 0.0
    return (values - (known.mean() if known.size else 0.0)) / (spread or 1.0)
