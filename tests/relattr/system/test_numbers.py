"""Numbers in files and options: ASCII digits, exact, finite."""

from __future__ import annotations

import random
from fractions import Fraction

import click
import pytest
from click.testing import CliRunner

from relattr.cli import cli
from relattr.cli.integer import IntegerRange
from relattr.system.numbers import is_digits, parse_float, parse_integer

ONLY_PYTHON = [
    "1_000",
    "1_0.5",
    "\uff11\uff12",
    "\u0663",
    "1e1_0",
    "infinity",
    "nan",
    "-Inf",
    " 1",
    "1 ",
    "1\n",
    "0x10",
]


@pytest.mark.parametrize("text", [*ONLY_PYTHON, "", ".", "e5", "1e", "--1", "1,5", "1.2.3", "\u22121", "1d5", "\u00b2"])
def test_text_that_is_no_number(text: str) -> None:
    value, problem = parse_float(text)
    assert value is None
    assert problem.startswith("expected a finite number")
    assert parse_integer(text) is None


def test_plain_numbers_are_read_as_python_reads_them() -> None:
    draw = random.Random(0)
    for _ in range(2000):
        value = draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 300)
        for text in (repr(value), f"{value:.3e}", f"{value:.17g}"):
            assert parse_float(text) == (float(text), "")
    for text in ("1", "+1", "-1", "1.", ".5", "007", "1E5", "1e+5", "-0", "0e5", "0.000"):
        assert parse_float(text) == (float(text), "")


def test_integers_are_exact_or_refused() -> None:
    for value in (2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1, 2**60, 10**22, 10**23, 2**64 + 1):
        parsed, problem = parse_float(str(value))
        if Fraction(float(value)) == value:
            assert parsed == value
        else:
            assert parsed is None
            assert "beyond 2^53" in problem


def test_numbers_that_a_float_does_not_hold() -> None:
    assert parse_float("1e309")[0] is None
    assert parse_float("9" * 400)[0] is None
    assert parse_float("1e-324")[0] is None
    assert parse_float("0e-400") == (0.0, "")
    assert parse_integer("9" * 5000) is None


def test_digits_are_those_of_ascii() -> None:
    assert is_digits("0123456789")
    assert not any(map(is_digits, ["", "-1", "1.0", "\uff11", "\u0663", "\u00b2", "1_0"]))


@pytest.mark.parametrize("text", ["1_0", "\uff12", "\u0663"])
@pytest.mark.parametrize("option", ["--jobs", "--threads", "--seeds"])
def test_options_take_plain_integers(option: str, text: str) -> None:
    outcome = CliRunner().invoke(cli, ["run", "quick", option, text])
    assert outcome.exit_code == 2
    assert f"{text!r} is not an integer" in outcome.output


def test_an_integer_in_a_range() -> None:
    kind = IntegerRange(0, 10)
    assert kind.convert("7", None, None) == 7
    assert kind.convert(7, None, None) == 7
    for text in ("11", "-1", "7.0"):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
