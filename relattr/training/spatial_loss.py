"""The spatial loss, which penalises crops centred outside the image."""

from __future__ import annotations

import torch

from relattr.networks.crop_sampler import crop_centres


def spatial_loss(theta: torch.Tensor) -> torch.Tensor:
    """Half the squared distance of each crop centre from the image centre, ``(n,)``; ``theta`` ``(n, 3)`` is s, tx, ty.

    Singh & Lee (ECCV 2016). Its gradient is ``(s (tx² + ty²), s² tx, s² ty)``. It applies only to crops whose centre is
    outside the image: see `relattr.training.ranking_loss.pairwise_loss`.
    """
    return 0.5 * crop_centres(theta).square().sum(1)
