"""The columns of a table for a choice of datasets and attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence

import msgspec

from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Unreadable
from relattr.name_patterns import match_names
from relattr.registry import Registry
from relattr.report.tables.published import is_published_by_attribute


def select_columns(
    benchmark: Benchmark, registry: Registry, store: Iterable[Result | Unreadable], selection: ResultSelection
) -> Benchmark:
    """Return the benchmark with the columns of the chosen datasets and attributes.

    A chosen dataset without a column gets one for each attribute. If attributes are chosen, a column that is a mean
    over attributes is replaced by one for each chosen attribute, with the numbers that are published for it.
    The results of ``store`` say which attributes a dataset has whose plugin is not loaded or whose files are missing.

    Raises `UnknownName` for a pattern that matches no dataset or no attribute.
    """
    if not (selection.datasets or selection.attributes):
        return benchmark
    results = [item for item in store if isinstance(item, Result)]
    columns = benchmark.table.columns
    if selection.datasets:
        with_column = list(dict.fromkeys(column.dataset for column in columns))
        listed = [*benchmark.datasets, *with_column]
        others = [*registry.datasets, *(result.cell.dataset for result in results)]
        chosen = match_names(dict.fromkeys([*listed, *others]), selection.datasets, "dataset")
        if any(name in listed for name in chosen):
            exact = [name for name in chosen if name in selection.datasets]
            chosen = [name for name in chosen if name in listed or name in exact]
        columns = (*columns, *_columns_of_datasets(benchmark, registry, set(chosen) - set(with_column), results))
        columns = tuple(column for column in columns if column.dataset in chosen)
    if selection.attributes:
        columns = _columns_of_attributes(benchmark, registry, results, selection, columns)
    table = msgspec.structs.replace(benchmark.table, columns=columns, improvement=None)
    return msgspec.structs.replace(benchmark, table=table)


def _columns_of_datasets(
    benchmark: Benchmark, registry: Registry, names: Collection[str], results: Sequence[Result]
) -> list[ColumnSpec]:
    """A column for each attribute of these datasets."""
    labels = {result.cell.dataset: result.dataset_label for result in results}
    labels |= {name: plugin.label for name, plugin in registry.datasets.items()}
    return [
        ColumnSpec(label=f"{labels.get(name, name)}: {attribute}", dataset=name, attribute=attribute)
        for name in sorted(names)
        for attribute in attributes_of(benchmark, registry, name, results)
    ]


def _columns_of_attributes(
    benchmark: Benchmark,
    registry: Registry,
    results: Sequence[Result],
    selection: ResultSelection,
    columns: Sequence[ColumnSpec],
) -> tuple[ColumnSpec, ...]:
    attributes = {
        dataset: attributes_of(benchmark, registry, dataset, results) for dataset in {c.dataset for c in columns}
    }
    known = dict.fromkeys(name for names in attributes.values() for name in names)
    known |= dict.fromkeys(column.attribute for column in columns if column.attribute != "*")
    match_names(known, selection.attributes, "attribute")
    selected: list[ColumnSpec] = []
    for column in columns:
        if column.attribute != "*":
            selected += [column] if selection.includes_attribute(column.attribute) else []
            continue
        published = column.published or column.label
        if not is_published_by_attribute(benchmark.table.published, published):
            published = ""  # the published mean is not the number of one attribute
        for attribute in attributes[column.dataset]:
            if selection.includes_attribute(attribute):
                label = f"{column.label}: {attribute}"
                selected.append(msgspec.structs.replace(column, label=label, attribute=attribute, published=published))
    return tuple(selected)


def attributes_of(benchmark: Benchmark, registry: Registry, dataset: str, results: Iterable[Result]) -> list[str]:
    """The attributes of a dataset; those of these results if its plugin is not loaded or its files are missing."""
    attributes: Sequence[str] = ()
    if dataset in registry.datasets:
        with contextlib.suppress(Exception):  # an error of the plugin is reported by its cells
            attributes = registry.dataset(dataset).create(benchmark.dataset.get(dataset)).attributes()
    return list(attributes) or sorted({r.cell.attribute for r in results if r.cell.dataset == dataset})
