"""Whether a transformer that starts in the middle of the image arrives at the cue on real faces, and what decides it.

Singh and Lee (ECCV 2016) start with a third of the image, in its middle, and train 8,000 steps in each of two stages.
Here is the first stage, in which the network sees only the crop, with their schedule (the preset ``paper``: SGD with
damped momentum, 25 pairs a step), fewer steps, and EfficientNet-Lite0 on crops and views of 112 pixels. A variant
changes one thing, or takes the preset ``fast``. At the start and at about ten moments of training, the boxes of some
test images are compared with the place that is found on the training images with ``start=search``, and with the chains
of Xiao and Lee (`released_chains.py`).

    RELATTR_DATA=... python benchmarks/studies/published_start.py [--attributes mouthopen] [--variants paper adamw]

A step of 112 pixels takes about 2 s on one thread of a processor, so that 200 steps, the default, take at most 8
minutes on a quiet machine; a variant whose steps take longer has fewer of them. Each run is added to a file beside
the table, ``published_start.jsonl``, when it ends; a run that is in it is not made again. Several processes may run at
the same time, with different attributes or variants.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from released_chains import N_BEST, ReleasedChain, best_chains, chains_folder, released_chains, share_inside
from torch.nn import functional

from relattr import BadInput, Images, Run, TaskName
from relattr.execution.determinism import set_threads
from relattr.harness.versions import relattr_revision
from relattr.networks.architecture import build_ranker, centre_initial_crops
from relattr.networks.crop_sampler import sample_crops
from relattr.networks.localiser import Localiser
from relattr.networks.ranker import Ranker
from relattr.registry import registry
from relattr.statistics import count_strengths
from relattr.system.atomic import write_text
from relattr.task import Task
from relattr.training.config import TrainingConfig
from relattr.training.fitting import N_CALIBRATION_IMAGES, FittedRanker, create_cropper, training_side
from relattr.training.optimiser import parameter_groups
from relattr.training.streamed_pixels import open_pixels
from relattr.training.trainer import CURVE_POINTS, HELD_OUT_EVALUATIONS, train

ATTRIBUTES = ("mouthopen", "smile", "eyesopen", "vforehead")
BASE: dict[str, Any] = {"preset": "paper", "crop": 0.5, "view": 0.5}
STAGE = "crops"
BLUR_CELLS = 14
"""Cells per side of the blurred image: means over a fourteenth of the image, 16 of 224 pixels, are interpolated."""


class Variant(NamedTuple):
    """One change of `BASE`."""

    change: str
    settings: Mapping[str, Any] = {}
    steps: float = 1.0
    """Steps, relative to the others."""
    blurred: bool = False
    """Whether the localiser's gradient comes from a blurred image; see `BlurredGradientRanker`."""


VARIANTS = {
    "paper": Variant("nothing: Singh and Lee's schedule, shortened"),
    "localiser-rate-10": Variant("ten times the learning rate of the localiser", {"localiser_rate": 1.0}),
    "localiser-rate-100": Variant("a hundred times the learning rate of the localiser", {"localiser_rate": 10.0}),
    "pixels-224": Variant("crops and views of 224 pixels; a quarter of the steps", {"crop": 1.0, "view": 1.0}, 0.25),
    "adamw": Variant(
        "the preset fast: AdamW, one cycle, all pairs of 48 images, batch statistics held",
        {"preset": "fast", "stages": 2},
    ),
    "adamw-trained-localiser": Variant(
        "the preset fast, but the backbone of the localiser is trained too, at a tenth of the ranker's rate",
        {"preset": "fast", "stages": 2, "localiser_rate": 0.1, "frozen_localiser": False},
    ),
    "frozen-localiser": Variant("the backbone of the localiser is not trained", {"frozen_localiser": True}),
    "not-standardised": Variant("features are not standardised", {"standardise": False}),
    "all-pairs": Variant("all pairs of 50 images in a step, not 25 pairs", {"batching": "images"}),
    "start-half": Variant("the first crop has half the side of the image, not a third", {"initial_scale": 0.5}),
    "blurred": Variant("the gradient of the position of a crop comes from a blurred image", blurred=True),
}


class BlurredGradientRanker(Ranker):
    """A ranker whose crops are sharp, and whose localisers have the gradient of crops of a blurred image."""

    @classmethod
    def from_ranker(cls, ranker: Ranker) -> BlurredGradientRanker:
        """The same network, with the same parameters."""
        network = cls(
            ranker.extractor,
            cast("list[Localiser]", list(ranker.localisers)),
            whole=ranker.whole,
            sizes=ranker.sizes,
            scales=ranker.scales,
            sample_from=ranker.sample_from,
        )
        network.score = ranker.score
        network.hold_statistics = ranker.hold_statistics
        return network

    def crops(self, views: Sequence[torch.Tensor], theta: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        sharp = super().crops(views, [part.detach() for part in theta])
        blurred = [
            sample_crops(blur(x), part, self.sizes[1]) for x, part in zip(views[int(self.whole) :], theta, strict=True)
        ]
        return [crop + soft - soft.detach() for crop, soft in zip(sharp, blurred, strict=True)]


def blur(images: torch.Tensor) -> torch.Tensor:
    """The means of `BLUR_CELLS` x `BLUR_CELLS` parts of the images ``(n, c, h, w)``, interpolated to their size."""
    means = functional.adaptive_avg_pool2d(images, BLUR_CELLS)
    return functional.interpolate(means, images.shape[2:], mode="bilinear", align_corners=False)


class Moment(NamedTuple):
    """The boxes of the followed images at one moment; positions and lengths in units of the image's sides."""

    step: int
    centre: tuple[float, float]
    """The mean over the images, as `side`."""
    side: float
    distance: float
    """From the mean centre to the centre of the place that the search finds."""
    spread: float
    """Root mean square distance of the centres from their mean."""
    in_best: float
    """The share of the images whose centre lies in the box of the best chain."""
    in_several: float
    """The same for one of the best `N_BEST` chains."""


class Faces:
    """One attribute of LFW-10: its task, what boxes are compared with, and the test images whose boxes are followed.

    These are the images of ``n_pairs`` random test pairs. Raises `BadInput` if none of the pairs is ordered.
    """

    def __init__(self, attribute: str, backbone: str, chains: Path, n_pairs: int, run: Run) -> None:
        name = TaskName("lfw10", attribute, "standard")
        self.task: Task = registry.dataset("lfw10").create({}).task(name)
        (self.test,) = self.task.tests
        viralnet: Any = registry.method("viralnet").create({"backbone": backbone, "start": "search"})
        viralnet.prepare(self.task.train, run)
        self.place: NDArray[Any] = viralnet.start_boxes_[0]
        search: Any = registry.method("best-place").create({"backbone": backbone})
        self.chains: list[ReleasedChain] = best_chains(
            released_chains(chains / f"{attribute}.mat"), self.task.train, search.grid, search.C
        )[:N_BEST]
        pairs = self.test.pairs
        chosen = pairs.take(run.rng("followed").permutation(len(pairs))[:n_pairs])
        if not chosen.n_ordered:
            raise BadInput(f"none of {n_pairs} test pairs of {attribute} is ordered; follow the images of more pairs")
        self.followed: Images = self.test.images.subset(chosen.images)
        self.followed_pairs = chosen.renumbered(chosen.images)

    def moment(self, step: int, boxes: NDArray[Any]) -> Moment:
        """What boxes ``(n, 4)`` of the followed images are like."""
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        mean = centres.mean(0)
        numbers = self.followed.indices + 1
        return Moment(
            step=step,
            centre=(float(mean[0]), float(mean[1])),
            side=float((boxes[:, 2] - boxes[:, 0]).mean()),
            distance=float(np.linalg.norm(mean - (self.place[:2] + self.place[2:]) / 2)),
            spread=float(np.sqrt(centres.var(0).sum())),
            in_best=share_inside(centres, numbers, self.chains[:1]),
            in_several=share_inside(centres, numbers, self.chains),
        )


def follow_training(faces: Faces, settings: Mapping[str, Any], blurred: bool, run: Run) -> dict[str, Any]:
    """Train the first stage of a ViralNet with these parameters.

    Returns the moments, the accuracy on the test pairs, in [0, 1], and the minutes of training. A run whose loss is no
    longer finite has the moments until then, and ``diverged``, what the trainer says about it, in place of the others.
    """
    method: Any = registry.method("viralnet").create(settings)
    images = faces.task.train.images
    architecture, schedule = method.architecture(), method.schedule()
    side = training_side(architecture, images)
    pixels = open_pixels(images, side, run.device, workers=run.threads)
    network = build_ranker(architecture, whole=False, seed=run.seed_for("network", STAGE))
    cropper = create_cropper(architecture, network, side)
    if architecture.centre:
        first = pixels[torch.arange(min(len(images), N_CALIBRATION_IMAGES))]
        centre_initial_crops(network, cropper.fixed(first, 1))
    if blurred:
        network = BlurredGradientRanker.from_ranker(network)
    one_view = dataclasses.replace(schedule, test_views=1)
    fitted = FittedRanker(architecture, one_view, network, None, side, run.device, run.threads)
    boxes = [fitted.boxes(faces.followed)[:, 0]]

    def evaluate() -> float:
        boxes.append(fitted.boxes(faces.followed)[:, 0])
        return count_strengths(fitted.strengths(faces.followed), faces.followed_pairs).accuracy

    config = TrainingConfig(
        name=f"{STAGE} network",
        objective=method.objective(faces.task.train, schedule),
        pixels=pixels,
        cropper=cropper,
        schedule=schedule,
        seed=run.seed_for("training", STAGE),
        evaluate=evaluate,
    )
    interval = max(1, schedule.updates // CURVE_POINTS)
    interval *= max(1, schedule.updates // interval // HELD_OUT_EVALUATIONS)

    def moments() -> list[dict[str, Any]]:
        steps = (min(k * interval, schedule.updates) for k in range(len(boxes)))
        return [faces.moment(step, each)._asdict() for step, each in zip(steps, boxes, strict=True)]

    try:
        curve = train(network, parameter_groups(network, schedule), config)
    except BadInput as error:
        return {"moments": moments(), "diverged": str(error).partition(";")[0]}
    two_views = dataclasses.replace(schedule, test_views=2)
    fitted = FittedRanker(architecture, two_views, network, None, side, run.device, run.threads)
    strengths = fitted.strengths(faces.test.images)
    return {
        "moments": moments(),
        "accuracy": count_strengths(strengths, faces.test.pairs).accuracy,
        "minutes": float(curve[-1, 3]) / 60,
    }


class Runs:
    """The finished runs in a file of JSON lines, each with the ``run`` that it is the outcome of.

    A line that is not complete, as after an interruption, is ignored.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """The outcome of this run; None if it has not been made."""
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                outcome = json.loads(line)
            except ValueError:
                continue
            if isinstance(outcome, dict) and outcome.get("run") == run:
                return outcome
        return None

    def add(self, outcome: Mapping[str, Any]) -> None:
        """Add a line, in one piece: other processes may add lines to the same file."""
        unfinished = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if unfinished else "") + json.dumps(outcome) + "\n")


@dataclasses.dataclass(frozen=True)
class Options:
    """What all runs have in common."""

    backbone: str
    steps: int
    n_pairs: int
    seed: int

    def run_of(self, attribute: str, name: str) -> dict[str, Any]:
        """All that the outcome of a run depends on, except the code."""
        variant = VARIANTS[name]
        steps = max(1, math.ceil(self.steps * variant.steps))
        settings = {**BASE, **variant.settings, "backbone": self.backbone, "updates": steps}
        return {
            "attribute": attribute,
            "variant": name,
            "settings": settings,
            "blurred": variant.blurred,
            "pairs": self.n_pairs,
            "seed": self.seed,
        }


def report(command: str, options: Options, runs: Runs) -> str:
    """The Markdown file: all finished runs with these options."""
    outcomes = [
        (attribute, name, outcome)
        for attribute in ATTRIBUTES
        for name in VARIANTS
        if (outcome := runs.find(options.run_of(attribute, name))) is not None
    ]
    lines = [
        "# The published start on real faces",
        "",
        f"Written by `{command}` from `{runs.path.name}`, which has a line for each run.",
        f"The first stage of training, {options.steps} steps of Singh and Lee's schedule with {options.backbone},",
        f"seed {options.seed}, on crops and views of half the input size; boxes of the images of {options.n_pairs}",
        "test pairs. *Distance*: from the mean centre of the boxes to that of the place that `start=search` finds.",
        "*Spread*: root mean square distance of the centres from their mean. *In best chain*, in per cent: share of",
        "the images in which the centre lies in the box of Xiao and Lee's best chain, or in one of the boxes of their",
        f"best {N_BEST}. Positions and lengths are in units of the image's sides. Accuracy in per cent of all ordered",
        "test pairs, from the crops alone. *Diverged*: the loss was no longer finite; the last values are those of the",
        "moment before.",
        "",
        "| variant | what is changed |",
        "|---|---|",
        *(f"| {name} | {variant.change} |" for name, variant in VARIANTS.items()),
        "",
        "Each cell with an arrow has the value before and after training.",
        "",
        "| attribute | variant | steps | mean centre | side | distance | spread | in best chain | "
        f"in one of best {N_BEST} | accuracy | minutes |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
        *(outcome_row(*each) for each in outcomes),
        "",
        "Distance at the start, and after each tenth of the steps:",
        "",
        "| attribute | variant | distance |",
        "|---|---|---|",
        *(f"| {attribute} | {name} | {distances(outcome)} |" for attribute, name, outcome in outcomes),
    ]
    return "\n".join(lines) + "\n"


def distances(outcome: Mapping[str, Any]) -> str:
    """The distance from the place at each moment."""
    return " ".join(f"{moment['distance']:.3f}" for moment in outcome["moments"])


def outcome_row(attribute: str, name: str, outcome: Mapping[str, Any]) -> str:
    """The row of one run in the first table."""
    ends = outcome["moments"][0], outcome["moments"][-1]
    cells = [
        attribute,
        name,
        str(ends[1]["step"]),
        " → ".join(f"({end['centre'][0]:.2f}, {end['centre'][1]:.2f})" for end in ends),
        " → ".join(f"{end['side']:.2f}" for end in ends),
        " → ".join(f"{end['distance']:.3f}" for end in ends),
        " → ".join(f"{end['spread']:.3f}" for end in ends),
        " → ".join(f"{100 * end['in_best']:.0f}" for end in ends),
        " → ".join(f"{100 * end['in_several']:.0f}" for end in ends),
        *(
            (f"{100 * outcome['accuracy']:.2f}", f"{outcome['minutes']:.1f}")
            if "accuracy" in outcome
            else ("diverged", "")
        ),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attributes", nargs="+", choices=ATTRIBUTES, default=ATTRIBUTES, metavar="NAME")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--steps", type=int, default=200, help="of a variant with steps of usual length (200)")
    parser.add_argument("--backbone", default="efficientnet_lite0", help="network of the ranker and the localiser")
    parser.add_argument("--pairs", type=int, default=50, help="test pairs whose images are followed (50)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="processor threads (1)")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_suffix(".md"), metavar="FILE", help="Markdown file to write"
    )
    args = parser.parse_args()
    chains = chains_folder()
    registry.discover()
    set_threads(args.threads)
    options = Options(args.backbone, args.steps, args.pairs, args.seed)
    runs = Runs(args.out.with_suffix(".jsonl"))
    command = "python benchmarks/studies/published_start.py"
    for name in ("steps", "backbone", "pairs", "seed"):
        if (value := getattr(args, name)) != parser.get_default(name):
            command += f" --{name} {value}"
    run = Run(seed=args.seed, threads=args.threads)
    for attribute in args.attributes:
        faces: Faces | None = None
        for name in args.variants:
            described = options.run_of(attribute, name)
            if runs.find(described) is not None:
                continue
            faces = faces or Faces(attribute, args.backbone, chains, args.pairs, run)
            outcome = follow_training(faces, described["settings"], described["blurred"], run)
            runs.add({"run": described, "place": faces.place.tolist(), "commit": relattr_revision()[0], **outcome})
            print(
                f"{attribute}, {name}: {outcome.get('diverged') or format(outcome['minutes'], '.1f') + ' minutes'}",
                flush=True,
            )
            write_text(args.out, report(command, options, runs))
    text = report(command, options, runs)
    write_text(args.out, text)
    print(text)


if __name__ == "__main__":
    main()
