"""Rows of the paper that can no longer be measured: only the published numbers are shown."""

from __future__ import annotations

from relattr.registry import register_constant

register_constant(
    "human",
    label="Human",
    reason="annotators were asked which image is the more viral one; their answers are not released",
)
register_constant(
    "popularity-api",
    label="Popularity API",
    reason="the scoring service of Khosla et al. no longer exists",
)
