"""RankSVM on features that others computed and released with the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relattr import register_method

from .ranksvm import RankSVMOnFeatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images


@register_method("ranksvm-shipped-features", label="RankSVM + Shipped Features")
class RankSVMOnShippedFeatures(RankSVMOnFeatures):
    """RankSVM on the features in a release, such as Parikh and Grauman's GIST; no image need be there."""

    uses_shipped_features = True

    def features(self, images: Images) -> NDArray[np.float32]:
        import numpy as np

        from relattr.errors import Blocked

        found = images.shipped_features
        if found is None:
            raise Blocked("no features came with these images")
        return found.astype(np.float32)
