"""The localisation network of the spatial transformer (Singh & Lee, ECCV 2016): where to crop an image.

Its output is the ``theta`` that `relattr.networks.crop_sampler` samples crops with.
"""

from __future__ import annotations

import torch
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.standardisation import FeatureStandardisation

INITIAL_SCALE = 0.33
"""Scale of the initial crop: a third of the image."""
SCALE_OUTPUT_FACTOR = 0.05
"""Factor from the first output to the scale, which changes 400 times more slowly than translation (0.05² = 1/400)."""
REDUCED_CHANNELS, HIDDEN_UNITS, MAP_SIZE = 128, 128, 6
"""Of the head: channels after its 1 x 1 convolution, hidden units, and side of the feature map it takes."""


class Localiser(nn.Module):
    """Localisation network: ``(n, 3, h, w)`` to ``theta`` ``(n, 3)`` with columns s, tx, ty.

    The convolutional part of a backbone, then 1 x 1 convolution, ReLU, a hidden layer, ReLU, and three outputs, of
    which the first is multiplied by 0.05. AlexNet's feature map is 6 x 6; other maps are average-pooled to that.

    Parameters
    ----------
    backbone : owned by the localiser from then on; only its convolutional part is used.
    scale : of the initial crop, in (0, 1].
    centre : x and y of the initial crop in every image, the image being [-1, 1]; None for the published start, near
        the middle, where random weights put it.
    standardise : whether the map is standardised to mean 0, variance 1 before the head.
    frozen : whether the convolutional part is not trained.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        scale: float = INITIAL_SCALE,
        centre: tuple[float, float] | None = None,
        standardise: bool = True,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < scale <= 1:
            raise BadInput(f"the scale of an initial crop must be in (0, 1]; got {scale}")
        self.backbone = backbone
        self.frozen = frozen
        self.standardise = FeatureStandardisation() if standardise else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(MAP_SIZE)
        self.reduce = nn.Conv2d(backbone.conv_channels, REDUCED_CHANNELS, 1)
        self.hidden = nn.Linear(REDUCED_CHANNELS * MAP_SIZE**2, HIDDEN_UNITS)
        self.output = nn.Linear(HIDDEN_UNITS, 3)
        self.register_buffer("step", torch.tensor([SCALE_OUTPUT_FACTOR, 1.0, 1.0]))
        for layer in (self.reduce, self.hidden, self.output):
            bound = (layer.weight[0].numel()) ** -0.5  # Torch7's default initialisation, weights and biases alike
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)  # type: ignore[arg-type]
        with torch.no_grad():
            self.output.weight[0] = 0.0
            self.output.bias.copy_(torch.tensor([scale / SCALE_OUTPUT_FACTOR, 0.0, 0.0]))
            if centre is not None:
                self.output.weight.zero_()
                # the centre of a crop is the scale times the translation
                self.output.bias[1:] = torch.tensor(centre) / scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            feature_map = self.backbone.conv_features(x)
        reduced = self.reduce(self.pool(self.standardise(feature_map)))
        # float32 throughout the head: it is small, and bfloat16 has too few digits for a position in the image
        with torch.autocast(x.device.type, enabled=False):
            hidden = nn.functional.relu(self.hidden(nn.functional.relu(reduced.float().flatten(1))))
            return self.output(hidden) * self.step

    @property
    def head(self) -> list[nn.Module]:
        """The layers after the backbone."""
        return [self.reduce, self.hidden, self.output]
