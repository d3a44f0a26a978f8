"""The backbone `micro`: a small AlexNet-like network, pretrained once and cached. Does not import torch.

A dataset that can generate labelled images registers it::

    register_backbone("micro", **pretrained_micro(draw, key="glyphs shapes v1"))

The first process that needs the weights generates the images and trains the network, in well under a minute on two
cores, while other processes wait; the weights are then stored in the cache folder as safetensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from relattr.backbones.names import Preprocessing
from relattr.errors import BadInput
from relattr.identity import code_digest
from relattr.progress import track
from relattr.random import generator
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

DrawExamples = Callable[[], "tuple[NDArray[np.uint8], NDArray[np.integer]]"]
"""Returns images ``(n, 64, 64, 3)`` uint8 and their classes, ``(n,)`` integers from 0."""

PREPROCESSING = Preprocessing(input_size=64, resize=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
UNTRAINED_CLASSES = 10
HELD_OUT = 10
"""One in this many images is held out from pretraining; the accuracy on them is stored in the weights file."""


class BackboneArguments(TypedDict):
    """Arguments of `register_backbone`."""

    build: Callable[[], nn.Module]
    untrained: Callable[[], nn.Module]
    fingerprint: Callable[[], str]
    missing: Callable[[], str | None]
    preprocessing: Preprocessing


def pretrained_micro(draw: DrawExamples, key: str, *, seed: int = 0) -> BackboneArguments:
    """Return the arguments of `register_backbone` for `micro`, pretrained on the images of ``draw``.

    ``key`` identifies everything that the result of ``draw`` depends on, its code and seed included; with the code of
    the network and of its training, and ``seed``, it identifies the weights.
    """

    def fingerprint() -> str:
        return "micro:" + digest_text(key, str(seed), code_digest("relattr.backbones.micro_net"))

    def build() -> nn.Module:
        path = cache_dir() / "weights" / f"micro-{fingerprint().removeprefix('micro:')[:40]}.safetensors"
        return _load(path) or _train(path, draw, seed)

    return BackboneArguments(
        build=build,
        untrained=_untrained,
        fingerprint=fingerprint,
        missing=lambda: None,
        preprocessing=PREPROCESSING,
    )


def _untrained() -> nn.Module:
    from relattr.backbones.micro_net import MicroNet

    return MicroNet(UNTRAINED_CLASSES)


def _load(path: Path) -> nn.Module | None:
    """Load the network with the weights of this file; None if it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from relattr.backbones.micro_net import MicroNet

    try:
        weights = load_file(path)
        net = MicroNet(len(weights["classifier.fc8.bias"]))
        net.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None  # it can be trained again
    return net.eval()


def _train(path: Path, draw: DrawExamples, seed: int) -> nn.Module:
    from filelock import FileLock
    from safetensors.torch import save

    from relattr.backbones import micro_net
    from relattr.system.atomic import write_bytes

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        cached = _load(path)  # another process may have held the lock and trained it
        if cached is not None:
            return cached
        images, classes = draw()
        held_out = generator(seed, "micro", "held out").permutation(len(images)) % HELD_OUT == 0
        n = int((~held_out).sum())
        with track("pretraining micro", micro_net.n_steps(n, micro_net.EPOCHS)) as advance:
            weights = micro_net.pretrain(images[~held_out], classes[~held_out], seed=seed, progress=advance)
        net = micro_net.MicroNet(len(weights["classifier.fc8.bias"]))
        net.load_state_dict(weights)
        accuracy = micro_net.top1_accuracy(net, images[held_out], classes[held_out])
        write_bytes(path, save(weights, metadata={"held_out_accuracy": f"{accuracy:.4f}", "trained_on": str(n)}))
    stored = _load(path)
    if stored is None:
        raise BadInput(f"the weights of micro were written to {path} but cannot be read back; is the disk full?")
    return stored
