"""Dictionary of visual words: sampling of descriptors, and k-means clustering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput


def sample_quotas(counts: Sequence[int], per_image: int, total: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return how many descriptors to sample from each image.

    At most ``per_image`` of an image's ``counts``; if the sum exceeds ``total``, the number of descriptors that
    ``total`` uniform draws without replacement take from each image. Since the numbers are known in advance, no more
    than ``total`` descriptors are ever in memory.
    """
    capped = np.minimum(np.asarray(counts, dtype=np.int64), per_image)
    if capped.sum() <= total:
        return capped
    return rng.multivariate_hypergeometric(capped, total, method="marginals")


def learn_visual_words(descriptors: npt.ArrayLike, n_words: int = 256, seed: int = 0) -> npt.NDArray[np.float32]:
    """Cluster descriptors (n, d) by mini-batch k-means and return the cluster centres (n_words, d), float32.

    Euclidean distance, initialised with descriptors drawn at random (Sculley, "Web-Scale K-Means Clustering", WWW
    2010, as implemented by scikit-learn). Runs on one thread, because the order of summation of several threads is not
    fixed: the same seed gives the same words.

    Raises `BadInput` for fewer descriptors than words, a wrong shape, or values that are not finite.
    """
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    x = np.asarray(descriptors, dtype=np.float32)
    if n_words < 1:
        raise BadInput(f"a dictionary of {n_words} words; expected at least 1")
    if x.ndim != 2 or len(x) < n_words:
        raise BadInput(
            f"dictionary: {n_words} words need an array (n, d) of at least as many descriptors, got shape {x.shape}; "
            "use more training images or fewer words"
        )
    if not np.isfinite(x).all():
        raise BadInput("dictionary: the descriptors contain NaN or infinity")
    kmeans = MiniBatchKMeans(
        n_words, init="random", n_init=1, batch_size=min(4096, len(x)), random_state=seed % 2**32, compute_labels=False
    )
    with threadpool_limits(limits=1):
        kmeans.fit(x)
    return np.ascontiguousarray(kmeans.cluster_centers_, dtype=np.float32)
