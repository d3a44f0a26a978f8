"""Dropout after the fully connected layers of a pretrained network, as its fine-tuning needs it.

Singh & Lee (ECCV 2016) fine-tune AlexNet with dropout of probability 0.5 after fc6 and after fc7. Cutting a network off
at the ReLU of fc7 loses the second of them; torchvision's AlexNet has none after fc7 and one before fc6.
"""

from __future__ import annotations

from torch import nn

from relattr.backbones.backbone import Backbone


def set_hidden_dropout(backbone: Backbone, probability: float) -> None:
    """Set the dropout between the fully connected layers of AlexNet or VGG; other networks stay as they are.

    Dropout after fc6 gets this probability, in [0, 1); dropout before fc6 is switched off. The dropout after fc7 is not
    part of a network that ends there; see `relattr.networks.scoring.Extractor`.
    """
    if "fc6" not in backbone.layer_names:
        return
    n_connected = 0
    for layer in backbone.net.get_submodule("classifier").children():
        if isinstance(layer, nn.Linear):
            n_connected += 1
        elif isinstance(layer, nn.Dropout):
            layer.p = probability if n_connected else 0.0
