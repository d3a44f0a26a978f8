"""Where the best fixed places on LFW-10 lie, and what a trained localiser adds over them, from stored results.

For five attributes of parts of the face:

1. for each result of `best-place`: its best place, what it orders, and the share of the test images in which the centre
   of the place, or that of the image, lies in the region that the chains of Xiao and Lee mark (`released_chains.py`);
2. for each result of ViralNet with ``start=search`` and the preset ``fast``: the share of the test images in which the
   centre of its box lies in that region, before and after training, and with all boxes at their mean centre, which
   tells what is gained by a place for each image;
3. how far training moved the centres and changed the sides, and the accuracy beside that of the siamese network with
   the same seed.

Nothing is trained, and stale results are left out. A result of ViralNet has the boxes after training. Before training
they are all at the place that the search for the start finds, which is repeated with the seed of the result.

    relattr run places --datasets lfw10 --results results/reference
    RELATTR_DATA=... python benchmarks/studies/places.py --out benchmarks/studies/places.md

Reads ``lfw10/xiao_lee_chains/<attribute>.mat`` in RELATTR_DATA, from the archive that `chains.py` names, and ends with
a message if it is not there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from released_chains import N_BEST, ReleasedChain, best_chains, chains_folder, released_chains, share_inside

from relattr import Run, TaskName
from relattr.execution.determinism import set_threads
from relattr.harness.release import open_results
from relattr.harness.result import Result
from relattr.harness.staleness import look_up_cell
from relattr.harness.stored_results import StoredResults
from relattr.parameters import values_of
from relattr.registry import registry
from relattr.system.atomic import write_text
from relattr.task import Task

ATTRIBUTES = ("mouthopen", "smile", "v_teeth", "eyesopen", "vforehead")
VIRALNET = {"start": "search", "preset": "fast"}
SIAMESE = {"preset": "fast"}


class Shares(NamedTuple):
    """Shares of test images in which a point lies in the box of the best chain, and of one of the best `N_BEST`."""

    best: float
    several: float


class Movement(NamedTuple):
    """How boxes ``(n, 4)`` differ from one box: mean and standard deviation over images, in units of the image."""

    x: tuple[float, float]
    y: tuple[float, float]
    distance: tuple[float, float]
    side: tuple[float, float]

    @classmethod
    def between(cls, start: NDArray[Any], boxes: NDArray[Any]) -> Movement:
        moved = centres_of(boxes) - centres_of(start[None])
        side = (boxes[:, 2] - boxes[:, 0]) - (start[2] - start[0])
        columns = (moved[:, 0], moved[:, 1], np.linalg.norm(moved, axis=1), side)
        return cls(*((float(column.mean()), float(column.std())) for column in columns))


@dataclass(frozen=True)
class TrainedBoxes:
    """The boxes of one stored ViralNet, and its accuracy and that of the siamese network, None if it is not stored."""

    seed: int
    start: NDArray[Any]
    before: Shares
    after: Shares
    at_mean: Shares
    movement: Movement
    accuracy: float
    siamese: float | None


@dataclass(frozen=True)
class FixedPlace:
    """The best place of a stored `best-place`, and its accuracies; ``test`` is that of all places it uses."""

    seed: int
    box: NDArray[Any]
    held_out: float
    test: float
    inside: Shares


class AttributePlaces:
    """One attribute of LFW-10, its stored results, and the chains that were released for it, best first."""

    def __init__(self, attribute: str, folder: Path, results: StoredResults) -> None:
        self.name, self.results = TaskName("lfw10", attribute, "standard"), results
        self.task: Task = registry.dataset("lfw10").create({}).task(self.name)
        (self.test,) = self.task.tests
        search: Any = registry.method("best-place").create({})
        self.chains: Sequence[ReleasedChain] = best_chains(
            released_chains(folder / f"{attribute}.mat"), self.task.train, search.grid, search.C
        )
        self.fixed = [self._fixed_place(result) for result in self._results("best-place", {})]
        """One for each seed of which there is a result, by seed."""
        siamese = {result.cell.seed: result for result in self._results("siamese", SIAMESE)}
        self.trained = [
            self._trained_boxes(result, siamese.get(result.cell.seed)) for result in self._results("viralnet", VIRALNET)
        ]

    def shares(self, centres: NDArray[Any]) -> Shares:
        """The shares for centres ``(n, 2)`` of the test images, or one centre ``(2,)`` in all."""
        centres = np.broadcast_to(centres, (len(self.test.images), 2))
        numbers = self.test.images.indices + 1
        return Shares(*(share_inside(centres, numbers, self.chains[:count]) for count in (1, N_BEST)))

    @property
    def mean_chain(self) -> NDArray[Any]:
        """The mean box of the best chain in the test images that it has a box in."""
        boxes = self.chains[0].test
        mean: NDArray[Any] = np.mean([boxes[n] for n in (self.test.images.indices + 1).tolist() if n in boxes], axis=0)
        return mean

    def _results(self, name: str, settings: dict[str, Any]) -> list[Result]:
        """The valid results of a method with these settings and defaults, by seed."""
        parameters = values_of(registry.method(name).create(settings))
        chosen = []
        for result in self.results.results_of_methods([name]):
            if not isinstance(result, Result) or result.status != "ok":
                continue
            cell = result.cell
            if cell.task != self.name or cell.all_dataset_parameters or cell.method_parameters != parameters:
                continue
            state = look_up_cell(cell, registry, self.results)
            if state.state == "done":
                chosen.append(result)
            else:
                print(f"left out: {cell}, {state.state}: {state.reason}", flush=True)
        return sorted(chosen, key=lambda result: result.cell.seed)

    def _fixed_place(self, result: Result) -> FixedPlace:
        box = self.results.arrays(result).boxes[self.test.name][0, 0]  # the same in all images, the best one first
        return FixedPlace(
            seed=result.cell.seed,
            box=box,
            held_out=float(result.fitted["validation_accuracy_"]),
            test=self._accuracy(result),
            inside=self.shares(centres_of(box[None])[0]),
        )

    def _trained_boxes(self, result: Result, siamese: Result | None) -> TrainedBoxes:
        boxes = self.results.arrays(result).boxes[self.test.name][:, 0]
        start, centres = self._start(result), centres_of(boxes)
        return TrainedBoxes(
            seed=result.cell.seed,
            start=start,
            before=self.shares(centres_of(start[None])[0]),
            after=self.shares(centres),
            at_mean=self.shares(centres.mean(0)),
            movement=Movement.between(start, boxes),
            accuracy=self._accuracy(result),
            siamese=None if siamese is None else self._accuracy(siamese),
        )

    def _start(self, result: Result) -> NDArray[Any]:
        """The box at which a ViralNet began in every image."""
        method: Any = registry.method("viralnet").create(result.cell.method_parameters)
        method.prepare(self.task.train, Run(seed=result.cell.seed))
        start: NDArray[Any] = method.start_boxes_[0]
        return start

    def _accuracy(self, result: Result) -> float:
        test = result.test_result(self.test.name)
        assert test is not None
        return test.accuracy


def centres_of(boxes: NDArray[Any]) -> NDArray[Any]:
    """The centres ``(n, 2)`` of boxes ``(n, 4)``."""
    centres: NDArray[Any] = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centres


def place(box: NDArray[Any]) -> str:
    """Centre and side of a box."""
    (x, y), side = centres_of(box[None])[0], box[2] - box[0]
    return f"({x:.2f}, {y:.2f}), {side:.2f}"


def two(shares: Shares) -> str:
    """Two columns, in per cent."""
    return f"{100 * shares.best:.0f} | {100 * shares.several:.0f}"


def header(*columns: str) -> list[str]:
    """The first two lines of a table, its first column left-aligned."""
    return ["", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]


def place_table(parts: Sequence[AttributePlaces]) -> list[str]:
    """The first table: a row for each attribute, for the centre of the image, and one for each seed."""
    lines = header(
        "attribute", "seed", "centre, side", "held out", "test", "centre in best chain", f"in one of best {N_BEST}"
    )
    for part in parts:
        name = part.name.attribute
        lines.append(f"| {name}, best chain | | {place(part.mean_chain)} | | | | |")
        middle = part.shares(np.array([0.5, 0.5]))
        lines.append(f"| {name}, centre of the image | | (0.50, 0.50) | | | {two(middle)} |")
        lines += [
            f"| {name}, best place | {fixed.seed} | {place(fixed.box)} | {100 * fixed.held_out:.1f} | "
            f"{100 * fixed.test:.2f} | {two(fixed.inside)} |"
            for fixed in part.fixed
        ]
    return lines


def share_table(parts: Sequence[AttributePlaces]) -> list[str]:
    """The second table, with the mean over all results of each column."""
    lines = header(
        "attribute",
        "seed",
        "before: best chain",
        f"best {N_BEST}",
        "after: best chain",
        f"best {N_BEST}",
        "at mean centre: best chain",
        f"best {N_BEST}",
    )
    rows = [(part.name.attribute, row) for part in parts for row in part.trained]
    for attribute, row in rows:
        lines.append(f"| {attribute} | {row.seed} | {two(row.before)} | {two(row.after)} | {two(row.at_mean)} |")
    means = (
        Shares(*np.mean([getattr(row, name) for _, row in rows], axis=0)) for name in ("before", "after", "at_mean")
    )
    return [*lines, f"| mean | | {' | '.join(map(two, means))} |"]


def movement_table(parts: Sequence[AttributePlaces]) -> list[str]:
    """The third table, with mean accuracies over the results beside which a siamese network is stored."""
    lines = header(
        "attribute",
        "seed",
        "start: centre, side",
        "moved in x",
        "in y",
        "distance",
        "change of side",
        "ViralNet, %",
        "siamese, %",
        "difference",
    )
    rows = [(part.name.attribute, row) for part in parts for row in part.trained]
    for attribute, row in rows:
        x, y, distance, side = row.movement
        lines.append(
            f"| {attribute} | {row.seed} | {place(row.start)} | {x[0]:+.4f} ± {x[1]:.4f} | {y[0]:+.4f} ± {y[1]:.4f} | "
            f"{distance[0]:.4f} ± {distance[1]:.4f} | {side[0]:+.4f} ± {side[1]:.4f} | {accuracies([row])} |"
        )
    both = [row for _, row in rows if row.siamese is not None]
    return [*lines, f"| mean | | | | | | | {accuracies(both)} |"] if both else lines


def accuracies(rows: Sequence[TrainedBoxes]) -> str:
    """Three columns: the mean accuracies of ViralNet and siamese, in per cent, and the difference, in points.

    The last two are empty if siamese is not known for all.
    """
    viralnet = 100 * float(np.mean([row.accuracy for row in rows]))
    known = [row.siamese for row in rows if row.siamese is not None]
    if len(known) < len(rows):
        return f"{viralnet:.2f} | | "
    siamese = 100 * float(np.mean(known))
    return f"{viralnet:.2f} | {siamese:.2f} | {viralnet - siamese:+.2f}"


def report(command: str, parts: Sequence[AttributePlaces]) -> str:
    """The Markdown file."""
    text = [
        "# Fixed places on LFW-10, and what a localiser adds",
        "",
        f"Written by `{command}` from stored results.",
        "Positions and lengths are in units of the image's sides. Shares, in per cent, are of the test images: those",
        "in which a centre lies in the box that the best chain of Xiao and Lee has there, or in one of the boxes of",
        f"their best {N_BEST} (`released_chains.py` has the definition).",
        "",
        "## Fixed places",
        "",
        "The best place of `best-place`, its accuracy on held-out training pairs, and that of the method, with three",
        "places, on test pairs, in per cent; the mean box of the best chain; and the centre of the image, where a",
        "transformer starts as published.",
        *place_table(parts),
        "",
        "## Boxes in the chains, before and after training",
        "",
    ]
    if not any(part.trained for part in parts):
        text.append("There is no result of ViralNet with start=search and preset=fast on these attributes.")
        return "\n".join(text) + "\n"
    text += [
        "ViralNet, start=search, preset=fast. Before training, every box is at the place that the search finds. *At",
        "mean centre*: all boxes moved to the mean of their centres.",
        *share_table(parts),
        "",
        "## How far training moved the boxes, and accuracy",
        "",
        "Mean ± standard deviation over the test images; the distance is that of the centres from the start.",
        *movement_table(parts),
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attributes", nargs="+", default=list(ATTRIBUTES), metavar="NAME", help="of LFW-10")
    parser.add_argument(
        "--results", type=Path, default=Path("results/reference"), metavar="PATH", help="stored results"
    )
    parser.add_argument("--threads", type=int, default=1, help="processor threads (1)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="Markdown file to write; by default only printed")
    args = parser.parse_args()
    folder = chains_folder()
    registry.discover()
    set_threads(args.threads)
    results = open_results(args.results)
    parts = []
    for attribute in args.attributes:
        parts.append(AttributePlaces(attribute, folder, results))
        print(f"{attribute}: {len(parts[-1].trained)} results of ViralNet", flush=True)
    chosen = "" if args.attributes == list(ATTRIBUTES) else f" --attributes {' '.join(args.attributes)}"
    text = report(f"python benchmarks/studies/places.py{chosen}", parts)
    print(text)
    if args.out is not None:
        write_text(args.out, text)


if __name__ == "__main__":
    main()
