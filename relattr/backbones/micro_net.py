"""A small AlexNet-like network, and its pretraining as a classifier in well under a minute.

Five convolutions, three pooling layers and three fully connected layers with the layer names of AlexNet, so that code
for ``pool5``, ``fc6`` and ``fc7`` of AlexNet runs on it: 64 x 64 px inputs, 256 units in fc6 and fc7. Trained with
batch normalisation, which is folded into the convolutions at the end.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from relattr.errors import BadInput
from relattr.random import derive_seed, generator

EPOCHS = 8
"""Epochs of pretraining."""
BATCH = 64
PEAK_RATE = 4e-3
"""Peak learning rate of the one-cycle schedule."""
SHIFT = 4
"""Data augmentation: each batch is translated by up to this many px in each direction."""
MEAN, STD = 0.5, 0.25
"""Mean and standard deviation of every channel for normalisation, on the scale 0 to 1."""


class MicroNet(nn.Module):
    """Map ``(n, 3, 64, 64)`` float to class scores ``(n, classes)``; other sizes of at least 32 px work too."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 16, 5, stride=2, padding=2),
                relu1=nn.ReLU(inplace=True),
                pool1=nn.MaxPool2d(3, 2),
                conv2=nn.Conv2d(16, 32, 3, padding=1),
                relu2=nn.ReLU(inplace=True),
                pool2=nn.MaxPool2d(3, 2),
                conv3=nn.Conv2d(32, 64, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(64, 64, 3, padding=1),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(64, 64, 3, padding=1),
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, 2),
            )
        )
        self.avgpool = nn.AdaptiveAvgPool2d(3)  # does nothing at 64 x 64
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(64 * 3 * 3, 256),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.2),
                fc7=nn.Linear(256, 256),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.2),
                fc8=nn.Linear(256, classes),
            )
        )
        # He initialisation: PyTorch's default is too small for fast training
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "classifier.fc8.weight":
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def pretrain(
    images: NDArray[np.uint8],
    classes: NDArray[np.integer],
    *,
    seed: int,
    epochs: int = EPOCHS,
    progress: Callable[[int], object] | None = None,
) -> dict[str, torch.Tensor]:
    """Train a `MicroNet` on ``images`` (n, 64, 64, 3) uint8 with ``classes`` (n,) integers from 0; return its weights.

    All randomness is derived from ``seed``: with the same number of threads the weights are reproducible.
    ``progress`` is called with 1 after each of the ``n_steps(n, epochs)`` optimisation steps. Raises `BadInput` for
    other shapes, fewer than two classes, or a loss that is not finite.
    """
    if images.ndim != 4 or images.shape[1:] != (64, 64, 3) or images.dtype != np.uint8:
        raise BadInput(f"pretraining takes (n, 64, 64, 3) uint8 images; got {images.dtype} {images.shape}")
    if classes.shape != (len(images),) or not np.issubdtype(classes.dtype, np.integer):
        raise BadInput(f"classes must be ({len(images)},) integers; got {classes.dtype} {classes.shape}")
    if len(images) < 2 or classes.min() < 0 or classes.min() == classes.max():
        raise BadInput("pretraining needs images of at least two classes, numbered from 0")
    if epochs < 1:
        raise BadInput(f"epochs must be at least 1; got {epochs}")

    x, y = torch.from_numpy(images), torch.from_numpy(classes.astype(np.int64))
    rng = generator(seed, "micro", "batches")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "micro", "weights"))  # for the initialisation and dropout
        micro = MicroNet(int(classes.max()) + 1)
        net = _with_batch_norm(micro).to(memory_format=torch.channels_last).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=1e-2)
        total = n_steps(len(images), epochs)
        step = 0
        for _ in range(epochs):
            order = torch.from_numpy(rng.permutation(len(images)))
            for batch in order.split(BATCH):
                for group in optimiser.param_groups:
                    group["lr"] = _learning_rate(step, total)
                dy, dx = rng.integers(-SHIFT, SHIFT + 1, 2)
                loss = nn.functional.cross_entropy(
                    net(_translate(normalise_images(x[batch]), int(dy), int(dx))), y[batch]
                )
                if not torch.isfinite(loss):
                    raise BadInput(f"pretraining: the loss is {loss.item()} at step {step} of {total}")
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                step += 1
                if progress is not None:
                    progress(1)
    _fold_batch_norm(net)
    return {name: value.detach().contiguous() for name, value in net.state_dict().items()}


def _with_batch_norm(net: MicroNet) -> MicroNet:
    """Add batch normalisation after each convolution: training takes far fewer epochs."""
    for name, module in list(net.features.named_children()):
        if isinstance(module, nn.Conv2d):
            setattr(net.features, name, nn.Sequential(module, nn.BatchNorm2d(module.out_channels)))
    return net


def _fold_batch_norm(net: MicroNet) -> None:
    """Fold batch normalisation into the convolutions, which leaves a plain AlexNet-like network."""
    net.eval()
    for name, module in list(net.features.named_children()):
        if isinstance(module, nn.Sequential):
            conv, norm = module
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            setattr(net.features, name, fuse_conv_bn_eval(conv, norm))


def n_steps(n: int, epochs: int) -> int:
    """Return the number of optimisation steps of `pretrain` on ``n`` images."""
    return epochs * math.ceil(n / BATCH)


def top1_accuracy(net: nn.Module, images: NDArray[np.uint8], classes: NDArray[np.integer]) -> float:
    """Return the top-1 accuracy of the network, in [0, 1]."""
    net.eval()
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(images), 256):
            predicted = net(normalise_images(torch.from_numpy(images[start : start + 256]))).argmax(1).numpy()
            correct += int((predicted == classes[start : start + 256]).sum())
    return correct / len(images)


def normalise_images(images: torch.Tensor) -> torch.Tensor:
    """Convert ``(n, h, w, 3)`` uint8 to normalised network inputs."""
    return ((images.permute(0, 3, 1, 2).float() / 255) - MEAN) / STD


def _translate(x: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """Translate images by this many px, repeating their border."""
    height, width = x.shape[2:]
    padded = nn.functional.pad(x, (SHIFT, SHIFT, SHIFT, SHIFT), mode="replicate")
    return padded[:, :, SHIFT + dy : SHIFT + dy + height, SHIFT + dx : SHIFT + dx + width]


def _learning_rate(step: int, total: int) -> float:
    """One-cycle schedule: linear warm-up over the first fifth of the steps, then cosine decay to zero."""
    warm_up = max(1, total // 5)
    if step < warm_up:
        return PEAK_RATE * (step + 1) / warm_up
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))
