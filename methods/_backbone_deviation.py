"""How the backbone of a method differs from the published one."""

from __future__ import annotations

from collections.abc import Sequence


def backbone_deviations(backbone: str) -> Sequence[str]:
    """The difference from the network in the publications, Caffe's AlexNet or VGG-16; empty for CaffeNet."""
    if backbone == "caffenet":
        return ()
    if backbone == "alexnet":
        return ("torchvision's AlexNet: other filter counts than Caffe's, and no normalisation layers",)
    if backbone == "vgg16":
        return ("torchvision's weights of VGG-16, not those of the Caffe Model Zoo",)
    return (f"backbone={backbone} in place of the published network",)
