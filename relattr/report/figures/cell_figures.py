"""The figures of one cell that are composed of images: transformers, neighbours, chains of patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr.errors import BadInput
from relattr.harness.result import Result
from relattr.report.figures.chains import draw_chains
from relattr.report.figures.neighbours import TestQueries, draw_neighbours, mean_rank_distance
from relattr.report.figures.source import source_sentence
from relattr.report.figures.transformers import draw_transformers
from relattr.report.tables.slugs import slugify
from relattr.system.atomic import write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.harness.arrays import CellArrays
    from relattr.harness.cell import Cell
    from relattr.task import Task, TestSet

SUFFIXES = (".png", ".pdf")


@dataclass(frozen=True)
class FigureOptions:
    """What figures show.

    Parameters
    ----------
    order : Figure 4 is ordered by the predicted ``strength``, or by the dataset's own ``score`` of the test images.
    queries : the queries of Figure 5 are ``training`` images or ``test`` images.
    """

    order: Literal["strength", "score"] = "strength"
    queries: Literal["training", "test"] = "training"


@dataclass(frozen=True)
class DrawnFigure:
    """The files of a figure, or why it could not be drawn."""

    subject: str
    files: tuple[Path, ...] = ()
    summary: str = ""
    """The numbers that the figure illustrates, in one line."""
    error: str = ""


class CellFigures:
    """Draws the figures of one result into a folder.

    ``changes`` are the parameters of its method that differ from the benchmark's, as ``name=value``.
    """

    def __init__(self, result: Result, arrays: CellArrays, task: Task, out: Path, changes: Sequence[str]) -> None:
        cell = result.cell
        split = [] if cell.split == "standard" else [cell.split]
        label = f"{result.label} [{', '.join(changes)}]" if changes else result.label
        self._result = result
        self._arrays = arrays
        self._task = task
        self._out = out
        self._stem = figure_stem(cell, changes)
        self._name = ", ".join([label, result.dataset_label, cell.attribute, *split])
        self._source = f"{self._name}, seed {cell.seed}"

    def draw(self, options: FigureOptions) -> Iterator[DrawnFigure]:
        """Draw the figures for which the result has arrays."""
        for test in self._task.tests:
            if test.name in self._arrays.boxes and test.name in self._arrays.strengths:
                yield self._transformers(test, options.order)
        artifacts = set(self._arrays.artifacts)
        if options.queries == "test":
            yield from self._test_queries()
        elif {"neighbours", "neighbours before", "strengths"} <= artifacts:
            yield self._neighbours()
        if "chain images" in artifacts:
            yield self._chains()

    def _transformers(self, test: TestSet, order_by: Literal["strength", "score"]) -> DrawnFigure:
        """Figure 4: where the transformers attend in images of a test set."""
        subject = f"transformers of {self._result.cell}"
        if order_by == "score" and test.scores is None:
            error = f"the test set {test.name} has no scores to order its images by; use --order strength"
            return DrawnFigure(subject, error=error)
        order = test.scores if order_by == "score" else None
        shown = "the strength that the method predicts" if order is None else "its score in the dataset"
        title = f"{self._name}: least on the left, most on the right"
        summary = _summarise_boxes(self._arrays.boxes[test.name])
        caption = (
            f"Where the spatial transformers attend. {self._source}; images of the test set {test.name}. Above each "
            f"image is {shown}; below are its crops, grey where they extend beyond the image. Mean and standard "
            f"deviation of the boxes over all images, as fractions of the image size: {summary}."
        )
        return self._write(
            f"figure4-{self._stem}-{slugify(test.name)}{'' if order is None else '-by-score'}",
            lambda path: draw_transformers(test.images, self._arrays, test.name, path, title, order),
            subject,
            summary,
            caption,
        )

    def _neighbours(self) -> DrawnFigure:
        """Figure 5: training images and their nearest neighbours among them, before and after training."""
        artifacts, scores = self._arrays.artifacts, self._task.train.scores
        values = scores if scores is not None else artifacts["strengths"]
        trained, initial = (mean_rank_distance(artifacts[f"neighbours{k}"], values) for k in ("", " before"))
        summary = (
            f"the mean rank difference between neighbours is {100 * trained:.1f} % after training and "
            f"{100 * initial:.1f} % in the pretrained backbone"
        )
        quantity = "the score in the dataset" if scores is not None else "the strength that the method predicts"
        caption = (
            f"Nearest training images in the penultimate layer. {self._source}. In the middle the query image, on the "
            "left its nearest neighbours in the trained network, on the right those in the pretrained backbone, each "
            f"side with the nearest next to the query. Above each image is {quantity}. Over all training images, "
            f"{summary} (33.3 % for random images)."
        )
        title = f"{self._name}: nearest neighbours"
        return self._write(
            f"figure5-{self._stem}",
            lambda path: draw_neighbours(self._task.train.images, artifacts, path, title, scores),
            f"neighbours of {self._result.cell}",
            summary,
            caption,
        )

    def _test_queries(self) -> Iterator[DrawnFigure]:
        """Figure 5 of each test set whose neighbours among the training images are stored."""
        artifacts = self._arrays.artifacts
        for test in self._task.tests:
            names = [f"{part} of {test.name}" for part in ("queries", "query neighbours", "query neighbours before")]
            if {*names, "strengths"} <= set(artifacts) and test.name in self._arrays.strengths:
                yield self._neighbours_of_test(test, *(artifacts[name] for name in names))

    def _neighbours_of_test(
        self, test: TestSet, chosen: NDArray[Any], trained: NDArray[Any], initial: NDArray[Any]
    ) -> DrawnFigure:
        train = self._task.train
        scored = train.scores is not None and test.scores is not None
        of_test = test.scores if scored else self._arrays.strengths[test.name]
        assert of_test is not None
        queries = TestQueries(test.images.subset(chosen), of_test[chosen], trained, initial)
        scores = train.scores if scored else None
        caption = (
            f"Nearest training images of test images in the penultimate layer. {self._source}. In the middle the "
            f"query, an image of the test set {test.name}; on the left its nearest training images in the trained "
            "network, on the right those in the pretrained backbone, each side with the nearest next to the query. "
            f"Above each image is {'the score in the dataset' if scored else 'the strength that the method predicts'}."
        )
        title = f"{self._name}: nearest neighbours"
        return self._write(
            f"figure5-{self._stem}-{slugify(test.name)}",
            lambda path: draw_neighbours(train.images, self._arrays.artifacts, path, title, scores, queries),
            f"neighbours of the test images {test.name} of {self._source}",
            "",
            caption,
        )

    def _chains(self) -> DrawnFigure:
        """Chains of patches from least to most."""
        images, artifacts = self._task.train.images, self._arrays.artifacts
        return self._write(
            f"chains-{self._stem}",
            lambda path: draw_chains(images, artifacts, path, self._name),
            f"chains of {self._result.cell}",
            "",
            f"Chains of patches from least (left) to most (right), and below them the patches alone. {self._source}.",
        )

    def _write(
        self, prefix: str, draw: Callable[[Path], None], subject: str, summary: str, caption: str
    ) -> DrawnFigure:
        """Draw a figure in every format, and write its caption beside it."""
        files = [self._out / f"{prefix}{suffix}" for suffix in SUFFIXES]
        for path in files:
            draw(path)
        caption_file = files[0].with_suffix(".txt")
        write_text(caption_file, f"{caption} {source_sentence(self._result)}\n")
        return DrawnFigure(subject, (*files, caption_file), summary)


def figure_stem(cell: Cell, changes: Sequence[str]) -> str:
    """Return the name of a cell's figure files without prefix and suffix, different for every cell.

    ``changes`` are its parameters that differ from the benchmark's, as ``name=value``.
    """
    task_parts = [cell.attribute] + ([] if cell.split == "standard" else [cell.split])
    parts = [cell.dataset, *task_parts, cell.method, f"s{cell.seed}", *changes]
    if any(slugify(part) != part for part in task_parts):  # different attributes may have the same slug
        parts.append(cell.key[:8])
    return "-".join(slugify(part) for part in parts)


def _summarise_boxes(boxes: NDArray[Any]) -> str:
    """Centre and side of the boxes at each scale; little deviation means the same place in every image."""
    if boxes.ndim != 3 or boxes.shape[2] != 4:
        raise BadInput(f"boxes have shape {boxes.shape}; expected (n, scales, 4)")
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    parts = []
    for k in range(boxes.shape[1]):
        (x, y), (dx, dy) = centres[:, k].mean(0), centres[:, k].std(0)
        side = (boxes[:, k, 2] - boxes[:, k, 0]).mean()
        parts.append(f"centre ({x:.2f} ± {dx:.2f}, {y:.2f} ± {dy:.2f}), side {side:.2f}")
    return "; ".join(parts)
