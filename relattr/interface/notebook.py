"""HTML representations of objects in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def properties_html(title: str, properties: Mapping[str, object]) -> str:
    """A title and a table with one row for each property; those with an empty value are left out."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in properties.items()
        if value not in ("", None)
    )
    return f"<div><strong>{escape(title)}</strong><table>{rows}</table></div>"
