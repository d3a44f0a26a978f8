"""Compare the speed of the features with common alternatives, in one run.

    RELATTR_WEIGHTS=... python benchmarks/speed/features.py --threads 2
    python benchmarks/speed/features.py --deep-only --json features.json

*Deep features*: `relattr.backbones.extraction`, from uint8 images to features, against the same torchvision network as it
is usually run: fp32, default memory layout, whole batches through ``net(x)`` up to the same layer, the same
preprocessing. Ours are computed in fp32 and, where the processor has it, in bf16. Both take turns on the same images;
each figure is the median over the rounds, the range is that of the ratio from round to round. Beside the ratio: the
relative norm of the difference to plain fp32, and on how many pairs of images a fixed linear ranker orders them alike (a
pair both rank within 1e-6 of each other is left out). SqueezeNet has its real ImageNet weights if RELATTR_WEIGHTS has
them; AlexNet gets random ones if they are not there, which changes no speed.
*Classic features*: see features_classic.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import features_classic  # type: ignore[import-not-found]
import numpy as np
import torch
from numpy.typing import NDArray

from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import BATCH, FeatureExtractor, Precision
from relattr.backbones.inference import has_bf16
from relattr.backbones.preprocess import crop_views, normalise_pixels
from relattr.backbones.weights import PretrainedWeights, WeightsFile, find_weights
from relattr.system.atomic import write_text

Row = dict[str, Any]
PLAIN_BATCH = 32


def plain_features(backbone: Backbone, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the penultimate layer in the usual way: fp32, default memory layout."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(images), PLAIN_BATCH):
            pixels = crop_views(list(images[start : start + PLAIN_BATCH]), backbone.preprocessing, "center")
            x = normalise_pixels(pixels, backbone.preprocessing).contiguous()
            rows.append(backbone.forward_features(x).flatten(1).numpy())
    return np.concatenate(rows)


def same_order(ours: NDArray[np.float32], plain: NDArray[np.float32]) -> tuple[float, int]:
    """Return the share of pairs that a linear ranker orders alike on both, and the number of pairs."""
    centre = plain.mean(0)
    w = np.random.default_rng(0).normal(size=plain.shape[1])
    a, b = ((x.astype(np.float64) - centre) @ w for x in (ours, plain))
    i, j = np.triu_indices(len(plain), 1)
    da, db = a[i] - a[j], b[i] - b[j]
    counted = abs(db) > 1e-6 * b.std()
    return float((np.sign(da) == np.sign(db))[counted].mean()), int(counted.sum())


def build(name: str) -> tuple[Callable[[], Backbone], str]:
    """Return a factory of a backbone, the same at every call, and a description of its weights."""
    if isinstance(find_weights(name), WeightsFile):
        return lambda: Backbone.create(name), "ImageNet weights"

    def fresh() -> Backbone:
        torch.manual_seed(0)
        return Backbone.create(name, pretrained=False)

    return fresh, f"random weights ({PretrainedWeights(name).fingerprint()})"


def matrix_product_rate(dtype: torch.dtype, size: int = 2048, rounds: int = 10) -> float:
    """Return the floating-point operations per second of products of two large matrices: a bound for networks."""
    a = torch.randn(size, size).to(dtype)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def deep_row(name: str, images: NDArray[np.uint8], rounds: int, precision: Precision = "fp32") -> Row:
    """Compare one backbone, in this precision, with the plain implementation in fp32."""
    make, weights = build(name)
    plain_net = make()
    extractor = FeatureExtractor(make(), normalise="none", precision=precision)
    calls = (lambda: extractor(images), lambda: plain_features(plain_net, images))
    ours, plain = (call() for call in calls)  # and so both are warm
    seconds: tuple[list[float], list[float]] = ([], [])
    for k in range(rounds):
        for side in (0, 1) if k % 2 else (1, 0):
            start = time.perf_counter()
            calls[side]()
            seconds[side].append(time.perf_counter() - start)
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    alike, pairs = same_order(ours, plain)
    difference = float(np.linalg.norm(ours - plain) / np.linalg.norm(plain))
    rate, peer = (len(images) / statistics.median(side) for side in seconds)
    note = (
        f"{extractor.spec.precision}; {weights}; ratio {min(ratios):.1f}-{max(ratios):.1f} over {rounds} rounds; "
        f"relative difference {difference:.1e}; {100 * alike:.2f} % of {pairs:,} pairs ordered alike"
    )
    return {
        "name": f"{name} {extractor.spec.layer} {precision}",
        "ours": rate,
        "peer": peer,
        "unit": "images/s",
        "ratio": statistics.median(ratios),
        "note": note,
        "relative_difference": difference,
        "same_order": alike,
        "precision": extractor.spec.precision,
    }


def machine() -> dict[str, Any]:
    """Describe the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "native_bf16": has_bf16("cpu"),
        "torch": torch.__version__,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main() -> None:
    """Print one table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="for the networks (%(default)s)")
    parser.add_argument("--images", type=int, default=2 * BATCH, help="256 x 256, seeded (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (%(default)s)")
    parser.add_argument("--backbones", nargs="+", default=["alexnet", "squeezenet1_0"], metavar="NAME")
    parser.add_argument("--deep-only", action="store_true", help="leave the classic features out")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write machine and rows to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    here = machine()
    print(", ".join(f"{key} {value}" for key, value in here.items()))
    if here["load"] is not None and here["load"] > 0.5:
        print(f"warning: load {here['load']:.1f} before the start: other processes distort these times")
    images = features_classic.pictures(args.images)
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if has_bf16("cpu") else ("fp32",)
    rows = [deep_row(name, images, args.rounds, precision) for name in args.backbones for precision in precisions]
    if not args.deep_only:
        rows += features_classic.run()
    print(f"{'':26}{'ours':>12}{'peer':>12}  {'unit':15}{'ratio':>7}  note")
    for r in rows:
        peer = "-" if r["peer"] is None else f"{r['peer']:,.1f}"
        ratio = "-" if r["ratio"] is None else f"{r['ratio']:.1f}"
        print(f"{r['name']:26}{r['ours']:>12,.1f}{peer:>12}  {r['unit']:15}{ratio:>7}  {r['note']}")
    for precision, dtype in {"fp32": torch.float32, "bf16": torch.bfloat16}.items():
        if precision in precisions:
            print(f"products of large matrices, {precision}: {matrix_product_rate(dtype) / 1e9:.0f} Gflop/s")
    if args.json:
        write_text(args.json, json.dumps({"machine": here, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
