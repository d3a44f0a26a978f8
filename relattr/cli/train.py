"""``relattr train``: fit a method on your own photographs and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from relattr.cli.output import echo
from relattr.cli.outputs import files_of_settings, require_apart, require_outside_data, require_suffix
from relattr.cli.own_model import fit_from_options, fit_options, use_options


@click.command("train")
@fit_options
@click.option(
    "--save",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The file to write, such as openness.npz.",
)
@use_options
def command(file: Path, **options: Any) -> None:
    """Fit a method on all your labelled photographs, and save it.

    No photograph is held out: `relattr run own` measures how accurate a method is. `relattr rank` and `relattr compare`
    use the file, and so does relattr.load_model in Python.

    \b
    relattr train --method ranksvm-cnn --data my_images --save openness.npz
    relattr rank --model openness.npz new_photos/
    relattr compare openness.npz one.jpg other.jpg
    """
    from relattr.interface.model_file import save_model
    from relattr.system.atomic import require_writable

    require_suffix("--save", file, ".npz")
    require_outside_data("--save", file, [options["data"]] if options["data"] is not None else [])
    require_apart("--save", [file], files_of_settings(options["settings"]))
    require_writable(file)  # before fitting, which takes longer
    model = fit_from_options(options)
    save_model(model, file)
    echo(f"wrote {file}: {model.label}, fitted on {model.fitted_on}")
