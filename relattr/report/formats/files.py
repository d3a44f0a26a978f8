"""The files that tables are written to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relattr.errors import BadInput
from relattr.report.formats.csv import ablation_to_csv, table_to_csv
from relattr.report.formats.latex.ablation import ablation_to_latex
from relattr.report.formats.latex.correlations import correlations_to_latex
from relattr.report.formats.latex.document import PREAMBLE, compile_pdf, document_to_latex
from relattr.report.formats.latex.macros import macros_to_latex, table_of_macro
from relattr.report.formats.latex.notes import notes_to_latex
from relattr.report.formats.latex.ranks import ranks_to_latex
from relattr.report.formats.latex.table import comparison_to_latex, table_to_latex
from relattr.report.formats.markdown import ablation_to_markdown, table_to_markdown
from relattr.report.tables.correlations import correlated_columns
from relattr.report.tables.footnotes import NoteDetail
from relattr.report.tables.table import PaperTable
from relattr.system.atomic import write_text
from relattr.system.reading import read_text


def write_table(table: PaperTable, folder: Path, notes: NoteDetail = "short") -> list[Path]:
    """Write a table and its attribute tables into ``folder``; return the paths.

    For each: ``<name>.tex`` as in the paper and ``<name>-published.tex`` beside the published numbers, both with
    ``notes``; ``<name>-notes.tex`` with all notes; ``<name>.csv`` and ``<name>.md``. Where test images have scores,
    ``<name>-correlations.tex`` has the rank correlations. If methods are compared with a
    base, ``<name>-against-<key>`` as ``.tex``, ``.csv`` and ``.md``. ``<name>-ranks.tex`` is the critical-difference
    diagram.
    """
    contents: dict[str, str] = {}
    for each in table.all_tables:
        contents[f"{each.name}.tex"] = table_to_latex(each, notes)
        contents[f"{each.name}-published.tex"] = comparison_to_latex(each, notes)
        contents[f"{each.name}-notes.tex"] = notes_to_latex(each)
        correlations = correlations_to_latex(each)
        if correlations is not None:
            contents[f"{each.name}-correlations.tex"] = correlations
        else:
            (folder / f"{each.name}-correlations.tex").unlink(missing_ok=True)  # of earlier results
        contents[f"{each.name}.csv"] = table_to_csv(each)
        contents[f"{each.name}.md"] = table_to_markdown(each)
        if each.ablation is not None:
            contents[f"{each.ablation.name}.tex"] = ablation_to_latex(each.ablation)
            contents[f"{each.ablation.name}.csv"] = ablation_to_csv(each.ablation)
            contents[f"{each.ablation.name}.md"] = ablation_to_markdown(each.ablation)
    diagram = ranks_to_latex(table.name, table.ranks) if table.ranks is not None else None
    if diagram is not None:
        contents[f"{table.name}-ranks.tex"] = diagram
    else:
        (folder / f"{table.name}-ranks.tex").unlink(missing_ok=True)  # of earlier results
    return [_write(folder / name, content) for name, content in contents.items()]


def write_tables(tables: Sequence[PaperTable], folder: Path, notes: NoteDetail = "short") -> list[Path]:
    """Write the tables of several benchmarks, with ``macros.tex``, ``preamble.tex``, ``tables.tex`` and ``tables.pdf``.

    ``macros.tex`` keeps the numbers of tables written into this folder earlier. The PDF needs pdflatex. Returns the
    paths. Raises `BadInput` before anything is written if two tables would have the same file, and after everything
    else is written if LaTeX fails.
    """
    names = [name for table in tables for name in _file_stems(table)]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise BadInput(
            f"two tables would be written to files called {duplicates[0]}; rename one of the benchmarks or columns"
        )
    paths = [path for table in tables for path in write_table(table, folder, notes)]
    inputs = [path.name for path in paths if path.suffix == ".tex"]
    paths += [
        _write(folder / "macros.tex", macros_to_latex(tables, _earlier_macros(tables, folder))),
        _write(folder / "preamble.tex", PREAMBLE),
        _write(folder / "tables.tex", document_to_latex(inputs)),
    ]
    (folder / "tables.pdf").unlink(missing_ok=True)  # it would show other tables if none is compiled now
    pdf = compile_pdf(folder, "tables")
    return paths if pdf is None else [*paths, pdf]


def _write(path: Path, content: str) -> Path:
    write_text(path, content)
    return path


def _file_stems(table: PaperTable) -> list[str]:
    """The names of a table's files, without suffix."""
    stems = [f"{table.name}-ranks"] if table.ranks is not None else []
    for each in table.all_tables:
        stems += [each.name, f"{each.name}-published", f"{each.name}-notes"]
        stems += [f"{each.name}-correlations"] if correlated_columns(each) else []
        stems += [each.ablation.name] if each.ablation is not None else []
    return stems


def _earlier_macros(tables: Sequence[PaperTable], folder: Path) -> list[str]:
    """The lines of ``macros.tex`` about other tables whose files are still in the folder."""
    current = {each.name for table in tables for each in table.all_tables}
    try:
        lines = read_text(folder / "macros.tex").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    named = ((table_of_macro(line), line) for line in lines)
    return [line for name, line in named if name and name not in current and (folder / f"{name}.tex").is_file()]
