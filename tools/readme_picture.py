"""Draw the picture of the README: `python tools/readme_picture.py RESULTS docs/picture.png` (needs matplotlib).

Left: pairs of synthetic scenes and which of the two has more of an attribute. Right: the accuracy of each method in the
benchmark `quick`, from the results in the folder RESULTS.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from relattr.harness.benchmark import load_benchmark
from relattr.harness.store import Store
from relattr.registry import registry
from relattr.report.tables.builder import build_table

QUESTIONS = {
    "global": "more crowded?",
    "local": "spikier in the red badge?",
    "multiscale": "spikier in all three badges?",
}
LEGEND = {
    "Global": "how crowded",
    "Local": "spikiness, red badge",
    "Multiscale": "spikiness, all badges",
    "Category": "spikiness + category",
}
AXIS = "accuracy in per cent, with 95 % intervals over images; backbone: micro, a small network"
INK, SOFT = "#22262e", "#8a919e"


def main(results: Path, out: Path) -> None:
    """Draw the picture from a folder of results."""
    registry.discover()
    glyphs: Any = registry.dataset("glyphs").create()
    table = build_table(load_benchmark("quick"), registry, Store(results))
    figure = plt.figure(figsize=(12, 4.9), dpi=110, facecolor="white")
    grid = figure.add_gridspec(
        3, 5, width_ratios=[1, 0.16, 1, 1.75, 4.6], wspace=0.04, left=0.01, right=0.985, top=0.9, bottom=0.1
    )
    rng = np.random.default_rng(4)
    for k, (attribute, question) in enumerate(QUESTIONS.items()):
        strength = glyphs.strengths(attribute, "test")
        weak, strong = (int(rng.choice(np.argsort(strength)[part])) for part in (slice(5, 40), slice(-40, -5)))
        pair = (strong, weak) if k % 2 == 0 else (weak, strong)
        for column, image in zip((0, 2), pair, strict=True):
            axes = figure.add_subplot(grid[k, column])
            axes.imshow(glyphs.images[glyphs.n_train + image])
            axes.set_axis_off()
            if column == 0:
                axes.set_title(question, loc="left", fontsize=10, color=INK, pad=4)
        sign = figure.add_subplot(grid[k, 1])
        sign.set_axis_off()
        sign.text(0.5, 0.5, ">" if k % 2 == 0 else "<", ha="center", va="center", fontsize=20, color=INK)
    axes = figure.add_subplot(grid[:, 4])
    colours = ["#2563b8", "#c4304a", "#d69a1c", "#4b8f5a"]
    for row, line in enumerate(table.rows):
        for k, entry in enumerate(line.entries):
            if entry.measured is None:
                continue
            y = -row + 0.24 - 0.16 * k
            if entry.lower is not None and entry.upper is not None:
                axes.plot(
                    [entry.lower, entry.upper], [y, y], color=colours[k], lw=1.6, alpha=0.55, solid_capstyle="round"
                )
            label = LEGEND[table.columns[k].label] if row == 0 else None
            axes.plot(entry.measured, y, "o", color=colours[k], ms=6, label=label)
    axes.axvline(50, color=SOFT, lw=0.8, ls=(0, (3, 3)))
    axes.set_yticks(
        [-k for k in range(len(table.rows))],
        [line.label.replace(" + ", "\n+ ").replace(" [backbone=", ", ").removesuffix("]") for line in table.rows],
        fontsize=9,
    )
    axes.set_xlabel(AXIS, fontsize=9, color=INK)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="x", color="#e7e9ee", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(ncols=4, frameon=False, fontsize=8.5, loc="lower center", bbox_to_anchor=(0.36, 1.0), handletextpad=0.1)
    figure.savefig(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
