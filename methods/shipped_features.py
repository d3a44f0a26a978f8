"""RankSVM on features that were released with the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relattr import register_method
from relattr.errors import Blocked

from .ranksvm import RankSVMMethod

if TYPE_CHECKING:
    from relattr import Images


@register_method(
    "ranksvm-shipped-features",
    label="RankSVM + Shipped Features",
    summary="RankSVM on features released with the images, which need not be available.",
)
class RankSVMOnShippedFeatures(RankSVMMethod):
    """RankSVM on released features, such as Parikh and Grauman's GIST; the images need not be available."""

    uses_shipped_features = True

    def features(self, images: Images) -> NDArray[np.float32]:
        features = images.shipped_features
        if features is None:
            raise Blocked("no features were released with these images")
        return features.astype(np.float32)
