"""Tables of text: aligned columns in files and pipes, Rich on a terminal."""

from __future__ import annotations

import sys

import click

from relattr.cli.text_table import aligned, print_table

ROWS = [("a", "long label", "x" * 300), ("longer", "b", "[bold]not markup[/bold]")]


def test_columns_are_aligned_and_lines_are_never_cut():
    lines = aligned(ROWS, indent="  ").splitlines()
    assert lines == ["  a       long label  " + "x" * 300, "  longer  b           [bold]not markup[/bold]"]
    assert aligned([]) == ""


def test_without_a_terminal_there_is_no_header(capsys):
    print_table(["name", "label", "text"], ROWS)
    assert capsys.readouterr().out == aligned(ROWS) + "\n"


def test_a_terminal_has_a_header_and_lines_fit_its_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(["name", "label", "text"], ROWS)
    shown = click.unstyle(capsys.readouterr().out)
    assert shown.split()[:3] == ["name", "label", "text"]
    assert shown.count("x") == 301  # one more is in the header
    assert "[bold]not" in shown
    assert max(len(line) for line in shown.splitlines()) <= 60
