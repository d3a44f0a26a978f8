"""The page: whole, self-contained, escaped."""

from html.parser import HTMLParser

import numpy as np
import pytest

from relattr.harness.benchmark import Column, Row
from relattr.report import figures
from relattr.report.page import to_html

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
    rows = (Row("good", "ViralNet-M"), Row("missing", "ViralNet-C"))
    return make_benchmark(["good", "bad"], [Column(label="LFW-10", dataset="lfw10")], rows, "table3")


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


def test_learning_curves_appear_when_results_carry_them(synthetic, full):
    assert 'id="curves"' not in page(synthetic, full)[0]
    result = synthetic.add("good", "lfw10", "x", noise=0.2)
    path = synthetic.store.path(result.cell).with_suffix(".npz")
    with np.load(path) as arrays:
        kept = dict(arrays)
    synthetic.store.write(result, {**kept, "curve loss": np.array([[0.0, 1.0], [1.0, 0.5], [2.0, 0.3]])})
    text, _ = page(synthetic, full)
    assert 'id="curves"' in text
    assert "from 1 to 0.3" in text


def test_an_empty_store_makes_a_page(synthetic, make_benchmark):
    text, _ = page(synthetic, make_benchmark(["m"], [Column(label="A", dataset="a")]))
    assert "Nothing was run yet." in text
    assert 'id="intervals"' not in text


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (83.2, 84.9), (50.0, 100.0), (1e-3, 2e-3), (10.0, 99999.0)])
def test_ticks_are_round_and_hold_the_range(low, high):
    marks = figures.ticks(low, high)
    assert marks[0] <= low + 1e-9
    assert marks[-1] >= high - 1e-9 * abs(high)
    assert 2 <= len(marks) <= 9
    assert np.allclose(np.diff(marks), marks[1] - marks[0])
