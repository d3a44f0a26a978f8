"""Limits as people write them."""

from __future__ import annotations

import pytest

from relattr.errors import BadInput
from relattr.harness import limits
from relattr.harness.limits import Limits, limits_of_method, memory_share, parse_limit_options
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
def test_times(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("6G", 6 << 30), ("512M", 512 << 20), ("1.5GiB", 3 << 29), ("100", 100), ("2kb", 2048), ("none", None)],
)
def test_sizes(text, expected):
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "5x", "-3m", "0", "0s", "1h30", "m"])
def test_bad_times(text):
    with pytest.raises(BadInput):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "much", "5m3", "-1G", "0", "G"])
def test_bad_sizes(text):
    with pytest.raises(BadInput):
        parse_size(text)


def test_bad_limits_are_refused_where_they_are_written():
    with pytest.raises(BadInput, match="--time-limit 'a=soon'"):
        parse_limit_options(["a=soon"], "time")
    with pytest.raises(BadInput):
        Limits(memory="lots")


def test_the_nearest_limit_wins():
    line = parse_limit_options(["1h", "deep-*=2h", "deep-x=3h"], "time")
    file = {"deep-*": Limits(time="10m", memory="2G")}
    usual = {"*": Limits(time="5m", memory="1G", file="9G")}
    assert limits_of_method("deep-x", line, file, usual) == Limits("3h", "2G", "9G")
    assert limits_of_method("deep-y", line, file, usual) == Limits("2h", "2G", "9G")
    assert limits_of_method("flat", line, file, usual) == Limits("1h", "1G", "9G")
    assert limits_of_method("flat", {}, {"flat": Limits(time="none")}, usual).time == "none"


def test_cells_at_once_share_the_memory_and_leave_some(monkeypatch):
    monkeypatch.setattr(limits, "machine_memory", lambda: 20 << 30)
    for cells in (1, 2, 7):
        total = cells * parse_size(memory_share(cells).memory)
        assert 0.95 * (18 << 30) < total <= 18 << 30
    assert parse_size(memory_share(0).memory) == parse_size(memory_share(1).memory)
    monkeypatch.setattr(limits, "machine_memory", lambda: 0)  # it cannot be told
    assert memory_share(2).memory == "none"


def test_shown_as_a_person_says_it():
    assert [format_duration(s) for s in (0.26, 12.3, 300, 12000, 187200)] == [
        "0.3 s",
        "12 s",
        "5 min",
        "3 h 20 min",
        "2 d 4 h",
    ]
    assert [format_size(b) for b in (12, 5 << 20, 3 << 29, 2 << 40)] == ["12 bytes", "5.0 MB", "1.5 GB", "2.0 TB"]
    assert str(Limits("3s", "none", "2G")) == "time 3s, file 2G"
    assert str(Limits()) == "no limit"
