"""``relattr check``: whether plugins satisfy their contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from relattr.cli.options import plugins_option, settings_option
from relattr.cli.output import echo
from relattr.cli.wording import counted

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
    n_failed = 0
    for name in match_names(registered, names, kind):
        checks = method_checks(name, values=values) if kind == "method" else dataset_checks(name, values=values)
        selected = set(match_names([check.law.name for check in checks], laws or ["*"], "law"))
        for check in checks:
            if check.law.name not in selected:
                continue
            result = check.run()
            n_failed += result.outcome == "failed"
            outcome = result.outcome.upper() if result.outcome == "failed" else result.outcome
            echo(f"{name}  {outcome:<14}  {check.law.name}: {check.law.statement}")
            if result.detail:
                echo("    " + result.detail.rstrip().replace("\n", "\n    "))
    if n_failed:
        echo(f"{counted(n_failed, 'law')} failed", err=True)
        raise click.exceptions.Exit(1)
