"""What the help pages look like: lists stay lists."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from relattr.cli import cli


@pytest.mark.parametrize("name", ["", *cli.commands])
def test_lists_in_help_keep_their_lines(name):
    command = cli.commands[name] if name else cli
    shown = CliRunner().invoke(cli, [*([name] if name else []), "--help"])
    assert shown.exit_code == 0
    assert "\\b" not in shown.output
    lists = [part for part in (command.help or "").split("\n\n") if part.startswith("\b")]
    for line in (line.strip() for part in lists for line in part.splitlines()[1:]):
        assert line in [shown_line.strip() for shown_line in shown.output.splitlines()], line
    for group in [command] if isinstance(command, click.Group) and name else []:
        assert all(CliRunner().invoke(cli, [name, child, "--help"]).exit_code == 0 for child in group.commands)
