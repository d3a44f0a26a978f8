"""The need for native bfloat16, of methods that are asked to compute in it. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NativeBf16:
    """A processor or GPU that multiplies bfloat16 matrices natively.

    Without one, the same computation is emulated: many times slower than in fp32, and no more accurate.
    """

    def missing(self) -> str | None:
        try:
            from relattr.backbones.inference import has_bf16
        except ImportError:  # another need of the same method says that PyTorch is missing
            return None
        if any(has_bf16(device) for device in ("cpu", "cuda")):
            return None
        return (
            "precision=bf16 needs a processor with AVX512-BF16 or AMX, or a GPU with bfloat16, and this machine has "
            "none; leave precision at fp32"
        )

    def fingerprint(self) -> str:
        return ""
