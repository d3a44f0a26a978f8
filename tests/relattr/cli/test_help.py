"""Help pages: lists keep their lines, and the overview agrees with the commands."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from relattr.cli import COMMANDS, cli
from relattr.harness.benchmark import load_benchmark


def command_of(name):
    return cli.get_command(click.Context(cli), name) if name else cli


@pytest.mark.parametrize("name", [*COMMANDS, ""])  # the overview last: all commands are imported then
def test_lists_in_help_keep_their_lines(name):
    command = command_of(name)
    shown = CliRunner().invoke(cli, [*([name] if name else []), "--help"])
    assert shown.exit_code == 0
    assert "\\b" not in shown.output
    lists = [part for part in (command.help or "").split("\n\n") if part.startswith("\b")]
    for line in (line.strip() for part in lists for line in part.splitlines()[1:]):
        assert line in [shown_line.strip() for shown_line in shown.output.splitlines()], line
    for group in [command] if isinstance(command, click.Group) and name else []:
        assert all(CliRunner().invoke(cli, [name, child, "--help"]).exit_code == 0 for child in group.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_shows_the_first_sentence_of_each_help(name):
    command = command_of(name)
    assert command.name == name
    assert " ".join(command.help.split("\n\n")[0].split()).startswith(COMMANDS[name])


def test_benchmarks_said_to_run_several_cells_set_threads():
    (jobs,) = [option for option in command_of("run").params if option.name == "jobs"]
    named = re.search(r"such as (\w+) and (\w+), run several by default: with two processors and one thread", jobs.help)
    assert [load_benchmark(name).threads for name in named.groups()] == [1, 1]


def test_an_unknown_command_is_an_error_with_exit_code_2():
    result = CliRunner().invoke(cli, ["lisst"])
    assert result.exit_code == 2
    assert "No such command 'lisst'" in result.output


def test_commands_that_were_imported_do_not_hide_builtins():
    for name in COMMANDS:
        command_of(name)
    assert cli.list_commands(click.Context(cli)) == [*COMMANDS]
    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
