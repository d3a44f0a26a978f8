"""Each note is placed at every number it applies to, once, and at no other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.footnotes import footnote_letter, place_footnotes
from relattr.report.tables.table import PaperTable, TableRow

notes = st.lists(st.sampled_from("pqrst"), unique=True, max_size=4).map(tuple)
entries = st.builds(lambda value, n: TableEntry(measured=value, notes=n), st.sampled_from([None, 50.0]), notes)


@st.composite
def tables(draw):
    n = draw(st.integers(1, 4))
    rows = tuple(
        TableRow(f"m{i}", f"m{i}", tuple(draw(entries) for _ in range(n)), notes=draw(st.sampled_from([(), ("row",)])))
        for i in range(draw(st.integers(1, 4)))
    )
    return PaperTable("t", "T", "", tuple(TableColumn(f"c{k}", f"c{k}") for k in range(n)), rows)


@given(tables(), st.booleans())
def test_all_notes_of_a_number_are_placed(table, at_rows):
    footnotes = place_footnotes(table, at_rows=at_rows)
    for i, row in enumerate(table.rows):
        assert set(row.notes) <= set(footnotes.rows[i])
        for k, entry in enumerate(row.entries):
            if entry.measured is not None:
                places = footnotes.general, footnotes.columns[k], footnotes.rows[i], footnotes.entries[i][k]
                assert {note for placed in places for note in placed} == {*entry.notes, *row.notes}


@given(tables())
def test_each_marked_note_has_one_letter(table):
    footnotes = place_footnotes(table)
    places = (*footnotes.columns, *footnotes.rows, *(entry for row in footnotes.entries for entry in row))
    marked = {note for placed in places for note in placed}
    assert set(footnotes.letters) == marked
    assert len(set(footnotes.letters.values())) == len(marked)


@pytest.mark.parametrize("at_rows", [True, False])
def test_a_note_of_a_whole_row_is_placed_once(at_rows):
    noted = tuple(TableEntry(measured=50.0, notes=("another backbone",)) for _ in range(11))
    rows = (TableRow("a", "a", noted), TableRow("b", "b", tuple(replace(entry, notes=()) for entry in noted)))
    columns = tuple(TableColumn(f"{k}", f"{k}") for k in range(11))
    footnotes = place_footnotes(PaperTable("t", "T", "", columns, rows), at_rows=at_rows)
    assert footnotes.rows[0] == (("another backbone",) if at_rows else ())
    assert all(entry == (() if at_rows else ("another backbone",)) for entry in footnotes.entries[0])
    assert footnotes.general == ()


def test_letters_go_on_after_z():
    assert [footnote_letter(k) for k in (0, 25, 26, 27, 702)] == ["a", "z", "aa", "ab", "aaa"]
