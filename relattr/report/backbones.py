"""The networks whose pretrained weights the numbers of a method depend on."""

from __future__ import annotations

from relattr.method import Method
from relattr.needs import needs_of


def backbones_of(method: Method) -> list[str]:
    """The names of the networks whose pretrained weights a method needs with its parameters.

    A method with a parameter ``backbone`` may need none, if its features are computed without a network.
    """
    names = (getattr(need, "backbone", "") for need in needs_of(method))  # as `PretrainedWeights` has
    return [name for name in names if name]
