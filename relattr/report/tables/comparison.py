"""Two folders of results, compared cell by cell: what is only in one, and how accuracies differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relattr import parameters
from relattr.errors import BadInput
from relattr.harness.cell import Cell
from relattr.harness.dataset_settings import dataset_settings
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection, variant_key
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.registry import Registry
from relattr.report.tables.entry import LEVEL
from relattr.report.tables.folds import mean_accuracy
from relattr.report.tables.judging import Judge, NotJudgeable
from relattr.report.tables.row_labels import RowParameters, settle_labels
from relattr.statistics import difference


@dataclass(frozen=True)
class AccuracyChange:
    """The accuracies of one method on one test set in two folders, over the cells that both have.

    Accuracies are in per cent, the difference (second minus first) and its 95 % interval in points.
    """

    method: str
    setting: str
    """The parameters, of the method and of the dataset, that tell it apart from other rows."""
    dataset: str
    attribute: str
    """The attribute, or ``mean of 6`` for a mean over several."""
    test: str
    first: float
    second: float
    lower: float | None
    """None if the results cannot be judged pair by pair; ``reason`` says why."""
    upper: float | None
    p: float | None
    n_cells: int
    reason: str = ""

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant at the 5 % level, without correction for the number of rows."""
        return self.p is not None and self.p < 1 - LEVEL


@dataclass(frozen=True)
class ResultsComparison:
    """The comparison of two folders."""

    changes: Sequence[AccuracyChange]
    n_identical: int
    """Cells with the same counts on every test set in both."""
    only_first: Sequence[Result]
    only_second: Sequence[Result]
    other_status: Sequence[tuple[Result, Result]]
    """Cells that are in both folders with different statuses."""
    n_without_numbers: int
    """Cells that have no number and the same status in both folders, such as ``failed``."""
    unreadable: Sequence[Unreadable]
    """Files of either folder that are not results. Their cells are not compared, and are chosen by no selection."""


def compare_results(
    registry: Registry,
    first: StoredResults,
    second: StoredResults,
    selection: ResultSelection,
    *,
    by_attribute: bool = False,
) -> ResultsComparison:
    """Compare the chosen results of two stores.

    Cells are the same if method, parameters, data, attribute, split and seed are. Raises `UnknownName` for a pattern of
    the selection that matches no result in either.
    """
    items = [list(store) for store in (first, second)]
    stored = [[item for item in of_store if isinstance(item, Result)] for of_store in items]
    selection.require_matches([*stored[0], *stored[1]])
    by_key = [{r.cell.key: r for r in results if selection.includes(r.cell)} for results in stored]
    common = [(result, by_key[1][key]) for key, result in by_key[0].items() if key in by_key[1]]
    measured = [(a, b) for a, b in common if a.status == b.status == "ok"]
    return ResultsComparison(
        _changes(registry, first, second, measured, by_attribute),
        sum(_counts(a) == _counts(b) for a, b in measured),
        [result for key, result in by_key[0].items() if key not in by_key[1]],
        [result for key, result in by_key[1].items() if key not in by_key[0]],
        [(a, b) for a, b in common if a.status != b.status],
        sum(a.status == b.status != "ok" for a, b in common),
        [item for of_store in items for item in of_store if isinstance(item, Unreadable)],
    )


def _counts(result: Result) -> list[tuple[str, int, int, int]]:
    return [(test.test, test.n_ordered, test.n_correct, test.n_tied) for test in result.tests]


def _changes(
    registry: Registry,
    first: StoredResults,
    second: StoredResults,
    pairs: Sequence[tuple[Result, Result]],
    by_attribute: bool,
) -> list[AccuracyChange]:
    judge = Judge(registry, first)
    judges = judge, judge.of_other_store(second)
    groups: dict[tuple[str, ...], list[tuple[Result, Result]]] = {}
    for a, b in pairs:
        for name in dict.fromkeys(test.test for test in a.tests if b.test_result(test.test) is not None):
            cell = a.cell
            attribute = cell.attribute if by_attribute else ""
            data = repr(sorted(cell.dataset_parameters.items())) + cell.data
            key = cell.method, variant_key(cell), cell.dataset, data, attribute, name
            groups.setdefault(key, []).append((a, b))
    cells = [group[0][0].cell for group in groups.values()]
    of_methods = settle_labels([_row_parameters(registry, cell) for cell in cells]).rows
    of_datasets = dataset_settings(cells, registry)
    settings = [", ".join(filter(None, both)) for both in zip(of_methods, of_datasets, strict=True)]
    return [
        _change(judges, group, key[-1], setting) for (key, group), setting in zip(groups.items(), settings, strict=True)
    ]


def _row_parameters(registry: Registry, cell: Cell) -> RowParameters:
    plugin = registry.methods.get(cell.method)
    stated = cell.stated_parameters
    defaults = parameters.values_of(plugin.create()) if plugin is not None else stated
    changes = {name: value for name, value in stated.items() if defaults.get(name) != value}
    return RowParameters(cell.method, stated, changes, known_defaults=plugin is not None)


def _change(
    judges: tuple[Judge, Judge], group: Sequence[tuple[Result, Result]], name: str, setting: str
) -> AccuracyChange:
    rows = [
        [(result, test) for result in side if (test := result.test_result(name))] for side in zip(*group, strict=True)
    ]
    cell = group[0][0].cell
    attributes = dict.fromkeys(a.cell.attribute for a, _ in group)
    first, second = (100 * mean_accuracy(side) for side in rows)
    lower = upper = p = None
    reason = ""
    try:
        one, other = (judge.judge(side) for judge, side in zip(judges, rows, strict=True))
        if one.design is not other.design:
            raise NotJudgeable("the two have different test pairs")
        weights = other.weights, one.weights
        d = difference(one.design, other.judgements, one.judgements, weights=weights, paired_seeds=True, level=LEVEL)
        lower, upper, p = 100 * d.lower, 100 * d.upper, d.p
    except (NotJudgeable, BadInput) as error:
        reason = str(error)
    return AccuracyChange(
        cell.method,
        setting,
        cell.dataset,
        next(iter(attributes)) if len(attributes) == 1 else f"mean of {len(attributes)}",
        name,
        first,
        second,
        lower,
        upper,
        p,
        len(group),
        reason,
    )
