"""A paper table as data: rows, columns and entries, with the tables derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from relattr.report.tables.ablation import Ablation
from relattr.report.tables.entry import Section, TableColumn, TableEntry
from relattr.report.tables.improvement import Improvement
from relattr.statistics.ranks import Ranks


@dataclass(frozen=True)
class TableRow:
    """One row; ``key`` identifies it in CSV files and LaTeX macros."""

    label: str
    key: str
    entries: tuple[TableEntry, ...]
    """One for each column."""
    section: Section = "paper"
    notes: tuple[str, ...] = ()
    """What readers must know about the whole row."""
    name: str = ""
    """The label without the setting; the label if empty."""
    setting: str = ""
    """``name=value, ...`` of the parameters that tell the row apart from others; part of the label."""

    @property
    def short_name(self) -> str:
        """The label without the setting."""
        return self.name or self.label


@dataclass(frozen=True)
class PaperTable:
    """A table of a benchmark.

    It is computed from stored results alone and does not depend on the order in which they were computed.
    """

    name: str
    title: str
    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    attribute_tables: tuple[PaperTable, ...] = ()
    """For each column that is a mean over several attributes, the table of these attributes."""
    unreadable: tuple[str, ...] = ()
    """Files of the store that are not valid results: path and reason."""
    ranks: Ranks | None = None
    ablation: Ablation | None = None
    """The comparison of all methods with a base method, if one was requested."""
    improvement: Improvement | None = None
    """Relative improvements over earlier rows, if the benchmark defines them."""
    settings: tuple[str, ...] = ()
    """``name=value`` of the parameters that all measured rows share and that differ from the benchmark's."""
    benchmark_settings: tuple[str, ...] = ()
    """``name=value`` of the parameters that the benchmark sets, for all methods that have them or for one."""
    short_caption: str = ""
    """A caption for a paper: what is shown, ± and bold; `caption` explains everything."""

    warnings: tuple[str, ...] = ()
    """What readers must know first: test sets that are too small, or cannot tell any method from chance."""

    @property
    def has_settings(self) -> bool:
        """Whether some rows have a setting, so that the table has a column for it."""
        return any(row.setting for row in self.rows)

    @property
    def measured_rows(self) -> tuple[TableRow, ...]:
        """The rows of the benchmark, without those that are only quoted from publications."""
        return tuple(row for row in self.rows if row.section != "published")

    @property
    def all_tables(self) -> tuple[PaperTable, ...]:
        """The table itself and its attribute tables."""
        return (self, *self.attribute_tables)
