"""The files of tables: which are written, updated and removed."""

import shutil

import pytest

from relattr import BadInput
from relattr.harness.benchmark import ColumnSpec
from relattr.report.formats.files import write_table, write_tables


@pytest.fixture(autouse=True)
def no_pdf(monkeypatch):
    """LaTeX is run in test_compiled_latex.py only."""
    monkeypatch.setattr(shutil, "which", lambda program: None)


def test_each_table_is_written_in_each_format(synthetic, two_columns, tmp_path):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    names = {path.name for path in write_table(synthetic.table(["m"], two_columns), tmp_path)}
    for name in ("synthetic", "synthetic-a"):
        assert {f"{name}.tex", f"{name}-published.tex", f"{name}-notes.tex", f"{name}.csv", f"{name}.md"} <= names


def test_an_ablation_is_written_in_each_format(synthetic, column, tmp_path):
    for method in ("m", "n"):
        synthetic.add(method, "a", "x")
    paths = write_table(synthetic.table(["m", "n"], [column], against="n"), tmp_path)
    assert {path.suffix for path in paths if path.stem == "synthetic-against-n"} == {".tex", ".csv", ".md"}


def test_macros_of_tables_written_before_are_kept(synthetic, column, tmp_path):
    synthetic.add("m", "a", "x")
    one, two = (synthetic.table(["m"], [column], name=name) for name in ("one", "two"))
    both, apart = tmp_path / "both" / "macros.tex", tmp_path / "apart" / "macros.tex"
    write_tables([one, two], both.parent)
    for table in (one, two, one):  # the last time, no number is defined twice
        write_tables([table], apart.parent)
    assert all(line.startswith("%") or line.endswith("%") for line in apart.read_text().splitlines())
    apart.write_text(apart.read_text().replace("}%\n", "}\n"))  # as earlier versions wrote it
    write_tables([two], apart.parent)
    assert sorted(both.read_text().splitlines()) == sorted(apart.read_text().splitlines())
    assert r"\relattrnumber{two/m/a/measured}" in apart.read_text()


def test_kept_macros_may_contain_commands(synthetic, column, tmp_path):
    macros = tmp_path / "macros.tex"
    one, two = (synthetic.table(["m"], [column], name=name) for name in ("one", "two"))
    write_tables([one, two], tmp_path)
    line = r"\relattrnumber{two/m/a/difference}{\ensuremath{-}2.91}"
    macros.write_text(f"{macros.read_text()}{line}\n")
    write_tables([one], tmp_path)
    assert line in macros.read_text()


def test_macros_of_deleted_tables_are_removed(synthetic, column, tmp_path):
    synthetic.add("m", "a", "x")
    one, two = (synthetic.table(["m"], [column], name=name) for name in ("one", "two"))
    write_tables([one, two], tmp_path)
    (tmp_path / "two.tex").unlink()
    write_tables([one], tmp_path)
    assert "two/" not in (tmp_path / "macros.tex").read_text()


def test_an_old_pdf_is_removed(synthetic, column, tmp_path):
    (tmp_path / "tables.pdf").write_bytes(b"%PDF of other tables")
    write_tables([synthetic.table(["m"], [column])], tmp_path)
    assert not (tmp_path / "tables.pdf").exists()


def test_benchmarks_of_one_name_are_refused_before_writing(synthetic, column, tmp_path):
    table = synthetic.table(["m"], [column])
    with pytest.raises(BadInput, match="two tables would be written to files called synthetic"):
        write_tables([table, table], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_and_an_attribute_table_of_one_name_are_refused(synthetic, tmp_path):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    tables = [
        synthetic.table(["m"], [ColumnSpec(label=label, dataset="a")], name=name)
        for label, name in (("Mine", "c"), ("A", "c-mine"))
    ]
    with pytest.raises(BadInput, match="files called c-mine"):
        write_tables(tables, tmp_path)


@pytest.mark.parametrize("label", ["Ranks", "Published", "Notes"])
def test_columns_called_like_other_files_overwrite_nothing(synthetic, tmp_path, label):
    for attribute in ("x", "y"):
        for method in ("m", "n"):
            synthetic.add(method, "a", attribute)
    paths = write_table(synthetic.table(["m", "n"], [ColumnSpec(label=label, dataset="a")]), tmp_path)
    assert len(paths) == len(set(paths)) == 5 + 5 + 1
