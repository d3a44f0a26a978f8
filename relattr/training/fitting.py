"""Fitting a ranking network to a training set, stage by stage, and applying the fitted network to images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.architecture import Architecture, build_ranker, centre_initial_crops
from relattr.networks.crop_sampler import crop_boxes
from relattr.networks.ranker import Ranker
from relattr.networks.scoring import Extractor
from relattr.system.malloc import retain_freed_memory
from relattr.training.category_network import train_category_network
from relattr.training.config import TrainingConfig
from relattr.training.cropping import CROP_SIDE, MULTISCALE_CROP_SIDE, Cropper, image_side, load_pixels
from relattr.training.distributed import local_device
from relattr.training.objectives import Objective
from relattr.training.optimiser import parameter_groups
from relattr.training.schedule import Schedule
from relattr.training.shared_run import train_once
from relattr.training.streamed_pixels import StreamedPixels, chunks, open_pixels
from relattr.training.supplement import Supplement, SupplementaryNetwork, freeze
from relattr.training.trainer import train

if TYPE_CHECKING:
    from relattr.images import Images
    from relattr.run_settings import Run

TEST_BATCH_SIZE = 64
"""Images per batch in a test."""
N_CALIBRATION_IMAGES = 64
"""Images used to centre the initial crops."""


class FittedRanker:
    """A fitted ranking network and everything needed to apply it.

    Parameters
    ----------
    architecture, schedule : of the network.
    network : the ranker.
    supplement : the networks that give supplementary features; None without one.
    side : side length in pixels that images are resized to before they are cropped.
    device : where the networks are.
    workers : threads that decode images.
    """

    def __init__(
        self,
        architecture: Architecture,
        schedule: Schedule,
        network: Ranker,
        supplement: Supplement | None,
        side: int,
        device: str,
        workers: int = 1,
    ) -> None:
        self.architecture, self.schedule = architecture, schedule
        self.network, self.supplement = network.eval(), supplement
        self.side, self.device, self.workers = side, device, workers
        self.cropper = create_cropper(architecture, network, side)

    def strengths(self, images: Images) -> NDArray[np.float64]:
        """The strength of each image, ``(n,)``: the sum over its test crops. Each image is loaded once."""
        strengths = np.zeros(len(images))
        for rows, pixels in self._batches(images):
            supplement = self.supplement(pixels) if self.supplement is not None else None
            for view in self.cropper.fixed(pixels, self.schedule.test_views):
                strengths[rows] += self.network([view], supplement).score.double().cpu().numpy()
        return strengths

    def features(self, images: Images) -> NDArray[np.float32]:
        """The penultimate layer for the centre crop of each image, ``(n, d)``."""
        parts = [
            self.network.features(self.cropper.fixed(pixels, 1)).float().cpu().numpy()
            for _, pixels in self._batches(images)
        ]
        return np.concatenate(parts)

    def boxes(self, images: Images) -> NDArray[np.float32]:
        """The crop of each transformer in each image, ``(n, scales, 4)``: x0, y0, x1, y1, the image being [0, 1]."""
        boxes = np.zeros((len(images), len(self.network.localisers), 4), np.float32)
        for rows, pixels in self._batches(images):
            theta = self.network.locate(self.cropper.fixed(pixels, 1))
            # transformers see the centre crop, which starts at `margin` of the image
            margin = (1 - self.cropper.side) / 2
            in_image = torch.stack([crop_boxes(part) for part in theta], 1) * self.cropper.side + margin
            boxes[rows] = in_image.float().cpu().numpy()
        return boxes

    def _batches(self, images: Images) -> Iterator[tuple[slice, torch.Tensor]]:
        with torch.inference_mode(), retain_freed_memory(self.device == "cpu"):
            yield from chunks(StreamedPixels(images, self.side, self.device, self.workers), TEST_BATCH_SIZE)

    # ------------------------------------------------------------------ saving and loading

    def state(self) -> dict[str, NDArray[Any]]:
        """All that was learned, as arrays: networks as the bytes of safetensors files."""
        state = {"network_": _to_bytes(self.network), "side_": np.array(self.side)}
        if self.supplement is not None:
            networks = self.supplement.networks
            state["supplement_backbones_"] = np.array([network.extractor.backbone.name for network in networks])
            state["supplement_sizes_"] = np.array([network.size for network in networks])
            state["supplement_standardise_"] = np.array([network.extractor.is_standardised for network in networks])
            for k, network in enumerate(networks):
                state |= {
                    f"supplement_{k}_": _to_bytes(network.extractor),
                    f"supplement_mean_{k}_": network.mean.cpu().numpy(),
                    f"supplement_std_{k}_": network.std.cpu().numpy(),
                }
        return state

    @classmethod
    def from_state(
        cls,
        architecture: Architecture,
        schedule: Schedule,
        state: Mapping[str, Any],
        device: str,
        workers: int = 1,
    ) -> FittedRanker:
        """The fitted network from its `state`; raises `BadInput` if that is of another architecture."""
        supplement = None
        if "supplement_backbones_" in state:
            networks = []
            for k, name in enumerate(state["supplement_backbones_"].tolist()):
                backbone = Backbone.create(name, pretrained=False)
                extractor = Extractor(backbone, standardise=bool(state["supplement_standardise_"][k]))
                freeze(extractor)
                _load_bytes(extractor, state[f"supplement_{k}_"])
                mean, std = (torch.from_numpy(np.asarray(state[f"supplement_{part}_{k}_"])) for part in ("mean", "std"))
                size = int(state["supplement_sizes_"][k])
                networks.append(SupplementaryNetwork(extractor.to(device), mean, std, size))
            supplement = Supplement(networks)
            architecture = dataclasses.replace(architecture, supplement=supplement.dim)
        network = build_ranker(architecture, seed=0, pretrained=False)
        _load_bytes(network, state["network_"])
        return cls(architecture, schedule, network.to(device), supplement, int(state["side_"]), device, workers)


def create_cropper(architecture: Architecture, network: Ranker, side: int) -> Cropper:
    """The cropper of images of ``side`` pixels for this network.

    With transformers, crops keep the resolution of the image if it is finer than that of the whole image as the
    network sees it.
    """
    crop_side = crop_side_of(architecture)
    native_size, seen_size = round(crop_side * side), network.sizes[0]
    keeps_resolution = architecture.scales and native_size > 1.05 * seen_size
    return Cropper(network.extractor.backbone.preprocessing, native_size if keeps_resolution else seen_size, crop_side)


def crop_side_of(architecture: Architecture) -> float:
    """Side of the crops of the cropper relative to the image."""
    return MULTISCALE_CROP_SIDE if len(architecture.scales) > 1 else CROP_SIDE


def training_side(architecture: Architecture, images: Images) -> int:
    """Side in pixels that images are resized to before they are cropped.

    Without transformers, no larger than the network's input needs: the image is then downscaled once, with
    antialiasing, and crops keep its resolution.
    """
    side = image_side(images)
    if architecture.scales or architecture.image >= 1:
        return side
    input_size = Backbone.create(architecture.backbone, pretrained=False).input_size
    return min(side, round(architecture.image * input_size / CROP_SIDE))


def fit_ranker(
    architecture: Architecture,
    schedule: Schedule,
    objective: Objective,
    images: Images,
    run: Run,
    *,
    supplement: Sequence[SupplementaryNetwork] | NDArray[np.integer] | None = None,
    supplement_backbone: str = "",
    held_out: Any = None,
) -> tuple[FittedRanker, dict[str, NDArray[np.float64]]]:
    """Train a network of this architecture. Returns the fitted network and its learning curves by stage.

    ``supplement`` are frozen networks that give supplementary features, or the categories ``(n,)`` of the images to
    train one on, with the backbone ``supplement_backbone``. ``held_out`` is a function from a `FittedRanker` to its
    accuracy, in [0, 1], on images that are not among ``images``.
    """
    run = dataclasses.replace(run, device=local_device(run.device))
    side = training_side(architecture, images)
    with run.track("loading images", len(images)) as advance:
        pixels = open_pixels(images, side, run.device, workers=run.threads, progress=advance)
    curves: dict[str, NDArray[np.float64]] = {}
    if isinstance(supplement, np.ndarray):
        extractor = Extractor(
            Backbone.create(supplement_backbone), standardise=architecture.standardise, dropout=schedule.dropout
        )
        classifier, curves["category network"] = train_category_network(
            supplement,
            pixels,
            extractor.to(run.device),
            schedule,
            run.seed_for("category network"),
            images=images,
            checkpoint=run.checkpoint,
        )
        supplement = [SupplementaryNetwork(classifier.extractor, size=classifier.size)]
    supplementary_features = frozen = None
    if supplement:
        for part in supplement:
            freeze(part.extractor)
        frozen = Supplement(supplement)
        supplementary_features = frozen.fit(pixels)
        architecture = dataclasses.replace(architecture, supplement=frozen.dim)
    trained_localisers: nn.ModuleList | None = None
    stages = ["crops", "whole"] if architecture.scales and schedule.stages == 2 else ["whole"]
    for stage in stages:
        network = build_ranker(architecture, whole=stage == "whole", seed=run.seed_for("network", stage)).to(run.device)
        cropper = create_cropper(architecture, network, side)
        if trained_localisers is not None:
            network.localisers.load_state_dict(trained_localisers.state_dict())
        elif architecture.scales and architecture.centre:
            first = pixels[torch.arange(min(len(images), N_CALIBRATION_IMAGES))]
            centre_initial_crops(network, cropper.fixed(first, 1))
        stage_supplement = frozen if stage == "whole" else None
        fitted = FittedRanker(architecture, schedule, network, stage_supplement, side, run.device, run.threads)
        config = TrainingConfig(
            name=f"{stage} network" if len(stages) > 1 else "network",
            objective=objective,
            pixels=pixels,
            cropper=cropper,
            schedule=schedule,
            seed=run.seed_for("training", stage),
            views=network.n_inputs if len(architecture.scales) > 1 else 1,
            supplement=supplementary_features if stage == "whole" else None,
            checkpoint=run.checkpoint,
            evaluate=None if held_out is None else partial(held_out, fitted),
        )
        groups = parameter_groups(network, schedule)
        if stage == "crops":  # the same with and without supplementary features
            curves[config.name] = train_once(
                network,
                groups,
                config,
                images,
                kept=network.localisers,
                architecture=repr(dataclasses.replace(architecture, supplement=0)),
            )
        else:
            curves[config.name] = train(network, groups, config)
        trained_localisers = network.localisers
    return FittedRanker(architecture, schedule, network, frozen, side, run.device, run.threads), curves


def initial_boxes(
    architecture: Architecture, schedule: Schedule, images: Images, train: Images, run: Run
) -> NDArray[np.float32]:
    """The crops of ``images`` before any training on ``train``, as in `FittedRanker.boxes`."""
    stage = "crops" if schedule.stages == 2 else "whole"
    run = dataclasses.replace(run, device=local_device(run.device))
    side = training_side(architecture, train)
    architecture_without_supplement = dataclasses.replace(architecture, supplement=0)
    network = build_ranker(
        architecture_without_supplement, whole=stage == "whole", seed=run.seed_for("network", stage)
    ).to(run.device)
    if architecture.centre:
        calibration = load_pixels(train.subset(np.arange(min(len(train), N_CALIBRATION_IMAGES))), side, run.device)
        centre_initial_crops(network, create_cropper(architecture, network, side).fixed(calibration, 1))
    return FittedRanker(architecture, schedule, network, None, side, run.device, run.threads).boxes(images)


def _to_bytes(module: nn.Module) -> NDArray[np.uint8]:
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    return np.frombuffer(save(tensors), np.uint8)


def _load_bytes(module: nn.Module, content: Any) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        module.load_state_dict(load(np.asarray(content, np.uint8).tobytes()))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"the saved network does not fit the method's parameters: {reason}") from error
