"""A self-contained HTML page of images from most to least of an attribute, with their strengths."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.report.figures.ordered_images import Thumbnail
from relattr.report.formats.html_template import render_html


def ranking_to_html(
    title: str, images: Sequence[Thumbnail], sentences: Sequence[str] = (), warnings: Sequence[str] = ()
) -> str:
    """Return the page: the title, sentences about how the images were ranked, warnings, and the images in order.

    It loads nothing from elsewhere, and all text is escaped.
    """
    return render_html("ranking", title=title, images=images, sentences=sentences, warnings=warnings)
