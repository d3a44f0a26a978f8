"""A dictionary of visual words: which descriptors to learn it from, and k-means over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput


def sample_quotas(counts: Sequence[int], per_image: int, total: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How many descriptors to take at random from each image.

    At most ``per_image`` of an image's ``counts``; where these add up to more than ``total``, what a uniform
    draw of ``total`` among all of them takes from each image. Knowing this beforehand, nothing beyond ``total``
    descriptors is ever held.
    """
    capped = np.minimum(np.asarray(counts, dtype=np.int64), per_image)
    if capped.sum() <= total:
        return capped
    return rng.multivariate_hypergeometric(capped, total, method="marginals")


def learn_visual_words(descriptors: npt.ArrayLike, n_words: int = 256, seed: int = 0) -> npt.NDArray[np.float32]:
    """Words (n_words, d), float32: the means that mini-batch k-means finds in descriptors (n, d).

    Euclidean, started from descriptors drawn at random (Sculley, "Web-Scale K-Means Clustering", WWW 2010, as
    in scikit-learn). The same seed gives the same words: it runs on one thread, because the order in which
    several add up their sums is not fixed.

    Raises BadInput for fewer descriptors than words, a wrong shape, or values that are not finite.
    """
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    x = np.asarray(descriptors, dtype=np.float32)
    if x.ndim != 2 or n_words < 1 or len(x) < n_words:
        raise BadInput(
            f"dictionary: {n_words} words need a table of at least as many descriptors, got an array {x.shape}; "
            "give more training images, or ask for fewer words"
        )
    if not np.isfinite(x).all():
        raise BadInput("dictionary: the descriptors hold values that are not finite")
    kmeans = MiniBatchKMeans(
        n_words, init="random", n_init=1, batch_size=min(4096, len(x)), random_state=seed % 2**32, compute_labels=False
    )
    with threadpool_limits(limits=1):
        kmeans.fit(x)
    return np.ascontiguousarray(kmeans.cluster_centers_, dtype=np.float32)
