"""``relattr check``: whether plugins satisfy their contract."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from relattr.cli.chosen_datasets import chosen_datasets, dataset_options
from relattr.cli.options import plugins_option, settings_option
from relattr.cli.output import echo
from relattr.cli.wording import counted
from relattr.errors import MAYBE_PLUGIN, BadInput
from relattr.harness.units import format_duration, parse_duration
from relattr.system.contained import is_supported

if TYPE_CHECKING:
    from relattr.check.law import Check

DEFAULT_TIME = "30m"
time_limit_option = click.option(
    "--time-limit",
    default=DEFAULT_TIME,
    show_default=True,
    metavar="TIME",
    help="Maximum wall-clock time of the checks of one plugin (90s, 30m, none); a plugin that takes longer fails.",
)
laws_option = click.option(
    "--law", "laws", multiple=True, metavar="GLOB", help="Only laws that match. May be repeated."
)


@click.group("check")
def command() -> None:
    """Check that a plugin satisfies the laws of its contract.

    Prints one line for each law, with the reason if it failed; the exit code is then 1. An error that breaks several
    laws is printed once. The same checks are available to your own tests: see relattr.check. A plugin to which a law
    does not apply says so, with the reason, in its class attribute `exempt`.
    """


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@settings_option("Set a parameter of the plugin.")
@laws_option
@time_limit_option
@plugins_option
def method(
    names: Sequence[str],
    settings: Sequence[str],
    laws: Sequence[str],
    time_limit: str,
    plugin_folders: Sequence[Path],
) -> None:
    """Check each method NAME (a name or a shell pattern) on a small problem that any method can learn."""
    from relattr.check.suite import method_checks
    from relattr.cli.plugins import load_registry
    from relattr.harness.selection import parse_settings
    from relattr.name_patterns import match_names

    limit, values = _parse_limit(time_limit), parse_settings(settings)
    chosen = match_names(load_registry(plugin_folders, contained=False).methods, names, "method", MAYBE_PLUGIN)
    _check({name: method_checks(name, values=values) for name in chosen}, laws, limit)


@command.command()
@dataset_options
@laws_option
@time_limit_option
@plugins_option
def dataset(
    names: Sequence[str],
    data: Path | None,
    settings: Sequence[str],
    laws: Sequence[str],
    time_limit: str,
    plugin_folders: Sequence[Path],
) -> None:
    """Check each DATASET (a name or a shell pattern) on its files."""
    from relattr.check.suite import dataset_checks
    from relattr.cli.plugins import load_registry

    limit = _parse_limit(time_limit)
    chosen = chosen_datasets(names, data, settings, load_registry(plugin_folders, contained=False))
    _check({name: dataset_checks(name, values=values) for name, values in chosen.items()}, laws, limit)


def _check(checks_of: Mapping[str, Sequence[Check]], laws: Sequence[str], limit: float | None) -> None:
    """Run the checks of each plugin, or those of the chosen laws."""
    from relattr.name_patterns import match_names

    selected: dict[str, list[Check]] = {}
    for name, checks in checks_of.items():
        chosen = set(match_names([check.law.name for check in checks], laws or ["*"], "law"))
        selected[name] = [check for check in checks if check.law.name in chosen]
    n_failed = (
        _check_in_forks(selected, limit) if is_supported() else sum(_check_plugin(*item) for item in selected.items())
    )
    if n_failed:
        echo(f"{counted(n_failed, 'law')} failed", err=True)
        raise click.exceptions.Exit(1)


def _parse_limit(text: str) -> float | None:
    try:
        return parse_duration(text)
    except BadInput as error:
        raise BadInput(f"--time-limit {text!r}: {error}") from None


def _check_plugin(name: str, checks: Sequence[Check], on_start: Callable[[str], None] = lambda law: None) -> int:
    """Run and print the checks of one plugin; return how many failed.

    An error that breaks several laws is printed with the first of them; the others are named in one line.
    """
    n_failed = 0
    errors: dict[tuple[str, str], str] = {}
    repeated: dict[str, list[str]] = {}
    for check in checks:
        on_start(check.law.name)
        result = check.run()
        n_failed += result.outcome == "failed"
        if result.outcome == "failed" and result.detail:
            first = errors.setdefault(_identity(result.detail), check.law.name)
            if first != check.law.name:
                repeated.setdefault(first, []).append(check.law.name)
                continue
        outcome = result.outcome.upper() if result.outcome == "failed" else result.outcome
        echo(f"{name}  {outcome:<14}  {check.law.name}: {check.law.statement}")
        if result.detail:
            echo("    " + result.detail.rstrip().replace("\n", "\n    "))
    for first, others in repeated.items():
        echo(f"{name}  {'FAILED':<14}  {', '.join(others)}: by the same error as {first}")
    return n_failed


def _identity(detail: str) -> tuple[str, str]:
    """What two reports of one error have in common: the message, and the place in the traceback where it was raised."""
    lines = detail.splitlines()
    places = [line for line in lines if line.lstrip().startswith('File "')]
    return lines[0] if lines else "", places[-1] if places else ""


def _check_in_forks(selected: Mapping[str, Sequence[Check]], time_limit: float | None = None) -> int:
    """Check plugins in a fork, and those after one that ends it in another fork; return the number of failures.

    ``time_limit`` is in seconds, for each plugin. One that takes longer is stopped and has failed.
    """
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
        counts, law, late = _follow(reader, pid, time_limit, len(remaining))
        _, status = os.waitpid(pid, 0)
        n_failed += sum(counts)
        if len(counts) < len(remaining):
            code = os.waitstatus_to_exitcode(status)
            end = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            reason = f"its code ended the process {end}"
            if late:
                reason = f"it took longer than --time-limit {format_duration(time_limit or 0.0)}"
            during = f" while the law {law} was checked" if law else ""
            echo(f"{remaining[len(counts)][0]}  FAILED          {reason}{during}")
            n_failed += 1
        remaining = remaining[len(counts) + 1 :]
    return n_failed


def _follow(reader: int, pid: int, time_limit: float | None, n_plugins: int) -> tuple[list[int], str, bool]:
    """Read what a fork writes until it ends or is stopped.

    Returns the number of failures of each plugin that was checked, the law that was checked last, and whether the fork
    was stopped because a plugin took too long.
    """
    counts: list[int] = []
    law, pending = "", b""
    start = time.monotonic()
    with open(reader, "rb", buffering=0) as file:
        while len(counts) < n_plugins:
            left = None if time_limit is None else start + time_limit - time.monotonic()
            if left is not None and (left <= 0 or not select.select([file], [], [], left)[0]):
                os.kill(pid, signal.SIGKILL)
                return counts, law, True
            content = file.read(1 << 16)
            if not content:
                break
            *lines, pending = (pending + content).split(b"\n")
            for line in lines:
                word, _, value = line.decode(errors="replace").partition(" ")
                if word == "law":
                    law = value
                else:
                    counts.append(int(value))
                    law, start = "", time.monotonic()
    return counts, law, False


def _check_and_exit(selected: Sequence[tuple[str, Sequence[Check]]], writer: int) -> NoReturn:
    """Check plugins, write each law and the number of failures of each plugin to a pipe, and end the process."""
    code = 1
    try:
        for name, checks in selected:
            n_failed = _check_plugin(name, checks, lambda law: _send(writer, f"law {law}"))
            sys.stdout.flush()
            _send(writer, f"failed {n_failed}")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _send(writer: int, line: str) -> None:
    sys.stdout.flush()  # what was printed so far stays if the next law ends the process
    os.write(writer, f"{line}\n".encode())
