"""Every table of every benchmark, from the reference rows, through a real LaTeX."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relattr.harness.benchmark import load_benchmark
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.report.formats.write import write_all
from relattr.report.tables.builder import build_table

REFERENCE = Path(__file__).parents[4] / "results" / "reference"
NAMES = ("table1", "table2", "table3", "table4", "quick")
AGAINST = {"table3": "siamese-alexnet", "quick": "viralnet"}

pytestmark = [
    pytest.mark.skipif(shutil.which("pdflatex") is None, reason="NO LATEX HERE: no table is compiled"),
    pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference rows beside these tests"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    shutil.copytree(REFERENCE, folder / "results")
    registry = Registry()  # no plugin: numbers, pairs and notes come from the rows
    store = Store(folder / "results")
    tables = [build_table(load_benchmark(name), registry, store, against=AGAINST.get(name, "")) for name in NAMES]
    return folder, tables, write_all(tables, folder / "out")


def test_every_table_is_in_the_pdf(written):
    folder, tables, paths = written
    assert paths[-1].name == "tables.pdf"
    for table in tables:
        for each in (table, *table.behind):
            assert {folder / "out" / f"{each.name}{end}" for end in (".tex", "-published.tex", ".csv", ".md")} <= {
                *paths
            }
    assert {t.name for t in tables[2].behind} == {"table3-lfw-10", "table3-osr"}
    assert "measured" in (folder / "out" / "macros.tex").read_text()


def test_each_file_stands_alone_in_a_paper_and_keeps_to_its_lines(written, tmp_path):
    """As an author does: the preamble, one table and a number in the prose; nothing runs into the margin."""
    folder, _, paths = written
    names = [p.name for p in paths if p.suffix == ".tex" and p.stem not in ("macros", "preamble", "tables")]
    assert len(names) >= 2 * len(NAMES)
    macro = re.search(
        r"\\relattrnumber\{(table3/[^}]+/osr/measured)\}\{([\d.]+)\}", (folder / "out/macros.tex").read_text()
    )
    document = [
        r"\documentclass[10pt,a4paper]{article}\usepackage[margin=22mm]{geometry}\usepackage{lmodern}",
        r"\input{preamble.tex}\begin{document}\input{macros.tex}",
        rf"We measure \relattr{{{macro[1]}}} on OSR.",
        *(rf"\typeout{{FILE {name}}}\input{{{name}}}\clearpage" for name in names),
        r"\end{document}",
    ]
    (folder / "out" / "paper.tex").write_text("\n".join(document))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path}", "paper.tex"],
        cwd=folder / "out",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"undefined|multiply.defined|Missing character", done.stdout)
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", done.stdout)]
    assert max(wide, default=0.0) < 3.0, re.findall(r"(?:FILE \S+|Overfull .*)", done.stdout)
