"""Notes stand where they hold: each text of each number is found exactly once, and nowhere where it does not hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.notes import place_footnotes
from relattr.report.tables.table import TableRow, PaperTable

texts = st.lists(st.sampled_from("pqrst"), unique=True, max_size=4).map(tuple)
entries = st.builds(lambda value, t: TableEntry(measured=value, texts=t), st.sampled_from([None, 50.0]), texts)


@st.composite
def tables(draw):
    n = draw(st.integers(1, 4))
    lines = tuple(
        TableRow(f"m{i}", f"m{i}", tuple(draw(entries) for _ in range(n)), texts=draw(st.sampled_from([(), ("row",)])))
        for i in range(draw(st.integers(1, 4)))
    )
    return PaperTable("t", "T", "", tuple(TableColumn(f"c{k}", f"c{k}") for k in range(n)), lines)


@given(tables(), st.booleans())
def test_every_text_of_a_number_reaches_its_reader_once(table, rows):
    notes = place_footnotes(table, rows=rows)
    for i, line in enumerate(table.lines):
        for k, e in enumerate(line.entries):
            places = [notes.lines[i], notes.cells[i][k]]
            if e.measured is not None:
                places += [notes.general, notes.heads[k]]
            for text in e.texts:
                assert sum(text in place for place in places) == 1, (text, notes)


@given(tables(), st.booleans())
def test_no_text_stands_where_it_does_not_hold(table, rows):
    notes = place_footnotes(table, rows=rows)
    for i, line in enumerate(table.lines):
        assert set(line.texts) <= set(notes.lines[i])
        for k, e in enumerate(line.entries):
            if e.measured is not None:
                own = {*notes.general, *notes.heads[k], *notes.lines[i], *notes.cells[i][k]}
                assert own == {*e.texts, *line.texts}


@given(tables())
def test_each_marked_text_has_one_letter(table):
    notes = place_footnotes(table)
    shown = {t for own in (*notes.heads, *notes.lines, *(c for row in notes.cells for c in row)) for t in own}
    assert set(notes.letters) == shown
    assert len(set(notes.letters.values())) == len(shown)


@pytest.mark.parametrize("rows", [True, False])
def test_another_backbone_is_said_once_for_a_row(rows):
    one = tuple(TableEntry(measured=50.0, texts=("another backbone",)) for _ in range(11))
    lines = (TableRow("a", "a", one), TableRow("b", "b", tuple(replace(e, texts=()) for e in one)))
    notes = place_footnotes(PaperTable("t", "T", "", tuple(TableColumn(f"{k}", f"{k}") for k in range(11)), lines), rows=rows)
    assert notes.lines[0] == (("another backbone",) if rows else ())
    assert all(cell == (() if rows else ("another backbone",)) for cell in notes.cells[0])
    assert notes.general == ()
