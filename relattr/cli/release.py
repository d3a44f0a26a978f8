"""``relattr release``: all results with their strengths as one file, to be published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from relattr.cli.options import chosen_results, chosen_results_options, plugins_option, stored_results_option
from relattr.cli.output import echo
from relattr.cli.outputs import require_apart
from relattr.cli.wording import counted


@click.command("release")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@chosen_results_options
@stored_results_option
@plugins_option
def command(file: Path, results: Path, plugin_folders: Sequence[Path], **options: Any) -> None:
    """Write all results with the strength of every test image as one FILE, which can be published.

    FILE ends in .parquet (needs relattr[parquet]) or .jsonl (JSON lines). Beside it are written its SHA-256 and a data
    dictionary, which explains each column. The same results give the same file. Commands that read results take it
    in place of a folder: tables, report, figures, status, plan, export and diff. They need no dataset, except for
    pictures of its images.

    The file contains what is stored with the results: names of machines, commands, paths of own data and names of
    images. --methods, --datasets, --attributes and --seeds choose results.

    \b
    relattr release results.parquet
    relattr release table3.jsonl --datasets osr --datasets lfw10 --results results/reference
    relattr tables table3 --results results.parquet
    """
    from relattr.cli.plugins import load_registry
    from relattr.harness.release import open_results, release_paths, write_release
    from relattr.harness.units import format_size
    from relattr.report.tables.judging import complete_pairs

    written = release_paths(file)  # a wrong ending is reported before datasets are read
    require_apart("FILE", written, {"the file of --results": [results]})
    registry, stored, selection = load_registry(plugin_folders), open_results(results), chosen_results(options)
    by_reason: dict[str, list[str]] = {}
    for where, reason in complete_pairs(registry, stored, selection).items():
        by_reason.setdefault(reason, []).append(where)
    for reason, places in by_reason.items():
        echo(f"no test pairs, and so no intervals in tables: {', '.join(places)}: {reason}", err=True)
    release = write_release(stored, file, selection)
    for item in release.unreadable:
        echo(f"left out, not a result: {item.path}: {item.reason}", err=True)
    for name in release.left_out:
        echo(f"left out, neither numbers nor text: {name}", err=True)
    echo(f"wrote {release.file}: {counted(release.n_results, 'cell')}, {format_size(release.n_bytes)}")
    echo(f"wrote {release.digest_file}: {release.sha256}")
    echo(f"wrote {release.dictionary}: what each column means")
