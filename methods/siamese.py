"""Siamese networks: one backbone on the whole image, trained on pairs. Those of AlexNet and VGG-16 are in Table 4."""

from __future__ import annotations

from relattr import register_method

from ._ranking_network import RankingNetwork


@register_method(
    "siamese",
    label="Siamese network",
    summary="Siamese network trained with the RankNet loss, without transformer.",
)
@register_method(
    "siamese-alexnet",
    label="AlexNet Siamese",
    summary="Siamese AlexNet trained with the RankNet loss, without transformer (Table 4).",
    backbone="alexnet",
)
@register_method(
    "siamese-vgg16",
    label="VGGNet-16 Siamese",
    summary="Siamese VGG-16 trained with the RankNet loss, without transformer (Table 4).",
    backbone="vgg16",
)
class Siamese(RankingNetwork):
    """A backbone and a linear score, trained with RankNet's loss; no transformer (Dubey & Agarwal, Section 4.5)."""
