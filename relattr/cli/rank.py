"""``relattr rank``: rank unlabelled photographs from most to least of an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relattr.cli.output import echo
from relattr.cli.outputs import (
    files_of_settings,
    require_apart,
    require_outside_data,
    require_replaceable,
    require_suffix,
)
from relattr.cli.own_model import fit_from_options, fit_options, use_options
from relattr.cli.wording import counted
from relattr.errors import BadImage, BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.interface.model import Model

CHUNK = 256
"""Photographs whose strengths are computed at a time."""
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
    cannot be read, or whose strength is not a finite number, is left out and named.

    \b
    relattr rank --method ranksvm-cnn --data my_images new_photos/
    relattr rank --model openness.npz new_photos/ --out openness.csv
    """
    from relattr.images.loading import load_images
    from relattr.interface.model_file import load_model
    from relattr.system.atomic import require_writable, write_text

    if model_file is not None and (options["method"] is not None or options["data"] is not None):
        raise BadInput("--model is a fitted model: use either --model, or --method and --data")
    require_suffix("--out", out, ".csv")
    paths = find_photographs(photographs)
    written = [out, out.with_suffix(".html")] if page else [out]
    require_outside_data("--out", out, [options["data"]] if options["data"] is not None else [])
    inputs = {
        "the file of --model": [model_file] if model_file is not None else [],
        "a photograph to rank": paths,
        **files_of_settings(options["settings"]),
    }
    require_apart("--out", written, inputs)
    require_replaceable("--out", out, HEADER)
    for file in written:
        require_writable(file)  # before fitting, which takes longer
    if model_file is not None:
        model = load_model(model_file, plugins=options["plugin_folders"], device=device, threads=options["threads"])
    else:
        model = fit_from_options({**options, "device": device}, needs_strength=True)
    images = load_images(paths, keep_decoded=False)
    strengths, unreadable, not_finite = strengths_of(model, images)
    for problem in unreadable:
        echo(f"left out: {problem}", err=True)
    for k in not_finite:
        echo(f"left out: {paths[k]}: its strength by {model.name} is {strengths[k]}, not a finite number", err=True)
    order = ranked(strengths)
    if not order:
        reason = f"has a finite strength by {model.name}" if not_finite else "could be read"
        raise BadInput(f"no photograph {reason}; {counted(len(paths), 'file')} left out")
    write_text(out, ranking_to_csv([str(paths[k]) for k in order], strengths[order]))
    echo(f"wrote {out}: {counted(len(order), 'photograph')}, most first")
    if page:
        path = out.with_suffix(".html")
        warnings = [f"{counted(len(unreadable), 'file')} could not be read and left out."] if unreadable else []
        if not_finite:
            warnings.append(f"{counted(len(not_finite), 'file')} left out, whose strength is not a finite number.")
        write_text(path, _page(model, images, paths, strengths, order, warnings))
        echo(f"wrote {path}")


def find_photographs(given: Sequence[Path]) -> list[Path]:
    """The files, and the image files in the folders, each once.

    Raises `BadInput` for a path that does not exist and for a folder without images.
    """
    from relattr.images.loading import SUFFIXES, list_image_files

    paths: dict[Path, None] = {}
    for path in given:
        if not path.exists():
            raise BadInput(f"{path} does not exist; expected a photograph, or a folder of photographs")
        if not path.is_dir():
            paths[path] = None
            continue
        names = list_image_files(path)
        if not names:
            raise BadInput(f"{path} has no photograph: no file in it ends in {', '.join(sorted(SUFFIXES))}")
        paths.update(dict.fromkeys(path / name for name in names))
    return list(paths)


def strengths_of(model: Model, images: Images) -> tuple[NDArray[np.float64], list[str], list[int]]:
    """The strength of each image, why some cannot be read, and which others have no finite strength.

    The strength of an image that cannot be read is NaN.
    """
    import numpy as np

    from relattr.cli.progress_bars import progress_bars
    from relattr.interface.model import any_strengths, positions_not_finite
    from relattr.progress import track

    strengths = np.full(len(images), np.nan)
    problems: list[str] = []
    not_finite: list[int] = []
    with progress_bars(), track("ranking photographs", len(images)) as advance:
        for start in range(0, len(images), CHUNK):
            chunk = list(range(start, min(start + CHUNK, len(images))))
            readable = chunk
            try:
                strengths[chunk] = any_strengths(model, images.subset(chunk))
            except BadImage:
                readable, errors = _readable_images(images, chunk)
                problems += errors
                if readable:
                    strengths[readable] = any_strengths(model, images.subset(readable))
            not_finite += [readable[k] for k in positions_not_finite(strengths[readable])]
            advance(len(chunk))
    return strengths, problems, not_finite


def _readable_images(images: Images, indices: Sequence[int]) -> tuple[list[int], list[str]]:
    """The images that can be read, and why the others cannot."""
    readable, problems = [], []
    for k in indices:
        try:
            images[k]
        except BadImage as error:
            problems.append(str(error))
        else:
            readable.append(k)
    return readable, problems


def ranked(strengths: NDArray[np.float64]) -> list[int]:
    """The indices from the largest strength to the smallest, except non-finite ones; ties keep their order."""
    import numpy as np

    known = np.flatnonzero(np.isfinite(strengths))
    order: list[int] = known[np.argsort(-strengths[known], kind="stable")].tolist()
    return order


def ranking_to_csv(names: Sequence[str], strengths: NDArray[np.float64]) -> str:
    """A CSV file with the columns `HEADER`.

    A name that is not UTF-8 is escaped; other names are those of the files, by which readers find them.
    """
    from relattr.system.spreadsheet import csv_text
    from relattr.system.text import is_utf8, printable

    shown = [name if is_utf8(name) else printable(name) for name in names]
    ranking = enumerate(zip(shown, strengths.tolist(), strict=True), start=1)
    return csv_text(HEADER, ([k, name, f"{strength:.6g}"] for k, (name, strength) in ranking))


def _page(
    model: Model,
    images: Images,
    paths: Sequence[Path],
    strengths: NDArray[np.float64],
    order: Sequence[int],
    warnings: Sequence[str],
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
    return ranking_to_html(title, thumbnails, sentences, warnings)
