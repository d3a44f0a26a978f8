"""bfloat16 is computed where the hardware has it, and nowhere else."""

from __future__ import annotations

import pytest

from relattr.backbones import inference
from relattr.backbones.native_bf16 import NativeBf16
from relattr.registry import registry


@pytest.mark.parametrize("native", [(), ("cpu",), ("cuda",)])
def test_bf16_needs_hardware_that_has_it(monkeypatch, native):
    monkeypatch.setattr(inference, "has_bf16", lambda device="cpu": device in native)
    reason = NativeBf16().missing()
    assert (reason is None) == bool(native)
    assert native or "leave precision at fp32" in reason


def test_only_a_method_in_bf16_needs_it():
    registry.discover()
    method = registry.method("siamese-alexnet")
    for values, expected in ({}, False), ({"precision": "fp32"}, False), ({"precision": "bf16"}, True):
        needs = method.create({"backbone": "micro", **values}).needs()
        assert (NativeBf16() in needs) == expected
