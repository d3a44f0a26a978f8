"""Rows of the paper that cannot be measured by anyone now: shown as published."""

from __future__ import annotations

from relattr.registry import register_constant

register_constant(
    "human",
    label="Human",
    reason="people who were asked which image is the more viral one; their answers are not released",
)
register_constant(
    "popularity-api",
    label="Popularity API",
    reason="the service of Khosla et al. that scored images is gone",
)
