"""Limits of cells: validation, combination, and shares of the memory."""

from __future__ import annotations

import pytest

from relattr.errors import BadInput
from relattr.harness import limits
from relattr.harness.limits import Limits, limits_of_method, memory_share, parse_limit_options
from relattr.harness.units import parse_size


def test_an_invalid_limit_is_refused():
    with pytest.raises(BadInput, match="--time-limit 'a=soon'"):
        parse_limit_options(["a=soon"], "time")
    with pytest.raises(BadInput):
        Limits(memory="lots")


def test_the_most_specific_limit_applies():
    options = parse_limit_options(["1h", "deep-*=2h", "deep-x=3h"], "time")
    file = {"deep-*": Limits(time="10m", memory="2G")}
    default = {"*": Limits(time="5m", memory="1G", file="9G")}
    assert limits_of_method("deep-x", options, file, default) == Limits("3h", "2G", "9G")
    assert limits_of_method("deep-y", options, file, default) == Limits("2h", "2G", "9G")
    assert limits_of_method("flat", options, file, default) == Limits("1h", "1G", "9G")
    assert limits_of_method("flat", {}, {"flat": Limits(time="none")}, default).time == "none"


def test_parallel_cells_share_nine_tenths_of_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "machine_memory", lambda: 20 << 30)
    for cells in (1, 2, 7):
        total = cells * parse_size(memory_share(cells).memory)
        assert 0.95 * (18 << 30) < total <= 18 << 30
    assert parse_size(memory_share(0).memory) == parse_size(memory_share(1).memory)
    monkeypatch.setattr(limits, "machine_memory", lambda: 0)  # unknown
    assert memory_share(2).memory == "none"


def test_limits_as_text():
    assert str(Limits("3s", "none", "2G")) == "time 3s, file 2G"
    assert str(Limits()) == "no limit"
