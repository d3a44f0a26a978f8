"""Integers on the command line."""

from __future__ import annotations

from typing import Any

import click

from relattr.system.numbers import parse_integer


class IntegerRange(click.IntRange):
    """An integer in a range, in ASCII digits; click also reads ``1_000`` and digits of other scripts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and parse_integer(value) is None:
            self.fail(f"{value!r} is not an integer", param, ctx)
        return super().convert(value, param, ctx)
