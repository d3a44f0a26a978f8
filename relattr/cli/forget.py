"""``relattr forget``: remove results from the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from relattr.cli.options import chosen_results, chosen_results_options, results_option
from relattr.cli.output import echo
from relattr.cli.text_table import aligned
from relattr.cli.wording import counted
from relattr.errors import BadInput
from relattr.harness.result import FAILURES, Result, Status
from relattr.harness.store import Store

DECIDES_RESULTS = False


@click.command("forget")
@chosen_results_options
@click.option("--failures", is_flag=True, help="Only results of cells that ran and failed.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(get_args(Status)),
    help="Only results with this status. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@results_option
def command(failures: bool, statuses: Sequence[str], dry_run: bool, yes: bool, results: Path, **options: Any) -> None:
    """Remove stored results of the chosen methods, datasets or attributes, or those that failed.

    At least one of the options is required; a result is removed if it meets all that are given. Nothing else in the
    folder is touched, and results of cells that are running are kept. Plugins need not be loaded.

    \b
    relattr forget --failures                       of any method
    relattr forget --methods my-method --dry-run    what would be removed
    relattr forget --methods 'viralnet*' --datasets osr --yes
    """
    selection = chosen_results(options)
    wanted = {*statuses, *(FAILURES if failures else ())}
    if not selection and not wanted:
        raise BadInput(
            "choose what to forget: --methods, --datasets, --attributes, --failures or --status; to forget all, "
            f"delete the folder {results}"
        )
    if not results.exists():
        raise BadInput(f"the results folder {results} does not exist")
    store = Store(results)
    stored = [item for item in store if isinstance(item, Result)]
    selection.require_matches(stored)
    chosen = [r for r in stored if selection.includes(r.cell) and (not wanted or r.status in wanted)]
    if not chosen:
        echo(f"no result in {results} matches; nothing to forget")
        return
    counts = Counter((result.cell.method, result.cell.dataset, result.status) for result in chosen)
    echo(aligned([(*place, counted(n, "result")) for place, n in sorted(counts.items())]))
    what = f"{counted(len(chosen), 'result')} of {len(stored):,} in {results}"
    if dry_run:
        echo(f"would remove {what}")
        return
    if not yes and not _confirmed(f"Remove {what}?"):
        echo("nothing removed")
        raise click.exceptions.Exit(1)
    n_removed, running = _remove(store, chosen)
    for result in running:
        echo(f"left: {result.cell}: it is being computed", err=True)
    echo(f"removed {counted(n_removed, 'result')}")


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question)
    except click.Abort:  # standard input is closed
        raise BadInput("no answer; --yes removes results without asking") from None


def _remove(store: Store, results: Sequence[Result]) -> tuple[int, list[Result]]:
    """Remove these results; return how many were removed, and those whose cells are being computed."""
    from filelock import Timeout

    n_removed, running = 0, []
    for result in results:
        lock = store.lock(result.cell)
        try:
            with lock.acquire(timeout=0):
                if store.read(result.cell) == result:  # it has not been computed again in the meantime
                    n_removed += store.remove(result)
        except Timeout:
            running.append(result)
    return n_removed, running
