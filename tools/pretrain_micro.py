"""Pretrain the backbone `micro` and write its weights: ``python tools/pretrain_micro.py``, about a minute on one core.

`micro` is to the synthetic scenes of `glyphs` what networks pretrained on ImageNet are to photographs. Its weights are
committed, so that every machine computes with the same numbers; this script documents where they come from. They are
rounded to half precision, which halves the file. Training depends on the processor in the last digits, so another
machine writes slightly different weights. Whoever replaces the file replaces its digest in
``datasets/glyphs/backbone.py`` too, and every result with `micro` becomes stale.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from relattr.backbones.micro import MEAN, STD
from relattr.backbones.micro_net import MicroNet
from relattr.errors import BadInput
from relattr.random import derive_seed, generator
from relattr.system.atomic import write_bytes

N_PICTURES = 3600
HELD_OUT = 10
"""One in this many pictures is held out; the accuracy on them is stored in the file."""
EPOCHS = 8
BATCH = 64
PEAK_RATE = 4e-3
"""Peak learning rate of the one-cycle schedule."""
SHIFT = 4
"""Data augmentation: each batch is translated by up to this many px in each direction."""
TARGET = Path(__file__).resolve().parents[1] / "datasets" / "glyphs" / "micro.safetensors"


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


def round_weights(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Round to half precision, in which the weights are stored."""
    return {name: value.half().contiguous() for name, value in weights.items()}


def main() -> None:
    """Draw the pictures, train, round, evaluate the rounded network, and write the file."""
    from safetensors.torch import save

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TARGET, help="file to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.monotonic()
    images, classes = import_module("relattr.datasets.glyphs.pretraining").draw_pretraining_set(
        N_PICTURES, arguments.seed
    )
    held_out = generator(arguments.seed, "micro", "held out").permutation(len(images)) % HELD_OUT == 0
    weights = round_weights(pretrain(images[~held_out], classes[~held_out], seed=arguments.seed))
    net = MicroNet(int(classes.max()) + 1)
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    accuracy = top1_accuracy(net, images[held_out], classes[held_out])
    metadata = {"held_out_accuracy": f"{accuracy:.4f}", "trained_on": str(int((~held_out).sum()))}
    content = save(weights, metadata=metadata)
    write_bytes(arguments.out, content)
    print(f"wrote {arguments.out}: {len(content):,} bytes, {metadata}, {time.monotonic() - start:.0f} s")
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
