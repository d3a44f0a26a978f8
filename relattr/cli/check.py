"""``relattr check``: whether plugins satisfy their contract."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from relattr.cli.options import plugins_option, settings_option
from relattr.cli.output import echo
from relattr.cli.wording import counted
from relattr.system.contained import is_supported

if TYPE_CHECKING:
    from relattr.check.law import Check

laws_option = click.option(
    "--law", "laws", multiple=True, metavar="GLOB", help="Only laws that match. May be repeated."
)


@click.group("check")
def command() -> None:
    """Check that a plugin satisfies the laws of its contract.

    Prints one line for each law, with the reason if it failed; the exit code is then 1. The same checks are
    available to your own tests: see relattr.check. A plugin to which a law does not apply says so, with the reason,
    in its class attribute `exempt`.
    """


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@settings_option
@laws_option
@plugins_option
def method(names: Sequence[str], settings: Sequence[str], laws: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Check each method NAME (a name or a shell pattern) on a small problem that any method can learn."""
    _check("method", names, settings, laws, plugin_folders)


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@settings_option
@laws_option
@plugins_option
def dataset(names: Sequence[str], settings: Sequence[str], laws: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Check each dataset NAME (a name or a shell pattern) on its files."""
    _check("dataset", names, settings, laws, plugin_folders)


def _check(
    kind: Literal["method", "dataset"],
    names: Sequence[str],
    settings: Sequence[str],
    laws: Sequence[str],
    folders: Sequence[Path],
) -> None:
    from relattr.check.suite import dataset_checks, method_checks
    from relattr.cli.plugins import load_registry
    from relattr.harness.selection import parse_settings
    from relattr.registry import match_names

    registry = load_registry(folders, contained=False)
    registered = registry.methods if kind == "method" else registry.datasets
    values = parse_settings(settings)
    selected: dict[str, list[Check]] = {}
    for name in match_names(registered, names, kind):
        checks = method_checks(name, values=values) if kind == "method" else dataset_checks(name, values=values)
        chosen = set(match_names([check.law.name for check in checks], laws or ["*"], "law"))
        selected[name] = [check for check in checks if check.law.name in chosen]
    n_failed = _check_in_forks(selected) if is_supported() else sum(_check_plugin(*item) for item in selected.items())
    if n_failed:
        echo(f"{counted(n_failed, 'law')} failed", err=True)
        raise click.exceptions.Exit(1)


def _check_plugin(name: str, checks: Sequence[Check]) -> int:
    """Run and print the checks of one plugin; return how many failed."""
    n_failed = 0
    for check in checks:
        result = check.run()
        n_failed += result.outcome == "failed"
        outcome = result.outcome.upper() if result.outcome == "failed" else result.outcome
        echo(f"{name}  {outcome:<14}  {check.law.name}: {check.law.statement}")
        if result.detail:
            echo("    " + result.detail.rstrip().replace("\n", "\n    "))
    return n_failed


def _check_in_forks(selected: Mapping[str, Sequence[Check]]) -> int:
    """Check plugins in a fork, and those after one that ends it in another fork; return the number of failures."""
    remaining = list(selected.items())
    n_failed = 0
    while remaining:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _check_and_exit(remaining, writer)
        os.close(writer)
        with open(reader, "rb") as file:
            counts = [int(line) for line in file.read().split()[: len(remaining)]]
        _, status = os.waitpid(pid, 0)
        n_failed += sum(counts)
        if len(counts) < len(remaining):
            code = os.waitstatus_to_exitcode(status)
            end = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            echo(f"{remaining[len(counts)][0]}  FAILED          its code ended the process {end}")
            n_failed += 1
        remaining = remaining[len(counts) + 1 :]
    return n_failed


def _check_and_exit(selected: Sequence[tuple[str, Sequence[Check]]], writer: int) -> NoReturn:
    """Check plugins, write the number of failures of each to a pipe, and end the process."""
    code = 1
    try:
        for name, checks in selected:
            n_failed = _check_plugin(name, checks)
            sys.stdout.flush()
            os.write(writer, f"{n_failed}\n".encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
