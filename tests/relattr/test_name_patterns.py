"""Shell patterns choose names."""

from __future__ import annotations

import pytest

from relattr.errors import UnknownName
from relattr.name_patterns import match_names


def test_matching_keeps_the_order_of_the_names():
    names = ["b-1", "a-1", "b-2", "c"]
    assert match_names(names, ["c", "b-*"], "method") == ["b-1", "b-2", "c"]
    assert match_names(names, [], "method") == []
    with pytest.raises(UnknownName, match="no method is called 'd-"):
        match_names(names, ["c", "d-*"], "method")
