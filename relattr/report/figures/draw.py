"""All figures of a benchmark that are composed of images: transformers, neighbours, chains of patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr import parameters
from relattr.errors import BadInput, RelattrError
from relattr.harness.fingerprints import data_difference
from relattr.harness.plan import make_plan
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection, of_loaded_plugins
from relattr.harness.scope import benchmark_scope
from relattr.harness.stored_results import StoredResults
from relattr.report.figures.chains import draw_chains
from relattr.report.figures.neighbours import TestQueries, draw_neighbours, mean_rank_distance
from relattr.report.figures.source import source_sentence
from relattr.report.figures.transformers import draw_transformers
from relattr.report.tables.slugs import slugify
from relattr.system.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from relattr.harness.arrays import CellArrays
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.cell import Cell
    from relattr.harness.selection import Selection
    from relattr.registry import Registry
    from relattr.task import Task

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


def draw_figures(
    benchmark: Benchmark,
    registry: Registry,
    store: StoredResults,
    selection: Selection,
    out: Path,
    options: FigureOptions | None = None,
) -> Iterator[DrawnFigure]:
    """Draw Figure 4 of each cell with transformers, Figure 5 of each network, and the chains of each cell with chains.

    The figures are drawn from stored arrays and the images of the dataset; nothing is trained. As in the tables,
    results of any method on the benchmark's datasets are drawn, with any parameters, unless the selection says which.
    A figure that cannot be drawn is reported with the reason.
    """
    tasks: dict[tuple[str, str, str], tuple[str, Task]] = {}
    plan = make_plan(benchmark, registry, store, of_loaded_plugins(selection, registry))
    default_parameters: dict[tuple[str, str, Any, str, str, int], dict[str, Any]] = {}
    for planned in plan.cells:  # a method as the benchmark sets it comes before its variants
        default_parameters.setdefault(_coordinates(planned.cell), planned.cell.stated_parameters)
    planned_keys = {p.cell.key for p in plan.cells}
    chosen = ResultSelection(selection.methods, selection.datasets, selection.attributes, selection.seeds)
    stored = [item for item in store if isinstance(item, Result)]
    chosen.require_matches(
        stored,
        also={
            "method": registry.methods,
            "dataset": registry.datasets,
            "attribute": {p.cell.attribute for p in plan.cells},
            "seed": {p.cell.seed for p in plan.cells},
        },
    )
    for result in benchmark_scope(plan.benchmark, registry).select(stored):
        cell = result.cell
        if result.status != "ok" or not chosen.includes(cell):
            continue
        if selection.settings and cell.key not in planned_keys:
            continue
        subject = f"{cell.method} on {cell.task}"
        try:
            arrays = store.arrays(result)
            if not (arrays.boxes or any(name.startswith(("neighbours", "chain")) for name in arrays.artifacts)):
                continue
            key = cell.dataset, repr(sorted(cell.dataset_parameters.items())) + cell.data, str(cell.task)
            if key not in tasks:
                dataset = registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
                tasks.clear()  # one task at a time: it may have many images
                tasks[key] = dataset.fingerprint(), dataset.task(cell.task)
            fingerprint, task = tasks[key]
            if difference := data_difference(result.fingerprints, fingerprint):
                yield DrawnFigure(subject, error=f"{cell.dataset} {difference}; run the cell again")
                continue
            yield from _draw_cell(
                registry,
                result,
                default_parameters.get(_coordinates(cell)),
                arrays,
                task,
                out,
                options or FigureOptions(),
            )
        except (RelattrError, OSError) as error:
            yield DrawnFigure(subject, error=str(error))
        except Exception as error:  # arrays of a plugin may have any shape and type; the other figures are still drawn
            yield DrawnFigure(subject, error=f"{type(error).__name__}: {error}")


def figure_stem(cell: Cell, changes: Sequence[str]) -> str:
    """Return the name of a cell's figure files without prefix and suffix, different for every cell.

    ``changes`` are its parameters that differ from the benchmark's, as ``name=value``.
    """
    task_parts = [cell.attribute] + ([] if cell.split == "standard" else [cell.split])
    parts = [cell.dataset, *task_parts, cell.method, f"s{cell.seed}", *changes]
    if any(slugify(part) != part for part in task_parts):  # different attributes may have the same slug
        parts.append(cell.key[:8])
    return "-".join(slugify(part) for part in parts)


def _coordinates(cell: Cell) -> tuple[str, str, Any, str, str, int]:
    """A cell without the parameters of its method."""
    data = repr(sorted(cell.dataset_parameters.items())) + cell.data
    return cell.method, cell.dataset, data, cell.attribute, cell.split, cell.seed


def _draw_cell(
    registry: Registry,
    result: Result,
    default_parameters: Mapping[str, Any] | None,
    arrays: CellArrays,
    task: Task,
    out: Path,
    options: FigureOptions,
) -> Iterator[DrawnFigure]:
    cell = result.cell
    if default_parameters is None:  # the benchmark does not list the method
        plugin = registry.methods.get(cell.method)
        default_parameters = parameters.values_of(plugin.create()) if plugin is not None else None
    if default_parameters is None:  # its plugin is not loaded
        changes = [cell.key[:8]]
    else:
        changes = parameters.changed_parameters(cell.stated_parameters, default_parameters)
    split = [] if cell.split == "standard" else [cell.split]
    stem = figure_stem(cell, changes)
    label = f"{result.label} [{', '.join(changes)}]" if changes else result.label
    name = ", ".join([label, result.dataset_label, cell.attribute, *split])
    source = f"{name}, seed {cell.seed}"
    artifacts = arrays.artifacts

    def write(prefix: str, draw: Callable[[Path], None], subject: str, summary: str, caption: str) -> DrawnFigure:
        files = [out / f"{prefix}{suffix}" for suffix in SUFFIXES]
        for path in files:
            draw(path)
        caption_file = files[0].with_suffix(".txt")
        write_text(caption_file, f"{caption} {source_sentence(result)}\n")
        return DrawnFigure(subject, (*files, caption_file), summary)

    for test in task.tests:
        if test.name not in arrays.boxes or test.name not in arrays.strengths:
            continue
        if options.order == "score" and test.scores is None:
            error = f"the test set {test.name} has no scores to order its images by; use --order strength"
            yield DrawnFigure(f"transformers of {cell}", error=error)
            continue
        order = test.scores if options.order == "score" else None
        shown = "the strength that the method predicts" if order is None else "its score in the dataset"
        suffix = "" if order is None else "-by-score"
        title = f"{name}: least on the left, most on the right"
        summary = _summarise_boxes(arrays.boxes[test.name])
        caption = (
            f"Where the spatial transformers attend. {source}; images of the test set {test.name}. Above each image is "
            f"{shown}; below are its crops, grey where they extend beyond the image. Mean "
            f"and standard deviation of the boxes over all images, as fractions of the image size: {summary}."
        )
        yield write(
            f"figure4-{stem}-{slugify(test.name)}{suffix}",
            lambda path, test=test, title=title, order=order: draw_transformers(  # type: ignore[misc]
                test.images, arrays, test.name, path, title, order
            ),
            f"transformers of {cell}",
            summary,
            caption,
        )
    images, scores = task.train.images, task.train.scores
    if options.queries == "test":
        yield from _draw_test_queries(arrays, task, f"figure5-{stem}", f"{name}: nearest neighbours", source, write)
    elif {"neighbours", "neighbours before", "strengths"} <= set(artifacts):
        values = scores if scores is not None else artifacts["strengths"]
        trained, initial = (mean_rank_distance(artifacts[f"neighbours{k}"], values) for k in ("", " before"))
        summary = (
            f"the mean rank difference between neighbours is {100 * trained:.1f} % after training and "
            f"{100 * initial:.1f} % in the pretrained backbone"
        )
        quantity = "the score in the dataset" if scores is not None else "the strength that the method predicts"
        caption = (
            f"Nearest training images in the penultimate layer. {source}. In the middle the query image, on the left "
            "its nearest neighbours in the trained network, on the right those in the pretrained backbone, each side "
            f"with the nearest next to the query. Above each image is {quantity}. Over all training images, {summary} "
            "(33.3 % for random images)."
        )
        yield write(
            f"figure5-{stem}",
            lambda path: draw_neighbours(images, artifacts, path, f"{name}: nearest neighbours", scores),
            f"neighbours of {cell}",
            summary,
            caption,
        )
    if "chain images" in artifacts:
        caption = f"Chains of patches from least (left) to most (right), and below them the patches alone. {source}."
        yield write(
            f"chains-{stem}", lambda path: draw_chains(images, artifacts, path, name), f"chains of {cell}", "", caption
        )


def _draw_test_queries(
    arrays: CellArrays, task: Task, stem: str, title: str, source: str, write: Callable[..., DrawnFigure]
) -> Iterator[DrawnFigure]:
    """Figure 5 of each test set whose neighbours among the training images are stored."""
    artifacts = arrays.artifacts
    for test in task.tests:
        names = [f"{part} of {test.name}" for part in ("queries", "query neighbours", "query neighbours before")]
        if not {*names, "strengths"} <= set(artifacts) or test.name not in arrays.strengths:
            continue
        chosen, trained, initial = (artifacts[name] for name in names)
        scored = task.train.scores is not None and test.scores is not None
        of_test = test.scores if scored else arrays.strengths[test.name]
        assert of_test is not None
        queries = TestQueries(test.images.subset(chosen), of_test[chosen], trained, initial)
        train_scores = task.train.scores if scored else None
        caption = (
            f"Nearest training images of test images in the penultimate layer. {source}. In the middle the query, an "
            f"image of the test set {test.name}; on the left its nearest training images in the trained network, on "
            "the right those in the pretrained backbone, each side with the nearest next to the query. Above each "
            f"image is {'the score in the dataset' if scored else 'the strength that the method predicts'}."
        )
        yield write(
            f"{stem}-{slugify(test.name)}",
            lambda path, queries=queries, scores=train_scores: draw_neighbours(
                task.train.images, artifacts, path, title, scores, queries
            ),
            f"neighbours of the test images {test.name} of {source}",
            "",
            caption,
        )


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
