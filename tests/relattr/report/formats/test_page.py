"""The page: whole, self-contained, escaped."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.report.figures import charts
from relattr.report.figures.captions import source_sentence
from relattr.report.formats.page import to_html

EVIL = "a_b & <script>alert(1)</script>\" onload='x'"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Checks that every element is closed, and collects identifiers and links."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.loads = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        self.loads += [attrs[k] for k in ("src", "xlink:href", "action") if k in attrs]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(synthetic, definition):
    text = to_html(definition, synthetic.registry, synthetic.store)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return text, reader


@pytest.fixture
def full(synthetic, make_benchmark):
    for method, noise in (("good", 0.2), ("bad", 2.0), (EVIL.replace("/", "-"), 0.9)):
        for attribute in ("x", "y"):
            synthetic.add(method, "lfw10", attribute, noise=noise, label=EVIL if "script" in method else method)
    synthetic.add("broken", "lfw10", "x", status="failed", reason=EVIL, traceback=EVIL)
    rows = (RowSpec("good", "ViralNet-M"), RowSpec("missing", "ViralNet-C"))
    return make_benchmark(["good", "bad"], [ColumnSpec(label="LFW-10", dataset="lfw10")], rows, "table3")


def test_page_is_whole_and_needs_nothing_else(synthetic, full):
    text, reader = page(synthetic, full)
    assert reader.loads == []
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert len(set(reader.ids)) == len(reader.ids)
    assert "http" not in text.replace("http-equiv", "")
    assert not any(tag == "script" for tag, _ in reader.tags)
    for section in ("tables", "beside", "intervals", "ranks", "attributes", "audit", "cells"):
        assert f'id="{section}"' in text


def test_whatever_comes_from_a_plugin_is_escaped(synthetic, full):
    text, reader = page(synthetic, full)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert not any("onload" in attrs for _, attrs in reader.tags)


def test_pictures_say_in_words_what_they_show(synthetic, full):
    text, reader = page(synthetic, full)
    pictures = [attrs for tag, attrs in reader.tags if tag == "svg" and attrs.get("role") == "img"]
    assert pictures
    for attrs in pictures:
        for name in attrs["aria-labelledby"].split():
            assert name in reader.ids
    assert "measured" in text
    assert "critical difference" in text


def test_the_same_rows_give_the_same_page(synthetic, full):
    assert page(synthetic, full)[0] == page(synthetic, full)[0]


def test_an_empty_store_makes_a_page(synthetic, make_benchmark):
    text, _ = page(synthetic, make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]))
    assert "Nothing was run yet." in text
    assert 'id="intervals"' not in text


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (83.2, 84.9), (50.0, 100.0), (1e-3, 2e-3), (10.0, 99999.0)])
def test_ticks_are_round_and_hold_the_range(low, high):
    marks = charts.ticks(low, high)
    assert marks[0] <= low + 1e-9
    assert marks[-1] >= high - 1e-9 * abs(high)
    assert 2 <= len(marks) <= 9
    assert np.allclose(np.diff(marks), marks[1] - marks[0])


def test_a_cells_own_curve_is_drawn_and_bad_ones_are_not(synthetic, full):
    assert 'id="curves"' not in page(synthetic, full)[0]
    for seed, curve in (
        (0, np.array([[0.0, 0.7, np.nan, 0.0], [10, 0.4, 0.8, 30.0], [20, 0.2, 0.9, 60.0]])),
        (1, np.zeros((3, 2))),
        (2, np.full((3, 4), np.nan)),
        (3, np.zeros((0, 4))),
    ):
        result = synthetic.add("good", "lfw10", "x", seed, noise=0.2)
        arrays = synthetic.store.arrays(result)
        arrays.artifacts["curve"] = curve
        synthetic.store.write(result, arrays)
    text, _ = page(synthetic, full)
    assert 'id="curves"' in text
    assert "loss from 0.7 to 0.2; held-out accuracy, per cent from 80 to 90, over 20 steps; 60 s in all" in text
    assert text.count(">loss</text>") == 1
    assert 'id="variance"' in text  # several seeds: images and training are told apart
    assert not re.search(r"\bnan\b", text.lower())


def test_pictures_beside_the_page_are_put_into_it(synthetic, full, tmp_path):
    folder = tmp_path / "figures" / "synthetic"
    folder.mkdir(parents=True)
    (folder / "figure-4.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (folder / "figure-4.txt").write_text("Where <it> looked.")
    (folder / "no-picture.png").write_bytes(b"<script>")
    text = to_html(full, synthetic.registry, synthetic.store, exhibits=folder)
    reader = Reader()
    reader.feed(text)
    assert reader.loads == ["data:image/png;base64,iVBORw0KGgpyZXN0"]
    assert "Where &lt;it&gt; looked." in text
    assert "<script" not in text
    assert 'id="figures"' in text


def test_pictures_of_results_that_are_not_here_any_more_are_left_out(synthetic, full, tmp_path):
    result = synthetic.add("good", "lfw10", "x", 7, noise=0.2)
    result = synthetic.store.read(result.cell)
    (tmp_path / "figure.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (tmp_path / "figure.txt").write_text(f"Where it looked. {source_sentence(result)}\n")
    here = to_html(full, synthetic.registry, synthetic.store, exhibits=tmp_path)
    assert "Where it looked." in here
    synthetic.add("good", "lfw10", "x", 7, noise=0.3)  # the same cell, computed anew
    gone = to_html(full, synthetic.registry, synthetic.store, exhibits=tmp_path)
    assert "Where it looked." not in gone
    assert "results which are not here any more are left out (1)" in gone


def test_one_dataset_and_one_method_make_a_page(synthetic, make_benchmark):
    synthetic.add("alone", "a", "x")
    text, _ = page(synthetic, make_benchmark(["alone"], [ColumnSpec(label="A", dataset="a", attribute="x")]))
    assert 'id="intervals"' in text
    assert 'id="ranks"' not in text
    assert 'class="best"' not in text
