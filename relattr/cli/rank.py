"""``relattr rank``: rank unlabelled photographs from most to least of an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relattr.cli.left_out import LeftOut
from relattr.cli.output import echo
from relattr.cli.outputs import (
    files_of_settings,
    require_apart,
    require_outside_data,
    require_replaceable,
    require_suffix,
)
from relattr.cli.own_model import fit_from_options, fit_options, use_options
from relattr.cli.photographs import find_photographs
from relattr.cli.wording import counted
from relattr.errors import BadInput
from relattr.system.text import is_utf8, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.interface.model import Model

HEADER = ["rank", "image", "strength"]
"""The columns of the CSV file."""
MAX_SHOWN = 400
"""Photographs that the page shows, evenly spread over the ranking."""


@click.command("rank")
@click.argument("photographs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "model_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A model saved by `relattr train`, in place of --method and --data.",
)
@fit_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("ranking.csv"),
    show_default=True,
    metavar="FILE",
    help="The CSV file to write. The page is written beside it, with the suffix .html.",
)
@click.option("--page/--no-page", default=True, show_default=True, help="Write the page with the photographs.")
@use_options
def command(
    photographs: Sequence[Path], model_file: Path | None, out: Path, page: bool, device: str, **options: Any
) -> None:
    """Rank unlabelled PHOTOGRAPHS from most to least of an attribute, in a CSV file and on a page.

    PHOTOGRAPHS are files, or folders of them. The method is fitted on all your labelled photographs (--method and
    --data), or read from a file (--model). The CSV file has the strengths, the page shows the photographs. A file that
    cannot be read, or whose strength is not a finite number, is left out and named; files in other formats are counted.
    Links to folders are not followed, but named.

    \b
    relattr rank --method ranksvm-cnn --data my_images new_photos/
    relattr rank --model openness.npz new_photos/ --out openness.csv
    """
    from relattr.cli.progress_bars import progress_bars
    from relattr.images.loading import load_images
    from relattr.interface.model_file import load_model
    from relattr.interface.strengths import readable_strengths
    from relattr.system.atomic import write_text

    if model_file is not None and (options["method"] is not None or options["data"] is not None):
        raise BadInput("--model is a fitted model: use either --model, or --method and --data")
    paths, not_considered = find_photographs(photographs)
    written = [out, out.with_suffix(".html")] if page else [out]
    _require_outputs(written, model_file, paths, options)  # before fitting, which takes longer
    if model_file is not None:
        model = load_model(model_file, plugins=options["plugin_folders"], device=device, threads=options["threads"])
    else:
        model = fit_from_options({**options, "device": device}, needs_strength=True)
    images = load_images(paths, keep_decoded=False)
    with progress_bars():
        strengths = readable_strengths(model, images)
    left_out = LeftOut(
        {str(paths[k]): problem for k, problem in strengths.unreadable.items()},
        {str(paths[k]): str(strengths.values[k]) for k in strengths.not_finite},
        str(not_considered),
    )
    for line in left_out.lines(model.name):
        echo(line, err=True)
    order = strengths.order()
    if not order:
        reason = f"has a finite strength by {model.name}" if strengths.not_finite else "could be read"
        raise BadInput(f"no photograph {reason}; {counted(len(paths), 'file')} left out")
    table = ranking_to_csv([str(paths[k]) for k in order], strengths.values[order])
    html = _page(model, images, paths, strengths.values, order, left_out) if page else ""
    write_text(out, table)
    echo(f"wrote {out}: {counted(len(order), 'photograph')}, most first")
    if page:
        path = out.with_suffix(".html")
        write_text(path, html)
        echo(f"wrote {path}")


def _require_outputs(
    written: Sequence[Path], model_file: Path | None, photographs: Sequence[Path], options: Mapping[str, Any]
) -> None:
    """Raise `BadInput` unless the CSV file, and the page, can be written and replace nothing that is needed."""
    from relattr.system.atomic import require_writable

    out = written[0]
    require_suffix("--out", out, ".csv")
    require_outside_data("--out", out, [options["data"]] if options["data"] is not None else [])
    inputs = {
        "the file of --model": [model_file] if model_file is not None else [],
        "a photograph to rank": photographs,
        **files_of_settings(options["settings"]),
    }
    require_apart("--out", written, inputs)
    require_replaceable("--out", out, HEADER)
    for file in written:
        require_writable(file)


def ranking_to_csv(names: Sequence[str], strengths: NDArray[np.float64]) -> str:
    """A CSV file with the columns `HEADER`.

    A name that is not UTF-8 is escaped; other names are those of the files, by which readers find them.
    """
    from relattr.system.spreadsheet import csv_text

    shown = [name if is_utf8(name) else printable(name) for name in names]
    ranking = enumerate(zip(shown, strengths.tolist(), strict=True), start=1)
    return csv_text(HEADER, ([k, name, f"{strength:.6g}"] for k, (name, strength) in ranking))


def _page(
    model: Model,
    images: Images,
    paths: Sequence[Path],
    strengths: NDArray[np.float64],
    order: Sequence[int],
    left_out: LeftOut,
) -> str:
    import numpy as np

    from relattr.report.figures.canvas import evenly_ranked
    from relattr.report.figures.ordered_images import Thumbnail
    from relattr.report.figures.thumbnails import thumbnail_uri
    from relattr.report.formats.ranking import ranking_to_html

    places = evenly_ranked(np.arange(len(order)), MAX_SHOWN).tolist()
    thumbnails = [
        Thumbnail(
            thumbnail_uri(images[order[place]]),
            str(paths[order[place]]),
            f"{place + 1}: {strengths[order[place]]:.3g}",
        )
        for place in places
    ]
    fitted = model.fitted_on
    attribute = fitted.attribute if fitted is not None else ""
    title = f"{counted(len(order), 'photograph')}, ranked by {attribute}" if attribute else "Photographs, ranked"
    sentences = [
        f"Most first. Ranked by {model.label}, fitted on {fitted}.",
        "Below each photograph: its rank and its strength. Strengths have no unit; only their order and their "
        "differences are meaningful.",
    ]
    if len(places) < len(order):
        sentences.append(f"{len(places)} of {len(order):,} are shown, evenly spread; the CSV file has all.")
    return ranking_to_html(title, thumbnails, sentences, left_out.sentences())
