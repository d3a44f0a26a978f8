"""The committed diagrams are those that tools/diagrams.py draws, and need nothing from a network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("diagrams", ROOT / "tools" / "diagrams.py")
assert spec is not None
assert spec.loader is not None
diagrams = importlib.util.module_from_spec(spec)
spec.loader.exec_module(diagrams)


@pytest.mark.parametrize("name", diagrams.FIGURES)
def test_a_diagram_is_current_and_self_contained(name: str) -> None:
    text = (diagrams.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert text == diagrams.FIGURES[name](), "run python tools/diagrams.py"
    root = ElementTree.fromstring(text)
    assert not [key for element in root.iter() for key in element.attrib if "href" in key]
    assert text.count("http") == 1  # the name of SVG itself


def test_every_diagram_is_shown_and_described() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {path.stem for path in diagrams.FOLDER.glob("*.svg")} == set(diagrams.FIGURES)
    for name in diagrams.FIGURES:
        assert f"](figures/{name}.svg)" in page
        assert f"![](figures/{name}.svg)" not in page  # readers who do not see it get a description


def test_boxes_and_text_lie_inside_the_picture() -> None:
    for name, draw in diagrams.FIGURES.items():
        root = ElementTree.fromstring(draw())
        width, height = float(root.get("width", "0")), float(root.get("height", "0"))
        for box in (element for element in root.iter() if element.tag.endswith("rect")):
            assert float(box.get("x", "0")) + float(box.get("width", "0")) <= width, name
            assert float(box.get("y", "0")) + float(box.get("height", "0")) <= height, name
