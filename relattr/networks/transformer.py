"""The spatial transformer of Singh & Lee (ECCV 2016): a network that says where to look, and the crop of that place.

Three numbers an image: scale s and translation (tx, ty). The crop takes its pixel at ``g``, both axes running over
[-1, 1], from ``s (g + t)`` of the image: the scale is outside, so the middle of the crop is at ``s t``. Coordinates
are corner-aligned, and outside the image all is zero, which is the mean colour.
"""

from __future__ import annotations

import torch
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.standardise import Standardise

SCALE = 0.33
"""The scale of the first crop: a third of the image."""
STEP = 0.05
"""What the network's first output is multiplied by to give the scale, so that it moves 400 times slower."""
CHANNELS, HIDDEN, PLACES = 128, 128, 6
"""Of the localisation head: channels after its 1 x 1 convolution, hidden units, places a side of the map it sees."""


class Localiser(nn.Module):
    """Where to look: ``(n, 3, h, w)`` to ``(n, 3)``, columns s, tx, ty.

    A backbone's convolutional part, then 1 x 1 convolution, ReLU, a hidden layer, ReLU, and three outputs, of which
    the first is multiplied by 0.05. AlexNet's map is 6 x 6; other maps are averaged down or stretched to that.

    Parameters
    ----------
    backbone : given up to the localiser; only its convolutional part is used.
    scale : of the first crop.
    standardise : whether the map is brought to mean 0, variance 1 before the head.
    frozen : whether the convolutional part stays as it is.
    """

    def __init__(
        self, backbone: Backbone, *, scale: float = SCALE, standardise: bool = True, frozen: bool = False
    ) -> None:
        super().__init__()
        if not 0 < scale <= 1:
            raise BadInput(f"the scale of a first crop must be in (0, 1]; got {scale}")
        self.backbone = backbone
        self.frozen = frozen
        self.standardise = Standardise() if standardise else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(PLACES)
        self.reduce = nn.Conv2d(backbone.conv_channels, CHANNELS, 1)
        self.hidden = nn.Linear(CHANNELS * PLACES**2, HIDDEN)
        self.output = nn.Linear(HIDDEN, 3)
        self.register_buffer("step", torch.tensor([STEP, 1.0, 1.0]))
        for layer in (self.reduce, self.hidden, self.output):
            bound = (layer.weight[0].numel()) ** -0.5  # Torch7's own start, weights and biases alike
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)  # type: ignore[arg-type]
        with torch.no_grad():
            self.output.weight[0] = 0.0
            self.output.bias.copy_(torch.tensor([scale / STEP, 0.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            seen = self.backbone.conv_features(x)
        seen = self.reduce(self.pool(self.standardise(seen)))
        # the head is small, and a place in the image is worth more digits than bfloat16 has
        with torch.autocast(x.device.type, enabled=False):
            hidden = nn.functional.relu(self.hidden(nn.functional.relu(seen.float().flatten(1))))
            return self.output(hidden) * self.step

    @property
    def head(self) -> list[nn.Module]:
        """The layers that are not the backbone's."""
        return [self.reduce, self.hidden, self.output]


def matrix(theta: torch.Tensor) -> torch.Tensor:
    """``(n, 3)`` s, tx, ty to the affine matrices ``(n, 2, 3)`` [[s, 0, s tx], [0, s, s ty]]."""
    s, tx, ty = theta.unbind(1)
    zero = torch.zeros_like(s)
    return torch.stack([torch.stack([s, zero, s * tx], 1), torch.stack([zero, s, s * ty], 1)], 1)


def crop(images: torch.Tensor, theta: torch.Tensor, size: int) -> torch.Tensor:
    """Cut out of ``(n, c, h, w)`` the place that each row of ``theta`` names: ``(n, c, size, size)``, bilinear.

    A place smaller than it is shown is stretched, a larger one is sampled without a filter, as in the original.
    """
    grid = nn.functional.affine_grid(matrix(theta), [len(images), images.shape[1], size, size], align_corners=True)
    return nn.functional.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=True
    )


def outside(theta: torch.Tensor) -> torch.Tensor:
    """Whether the middle of each crop lies outside the image, ``(n,)`` bool: ``|s tx| > 1`` or ``|s ty| > 1``."""
    centre = theta[:, :1] * theta[:, 1:]
    return (centre.abs() > 1).any(1)


def pull(theta: torch.Tensor) -> torch.Tensor:
    """The spatial loss of each crop, ``(n,)``: half the squared distance of its middle from the image's.

    Its gradient is ``(s (tx² + ty²), s² tx, s² ty)``; it counts where the middle lies `outside`.
    """
    return 0.5 * (theta[:, :1] * theta[:, 1:]).square().sum(1)


def boxes(theta: torch.Tensor) -> torch.Tensor:
    """Where the crops lie, ``(n, 4)`` as x0, y0, x1, y1, the image being [0, 1] in x and y; they may reach beyond."""
    s, centre = theta[:, :1], theta[:, :1] * theta[:, 1:]
    half = s.abs().expand(-1, 2)
    return (torch.cat([centre - half, centre + half], 1) + 1) / 2
