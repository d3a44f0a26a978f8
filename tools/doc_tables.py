"""Rewrite the tables of the documentation whose numbers are stored results.

    python tools/doc_tables.py

A table is between two comments in a Markdown page. The first defines it in TOML, the second ends it:

    <!-- table
    benchmark = "table3"
    columns = [{ label = "OSR", dataset = "osr" }, { label = "published", dataset = "osr", value = "published" }]
    rows = [{ label = "Parikh & Grauman + CNN", method = "parikh-grauman-cnn", set = { backbone = "squeezenet1_0" } }]
    -->
    ...
    <!-- end of table -->

Each cell is a `TableCell`: what the table, its column and its row state together. Its numbers are those of the rows in
results/reference, or of published.csv. ``show = "release columns"`` and ``show = "release records"`` are tables of
`relattr.harness.release_columns`. A table with accuracies that have no row yet has a comment with the reason in its
place: ``<!-- not in results/reference: ... -->``. tests/tools/test_doc_tables.py compares all tables, and refuses
accuracies in a table without a comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from relattr.harness.benchmark import Benchmark, ColumnSpec, TableSpec, load_benchmark
from relattr.harness.release_columns import dictionary_table, records_table, table_line
from relattr.harness.result import Result
from relattr.harness.result_rows import flatten_result
from relattr.harness.result_selection import variant_key
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.report.tables.ablation import AblationEffect
from relattr.report.tables.builder import build_table
from relattr.report.tables.entry import TableEntry
from relattr.report.tables.folds import mean_accuracy
from relattr.report.tables.published import published_numbers
from relattr.report.tables.table import PaperTable
from relattr.system.atomic import write_text

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
TABLE = re.compile(r"<!-- table\n(?P<definition>.*?)\n-->\n(?P<text>.*?)<!-- end of table -->", re.DOTALL)
Value = Literal[
    "accuracy",
    "published",
    "best published",
    "difference",
    "spearman",
    "box_centre",
    "first_box_centre",
    "box_iou",
    "first_box_iou",
]


class TableCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number and the results that it is computed from; a field that is empty in a row is that of the column."""

    label: str = ""
    benchmark: str = ""
    """The benchmark with the parameters of the dataset and the published numbers."""
    dataset: str = ""
    dataset_set: dict[str, Any] = {}
    """Parameters that results on the dataset must have."""
    attribute: str = ""
    """Empty for the mean over all attributes that have results."""
    attributes: tuple[str, ...] = ()
    """The attributes that such a mean is over, if not all; each must have a result."""
    method: str = ""
    set: dict[str, Any] = {}
    """Parameters that the results of the method must have, where there are several choices; "" for one not stated."""
    seed: int = -1
    """-1 for the mean over all seeds."""
    value: Value | Literal[""] = ""
    """``accuracy`` in per cent, with its 95 % interval unless it is of one seed; ``difference`` from ``against``, in
    points, with its interval, bold if it is significant; ``published`` for the method, and ``best published`` of all
    means over the dataset's attributes, with its source; ``box_centre`` in per cent; empty for accuracy."""
    against: str = ""
    against_set: dict[str, Any] = {}
    interval: bool | None = None
    """Whether the interval is shown; by default unless the number is of one seed."""


class Table(TableCell, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table; its own fields are those of all cells that do not state others."""

    corner: str = ""
    """The heading above the labels."""
    columns: tuple[TableCell, ...] = ()
    rows: tuple[TableCell, ...] = ()
    show: Literal["results", "release columns", "release records"] = "results"


class NoResults(Exception):
    """A table states results that are not in results/reference; the message says which."""


def pages() -> list[Path]:
    """The pages that may have such tables."""
    return [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def rewritten(text: str) -> str:
    """Return a page with all its tables as the results are now. Raises `NoResults`, and ``msgspec.ValidationError``."""
    return TABLE.sub(
        lambda match: f"<!-- table\n{match['definition']}\n-->\n\n{render(match['definition'])}\n<!-- end of table -->",
        text,
    )


def render(definition: str) -> str:
    """Return the Markdown of a table that is defined in TOML."""
    table = msgspec.toml.decode(definition, type=Table)
    if table.show != "results":
        return dictionary_table() if table.show == "release columns" else records_table()
    lines = [[table.corner, *(column.label for column in table.columns)]]
    for row in table.rows:
        cells = [cell_text(merged(table, column, row)) for column in table.columns]
        if not any(cells):
            raise NoResults(f"row {row.label!r} has no result in {REFERENCE.relative_to(ROOT)}")
        lines.append([row.label, *cells])
    lines.insert(1, ["---", *["---:"] * len(table.columns)])
    return "".join(f"{table_line(line)}\n" for line in lines)


def merged(*parts: TableCell) -> TableCell:
    """Return the cell that a table, a column and a row state together; the later ones take precedence."""
    values: dict[str, Any] = {}
    for part in parts:
        for name in TableCell.__struct_fields__:
            value = getattr(part, name)
            if value not in ("", {}, (), -1, None):
                values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return TableCell(**values)


def cell_text(cell: TableCell) -> str:
    """Return a cell as text; empty if there is no such number."""
    value = cell.value or "accuracy"
    if value == "difference":
        effect = difference(cell)
        return "" if effect is None else _effect_text(effect)
    if value == "published":
        number = published(cell)
        return "" if number is None else f"{number:.2f}"
    if value == "best published":
        return best_published(cell)
    if value == "accuracy" and (cell.seed < 0 if cell.interval is None else cell.interval):
        entry = entry_of(cell)
        return "" if entry is None or entry.measured is None else f"{entry.measured:.2f} {entry.spread}".rstrip()
    results = chosen(cell)
    if value == "accuracy":
        tests = [(result, test) for result in results for test in result.tests if test.test == "test"]
        return f"{100 * mean_accuracy(tests):.2f}" if tests else ""
    rows = [row for result in results for row in flatten_result(result) if row.get("test") == "test"]
    numbers = [row[value] for row in rows if row.get(value) is not None]
    if not numbers:
        return ""
    mean = sum(numbers) / len(numbers)
    return f"{100 * mean:.0f}" if value.endswith("centre") else f"{mean:.2f}"


def _effect_text(effect: AblationEffect) -> str:
    text = f"{effect.text} ± {effect.half_width:.1f}"
    return f"**{text}**" if effect.significant else text


@cache
def stored_results() -> tuple[Result, ...]:
    """The results in results/reference that have numbers."""
    return tuple(item for item in Store(REFERENCE) if isinstance(item, Result) and item.status == "ok")


def chosen(cell: TableCell) -> list[Result]:
    """Return the results of a cell, which have the same parameters. Raises `NoResults` if they do not."""
    results = [result for result in stored_results() if _includes(cell, result)]
    if cell.attributes and {result.cell.attribute for result in results} != set(cell.attributes):
        return []
    variants = {(variant_key(r.cell), repr(sorted(r.cell.dataset_parameters.items()))) for r in results}
    if len(variants) > 1:
        raise NoResults(
            f"{cell.method} on {cell.dataset} has results with {len(variants)} choices of parameters; choose one with "
            f"`set`: {'; '.join(sorted(text for text, _ in variants))}"
        )
    return results


@cache
def _benchmark(name: str) -> Benchmark:
    return load_benchmark(name)


def _includes(cell: TableCell, result: Result) -> bool:
    of = result.cell
    dataset = _benchmark(cell.benchmark).dataset.get(cell.dataset, {}) if cell.benchmark else {}
    return (
        (of.method, of.dataset) == (cell.method, cell.dataset)
        and cell.attribute in ("", of.attribute)
        and (not cell.attributes or of.attribute in cell.attributes)
        and cell.seed in (-1, of.seed)
        and all(of.stated_parameters.get(name) == (None if value == "" else value) for name, value in cell.set.items())
        and all(of.dataset_parameters.get(name) == value for name, value in {**dataset, **cell.dataset_set}.items())
    )


class ChosenResults(Store):
    """Some results of results/reference, with the arrays and test pairs that are stored there."""

    def __init__(self, results: Sequence[Result]) -> None:
        super().__init__(REFERENCE)
        self._chosen = results

    def __iter__(self) -> Iterator[Result]:
        return iter(self._chosen)


def entry_of(cell: TableCell) -> TableEntry | None:
    """Return the entry of a table with the results of this cell; None if it has none."""
    results = chosen(cell)
    if not results:
        return None
    table = _table(cell, results)
    return next(row.entries[0] for row in table.rows if row.entries[0].measured is not None)


def published(cell: TableCell) -> float | None:
    """Return the published accuracy of a method, in per cent: the mean over the attributes that are measured."""
    table = _benchmark(cell.benchmark).table
    row = next((row.published for row in table.rows if row.method == cell.method), "")
    column = _published_column(cell)
    numbers = {
        n.attribute: n.accuracy
        for n in published_numbers()
        if (n.table, n.row, n.column) == (table.published, row, column) and n.accuracy is not None
    }
    attributes = {result.cell.attribute for result in chosen(cell)}
    if not row or not attributes:
        return None
    if cell.attribute:
        return numbers.get(cell.attribute)
    by_attribute = [number for attribute, number in numbers.items() if attribute in attributes]
    if len(by_attribute) < len(attributes) or len(attributes) == len(numbers.keys() - {""}):
        return numbers.get("")
    return sum(by_attribute) / len(by_attribute)


def best_published(cell: TableCell) -> str:
    """Return the highest mean over all attributes of the dataset that is published for any method, and its source."""
    of_dataset = [n for n in published_numbers() if n.column == _published_column(cell) and not n.attribute]
    accuracy, best = max(((n.accuracy, n) for n in of_dataset if n.accuracy is not None), key=lambda pair: pair[0])
    return f"{accuracy:.2f} ({best.row}; {best.source})"


def _published_column(cell: TableCell) -> str:
    """The name of the dataset in published.csv, as the benchmark of the cell has it."""
    columns = _benchmark(cell.benchmark).table.columns
    return next((column.published or column.label for column in columns if column.dataset == cell.dataset), "")


def difference(cell: TableCell) -> AblationEffect | None:
    """Return the difference of a cell from the method ``against``; None if one of the two has no result."""
    base = chosen(msgspec.structs.replace(cell, method=cell.against, set=cell.against_set))
    results = chosen(cell)
    if not results or not base:
        return None
    ablation = _table(cell, [*base, *results], against=cell.against).ablation
    assert ablation is not None
    return next((row.effects[0] for row in ablation.rows if row.effects[0] is not None), None)


def _table(cell: TableCell, results: Sequence[Result], against: str = "") -> PaperTable:
    """The table of one column with these results.

    Plugins are not registered, so that it depends on the stored results alone.
    """
    methods = list(dict.fromkeys(result.cell.method for result in results))
    column = ColumnSpec(label=cell.dataset, dataset=cell.dataset, attribute=cell.attribute or "*")
    table = TableSpec(caption="", columns=(column,))
    benchmark = Benchmark(title="", methods=tuple(methods), datasets=(cell.dataset,), table=table, name="table")
    return build_table(benchmark, Registry(), ChosenResults(results), against=against)


def main(say: Callable[[str], None] = print) -> None:
    """Rewrite the pages whose tables have changed."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = rewritten(before)
        if after != before:
            write_text(page, after)
            say(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
