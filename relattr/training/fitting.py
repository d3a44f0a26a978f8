"""A ranking network fitted to a training set, stage by stage, and what it then makes of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.build import Architecture, build, centre_first_crops
from relattr.networks.parts import drop_unused
from relattr.networks.ranker import Extractor, Ranker
from relattr.networks.transformer import boxes
from relattr.system.malloc import kept_memory
from relattr.training.distributed import local_device
from relattr.training.objectives import Objective
from relattr.training.optimiser import parts_of
from relattr.training.pixels import SIDE, SIDE_OF_SCALES, Cropper, load
from relattr.training.schedule import Schedule
from relattr.training.supplement import Supplement, trained_on
from relattr.training.trainer import TrainingLoop, train

if TYPE_CHECKING:
    from relattr.images import Images
    from relattr.run import Run

BATCH = 64
"""Images at a time in a test."""
TRIED = 64
"""Images that the first crops are looked at on."""
LARGEST = 256
"""Pixels a side that images are kept at, at most."""


class FittedRanker:
    """A ranking network with all that it takes to apply it.

    Parameters
    ----------
    what : its architecture.
    schedule : it was trained with.
    network : itself.
    supplement : the second network; None where it has none.
    side : pixels a side that images are brought to before they are cropped.
    """

    def __init__(
        self,
        what: Architecture,
        schedule: Schedule,
        network: Ranker,
        supplement: Supplement | None,
        side: int,
        device: str,
    ) -> None:
        self.what, self.schedule, self.network, self.supplement = what, schedule, network.eval(), supplement
        self.side, self.device = side, device
        self.cropper = cropper_of(what, network, side)

    def strengths(self, images: Images) -> NDArray[np.float64]:
        """The strength of each image, ``(n,)``: the sum over its crops. Each image is loaded once."""
        views = self.schedule.test_views
        out = np.zeros(len(images))
        for where, pixels in self._batches(images):
            extra = self.supplement(pixels) if self.supplement is not None else None
            for view in self.cropper.fixed(pixels, views):
                out[where] += self.network([view], extra).strength.double().cpu().numpy()
        return out

    def features(self, images: Images) -> NDArray[np.float32]:
        """The penultimate layer for the middle crop of each image, ``(n, d)``."""
        parts = [
            self.network.features(self.cropper.fixed(pixels, 1)).float().cpu().numpy()
            for _, pixels in self._batches(images)
        ]
        return np.concatenate(parts)

    def boxes(self, images: Images) -> NDArray[np.float32]:
        """Where each transformer looks in each image, ``(n, scales, 4)``: x0, y0, x1, y1 in [0, 1], or beyond."""
        out = np.zeros((len(images), len(self.network.localisers), 4), np.float32)
        for where, pixels in self._batches(images):
            theta = self.network.locate(self.cropper.fixed(pixels, 1))
            # transformers see the middle crop; its frame begins at `margin` of the image
            margin = (1 - self.cropper.side) / 2
            found = torch.stack([boxes(one) for one in theta], 1) * self.cropper.side + margin
            out[where] = found.float().cpu().numpy()
        return out

    def _batches(self, images: Images) -> Any:
        with torch.inference_mode(), kept_memory(self.device == "cpu"):
            for start in range(0, len(images), BATCH):
                where = slice(start, min(start + BATCH, len(images)))
                yield where, load(images.subset(np.arange(where.start, where.stop)), self.side, self.device)

    # ------------------------------------------------------------------ keeping it

    def state(self) -> dict[str, NDArray[Any]]:
        """All that was learnt, as arrays: the networks as the content of safetensors files."""
        found = {"network_": _packed(self.network), "side_": np.array(self.side)}
        if self.supplement is not None:
            found |= {
                "supplement_": _packed(self.supplement.extractor),
                "supplement_mean_": self.supplement.mean.cpu().numpy(),
                "supplement_std_": self.supplement.std.cpu().numpy(),
            }
        return found

    @classmethod
    def restored(
        cls, what: Architecture, schedule: Schedule, supplement: str, state: Mapping[str, Any], device: str
    ) -> FittedRanker:
        """The network again, from what `state` gave; ``supplement`` names the backbone of the second network."""
        extra = None
        if "supplement_" in state:
            extractor = Extractor(Backbone.create(supplement, pretrained=False), standardise=what.standardise)
            _trim(extractor)
            _unpack(extractor, state["supplement_"])
            mean, std = (torch.from_numpy(np.asarray(state[f"supplement_{k}_"])) for k in ("mean", "std"))
            extra = Supplement(extractor.to(device), mean, std)
            what = dataclasses.replace(what, supplement=extra.dim)
        network = build(what, seed=0, pretrained=False)
        _unpack(network, state["network_"])
        return cls(what, schedule, network.to(device), extra, int(state["side_"]), device)


def cropper_of(what: Architecture, network: Ranker, side: int) -> Cropper:
    """How images of ``side`` pixels are cropped for this network: at their own resolution, where that is finer."""
    how = network.extractor.backbone.preprocessing
    share = SIDE_OF_SCALES if len(what.scales) > 1 else SIDE
    own = round(share * side)
    size = own if what.scales and own > 1.05 * how.input_size else how.input_size
    return Cropper(how, size, share)


def fit(
    what: Architecture,
    schedule: Schedule,
    objective: Objective,
    images: Images,
    run: Run,
    *,
    supplement: Supplement | NDArray[np.integer] | None = None,
    supplement_backbone: str = "",
    held_out: Any = None,
) -> tuple[FittedRanker, dict[str, NDArray[np.float64]]]:
    """Train a network of this architecture; it, and its learning curves by stage.

    ``supplement`` is the second network, or the category of each image for it to be trained on. ``held_out`` gives
    the accuracy, in [0, 1], of a `FittedRanker` on images that are not among ``images``.
    """
    run = dataclasses.replace(run, device=local_device(run.device))
    side = _side(images)
    with run.track("loading images", len(images)) as advance:
        pixels = load(images, side, run.device, advance)
    circumstances = {"checkpoint": run.checkpoint}
    curves: dict[str, NDArray[np.float64]] = {}
    if isinstance(supplement, np.ndarray):
        extractor = Extractor(Backbone.create(supplement_backbone), standardise=what.standardise).to(run.device)
        supplement, curves["category network"] = trained_on(
            supplement, pixels, extractor, schedule, run.seed_for("category network"), **circumstances
        )
    extra = None
    if supplement is not None:
        _trim(supplement.extractor)
        supplement.settle(pixels)
        extra = supplement(pixels)
        what = dataclasses.replace(what, supplement=supplement.dim)
    start: nn.ModuleList | None = None
    stages = ["crops", "whole"] if what.scales and schedule.stages == 2 else ["whole"]
    for stage in stages:
        network = build(what, whole=stage == "whole", seed=run.seed_for("network", stage)).to(run.device)
        cropper = cropper_of(what, network, side)
        if start is not None:
            network.localisers.load_state_dict(start.state_dict())
        elif what.scales:
            centre_first_crops(network, cropper.fixed(pixels[:TRIED], 1))
        applied = FittedRanker(what, schedule, network, supplement if stage == "whole" else None, side, run.device)
        how = TrainingLoop(
            name=f"{stage} network" if len(stages) > 1 else "network",
            objective=objective,
            pixels=pixels,
            cropper=cropper,
            schedule=schedule,
            seed=run.seed_for("training", stage),
            views=network.n_inputs if len(what.scales) > 1 else 1,
            supplement=extra if stage == "whole" else None,
            judge=None if held_out is None else partial(held_out, applied),
            **circumstances,
        )
        curves[how.name] = train(network, parts_of(network, schedule), how)
        start = network.localisers
    return FittedRanker(what, schedule, network, supplement, side, run.device), curves


def first_boxes(what: Architecture, schedule: Schedule, images: Images, train: Images, run: Run) -> NDArray[np.float32]:
    """Where the transformers would look in ``images`` before any training on ``train``: `FittedRanker.boxes`."""
    stage = "crops" if schedule.stages == 2 else "whole"
    run = dataclasses.replace(run, device=local_device(run.device))
    side = _side(train)
    network = build(
        dataclasses.replace(what, supplement=0), whole=stage == "whole", seed=run.seed_for("network", stage)
    )
    network.to(run.device)
    tried = load(train.subset(np.arange(min(len(train), TRIED))), side, run.device)
    centre_first_crops(network, cropper_of(what, network, side).fixed(tried, 1))
    return FittedRanker(what, schedule, network, None, side, run.device).boxes(images)


def _side(images: Images) -> int:
    """Pixels a side that images are kept at: the longest side of the first ones, up to the most."""
    return min(LARGEST, max(max(images[i].shape[:2]) for i in range(min(len(images), TRIED))))


def _trim(extractor: Extractor) -> None:
    size, device = extractor.backbone.input_size, next(p for p in extractor.parameters() if p.numel()).device
    drop_unused(extractor, lambda: extractor(torch.zeros(1, 3, size, size, device=device)))
    for parameter in extractor.parameters():
        parameter.requires_grad_(False)


def _packed(module: nn.Module) -> NDArray[np.uint8]:
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    return np.frombuffer(save(tensors), np.uint8)


def _unpack(module: nn.Module, content: Any) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load as read

    try:
        module.load_state_dict(read(np.asarray(content, np.uint8).tobytes()))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"the saved network does not fit the method's parameters: {reason}") from error
