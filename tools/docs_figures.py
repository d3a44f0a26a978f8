"""Draw the figures of the documentation that show photographs: `RELATTR_DATA=... python tools/docs_figures.py`.

Figures 4 and 5 of results in results/reference, as small JPEG files in docs/figures. Needs LFW-10 and OSR.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from relattr.errors import BadInput
from relattr.harness.benchmark import load_benchmark
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.registry import registry
from relattr.report.figures.draw import draw_figures
from relattr.system.atomic import atomic_replace

ROOT = Path(__file__).resolve().parents[1]
FIGURES: Mapping[str, tuple[str, str, str]] = {
    "figure4-lfw10": ("viralnet", "lfw10", "smile"),
    "figure5-lfw10": ("viralnet", "lfw10", "smile"),
    "figure5-osr": ("siamese", "osr", "open"),
}
"""Name of the file, which begins with that of the figure -> method of the benchmark places, dataset, attribute."""
WIDTH, QUALITY = 1200, 80


def main(say: Callable[[str], None] = print) -> None:
    """Draw all of `FIGURES`. Raises `BadInput` if one has no results."""
    registry.discover()
    store = Store(ROOT / "results" / "reference")
    for name, (method, dataset, attribute) in FIGURES.items():
        selection = Selection(methods=[method], datasets=[dataset], attributes=[attribute], seeds=[0])
        with tempfile.TemporaryDirectory() as folder:
            drawn = list(draw_figures(load_benchmark("places"), registry, store, selection, Path(folder)))
            prefix = f"{name.partition('-')[0]}-{dataset}-{attribute}-{method}-s0"
            found = [p for figure in drawn for p in figure.files if p.stem in (prefix, f"{prefix}-test")]
            pictures = [path for path in found if path.suffix == ".png"]
            if len(pictures) != 1:
                problems = "; ".join(figure.error for figure in drawn if figure.error)
                raise BadInput(f"{len(pictures)} figures {prefix} instead of one. {problems}")
            out = ROOT / "docs" / "figures" / f"{name}.jpg"
            with Image.open(pictures[0]) as picture, atomic_replace(out) as file:
                small = picture.convert("RGB").resize((WIDTH, round(WIDTH * picture.height / picture.width)))
                small.save(file, "JPEG", quality=QUALITY, optimize=True)
        say(f"wrote {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
