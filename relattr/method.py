"""The contract of a method: fitted on a training set, it compares pairs."""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import dataclass_transform

from relattr.errors import BadInput
from relattr.needs import Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.run import Run
    from relattr.task import TrainingSet


@dataclass_transform(kw_only_default=True, eq_default=False)
class Method:
    """Base class of all methods. A subclass writes `fit` and `strength` (or `compare`).

    Parameters of a method are typed class attributes with defaults; what `fit` learns goes into
    attributes whose names end in ``_`` (numbers, strings, NumPy arrays), which `save` keeps.
    """

    name: ClassVar[str] = ""
    """The name it is registered under."""
    uses_scores: ClassVar[bool] = False
    """Whether `fit` cannot do without ``train.scores``."""
    uses_categories: ClassVar[bool] = False
    """Whether `fit` cannot do without ``train.categories``."""
    uses_pixels: ClassVar[bool] = True
    """Whether it looks at images. One that does not also runs where a dataset's images are not."""
    uses_answers: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The answers about training pairs that `fit` cannot do without: name -> questions (see `Images.answers`)."""
    judged_by: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The answers that `compare` cannot do without: it is judged on the test sets that have them for every pair."""
    ties: ClassVar[Literal["error", "half", "drop"]] = "error"
    """How its tied margins count: as errors, like everybody's. Another rule is for reproducing a number that was
    published under it (a tie is half right, or the pair is left out), and is said wherever the number stands."""
    uses_shipped_features: ClassVar[bool] = False
    """Whether it cannot do without features that came with the images (``images.shipped_features``)."""
    reference: ClassVar[str] = ""
    """The paper the method is from, as a reader would cite it."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """The laws of `relattr.check` it need not keep, each with the reason."""
    check_with: ClassVar[Mapping[str, Any]] = {}
    """Parameters with which the laws are checked: those that make a fit of 80 images a matter of seconds."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(kw_only=True, eq=False)(cls)

    def needs(self) -> Sequence[Need]:
        """What must be there for the method to run with these parameters."""
        return ()

    def deviations(self) -> Sequence[str]:
        """Every way in which the method with these parameters is not the published one."""
        return ()

    def fit(self, train: TrainingSet, run: Run) -> None:
        """Learn from the training set. Must not change it."""
        raise TypeError(f"{type(self).__name__} does not define fit(train, run)")

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        """The strength of each image, ``(n,)``, larger = more of the attribute."""
        raise TypeError(f"{type(self).__name__} defines neither strength(images) nor compare(images, pairs)")

    def compare(self, images: Images, pairs: Pairs) -> NDArray[np.floating[Any]]:
        """The margin of each pair, ``(n_pairs,)``: > 0 where the left image has more.

        Computed here from `strength`, each image once however many pairs it is in.
        """
        strengths = self.strengths(images, pairs)
        return strengths[pairs.left] - strengths[pairs.right]

    def strengths(self, images: Images, pairs: Pairs) -> NDArray[np.float64]:
        """The strength of each image that is in a pair, NaN for the others: ``(n_images,)``."""
        import numpy as np

        strengths = np.full(len(images), np.nan)
        used = pairs.images
        if not used.size:
            return strengths
        found = np.asarray(self.strength(images.subset(used)), dtype=np.float64)
        if found.shape != (used.size,):
            raise BadInput(f"{type(self).__name__}.strength gave shape {found.shape} for {used.size} images")
        strengths[used] = found
        return strengths

    @property
    def has_strength(self) -> bool:
        """Whether margins are differences of strengths, so that its order of images is transitive."""
        return type(self).compare is Method.compare

    # ------------------------------------------------------------------ what there is to look at

    def boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        """Where the fitted method looks in each image, ``(n, k, 4)``: x0, y0, x1, y1, the image being [0, 1].

        They may reach beyond the image. None for a method that does not look at places.
        """
        return None

    def first_boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        """Where it looked before it was fitted, as `boxes`: what it found is judged against that."""
        return None

    def exhibits(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Arrays that figures are drawn from, kept beside the strengths; asked for after the tests.

        ``curve`` (points, 4) is a learning curve: step, loss, held-out accuracy or NaN, seconds. ``neighbours``
        (n, k) are the nearest training images of each training image, ``neighbours before`` those in the features
        it started from, and ``strengths`` (n,) theirs.
        """
        return {}

    # ------------------------------------------------------------------ keeping what was fitted

    def state(self) -> dict[str, Any]:
        """What `fit` learned: every attribute whose name ends in ``_``."""
        return {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        for key, value in state.items():
            setattr(self, key, value)

    def save(self, path: Path) -> None:
        """Write what was fitted to a ``.npz`` file, without pickle.

        Raises `BadInput` for an attribute that is not a number, a string or a NumPy array of them.
        """
        import numpy as np

        from relattr.system.atomic import write_arrays

        arrays = {}
        for key, value in self.state().items():
            try:
                arrays[key] = np.asarray(value)
                kind = arrays[key].dtype.kind
            except (ValueError, TypeError):  # lists of unequal length, for one
                kind = "O"
            if kind not in "biufU":
                raise BadInput(
                    f"{type(self).__name__}.{key} is a {type(value).__name__} that is no array of numbers or text; "
                    "keep such arrays in attributes of their own"
                )
        write_arrays(path, arrays)

    def load(self, path: Path) -> None:
        """Read what `save` wrote into this instance, which must have the same parameters.

        Raises `BadInput` for a file that is not whole or not of this kind.
        """
        import numpy as np

        try:
            with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
                state = {key: arrays[key] for key in arrays.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise BadInput(f"{path} does not hold a fitted {type(self).__name__}: {error}") from error
        self.restore({key: value.item() if value.ndim == 0 else value for key, value in state.items()})
