"""Small backbones that are registered for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from relattr.backbones import micro_net, names

PREPROCESSING = names.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
Build = Callable[[], torch.nn.Module]


@pytest.fixture
def register() -> Iterator[Callable[[str, Build], None]]:
    """A function that registers a backbone until the end of the test, in place of one that it registered before."""
    registered = set()

    def register(name: str, build: Build) -> None:
        if name in registered:
            names.unregister_backbone(name)
        names.register_backbone(
            name, build=build, untrained=build, fingerprint=lambda: name, preprocessing=PREPROCESSING
        )
        registered.add(name)

    yield register
    for name in registered:
        names.unregister_backbone(name)


@pytest.fixture
def tiny(register: Callable[[str, Build], None]) -> Build:
    """The backbone ``tiny``, registered: the function that builds it, always with the same weights."""
    register("tiny", build_tiny)
    return build_tiny


def build_tiny() -> torch.nn.Module:
    torch.manual_seed(1)
    return micro_net.MicroNet(4)
