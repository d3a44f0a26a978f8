"""The category network of ViralNet-C: trained to classify the categories of images, then frozen and used for features.

Dubey & Agarwal (MM 2017, Section 3.3) train it beforehand on the training images of Viral and their five categories,
and use the same network for the popularity of images. A trained network can therefore be saved in a file, with the
names of its categories, what it was trained on, and a fingerprint.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.architecture import scaled_size
from relattr.networks.classifier import Classifier
from relattr.networks.freezing import drop_unused_parameters, freeze_first_layers
from relattr.networks.scoring import Extractor
from relattr.system.atomic import write_bytes
from relattr.system.digests import digest_array, digest_text
from relattr.system.reading import require_regular
from relattr.training.config import TrainingConfig
from relattr.training.cropping import CROP_SIDE, Cropper, image_side, sampled_size
from relattr.training.objectives import ClassificationObjective
from relattr.training.schedule import Schedule, standardises
from relattr.training.shared_run import train_once
from relattr.training.streamed_pixels import Pixels, chunks, open_pixels

if TYPE_CHECKING:
    from relattr.images import Images

FORMAT = "relattr category network 1"
_BATCH_SIZE = 128


@dataclass(frozen=True)
class CategoryNetworkRecord:
    """What a file of `save_category_network` says about its network.

    Parameters
    ----------
    backbone : the network that it was fine-tuned from.
    standardise : whether its features are standardised for each image.
    categories : the names of its classes, in the order of its outputs.
    dataset : the dataset that it was trained on.
    trained_on : the task (dataset, attribute, split), and the fingerprint of its images.
    fingerprint : a digest of the weights and of all of the above.
    """

    backbone: str
    standardise: bool
    categories: tuple[str, ...]
    dataset: str
    trained_on: str
    fingerprint: str = ""


def train_category_network(
    categories: NDArray[np.integer],
    pixels: Pixels,
    extractor: Extractor,
    schedule: Schedule,
    seed: int,
    *,
    images: Images,
    checkpoint: Path | None = None,
) -> tuple[Classifier, NDArray[np.float64]]:
    """Train a network to classify the categories ``(n,)`` of the training images, sampled equally often.

    ``pixels`` are those of ``images``. An equal network that was trained before is loaded (`train_once`); ``seed`` must
    therefore depend on neither the method nor the attribute that it is trained for.

    Images of category -1 are not trained on. Returns the network, with one output for each category that occurs, in
    ascending order, and its learning curve. ``checkpoint`` is as in `TrainingConfig`. Raises `BadInput` if no image has
    a category.
    """
    occurring = np.unique(categories[categories >= 0])
    classes = np.where(categories >= 0, np.searchsorted(occurring, categories), -1)
    input_size = extractor.backbone.input_size
    size = scaled_size(input_size, schedule.image)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier(extractor, len(occurring), size).to(pixels.device)
    network.hold_statistics = schedule.hold_statistics
    if schedule.zero_score:
        torch.nn.init.zeros_(network.score.weight)
    drop_unused_parameters(network, lambda: network([torch.zeros(1, 3, size, size, device=pixels.device)]).score)
    freeze_first_layers(network.extractor, schedule.frozen)
    training = TrainingConfig(
        name="category network",
        objective=ClassificationObjective(classes, schedule.batch),
        pixels=pixels,
        cropper=Cropper(
            extractor.backbone.preprocessing, sampled_size(size, input_size, round(CROP_SIDE * pixels.shape[-1]))
        ),
        schedule=schedule,
        seed=seed,
        checkpoint=checkpoint,
    )
    groups = [(network.extractor, 1.0), (network.score, schedule.score_rate)]
    curve = train_once(network, groups, training, images, kept=network, architecture=str(size))
    return network, curve


@dataclass(frozen=True)
class FittedCategoryNetwork:
    """A trained network, and how well it classifies the images that it was trained on.

    ``categories`` are the category numbers of its outputs; ``accuracy`` is the fraction of the ``n_labelled`` training
    images that it classifies correctly, in [0, 1].
    """

    network: Classifier
    categories: NDArray[np.int64]
    accuracy: float
    n_labelled: int


def fit_category_network(
    images: Images,
    categories: NDArray[np.integer],
    backbone: str,
    schedule: Schedule,
    seed: int,
    *,
    device: str = "cpu",
    workers: int = 1,
) -> FittedCategoryNetwork:
    """Train a category network by itself, as `relattr.training.fitting.fit_ranker` does for one ranking network.

    It is for other datasets and schedules too: it sees images in the input size of its backbone, whatever
    ``schedule.image``.

    ``categories`` ``(n,)`` are those of the images, -1 for none. Raises `BadInput` if no image has a category.
    """
    pixels = open_pixels(images, image_side(images), device, workers=workers)
    extractor = Extractor(
        Backbone.create(backbone), standardise=standardises(schedule, backbone), dropout=schedule.dropout
    ).to(device)
    schedule = dataclasses.replace(schedule, image=1.0)
    network, _ = train_category_network(categories, pixels, extractor, schedule, seed, images=images)
    occurring = np.unique(categories[categories >= 0])
    cropper = Cropper(extractor.backbone.preprocessing, extractor.backbone.input_size)
    n_correct = 0
    with torch.inference_mode():
        for rows, part in chunks(pixels, _BATCH_SIZE):
            predicted = network(cropper.fixed(part, 1)).score.argmax(1).cpu().numpy()
            n_correct += int((occurring[predicted] == categories[rows]).sum())
    n_labelled = int((categories >= 0).sum())
    return FittedCategoryNetwork(network, occurring.astype(np.int64), n_correct / n_labelled, n_labelled)


def save_category_network(
    path: Path,
    network: Classifier,
    categories: Sequence[str],
    *,
    backbone: str,
    standardise: bool,
    dataset: str,
    trained_on: str,
) -> CategoryNetworkRecord:
    """Write a trained network to a safetensors file (no pickle), and return what the file says about it.

    ``categories`` are the names of its outputs; the other arguments are as in `CategoryNetworkRecord`.
    """
    from safetensors.torch import save

    if len(categories) != network.score.out_features:
        raise BadInput(f"the network has {network.score.out_features} outputs; got {len(categories)} category names")
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    unsigned = CategoryNetworkRecord(backbone, standardise, tuple(categories), dataset, trained_on)
    fingerprint = _fingerprint(tensors, unsigned)
    metadata = {"format": FORMAT, "record": _record_json(unsigned), "fingerprint": fingerprint}
    write_bytes(path, save(tensors, metadata=metadata))
    return CategoryNetworkRecord(backbone, standardise, tuple(categories), dataset, trained_on, fingerprint)


def read_category_network_record(path: Path) -> CategoryNetworkRecord:
    """Read what a file of `save_category_network` says about its network; its weights are not read.

    Raises `BadInput` for any other file.
    """
    return _read(path, weights=False)[0]


def load_category_network(path: Path) -> tuple[Extractor, CategoryNetworkRecord]:
    """Load a network from a file of `save_category_network`, up to its features.

    Raises `BadInput` for any other file, and for one whose content does not have the fingerprint that it states.
    """
    record, tensors = _read(path, weights=True)
    extractor = Extractor(Backbone.create(record.backbone, pretrained=False), standardise=record.standardise)
    size = extractor.backbone.input_size
    drop_unused_parameters(extractor, lambda: extractor(torch.zeros(1, 3, size, size)))
    prefix = "extractor."
    weights = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        extractor.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"category network {path} does not fit its backbone {record.backbone}: {reason}") from error
    return extractor.eval(), record


def _read(path: Path, *, weights: bool) -> tuple[CategoryNetworkRecord, dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        require_regular(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise BadInput(f"{path} is not a saved category network: its format is {metadata.get('format')!r}")
            values = json.loads(metadata["record"])
            record = CategoryNetworkRecord(**{**values, "categories": tuple(values["categories"])})
            tensors = {name: file.get_tensor(name) for name in file.keys()} if weights else {}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"category network {path} cannot be read: {error}") from error
    stated = metadata.get("fingerprint", "")
    if weights and _fingerprint(tensors, record) != stated:
        raise BadInput(f"category network {path} is damaged: its content does not have the fingerprint that it states")
    return CategoryNetworkRecord(**{**vars(record), "fingerprint": stated}), tensors


def _record_json(record: CategoryNetworkRecord) -> str:
    return json.dumps({key: value for key, value in vars(record).items() if key != "fingerprint"}, sort_keys=True)


def _fingerprint(tensors: dict[str, torch.Tensor], record: CategoryNetworkRecord) -> str:
    parts = [part for name, value in sorted(tensors.items()) for part in (name, digest_array(value.numpy()))]
    return digest_text(FORMAT, _record_json(record), *parts)
