"""A self-contained HTML page of images from most to least of an attribute, with their strengths."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2

from relattr.report.figures.ordered_images import Thumbnail
from relattr.system.text import printable


def ranking_to_html(
    title: str, images: Sequence[Thumbnail], sentences: Sequence[str] = (), warnings: Sequence[str] = ()
) -> str:
    """Return the page: the title, sentences about how the images were ranked, warnings, and the images in order.

    It loads nothing from elsewhere, and all text is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("relattr.report.formats", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("ranking.html.jinja").render(
        title=title, images=images, sentences=sentences, warnings=warnings
    )
    page = printable(page).strip()
    return f"{page}\n"
