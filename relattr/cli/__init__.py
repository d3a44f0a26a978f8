"""The command line.

Commands are imported when they are used, so that ``--help`` and ``list`` answer without importing the rest.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any

import click

from relattr import __version__
from relattr.cli.failures import describe_os_error
from relattr.cli.interrupt import stop_on_signals
from relattr.cli.output import Streams, discard_stdout, echo
from relattr.errors import RelattrError, is_refused_thread

DECIDES_RESULTS = False

COMMANDS = {
    "list": "List the methods, datasets, benchmarks or backbones.",
    "plan": "Show which cells of BENCHMARK would run, why, for how long, and within which limits.",
    "run": "Compute the cells of BENCHMARK that have no valid result, then show the table.",
    "status": "Show every result in the folder, or those of BENCHMARK: accuracy, or the reason for a failure.",
    "tables": "Write the tables of each BENCHMARK as LaTeX (booktabs, siunitx), CSV and Markdown.",
    "figures": "Draw the figures of BENCHMARK that show images, as PNG and PDF, from stored results.",
    "report": "Write one self-contained HTML page about BENCHMARK: tables, figures, and every cell with its log.",
    "train": "Fit a method on all your labelled photographs, and save it.",
    "rank": "Rank unlabelled PHOTOGRAPHS from most to least of an attribute, in a CSV file and on a page.",
    "compare": "Say which of two photographs shows more of the attribute that MODEL was fitted on.",
    "export": "Write all results, or those on the datasets of BENCHMARK, as one tidy table.",
    "release": "Write all results with the strength of every test image as one FILE, which can be published.",
    "diff": "Compare two results folders: accuracies on the same test pairs, and what is only in one of them.",
    "forget": "Remove stored results of the chosen methods, datasets or attributes, or those that failed.",
    "cite": "Print BibTeX entries of relattr and of the papers of the methods, datasets and benchmarks NAME.",
    "audit": "Search each DATASET for leaks and contradictions.",
    "data": "List, fetch and verify the datasets' files.",
    "category-network": "Train a network on the categories of the training images of DATASET, and save it in FILE.",
    "check": "Check that a plugin satisfies the laws of its contract.",
    "new": "Write a template file for a new plugin.",
}
"""Command -> the first sentence of its help. The module ``relattr.cli.<command>`` defines ``command``, with ``_`` for
``-`` in its name."""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use; their summaries for ``--help`` are in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]  # list is the module relattr.cli.list here, once it is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"relattr.cli.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  relattr run quick   then   relattr tables quick",
)
@click.version_option(__version__, prog_name="relattr")
def cli() -> None:
    """Benchmark relative-attribute methods: given two images, which one shows more of an attribute?

    A cell is one method on one task (dataset, attribute, split) with one seed; a benchmark is a set of cells.

    \b
    relattr list methods            the methods
    relattr list backbones          the pretrained networks, and their weights
    relattr data list               the datasets, and whether their files are available
    relattr plan table3             which cells of a benchmark would be computed, and why
    relattr run quick               compute them; finished cells are not computed again
    relattr status quick            the result of every cell so far
    relattr tables quick            the tables: LaTeX, PDF, CSV, Markdown
    relattr figures quick           transformer boxes, nearest neighbours, visual chains
    relattr report quick            one page with tables, figures and every cell
    relattr run own --data DIR      compare methods on your own photographs
    relattr rank --help             rank photographs that nobody has labelled
    relattr audit osr               leaks and contradictions in a dataset
    relattr export                  all results as one CSV or Parquet file
    relattr release results.parquet   all results with their strengths as one file, to be published
    relattr diff old new            compare two results folders
    relattr forget --failures       remove results, for example those of failed cells
    relattr new method my-method    a file to start a method from
    relattr check method my-method  whether it satisfies the contract

    \b
    Folders (environment variables):
      RELATTR_DATA      datasets, one folder each
      RELATTR_WEIGHTS   backbone weights, <backbone>.safetensors
      RELATTR_CACHE     decoded images, features, the list of plugins; safe to delete
      RELATTR_OFFLINE   set to 1 to forbid downloads

    Exit code: 0 success, 1 something failed, 2 incorrect use.
    """


def main() -> None:
    """Run the command line. An error caused by the user is printed in one line, with exit code 2."""
    streams = Streams()
    warnings.showwarning = _show_warning
    code = _run()
    if code:
        _explain_encoding()
    code = streams.exit_code(code)
    if _has_foreign_plugins():  # their exit handlers and threads decide neither the exit code nor when this ends
        os._exit(code)
    sys.exit(code)


def _has_foreign_plugins() -> bool:
    """Whether plugins are loaded that are not part of relattr."""
    module = sys.modules.get("relattr.registry")
    if module is None:
        return False
    registry = module.registry
    modules = {plugin.module for table in (registry.methods, registry.datasets) for plugin in table.values()}
    return bool(registry.broken) or not all(name.startswith("relattr.") for name in modules)


def _run() -> int:
    try:
        with stop_on_signals():
            return int(cli(standalone_mode=False) or 0)  # without standalone mode click returns the code of an Exit
    except click.ClickException as error:
        _show(error)
        return 2
    except (click.exceptions.Abort, KeyboardInterrupt):
        echo("stopped; no file is half-written, and finished cells are stored: repeat the command to go on", err=True)
        return 130
    except RelattrError as error:
        echo(f"relattr: {error}", err=True)
        return 2
    except BrokenPipeError:  # `relattr list | head`
        discard_stdout()
        return 0
    except OSError as error:
        if not _folder_exists():
            echo("relattr: the current folder has been removed; change to another folder", err=True)
            return 2
        if error.filename is None:  # not about a file that the user named
            raise
        echo(f"relattr: {describe_os_error(error)}", err=True)
        return 2
    except Exception as error:
        if not is_refused_thread(error):
            raise
        echo("relattr: the system refuses to start another thread (see ulimit -u); end other programs first", err=True)
        return 2


def _explain_encoding() -> None:
    """Say so if Python does not read the names of files as UTF-8: those with other letters are not found then."""
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        echo(
            f"(names of files are read as {encoding} here, so those with other letters may not be found; the "
            "environment variable PYTHONUTF8=1 makes it UTF-8)",
            err=True,
        )


def _folder_exists() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _show_warning(message: Warning | str, *details: Any, **options: Any) -> None:
    echo(f"relattr: warning: {message}", err=True)


def _show(error: click.ClickException) -> None:
    """Print an error of click, whose message may have any characters of an argument."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        echo(error.ctx.get_usage(), err=True)
        echo(f"Try '{error.ctx.command_path} {error.ctx.help_option_names[0]}' for help.\n", err=True)
    echo(f"Error: {error.format_message()}", err=True)
