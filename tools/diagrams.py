"""Draw the diagrams of docs/architecture.md: `python tools/diagrams.py` writes docs/figures/*.svg.

The networks are drawn as in Figures 1 to 3 of Dubey and Agarwal (2017); sizes come from the code. The files have their
own background and follow the light or dark setting of the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from relattr.system.atomic import write_text

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
FC7 = 4096
"""Features of AlexNet's layer fc7."""
STYLE = """
text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2430; text-anchor: middle }
.title, .note { text-anchor: start } .note, .note-middle { font-size: 13px; fill: #545b6b }
.title { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 6 }
.paper { fill: #ffffff } .plain { fill: #f1f2f5; stroke: #9aa1ae } .data { fill: #fff6dd; stroke: #c99a2e }
.blue { fill: #e5eefb; stroke: #3b73c4 } .red { fill: #fbe7e6; stroke: #c5524b }
.green { fill: #e4f4e8; stroke: #3f8f58 }
.group { fill-opacity: 0.45; stroke-dasharray: 5 4 } .line { fill: none; stroke: #6a7180; stroke-width: 1.6 }
.head { fill: #6a7180 }
@media (prefers-color-scheme: dark) {
text { fill: #e9ebf0 } .title { stroke: #1b1e25 } .note, .note-middle { fill: #b4bac6 } .paper { fill: #1b1e25 }
.plain { fill: #2b2f39; stroke: #7b8392 } .data { fill: #40361c; stroke: #c99a2e }
.blue { fill: #1f2f4a; stroke: #6fa3ec } .red { fill: #482726; stroke: #e0857f }
.green { fill: #1f3a29; stroke: #6dbd87 }
.line { stroke: #9aa1ae } .head { fill: #9aa1ae }
}
"""
LINE_HEIGHT = 18


class Drawing:
    """An SVG picture of boxes, arrows and text; positions and sizes are in pixels.

    Parameters
    ----------
    width, height : of the picture.
    title : what it shows, for readers who do not see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.titles: list[str] = []  # drawn last, over the arrows
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            '<marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
            '<path class="head" d="M0,0 L9,4 L0,8 z"/></marker>',
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        ]

    def box(self, x: float, y: float, width: float, height: float, text: str, kind: str = "plain") -> None:
        """A rectangle with lines of text in its middle."""
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>')
        self.text(x + width / 2, y + height / 2, text)

    def group(self, x: float, y: float, width: float, height: float, title: str, kind: str = "plain") -> None:
        """A dashed rectangle around other parts, with a title inside its upper edge."""
        self.parts.append(f'<rect class="{kind} group" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>')
        self.titles.append(f'<text class="title" x="{x + 12}" y="{y + 22}">{escape(title)}</text>')

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        """Lines of text whose middle is at (x, y); of kind ``note``, they begin at x."""
        lines = text.split("\n")
        top = y + 5 - (len(lines) - 1) * LINE_HEIGHT / 2
        name = f' class="{kind}"' if kind else ""
        for k, line in enumerate(lines):
            self.parts.append(f'<text{name} x="{x}" y="{top + k * LINE_HEIGHT:g}">{escape(line)}</text>')

    def arrow(self, *points: tuple[float, float]) -> None:
        """A line through the points, with a head at the last one."""
        path = " L".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<path class="line" marker-end="url(#head)" d="M{path}"/>')

    def svg(self) -> str:
        return "\n".join([*self.parts, *self.titles, "</svg>", ""])


def layers() -> str:
    """The packages of relattr, and which import which."""
    drawing = Drawing(560, 452, "The layers of relattr; imports point down")
    drawing.box(20, 20, 250, 40, "cli: commands; interface: Python")
    drawing.text(415, 52, "loaded through the registry", "note-middle")
    drawing.group(20, 84, 250, 190, "benchmarks")
    drawing.box(36, 116, 104, 56, "execution:\nruns cells", "blue")
    drawing.box(150, 116, 104, 56, "report:\ntables, pages", "blue")
    drawing.box(36, 204, 218, 56, "harness: benchmarks, cells,\nplans, stored results", "blue")
    drawing.group(290, 84, 250, 190, "methods and data")
    drawing.box(306, 116, 218, 56, "methods/, datasets/,\nyour own plugins", "green")
    drawing.box(306, 196, 218, 66, "backbones, features,\nranksvm, chains, networks,\ntraining", "red")
    drawing.group(20, 298, 520, 134, "concepts")
    drawing.box(36, 330, 488, 36, "method, dataset, registry, run, needs")
    drawing.box(36, 382, 488, 36, "pairs, images, task, statistics, identity, system")
    drawing.arrow((145, 60), (145, 82))
    drawing.arrow((145, 274), (145, 296))
    drawing.arrow((415, 274), (415, 296))
    drawing.arrow((88, 172), (88, 202))
    drawing.arrow((202, 172), (202, 202))
    drawing.arrow((415, 172), (415, 194))
    drawing.arrow((280, 366), (280, 380))
    return drawing.svg()


def cell() -> str:
    """How one cell is computed, from the benchmark's file to the tables."""
    drawing = Drawing(560, 640, "How a cell flows: plan, a process of its own, a stored result, tables")
    drawing.box(20, 20, 250, 56, "benchmark (.toml)\nmethods × tasks × seeds", "data")
    drawing.box(290, 20, 250, 56, "plugins\nmethods and datasets", "green")
    drawing.box(
        20,
        110,
        520,
        56,
        "plan: which cells have no valid result?\nfingerprints of code, data and weights are compared",
        "blue",
    )
    drawing.arrow((145, 76), (145, 108))
    drawing.arrow((415, 76), (415, 108))
    drawing.group(20, 200, 520, 262, "one process for each cell, under limits of time and memory", "plain")
    drawing.arrow((280, 166), (280, 198))
    drawing.box(40, 236, 220, 56, "training set\nimages and labelled pairs", "data")
    drawing.box(300, 236, 220, 56, "test sets\nimages and labelled pairs", "data")
    drawing.box(40, 322, 220, 44, "fit(training set)", "green")
    drawing.box(300, 322, 220, 44, "compare(images, pairs)", "green")
    drawing.box(
        40,
        396,
        480,
        50,
        "correct / ordered pairs for each test set\na margin for each pair, or a strength for each image",
        "blue",
    )
    drawing.arrow((150, 292), (150, 320))
    drawing.arrow((410, 292), (410, 320))
    drawing.arrow((260, 344), (298, 344))
    drawing.arrow((410, 366), (410, 394))
    drawing.box(20, 496, 520, 44, "results/: one .json and one .npz file, or the reason for a failure", "data")
    drawing.arrow((280, 462), (280, 494))
    for k, name in enumerate(("tables", "figures", "report", "export")):
        x = 20 + k * 133
        drawing.box(x, 576, 121, 40, name, "blue")
        drawing.arrow((x + 60.5, 540), (x + 60.5, 574))
    return drawing.svg()


def viralnet() -> str:
    """Figure 1: a spatial transformer and a ranking network, applied to both images with the same weights."""
    from relattr.networks.localiser import HIDDEN_UNITS, INITIAL_SCALE, MAP_SIZE, REDUCED_CHANNELS

    drawing = Drawing(560, 762, "ViralNet: a spatial transformer and a ranking network, shared by both images")
    drawing.box(60, 20, 260, 40, "image i", "data")
    drawing.box(430, 20, 110, 40, "image j", "data")
    drawing.group(20, 90, 300, 330, "spatial transformer", "blue")
    steps = (
        "AlexNet, conv1 to pool5 *",
        f"1 × 1 conv., {REDUCED_CHANNELS} × {MAP_SIZE} × {MAP_SIZE}",
        f"hidden layer, {HIDDEN_UNITS}",
        "scale s, translation (tx, ty)",
    )
    for k, text in enumerate(steps):
        drawing.box(40, 126 + 58 * k, 220, 38, text, "blue")
        if k:
            drawing.arrow((150, 106 + 58 * k), (150, 124 + 58 * k))
    drawing.box(40, 366, 220, 38, f"crop of scale s, first {INITIAL_SCALE:g}", "blue")
    drawing.arrow((150, 338), (150, 364))
    drawing.arrow((220, 60), (220, 124))
    drawing.arrow((290, 60), (290, 385), (262, 385))
    drawing.group(20, 450, 380, 172, "ranking network", "red")
    drawing.arrow((320, 40), (360, 40), (360, 484))
    drawing.arrow((220, 404), (220, 484))
    drawing.box(40, 486, 340, 38, "AlexNet up to fc7 *, the same for both inputs", "red")
    drawing.box(40, 568, 340, 38, "score layer: one strength", "red")
    drawing.arrow((210, 524), (210, 566))
    drawing.text(222, 545, f"2 × {FC7:,} features", "note")
    drawing.group(430, 90, 110, 532, "the same")
    drawing.text(485, 340, "both\nnetworks\nwith the\nsame\nweights", "note-middle")
    drawing.arrow((485, 60), (485, 88))
    drawing.box(
        20,
        660,
        520,
        52,
        "RankNet loss of strength i − strength j\nif a crop is centred outside the image: spatial loss",
        "data",
    )
    drawing.arrow((210, 606), (210, 658))
    drawing.arrow((485, 622), (485, 658))
    drawing.text(20, 738, "* pretrained on ImageNet, then trained further", "note")
    return drawing.svg()


def viralnet_m() -> str:
    """Figure 2: one half of ViralNet-M, with three spatial transformers."""
    from relattr.networks.localiser import INITIAL_SCALE
    from relattr.networks.multiscale_pyramid import SCALES

    drawing = Drawing(
        560, 632, "ViralNet-M, one half: three spatial transformers at three scales and one ranking network"
    )
    drawing.box(150, 20, 260, 40, "image", "data")
    drawing.group(20, 92, 440, 290, "three spatial transformers", "blue")
    for k, scale in enumerate(SCALES):
        x = 36 + 140 * k
        drawing.box(x, 146, 128, 56, f"image at\n{scale:g} of its size", "data")
        drawing.box(x, 228, 128, 56, "localisation\nnetwork", "blue")
        drawing.box(x, 310, 128, 56, f"crop, at first\n{scale * INITIAL_SCALE:.2g} of the side", "blue")
        drawing.arrow((x + 64, 202), (x + 64, 226))
        drawing.arrow((x + 64, 284), (x + 64, 308))
        drawing.arrow((280, 60), (280, 76), (x + 64, 76), (x + 64, 144))
    drawing.text(505, 220, "the\nwhole\nimage", "note-middle")
    drawing.arrow((410, 40), (505, 40), (505, 180))
    n = len(SCALES) + 1
    drawing.group(20, 414, 520, 198, "ranking network", "red")
    for x in (*(100 + 140 * k for k in range(len(SCALES))), 505):
        drawing.arrow((x, 260 if x == 505 else 366), (x, 466))
    drawing.box(36, 468, 488, 40, f"AlexNet up to fc7, the same for all {n} inputs", "red")
    drawing.box(36, 556, 488, 40, "score layer: one strength", "red")
    drawing.arrow((280, 508), (280, 554))
    drawing.text(292, 532, f"{n} × {FC7:,} = {n * FC7:,} features", "note")
    return drawing.svg()


def viralnet_c() -> str:
    """Figure 3: one half of ViralNet-C and of ViralNet-MC, with a category network."""
    from relattr.networks.multiscale_pyramid import SCALES

    drawing = Drawing(
        560, 470, "ViralNet-C and ViralNet-MC, one half: a category network gives features to the score layer"
    )
    drawing.box(150, 20, 260, 40, "image", "data")
    drawing.group(20, 92, 320, 196, "ViralNet or ViralNet-M")
    drawing.box(36, 128, 288, 56, f"1 or {len(SCALES)} spatial transformers:\ncrops, and the whole image", "blue")
    drawing.box(36, 216, 288, 56, "AlexNet up to fc7,\nthe same for all inputs", "red")
    drawing.arrow((180, 184), (180, 214))
    drawing.group(360, 92, 180, 196, "category network", "green")
    drawing.box(
        376,
        128,
        148,
        144,
        "AlexNet up to fc7,\ntrained on the\ncategories of the\ntraining images,\nthen frozen",
        "green",
    )
    drawing.arrow((250, 60), (250, 126))
    drawing.arrow((410, 40), (520, 40), (520, 126))
    drawing.arrow((180, 272), (180, 388))
    drawing.arrow((450, 272), (450, 388))
    sizes = " or ".join(f"{n * FC7:,}" for n in (2, len(SCALES) + 1))
    drawing.text(192, 340, f"{sizes}\nfeatures", "note")
    drawing.text(462, 340, f"{FC7:,}\nfeatures", "note")
    drawing.box(20, 390, 520, 50, "score layer on all features: one strength", "red")
    return drawing.svg()


FIGURES: Mapping[str, Callable[[], str]] = {
    "layers": layers,
    "cell": cell,
    "viralnet": viralnet,
    "viralnet-m": viralnet_m,
    "viralnet-c": viralnet_c,
}


def main() -> None:
    """Write every figure."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        write_text(FOLDER / f"{name}.svg", draw())


if __name__ == "__main__":
    main()
