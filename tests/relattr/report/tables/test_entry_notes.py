"""Every note of an entry has its full text; its kind has a short one."""

import dataclasses

import pytest

from relattr.report.tables import short_notes
from relattr.report.tables.audits import LeakNote
from relattr.report.tables.entry_notes import EntryNotes

KINDS = {
    "deviations": short_notes.DIFFERENT,
    "partial": short_notes.PART,
    "incomplete": short_notes.INCOMPLETE,
    "ties": short_notes.TIES,
    "remarks": "",
    "leaks": short_notes.SIDES,
    "earlier_code": short_notes.EARLIER_CODE,
    "not_loaded": short_notes.NOT_LOADED,
    "not_recorded": short_notes.NOT_RECORDED,
}
NOTHING = EntryNotes(**dict.fromkeys(KINDS, ()))


def test_every_kind_of_note_is_tested():
    assert [field.name for field in dataclasses.fields(EntryNotes)] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_notes_of_one_kind_have_one_short_text(kind):
    texts = ("first", "second")
    given = tuple(LeakNote(text, short=short_notes.SIDES) for text in texts) if kind == "leaks" else texts
    notes = dataclasses.replace(NOTHING, **{kind: given})
    assert notes.full == texts
    assert notes.short(compared=True) == tuple(filter(None, [KINDS[kind]]))


def test_deviations_are_short_only_beside_published_numbers():
    notes = dataclasses.replace(NOTHING, deviations=("fewer words",), leaks=(LeakNote("the sets overlap"),))
    assert notes.full == ("fewer words", "the sets overlap")
    assert notes.short(compared=False) == (short_notes.OVERLAP,)
