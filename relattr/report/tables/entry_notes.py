"""The notes of one entry by kind: in full, and in a few words for the tables of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relattr.report.tables import short_notes
from relattr.report.tables.audits import LeakNote


@dataclass(frozen=True)
class EntryNotes:
    """What readers must know about the number of an entry."""

    deviations: Sequence[str]
    """Differences from the published method, data or protocol."""
    partial: Sequence[str]
    """Attributes that are missing from the mean."""
    incomplete: Sequence[str]
    """Splits or seeds that are missing from the mean."""
    ties: Sequence[str]
    remarks: Sequence[str]
    """Notes of methods and datasets that are no deviations; they have no short form."""
    leaks: Sequence[LeakNote]
    earlier_code: Sequence[str]
    not_loaded: Sequence[str]
    not_recorded: Sequence[str]

    @property
    def full(self) -> tuple[str, ...]:
        """All notes, the most important ones first."""
        return (
            *self.deviations,
            *self.partial,
            *self.incomplete,
            *self.ties,
            *self.remarks,
            *(leak.text for leak in self.leaks),
            *self.earlier_code,
            *self.not_loaded,
            *self.not_recorded,
        )

    def short(self, *, compared: bool) -> tuple[str, ...]:
        """One text for each kind of note; that on deviations only in a table ``compared`` with published numbers."""
        kinds: dict[str, Sequence[object]] = {
            short_notes.PART: self.partial,
            short_notes.INCOMPLETE: self.incomplete,
            short_notes.TIES: self.ties,
            **{leak.short: [leak] for leak in self.leaks},
            short_notes.DIFFERENT: self.deviations if compared else (),
            short_notes.EARLIER_CODE: self.earlier_code,
            short_notes.NOT_LOADED: self.not_loaded,
            short_notes.NOT_RECORDED: self.not_recorded,
        }
        return tuple(text for text, notes in kinds.items() if notes)
