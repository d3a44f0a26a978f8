"""The command line. Every command answers without importing NumPy or torch until it computes."""

from __future__ import annotations

import sys

import click

from relattr import __version__
from relattr.cli.audit import audit
from relattr.cli.check import check
from relattr.cli.data import data
from relattr.cli.export import export
from relattr.cli.figures import figures
from relattr.cli.listing import list_plugins
from relattr.cli.matrix import plan, run, status
from relattr.cli.new import new
from relattr.cli.report import report
from relattr.cli.tables import tables
from relattr.errors import RelattrError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  relattr run quick   then   relattr tables quick",
)
@click.version_option(__version__, prog_name="relattr")
def cli() -> None:
    """Benchmark relative-attribute methods: given two images, which one shows more?

    \b
    relattr list methods            what can be compared
    relattr data list               on what, and whether its files are here
    relattr plan table3             what a benchmark would compute, and why
    relattr run quick               compute it; what is done already is kept
    relattr status quick            what became of each cell so far
    relattr tables quick            the tables: LaTeX, PDF, CSV, Markdown
    relattr figures quick           what transformers look at, nearest neighbours
    relattr report quick            one page with tables, figures and every cell
    relattr audit osr               leaks and contradictions in a dataset
    relattr export                  every result as one CSV or Parquet file
    relattr new method my-method    a file to start a method from
    relattr check method my-method  whether it keeps the contract

    \b
    Folders (environment variables):
      RELATTR_DATA      datasets, one folder each
      RELATTR_WEIGHTS   backbone weights, <backbone>.safetensors
      RELATTR_CACHE     decoded images and features; safe to delete
      RELATTR_OFFLINE   set to 1 to forbid downloads

    Exit code: 0 all is well, 1 something failed, 2 wrong use.
    """


for command in (list_plugins, plan, run, status, tables, figures, report, export, audit, data, check, new):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error of the user's is one clear line and exit code 2."""
    try:
        sys.exit(cli(standalone_mode=False) or 0)  # click hands the code of an Exit back
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        click.echo("stopped; what was finished is kept, and the same command goes on from there", err=True)
        sys.exit(130)
    except RelattrError as error:
        click.echo(f"relattr: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # `relattr list | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.filename is None:  # not of a file that the user named
            raise
        click.echo(
            f"relattr: {error.filename}: {error.strerror}; choose another folder or file (--out, --results), or make "
            "this one readable and writable",
            err=True,
        )
        sys.exit(2)
