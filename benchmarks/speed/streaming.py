"""Measure training with images in memory and streamed, in one run, on generated JPEG files.

Images are written as JPEG of 500 x 375 pixels (random smooth textures) and the siamese network is trained on pairs of
them: with all images in memory, and streamed with different numbers of decoding threads. Printed are images a second of
the training steps alone, images a second of delivering the pixels without a network, the time to the first step, and
whether all paths end with the same weights.

    python benchmarks/speed/streaming.py [--images 600] [--steps 20] [--backbone squeezenet1_0] [--workers 1 2 4]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600, help="JPEG files (600)")
    parser.add_argument("--steps", type=int, default=20, help="training steps of 50 images (20)")
    parser.add_argument("--backbone", default="squeezenet1_0")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="decoding threads (1 2 4)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of the network")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    print(f"{args.images} JPEG of 500 x 375, {args.backbone}, {args.steps} steps of 50 images, {args.threads} threads,")
    print(f"{args.device}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'path':24s} {'first pixels':>12s} {'pixels':>14s} {'training':>14s}  weights")
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder), args.images)
        reference = None
        for workers in (None, *args.workers):
            one = measure(images, workers, args)
            reference = reference or one["weights"]
            label = "in memory" if workers is None else f"streamed, {workers} threads"
            same = "the same" if one["weights"] == reference else "DIFFERENT"
            print(
                f"{label:24s} {one['first']:10.2f} s {one['pixels']:7.0f} images/s {one['training']:5.1f} images/s  {same}"
            )
    print("in memory, 'first pixels' is the loading of all images")


def write_images(folder: Path, n: int) -> Any:
    """Write ``n`` JPEG files and return them as images that are decoded at every access."""
    from PIL import Image

    from relattr.images import FileSource, Images

    rng = np.random.default_rng(0)
    for k in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{k}.jpg", quality=90)
    return Images(FileSource(folder, [f"{k}.jpg" for k in range(n)]), limit=0)


def measure(images: Any, workers: int | None, args: argparse.Namespace) -> dict[str, Any]:
    """Load or stream the images, deliver the batches once without a network, then train."""
    import torch

    from relattr.networks.architecture import Architecture, build_ranker
    from relattr.pairs import Pairs
    from relattr.system.digests import digest_array
    from relattr.training.config import TrainingConfig
    from relattr.training.cropping import Cropper, load_pixels
    from relattr.training.objectives import PairwiseObjective
    from relattr.training.optimiser import create_optimiser, parameter_groups
    from relattr.training.schedule import PRESETS
    from relattr.training.streamed_pixels import StreamedPixels, with_pixels
    from relattr.training.trainer import training_steps

    pairs = Pairs.all_of(np.random.default_rng(1).normal(size=len(images)))
    schedule = dataclasses.replace(PRESETS["paper"], updates=args.steps)
    objective = PairwiseObjective(pairs, schedule.batch, batching=schedule.batching)
    started = time.perf_counter()
    if workers is None:
        pixels: Any = load_pixels(images, 256, args.device)
    else:
        pixels = StreamedPixels(images, 256, args.device, workers)
        pixels[torch.arange(1)]
    first = time.perf_counter() - started

    stream = objective.batches(0)
    batches = [next(stream) for _ in range(args.steps)]
    started = time.perf_counter()
    n_delivered = sum(len(part) for _, part in with_pixels(pixels, batches, lambda batch: batch.images))
    delivered = n_delivered / (time.perf_counter() - started)

    network = build_ranker(Architecture(args.backbone, dropout=0.5), seed=0).to(args.device)
    cropper = Cropper(network.extractor.backbone.preprocessing, network.extractor.backbone.input_size)
    config = TrainingConfig("speed", objective, pixels, cropper, schedule, 0)
    network.train()
    started = time.perf_counter()
    n_trained = sum(
        n
        for n, _, _ in training_steps(network, create_optimiser(parameter_groups(network, schedule), schedule), config)
    )
    trained = n_trained / (time.perf_counter() - started)
    weights = [digest_array(value.cpu().numpy()) for value in network.state_dict().values()]
    return {"first": first, "pixels": delivered, "training": trained, "weights": weights}


if __name__ == "__main__":
    main()
