"""The rank correlations of a table as LaTeX."""

from __future__ import annotations

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex.environments import HEADER, label_column, table_environment
from relattr.report.tables.correlations import correlated_columns, correlation_text, correlations_caption
from relattr.report.tables.footnotes import Footnotes
from relattr.report.tables.table import PaperTable


def correlations_to_latex(table: PaperTable) -> str | None:
    """A table environment of the correlations and their intervals; None if no entry has any."""
    shown = correlated_columns(table)
    if not shown:
        return None
    rows = [row for row in table.measured_rows if any(row.entries[k].spearman is not None for k in shown)]
    body = []
    for row in rows:
        cells = [correlation_text(row.entries[k]).replace("-", "$-$").replace("–", "--") for k in shown]
        body.append(" & ".join([escape_latex(row.label), *cells]) + r" \\")
    columns = label_column([row.label for row in rows]) + " l" * len(shown) + "@{}"
    head = " & ".join(["Method", *(escape_latex(table.columns[k].label) for k in shown)]) + r" \\"
    caption = f"{table.title}. {correlations_caption(table)}"
    return HEADER + table_environment(
        f"{table.name}-correlations", caption, columns, head, body, Footnotes((), (), (), (), {})
    )
