"""The backbone `micro`: a small AlexNet-like network with weights in a file of its dataset. Does not import torch.

A dataset registers it with the file and its SHA-256::

    register_backbone("micro", **micro_backbone(Path(__file__).with_name("micro.safetensors"), "f1b7..."))

``tools/pretrain_micro.py`` writes the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from relattr.backbones.names import Preprocessing
from relattr.errors import BadInput
from relattr.system.reading import MAX_RESULT, read_bytes

if TYPE_CHECKING:
    from torch import nn

MEAN, STD = 0.5, 0.25
"""Mean and standard deviation of every channel for normalisation, on the scale 0 to 1."""
PREPROCESSING = Preprocessing(input_size=64, resize=64, mean=(MEAN, MEAN, MEAN), std=(STD, STD, STD))
UNTRAINED_CLASSES = 10


class BackboneArguments(TypedDict):
    """Arguments of `register_backbone`."""

    build: Callable[[], nn.Module]
    untrained: Callable[[], nn.Module]
    fingerprint: Callable[[], str]
    missing: Callable[[], str | None]
    preprocessing: Preprocessing
    weights: Path


def micro_backbone(path: Path, sha256: str) -> BackboneArguments:
    """Return the arguments of `register_backbone` for `micro` with the weights in ``path``.

    ``sha256`` is the digest of that file. Building the network raises `BadInput`, naming the file, if its content
    differs.
    """

    def missing() -> str | None:
        return None if path.is_file() else f"the weights of micro are missing: {path}; install relattr again"

    return BackboneArguments(
        build=lambda: _load(path, sha256),
        untrained=_untrained,
        fingerprint=lambda: f"micro:{sha256}",
        missing=missing,
        preprocessing=PREPROCESSING,
        weights=path,
    )


def _untrained() -> nn.Module:
    from relattr.backbones.micro_net import MicroNet

    return MicroNet(UNTRAINED_CLASSES)


def _load(path: Path, sha256: str) -> nn.Module:
    """Load the network; the file holds half-precision numbers, the network computes in single precision."""
    from safetensors.torch import load

    from relattr.backbones.loading import load_weights
    from relattr.backbones.micro_net import MicroNet

    try:
        content = read_bytes(path, MAX_RESULT)
    except OSError as error:
        raise BadInput(f"cannot read the weights of micro from {path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInput(f"{path} is damaged: its SHA-256 is not {sha256}; install relattr again")
    weights = {name: value.float() for name, value in load(content).items()}
    net = MicroNet(len(weights["classifier.fc8.bias"]))
    load_weights(net, weights, path)
    return net.eval()
