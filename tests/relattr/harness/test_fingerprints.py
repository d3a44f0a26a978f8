"""What is told apart in fingerprints: the same, changed, and not recorded."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from relattr.errors import BadInput
from relattr.harness.fingerprints import (
    UNRECORDED,
    data_difference,
    fingerprint_differences,
    is_recorded,
    method_fingerprints,
)
from relattr.method import Method
from relattr.registry import Plugin

RECORDED = {"code a.b": "1", "data": "2", "protocol": "1"}


def test_data_that_were_not_recorded_are_not_called_changed():
    assert data_difference(RECORDED, "2") is None
    assert data_difference(RECORDED, "3") == "has changed since it was computed"
    for fingerprints in ({}, {"protocol": "1"}):
        assert "its data were not recorded" in (data_difference(fingerprints, "2") or "")


def test_nothing_is_called_changed_if_nothing_was_recorded():
    assert fingerprint_differences({}, RECORDED) == ["its code and data were not recorded"]
    assert fingerprint_differences(RECORDED, RECORDED) == []
    assert fingerprint_differences(RECORDED, {**RECORDED, "data": "3"}) == ["data changed"]


def test_fingerprints_with_a_gap_are_not_recorded():
    assert is_recorded(RECORDED)
    assert not is_recorded({})
    assert not is_recorded({**RECORDED, "code __main__": UNRECORDED})


@pytest.mark.parametrize("module", ["__main__", "made_in_a_cell"])
def test_code_in_no_file_has_no_digest(module, monkeypatch, tmp_path):
    (tmp_path / "__main__.py").write_text("another program")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "made_in_a_cell", ModuleType("made_in_a_cell"))
    cls = type("InSession", (Method,), {"__module__": module})
    assert method_fingerprints(Plugin("m", "M", cls, {}), {}) == {f"code {module}": UNRECORDED}


def test_code_in_a_file_that_is_gone_is_an_error(monkeypatch, tmp_path):
    gone = ModuleType("gone")
    gone.__file__ = str(tmp_path / "gone.py")
    monkeypatch.setitem(sys.modules, "gone", gone)
    cls = type("Gone", (Method,), {"__module__": "gone"})
    with pytest.raises(BadInput, match="cannot find the source file of gone"):
        method_fingerprints(Plugin("m", "M", cls, {}), {})
