"""Siamese networks: one backbone on the whole image, trained on pairs. The ablation of Table 4."""

from __future__ import annotations

from relattr import register_method

from ._networks import RankingNetwork


@register_method("siamese-alexnet", label="AlexNet Siamese")
@register_method("siamese-vgg16", label="VGGNet-16 Siamese", backbone="vgg16")
class Siamese(RankingNetwork):
    """A backbone and a linear score, trained with RankNet's loss; no transformer (Dubey & Agarwal, Section 4.4)."""

