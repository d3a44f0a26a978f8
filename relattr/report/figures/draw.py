"""All figures of a benchmark that are made of images: of every cell that kept something to draw them from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr import parameters
from relattr.errors import BadInput, RelattrError
from relattr.harness.plan import make_plan
from relattr.harness.selection import Selection
from relattr.harness.store import Store, Unreadable
from relattr.report.figures.captions import source_sentence
from relattr.report.figures.chains import draw_chains
from relattr.report.figures.neighbours import draw_neighbours, mean_rank_distance
from relattr.report.figures.transformers import draw_transformers
from relattr.report.tables.slugs import slugify
from relattr.system.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from relattr.harness.arrays import CellArrays
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.cell import Cell
    from relattr.harness.result import Result
    from relattr.registry import Registry
    from relattr.task import Task


@dataclass(frozen=True)
class DrawnFigure:
    """What became of one figure: the files, or why there are none; ``says`` is a line about what it shows."""

    what: str
    files: tuple[Path, ...] = ()
    says: str = ""
    why: str = ""


def draw_figures(
    benchmark: Benchmark, registry: Registry, store: Store, choice: Selection, out: Path
) -> Iterator[DrawnFigure]:
    """Figure 4 for each cell with transformers, Figure 5 for each network, the chains of each with chains.

    Drawn from what the store keeps and the dataset's images; nothing is trained. Where no parameter is chosen, the
    results with any parameters are drawn, as the tables show them. A cell whose figure cannot be drawn is named with
    the reason, and the others are drawn.
    """
    tasks: dict[tuple[str, str, str], tuple[str, Task]] = {}
    planned = make_plan(benchmark, registry, store, choice).cells
    usual = {_place(p.cell): p.cell.method_parameters for p in planned}
    exact = {p.cell.key for p in planned}
    for result in store:
        if isinstance(result, Unreadable) or result.status != "ok" or _place(result.cell) not in usual:
            continue
        cell = result.cell
        if choice.settings and cell.key not in exact:
            continue
        what = f"{cell.method} on {cell.task}"
        try:
            arrays = store.arrays(result)
            if not (arrays.boxes or any(name.startswith(("neighbours", "chain")) for name in arrays.artifacts)):
                continue
            key = cell.dataset, repr(sorted(cell.dataset_parameters.items())), str(cell.task)
            if key not in tasks:
                dataset = registry.dataset(cell.dataset).create(cell.dataset_parameters)
                tasks.clear()  # one dataset's task at a time: its images may be many
                tasks[key] = dataset.fingerprint(), dataset.task(cell.task)
            data, task = tasks[key]
            if data != result.fingerprints.get("data"):
                why = f"{cell.dataset} has changed since, so its images are not those that were judged; run it again"
                yield DrawnFigure(what, why=why)
                continue
            yield from _draw(result, usual[_place(cell)], arrays, task, out)
        except (RelattrError, OSError) as error:
            yield DrawnFigure(what, why=str(error))
        except Exception as error:  # arrays of a plugin that fit no figure cost theirs, not the others
            yield DrawnFigure(what, why=f"{type(error).__name__}: {error}")


def _place(cell: Cell) -> tuple[str, str, Any, str, str, int]:
    """All that names a cell but the parameters of its method."""
    data = repr(sorted(cell.dataset_parameters.items()))
    return cell.method, cell.dataset, data, cell.attribute, cell.split, cell.seed


def _draw(result: Result, usual: Mapping[str, Any], arrays: CellArrays, task: Task, out: Path) -> Iterator[DrawnFigure]:
    cell = result.cell
    changes = parameters.changes(cell.method_parameters, usual)
    split = [] if cell.split == "standard" else [cell.split]
    stem = stem_of(cell, changes)
    label = f"{result.label} [{', '.join(changes)}]" if changes else result.label
    name = ", ".join([label, result.dataset_label, cell.attribute, *split])
    of = f"{name}, seed {cell.seed}"
    artifacts = arrays.artifacts
    for test in task.tests:
        if test.name not in arrays.boxes or test.name not in arrays.strengths:
            continue
        files = _files(out, f"figure4-{stem}-{slugify(test.name)}")
        for path in files:
            draw_transformers(test.images, arrays, test.name, path, f"{name}: least on the left, most on the right")
        says = _about_boxes(arrays.boxes[test.name])
        caption = (
            f"What the transformers look at. {of}; images of the test set {test.name}. Above each stands the strength "
            "that the method gives it; below lie the crops, grey where they reach beyond the image. Over all images, "
            f"in parts of the image, mean and standard deviation of a box: {says}."
        )
        yield _drawn(f"where {cell} looks", files, says, f"{caption} {source_sentence(result)}")
    if {"neighbours", "neighbours before", "strengths"} <= set(artifacts):
        files = _files(out, f"figure5-{stem}")
        values = task.train.scores if task.train.scores is not None else artifacts["strengths"]
        for path in files:
            draw_neighbours(task.train.images, artifacts, path, f"{name}: nearest neighbours", task.train.scores)
        now, before = (mean_rank_distance(artifacts[f"neighbours{k}"], values) for k in ("", " before"))
        says = f"neighbours are {100 * now:.1f} % of the ranks apart, {100 * before:.1f} % in the backbone before"
        numbers = "the dataset's score" if task.train.scores is not None else "the strength that the method gives it"
        caption = (
            f"Nearest training images in the penultimate layer. {of}. In the middle an image, left of it the nearest "
            "in the trained network, right of it those in its backbone before, the nearest always next to it; above "
            f"each stands {numbers}. Over all training images, {says} (any two: 33.3 %)."
        )
        yield _drawn(f"neighbours of {cell}", files, says, f"{caption} {source_sentence(result)}")
    if "chain images" in artifacts:
        files = _files(out, f"chains-{stem}")
        for path in files:
            draw_chains(task.train.images, artifacts, path, name)
        caption = f"Chains of patches, least on the left, most on the right, and below the patches alone. {of}."
        yield _drawn(f"chains of {cell}", files, "", f"{caption} {source_sentence(result)}")


def stem_of(cell: Cell, changes: Sequence[str]) -> str:
    """What the files of a cell's figures are called after; ``changes`` are its parameters that are not the usual."""
    named = [cell.attribute] + ([] if cell.split == "standard" else [cell.split])
    parts = [cell.dataset, *named, cell.method, f"s{cell.seed}", *changes]
    if any(slugify(part) != part for part in named):  # what a file name leaves out may be what tells two apart
        parts.append(cell.key[:8])
    return "-".join(slugify(part) for part in parts)


def _files(out: Path, stem: str) -> tuple[Path, ...]:
    return tuple(out / f"{stem}{kind}" for kind in (".png", ".pdf"))


def _drawn(what: str, files: tuple[Path, ...], says: str, caption: str) -> DrawnFigure:
    """What was drawn; its caption lies beside it as text, for the page and for whoever writes a paper."""
    beside = files[0].with_suffix(".txt")
    write_text(beside, caption + "\n")
    return DrawnFigure(what, (*files, beside), says)


def _about_boxes(boxes: NDArray[Any]) -> str:
    """Whether the boxes rest on something, or lie in the same place in every image."""
    if boxes.ndim != 3 or boxes.shape[2] != 4:
        raise BadInput(f"boxes have shape {boxes.shape}; expected (n, scales, 4)")
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    parts = []
    for k in range(boxes.shape[1]):
        (x, y), (dx, dy) = middle[:, k].mean(0), middle[:, k].std(0)
        side = (boxes[:, k, 2] - boxes[:, k, 0]).mean()
        parts.append(f"middle ({x:.2f} ± {dx:.2f}, {y:.2f} ± {dy:.2f}), side {side:.2f}")
    return "; ".join(parts)
