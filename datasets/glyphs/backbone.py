"""The backbone `micro`, pretrained on the pictures of `pretraining`, as networks for photographs are on ImageNet.

Imported with the dataset, so it must not import torch. ``tools/pretrain_micro.py`` made the weights.
"""

from __future__ import annotations

from pathlib import Path

from relattr.backbones.micro import micro_backbone
from relattr.backbones.names import register_backbone

WEIGHTS = Path(__file__).with_name("micro.safetensors")
SHA256 = "726c3432b4d1757de8f3aaf5265c452a394fa3e4d62141c45de2aadd50ef43d4"

register_backbone("micro", **micro_backbone(WEIGHTS, SHA256))
