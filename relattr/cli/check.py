"""``relattr check``: whether plugins keep the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import load_registry, plugins_option
from relattr.harness.selection import parse_settings
from relattr.registry import matching

settings_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Check it with this parameter. May be repeated."
)
laws_option = click.option("--law", "laws", multiple=True, metavar="GLOB", help="Only laws that match.")


@click.group()
def check() -> None:
    """Hold a plugin to the laws of its contract.

    A law that is broken is named, with what was found; exit code 1 then. The same suite runs in your own
    tests: see relattr.check. A plugin is exempt from a law by its class attribute `exempt`, with the reason.
    """


@check.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@settings_option
@laws_option
@plugins_option
def method(names: Sequence[str], settings: Sequence[str], laws: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Check each method NAME (or those that match a pattern) on a small problem that any method can learn."""
    _check("method", names, settings, laws, plugin_folders)


@check.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@settings_option
@laws_option
@plugins_option
def dataset(names: Sequence[str], settings: Sequence[str], laws: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Check each dataset NAME (or those that match a pattern) on its own files."""
    _check("dataset", names, settings, laws, plugin_folders)


def _check(
    kind: str, names: Sequence[str], settings: Sequence[str], laws: Sequence[str], folders: Sequence[Path]
) -> None:
    from relattr.check.suite import dataset_checks, method_checks

    registry = load_registry(folders)
    known = registry.methods if kind == "method" else registry.datasets
    values = parse_settings(settings)
    broken = 0
    for name in matching(known, names, kind):
        checks = method_checks(name, values=values) if kind == "method" else dataset_checks(name, values=values)
        wanted = set(matching([c.law.name for c in checks], laws or ["*"], "law"))
        for each in checks:
            if each.law.name not in wanted:
                continue
            finding = each.run()
            broken += finding.verdict == "broken"
            verdict = finding.verdict.upper() if finding.verdict == "broken" else finding.verdict
            click.echo(f"{name}  {verdict:<14}  {each.law.name}: {each.law.statement}")
            if finding.detail:
                click.echo("    " + finding.detail.rstrip().replace("\n", "\n    "))
    if broken:
        click.echo(f"{broken} laws broken", err=True)
        raise click.exceptions.Exit(1)
