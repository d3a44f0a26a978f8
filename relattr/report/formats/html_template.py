"""The HTML templates of this package."""

from __future__ import annotations

from typing import Any

import jinja2

from relattr.system.text import printable


def render_html(template: str, **values: Any) -> str:
    """Render the template ``<template>.html.jinja``: values are escaped, control characters are shown as text.

    Raises `jinja2.UndefinedError` if the template uses a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("relattr.report.formats", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = printable(environment.get_template(f"{template}.html.jinja").render(**values)).strip()
    return f"{page}\n"
