"""A training run that several methods or attributes have in common: the first one trains, the others load the result.

ViralNet-C and -MC train the same category network for all attributes of a dataset, and ViralNet-C has the first stage
of ViralNet. What such a run learned, and its learning curve, are kept in the cache folder under a digest of all that
they depend on; neither the method nor the attribute is part of it. The file has a SHA-256 and holds safetensors, no
pickle. A damaged file is trained again with a warning; a process that needs a run that another one is training waits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relattr.features.cache import cached_array
from relattr.system.digests import digest_array, digest_text
from relattr.training import distributed, trainer
from relattr.training.config import TrainingConfig

if TYPE_CHECKING:
    from relattr.images import Images
    from relattr.networks.classifier import Classifier
    from relattr.networks.ranker import Ranker

_CURVE = "learning curve"
_NETWORK = "network "


def train_once(
    network: Ranker | Classifier,
    groups: Sequence[tuple[nn.Module, float]],
    config: TrainingConfig,
    images: Images,
    *,
    kept: nn.Module,
    architecture: str,
) -> NDArray[np.float64]:
    """Train a network in place, or load what an equal run learned. Returns the learning curve, as `trainer.train`.

    A loaded network equals the trained one bit for bit. Runs with held-out images, with supplementary features or in
    several processes are always trained.

    ``images`` are those of ``config.pixels``. ``kept`` is the part of the network that is used afterwards, and stored;
    the rest is not trained if that was loaded. ``architecture`` names whatever the network's output depends on besides
    its modules and their parameters.
    """
    if config.evaluate is not None or config.supplement is not None or distributed.rank_and_world_size()[1] > 1:
        return trainer.train(network, groups, config)
    trained: list[NDArray[np.float64]] = []

    def compute() -> NDArray[np.uint8]:
        from safetensors.torch import save

        trained.append(trainer.train(network, groups, config))
        tensors = {_NETWORK + name: value.detach().cpu().contiguous() for name, value in kept.state_dict().items()}
        return np.frombuffer(save({**tensors, _CURVE: torch.from_numpy(trained[-1])}), np.uint8)

    key = _key(network, groups, config, images, architecture)
    content = cached_array(key, cast("Callable[[], NDArray[Any]]", compute))
    if trained:
        return trained[-1]

    from safetensors.torch import load

    tensors = load(content.tobytes())
    curve = tensors.pop(_CURVE).numpy()
    kept.load_state_dict({name.removeprefix(_NETWORK): value for name, value in tensors.items()})
    network.eval()
    return curve


def _key(
    network: Ranker | Classifier,
    groups: Sequence[tuple[nn.Module, float]],
    config: TrainingConfig,
    images: Images,
    architecture: str,
) -> str:
    """A digest of all that the result of a run depends on, down to the order in which numbers are summed."""
    from relattr.identity import code_digest

    device = config.pixels.device
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    start = [part for name, value in network.state_dict().items() for part in (name, digest_array(value.cpu().numpy()))]
    return digest_text(
        config.name,
        code_digest("relattr.training.fitting"),
        repr((torch.__version__, device.type, processor, torch.get_num_threads())),
        images.collection_fingerprint,
        digest_array(images.indices),
        config.objective.fingerprint,
        repr((config.schedule, config.seed, config.views, tuple(config.pixels.shape))),
        repr((config.cropper.size, config.cropper.side, dataclasses.astuple(config.cropper.preprocessing))),
        architecture,
        repr(network),
        repr([multiplier for _, multiplier in groups]),
        *start,
    )
