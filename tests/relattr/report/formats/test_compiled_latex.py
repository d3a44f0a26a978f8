"""All tables compiled by LaTeX: those of the reference results, and one with difficult text."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relattr.harness.benchmark import ColumnSpec, load_benchmark
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.report.formats.files import write_tables
from relattr.report.formats.latex.document import compile_pdf
from relattr.report.tables.builder import build_table

REFERENCE = Path(__file__).parents[4] / "results" / "reference"
NAMES = ("table1", "table2", "table3", "table4", "quick")
AGAINST = {"table3": "siamese", "quick": "viralnet"}
NASTY = r"a_b & <script>alert(1)</script> 100% $x$ #1 {y} ~z ^w \end{document} é 中 α “q”"

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def test_nasty_tables_compile_to_the_same_pdf_each_time(synthetic, tmp_path):
    """Many columns, a table over several pages, and labels, notes and reasons full of active characters."""
    for attribute in ("x_1", "y%"):
        synthetic.add("nasty", "wide", attribute, label=NASTY, deviations=(NASTY,), noise=0.4)
        synthetic.add("m", "wide", attribute, noise=0.5)
    synthetic.add("broken & co", "wide", "y%", status="crashed", reason=NASTY)
    wide = [ColumnSpec(label=f"C_{k}", dataset="wide", attribute="y%") for k in range(12)]
    for k in range(47):
        synthetic.add(f"many_{k}", "long", "z", noise=0.1 * k, arrays=False)
    tables = [
        synthetic.table(["m"], [ColumnSpec(label="A & B", dataset="wide"), *wide], name="wide", against="m"),
        synthetic.table([], [ColumnSpec(label="Long", dataset="long")], name="long"),
    ]
    out = tmp_path / "out"
    pdf = write_tables(tables, out)[-1]
    assert pdf == out / "tables.pdf"
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert compile_pdf(out, "tables").read_bytes() == content
    assert r"\relattrnumber{wide/m/a-b/measured}" in (out / "macros.tex").read_text()


SAME_WIDTH = r"""\documentclass{article}
\begin{document}
\setbox0\hbox{ab}\setbox2\hbox{a\input{macros}b}
\ifdim\wd0=\wd2 \else \errmessage{the macros have a width}\fi
\input{macros}\relattr{t/m/a/measured}
\end{document}
"""


def test_macros_within_text_add_nothing_to_it(synthetic, tmp_path):
    synthetic.add("m", "a", "x")
    write_tables([synthetic.table(["m"], [ColumnSpec(label="A", dataset="a", attribute="x")], name="t")], tmp_path)
    (tmp_path / "paper.tex").write_text(SAME_WIDTH)
    assert compile_pdf(tmp_path, "paper") is not None


TWO_COLUMNS = r"""\documentclass[twocolumn]{article}
%s
\begin{document}
Text.
\input{wide}
\input{long}
More text.
\end{document}
"""


@pytest.mark.parametrize("earlier", [False, True])
def test_long_tables_are_for_papers_of_two_columns(synthetic, tmp_path, earlier):
    """An earlier preamble, with the packages alone, is enough for a paper of one column; longtable refuses two."""
    synthetic.add("m", "wide", "x", noise=0.5)
    for k in range(50):
        synthetic.add(f"many_{k}", "long", "z", noise=0.1 * k, arrays=False)
    columns = [[ColumnSpec(label=name, dataset=name)] for name in ("wide", "long")]
    write_tables([synthetic.table([], of_one, name=of_one[0].dataset) for of_one in columns], tmp_path)
    preamble = (tmp_path / "preamble.tex").read_text()
    paper = TWO_COLUMNS % (2 * preamble)
    if earlier:
        paper = (TWO_COLUMNS % preamble.partition("% longtable")[0]).replace("[twocolumn]", "")
    (tmp_path / "paper.tex").write_text(paper)
    assert compile_pdf(tmp_path, "paper").read_bytes().startswith(b"%PDF")


@pytest.fixture(scope="module")
def reference_tables(tmp_path_factory):
    """Folder, tables and paths of all tables of the reference results, without plugins and without a PDF."""
    if not REFERENCE.is_dir():
        pytest.skip("there are no reference results beside these tests")
    folder = tmp_path_factory.mktemp("reference")
    shutil.copytree(REFERENCE, folder / "results")
    store = Store(folder / "results")
    tables = [build_table(load_benchmark(name), Registry(), store, against=AGAINST.get(name, "")) for name in NAMES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "which", lambda program: None)
        paths = write_tables(tables, folder / "out")
    return folder / "out", tables, paths


def test_all_reference_tables_are_written(reference_tables):
    folder, tables, paths = reference_tables
    for table in (each for top in tables for each in top.all_tables):
        names = (f"{table.name}{end}" for end in (".tex", "-published.tex", "-notes.tex", ".csv", ".md"))
        assert {folder / name for name in names} <= set(paths)
    assert {table.name for table in tables[2].attribute_tables} == {"table3-lfw-10", "table3-osr"}
    inputs = re.findall(r"\\input\{(.*?)\}", (folder / "tables.tex").read_text())
    assert set(inputs) >= {path.name for path in paths if path.suffix == ".tex"} - {"tables.tex"}


def test_each_reference_table_fits_a_paper(reference_tables, tmp_path):
    """As an author uses them: the preamble, the tables, and a number in the prose; nothing exceeds the margin."""
    folder, _, paths = reference_tables
    names = [p.name for p in paths if p.suffix == ".tex" and p.stem not in ("macros", "preamble", "tables")]
    assert len(names) >= 2 * len(NAMES)
    macro = re.search(
        r"\\relattrnumber\{(table3/[^}]+/osr/measured)\}\{([\d.]+)\}", (folder / "macros.tex").read_text()
    )
    document = [
        r"\documentclass[10pt,a4paper]{article}\usepackage[margin=22mm]{geometry}\usepackage{lmodern}",
        r"\input{preamble.tex}\begin{document}\input{macros.tex}",
        rf"We measure \relattr{{{macro[1]}}} on OSR.",
        *(rf"\typeout{{FILE {name}}}\input{{{name}}}\clearpage" for name in names),
        r"\end{document}",
    ]
    (folder / "paper.tex").write_text("\n".join(document))
    process = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path}", "paper.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert process.returncode == 0, process.stdout[-2000:]
    assert not re.search(r"undefined|multiply.defined|Missing character", process.stdout)
    excess = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", process.stdout)]
    assert max(excess, default=0.0) < 3.0, re.findall(r"(?:FILE \S+|Overfull .*)", process.stdout)
