"""The page: well-formed, self-contained, with everything from plugins escaped."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.harness.result_selection import ResultSelection
from relattr.report.figures.charts import learning_curve_chart
from relattr.report.figures.source import source_sentence
from relattr.report.formats.latex.table import comparison_to_latex
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.page import benchmark_to_html

EVIL = "a_b & <script>alert(1)</script>\" onload='x'"
PNG = b"\x89PNG\r\n\x1a\nrest"
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


def page_of(synthetic, benchmark, **options):
    text = benchmark_to_html(benchmark, synthetic.registry, synthetic.store, **options)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return text, reader


def test_the_part_of_a_mean_is_beside_its_number(synthetic, make_benchmark, mean_column):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    synthetic.add("n", "a", "x")
    synthetic.add("n", "a", "y", status="timeout", reason="took too long")
    page, _ = page_of(synthetic, make_benchmark(["m", "n"], [mean_column]))
    places = re.findall(r'<span class="spread">[^<]* 1/2</span>', page)
    assert len(places) == 2  # the table, and the mean in the table of attributes


def test_the_part_of_a_mean_is_beside_it_in_every_comparison(synthetic, make_benchmark):
    for method, attribute in (("whole", "baldhead"), ("whole", "smile"), ("part", "smile")):
        synthetic.add(method, "a", attribute)
    synthetic.add("part", "a", "baldhead", status="timeout", reason="took too long")
    column = ColumnSpec(label="All", dataset="a", attribute="*", published="LFW-10")
    rows = [RowSpec(method, published="Parikh and Grauman + CNN") for method in ("whole", "part")]
    page, _ = page_of(synthetic, make_benchmark(["whole", "part"], [column], rows, "table3"))
    comparisons = page.partition('<section aria-labelledby="published">')[2].partition("</section>")[0]
    assert len(re.findall(r'<td>[\d.]+ <span class="spread">1/2</span></td>', comparisons)) == 1
    table = synthetic.table(["whole", "part"], [column], rows, "table3")
    assert len(re.findall(r"& [\d.]+--[\d.]+\\,\{\\scriptsize 1/2\} &", comparison_to_latex(table))) == 1
    assert len(re.findall(r"\| [\d.]+ 1/2 \|", table_to_markdown(table))) == 1


def test_rank_correlations_are_on_the_page(synthetic, make_benchmark, column):
    synthetic.add("m", "a", "x", spearman=0.25)
    synthetic.add("n", "a", "x")
    text, _ = page_of(synthetic, make_benchmark(["m", "n"], [column]))
    table = text.partition('aria-label="Rank correlations"')[2].partition("</table>")[0]
    assert "Spearman&#39;s rank correlation" in table
    assert re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', table) == [("m", "0.250")]
    synthetic.add("m", "b", "x")
    other = make_benchmark(["m"], [ColumnSpec(label="B", dataset="b", attribute="x")])
    assert "Rank correlations" not in page_of(synthetic, other)[0]


@pytest.fixture
def full(synthetic, make_benchmark):
    """A benchmark with results of every kind."""
    for method, noise in (("good", 0.2), ("bad", 2.0), (EVIL.replace("/", "-"), 0.9)):
        for attribute in ("x", "y"):
            synthetic.add(method, "lfw10", attribute, noise=noise, label=EVIL if "script" in method else method)
    synthetic.add("broken", "lfw10", "x", status="failed", reason=EVIL, traceback=EVIL)
    rows = (RowSpec("good", "ViralNet-M"), RowSpec("missing", "ViralNet-C"))
    return make_benchmark(["good", "bad"], [ColumnSpec(label="LFW-10", dataset="lfw10")], rows, "table3")


def test_the_page_is_self_contained(synthetic, full):
    text, reader = page_of(synthetic, full)
    assert reader.loads == []
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert len(set(reader.ids)) == len(reader.ids)
    assert "http" not in text.replace("http-equiv", "")
    assert not any(tag == "script" for tag, _ in reader.tags)
    for section in ("tables", "published", "intervals", "ranks", "attributes", "audit", "cells"):
        assert f'id="{section}"' in text


def test_text_from_plugins_is_escaped(synthetic, full):
    text, reader = page_of(synthetic, full)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert not any("onload" in attrs for _, attrs in reader.tags)


def test_charts_are_described_in_words(synthetic, full):
    text, reader = page_of(synthetic, full)
    charts = [attrs for tag, attrs in reader.tags if tag == "svg" and attrs.get("role") == "img"]
    assert charts
    for attrs in charts:
        assert set(attrs["aria-labelledby"].split()) <= set(reader.ids)
    assert "measured" in text
    assert "critical difference" in text


def test_the_same_results_give_the_same_page(synthetic, full):
    assert page_of(synthetic, full)[0] == page_of(synthetic, full)[0]


def test_an_empty_store_gives_a_page(synthetic, make_benchmark, mean_column):
    text, _ = page_of(synthetic, make_benchmark(["m"], [mean_column]))
    assert "No results yet." in text
    assert 'id="intervals"' not in text


def test_one_method_is_neither_ranked_nor_best(synthetic, make_benchmark, column):
    synthetic.add("alone", "a", "x")
    text, _ = page_of(synthetic, make_benchmark(["alone"], [column]))
    assert 'id="intervals"' in text
    assert 'id="ranks"' not in text
    assert 'class="best"' not in text


def test_valid_learning_curves_are_drawn(synthetic, full):
    assert 'id="curves"' not in page_of(synthetic, full)[0]
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
    text, _ = page_of(synthetic, full)
    assert 'id="curves"' in text
    assert "loss from 0.7 to 0.2; held-out accuracy, per cent from 80 to 90, over 20 steps; 60 s in total" in text
    assert text.count(">loss</text>") == 1
    assert 'viewBox="0 0 720 168"' in text  # a panel for the loss and one for the accuracy
    assert 'id="variance"' in text  # with several seeds
    assert not re.search(r"\bnan\b", text.lower())


def test_a_curve_without_accuracy_takes_half_the_width():
    curve = np.array([[0.0, 0.7, np.nan, 0.0], [10, 0.4, np.nan, 30.0]])
    assert 'viewBox="0 0 360 168"' in (learning_curve_chart(curve, "t", "k") or "")


def test_figures_are_embedded_with_their_captions(synthetic, full, tmp_path):
    folder = tmp_path / "figures" / "synthetic"
    folder.mkdir(parents=True)
    (folder / "figure-4.png").write_bytes(PNG)
    (folder / "figure-4.txt").write_text("Where <it> attends.")
    (folder / "not-a-png.png").write_bytes(b"<script>")
    text, reader = page_of(synthetic, full, figures=folder)
    assert reader.loads == ["data:image/png;base64,iVBORw0KGgpyZXN0"]
    assert "Where &lt;it&gt; attends." in text
    assert "<script" not in text
    assert 'id="figures"' in text


def test_figures_of_replaced_results_are_left_out(synthetic, full, tmp_path):
    result = synthetic.store.read(synthetic.add("good", "lfw10", "x", 7, noise=0.2).cell)
    (tmp_path / "figure.png").write_bytes(PNG)
    (tmp_path / "figure.txt").write_text(f"Where it attends. {source_sentence(result)}\n")
    assert "Where it attends." in page_of(synthetic, full, figures=tmp_path)[0]
    synthetic.add("good", "lfw10", "x", 7, noise=0.3)  # the same cell, computed again
    text, _ = page_of(synthetic, full, figures=tmp_path)
    assert "Where it attends." not in text
    assert "results that are no longer in the store are left out (1)" in text


def test_only_what_is_chosen_is_on_the_page(synthetic, full, tmp_path):
    result = synthetic.store.read(synthetic.add("bad", "lfw10", "x", 7, noise=2.0).cell)
    (tmp_path / "figure.png").write_bytes(PNG)
    (tmp_path / "figure.txt").write_text(f"Where it attends. {source_sentence(result)}\n")
    for methods, shown, hidden in ((["good"], "good", "bad"), (["b*"], "bad", "good")):
        selection = ResultSelection(methods=methods)
        page = benchmark_to_html(full, synthetic.registry, synthetic.store, figures=tmp_path, selection=selection)
        page = page.partition("<body>")[2]
        assert re.search(rf"\b{shown}\b", page)
        assert not re.search(rf"\b{hidden}\b", page)
        assert ("Where it attends." in page) == (shown == "bad")
        assert "no longer in the store" not in page
