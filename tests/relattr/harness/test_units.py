"""Durations and sizes: parsed and formatted."""

from __future__ import annotations

import pytest

from relattr.errors import BadInput
from relattr.harness.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45m", 2700),
        ("1h30m", 5400),
        ("90s", 90),
        ("90", 90),
        ("2d", 172800),
        ("0.5h", 1800),
        (" 1h 5m ", 3900),
        ("none", None),
    ],
)
def test_durations_are_parsed(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("6G", 6 << 30), ("512M", 512 << 20), ("1.5GiB", 3 << 29), ("100", 100), ("2kb", 2048), ("none", None)],
)
def test_sizes_are_parsed(text, expected):
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "5x", "-3m", "0", "0s", "1h30", "m"])
def test_other_text_is_not_a_duration(text):
    with pytest.raises(BadInput):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "much", "5m3", "-1G", "0", "G"])
def test_other_text_is_not_a_size(text):
    with pytest.raises(BadInput):
        parse_size(text)


def test_durations_and_sizes_are_formatted():
    assert [format_duration(s) for s in (0.26, 12.3, 300, 12000, 187200)] == [
        "0.3 s",
        "12 s",
        "5 min",
        "3 h 20 min",
        "2 d 4 h",
    ]
    assert [format_size(b) for b in (12, 5 << 20, 3 << 29, 2 << 40)] == ["12 bytes", "5.0 MB", "1.5 GB", "2.0 TB"]


@pytest.mark.parametrize("text", ["200000d", "10000d1s", "9" * 400 + "d", "9" * 5000])
def test_a_duration_beyond_the_clocks_is_refused(text):
    with pytest.raises(BadInput, match=r"at most 10000d; got .{1,130} \(use none") as error:
        parse_duration(text)
    assert "\n" not in str(error.value)
    assert parse_duration("10000d") == 864_000_000


@pytest.mark.parametrize("text", ["9" * 400 + "G", "1048577T", "9" * 5000])
def test_a_size_beyond_the_limits_of_systems_is_refused(text):
    with pytest.raises(BadInput, match=r"at most 1048576T; got .{1,130} \(use none"):
        parse_size(text)
    assert parse_size("1048576T") == 1 << 60


@pytest.mark.parametrize("text", ["\uff11\uff12m", "\u0663s", "1_0m"])
def test_durations_have_ascii_digits(text):
    with pytest.raises(BadInput):
        parse_duration(text)
