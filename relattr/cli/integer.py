"""Integers on the command line."""

from __future__ import annotations

from typing import Any

import click

from relattr.system.numbers import parse_integer


class IntegerRange(click.ParamType):
    """An integer in a range, in ASCII digits; click also reads ``1_000`` and digits of other scripts.

    It is not a `click.IntRange`, because click prints the range of one in the help, with all digits of its ends.
    """

    name = "integer"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._range = click.IntRange(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and parse_integer(value) is None:
            self.fail(f"{value!r} is not an integer", param, ctx)
        return self._range.convert(value, param, ctx)
