"""The base class of methods: fitted on a training set, a method compares pairs of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from relattr.errors import BadInput
from relattr.needs import Need
from relattr.real_numbers import as_real_array, is_storable_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.run_settings import Run
    from relattr.task import TaskName, TrainingSet

MAX_TEXT = 1000
"""Characters of a text that `Method.fitted_parameters` includes."""


@dataclass_transform(kw_only_default=True, eq_default=False)
class Method:
    """Base class of all methods. A subclass defines `fit`, and `strength` or `compare`.

    Parameters of a method are annotated class attributes with default values. What `fit` learns is stored in
    attributes whose names end in ``_`` (numbers, strings, NumPy arrays); `save` writes those.

    Optional features have mix-ins of their own in `relattr.mixins`: `InspectionMixin` for boxes and figures,
    `PairAnswersMixin` for answers about pairs.

    Notes
    -----
    The ``uses_`` flags are read from an instance, so a subclass may define them as properties that depend on its
    parameters.
    """

    name: ClassVar[str] = ""
    """The name under which it is registered."""
    uses_pixels: ClassVar[bool] = True
    """Whether it reads images. A method that does not also runs where the images of a dataset are missing."""
    uses_scores: ClassVar[bool] = False
    """Whether `fit` requires ``train.scores``."""
    uses_categories: ClassVar[bool] = False
    """Whether `fit` requires ``train.categories``."""
    uses_shipped_features: ClassVar[bool] = False
    """Whether it requires features that were released with the images (``images.shipped_features``)."""
    guesses: ClassVar[bool] = False
    """Whether its answers are random. Where it is among the best of a column, tables call no method the best."""
    files: ClassVar[Sequence[str]] = ()
    """Data files that decide its results, as paths relative to its module; a change in one makes results stale."""
    file_parameters: ClassVar[Sequence[str]] = ()
    """Parameters that are the path of a file, or a list of paths: the content identifies results, not the path."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """Laws of `relattr.check` that do not apply to it: law -> reason."""
    check_with: ClassVar[Mapping[str, Any]] = {}
    """Parameters for `relattr.check`, with which fitting 80 images takes seconds."""
    published_parameters: ClassVar[Mapping[str, Any]] = {}
    """Published values of parameters whose default is another value; setting them is not a deviation."""
    unpublished_parameters: ClassVar[Sequence[str]] = ()
    """Parameters whose published value is unknown; a value other than the default is a note, not a deviation."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(kw_only=True, eq=False)(cls)

    def needs(self) -> Sequence[Need]:
        """What must be available for the method to run with these parameters: packages, weights, a GPU.

        A cell whose needs are not met becomes a row that says what is missing and how to get it.

        Examples
        --------
        >>> return [Packages(["lightgbm"])]                       # from relattr.needs import Packages, Gpu
        >>> return [Packages(["torch"], extra="deep"), Gpu()]
        >>> return backbone_needs(self.backbone)                  # from relattr.backbones.weights
        """
        return ()

    def deviations(self) -> Sequence[str]:
        """Every known difference between the method with these parameters and the published one, as text.

        A number with deviations is never judged against the published number.
        """
        return ()

    def notes(self) -> Sequence[str]:
        """What else readers must know: the choices made where the publication is silent, and its known flaws.

        Notes do not prevent a number from being compared with the published one.
        """
        return ()

    def notes_on(self, task: TaskName) -> Sequence[str]:
        """`notes` that concern one dataset or attribute only."""
        return ()

    def fit(self, train: TrainingSet, run: Run) -> None:
        """Learn from the training set, which must not be modified."""
        raise TypeError(f"{type(self).__name__} does not define fit(train, run)")

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        """The strength of the attribute in each image, ``(n,)``, larger = more of the attribute."""
        raise TypeError(f"{type(self).__name__} defines neither strength(images) nor compare(images, pairs)")

    def compare(self, images: Images, pairs: Pairs) -> NDArray[np.floating[Any]]:
        """The margin of each pair, ``(n_pairs,)``: > 0 if the left image has more of the attribute.

        By default the difference of the two strengths, where the strength of each image is computed once.
        """
        strengths = strengths_in_pairs(self, images, pairs)
        return strengths[pairs.left] - strengths[pairs.right]

    @property
    def has_strength(self) -> bool:
        """Whether margins are differences of strengths, so that the order of the images is transitive."""
        return type(self).compare is Method.compare

    def fitted_parameters(self) -> Mapping[str, bool | int | float | str]:
        """What `fit` chose, such as ``C_``, to be stored in the result: by default each number or string it learned.

        Numbers are finite and have at most 64 bits, texts are short; larger state, such as weights, is not included.
        """
        chosen = {}
        for key, value in self.state().items():
            scalar = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
            if is_storable_number(scalar) or (isinstance(scalar, str) and len(scalar) <= MAX_TEXT):
                chosen[key] = scalar
        return chosen

    # ------------------------------------------------------------------ saving and loading

    def state(self) -> dict[str, Any]:
        """What `fit` learned: every attribute whose name ends in ``_``."""
        return {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` returned."""
        for key, value in state.items():
            setattr(self, key, value)

    def set_run(self, run: Run) -> None:
        """Set the device and the threads with which a saved method is applied; called before `restore`."""
        self._run = run

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The fitted `state` as arrays of numbers or strings, which can be written without pickle.

        Raises `BadInput` for an attribute that is not a number, a string or a NumPy array of them.
        """
        import numpy as np

        arrays = {}
        for key, value in self.state().items():
            try:
                arrays[key] = np.asarray(value)
                kind = arrays[key].dtype.kind
            except (ValueError, TypeError):  # for example lists of unequal length
                kind = "O"
            if kind not in "biufU":
                raise BadInput(
                    f"{type(self).__name__}.{key} is a {type(value).__name__}, which cannot be saved; expected a "
                    "number, a string or an array of numbers or strings. Store each array in a separate attribute"
                )
        return arrays

    def restore_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """`restore` what `state_arrays` returned."""
        self.restore({key: value.item() if value.ndim == 0 else value for key, value in arrays.items()})

    def save(self, path: Path) -> None:
        """Write the fitted `state` to a ``.npz`` file, without pickle.

        The file does not say which method it is of; `relattr.save_model` writes one that does. Raises `BadInput` as
        `state_arrays`.
        """
        from relattr.system.atomic import write_arrays

        write_arrays(path, self.state_arrays())

    def load(self, path: Path) -> None:
        """Read a file of `save` into this instance, which must have the same parameters.

        Raises `BadInput` if the file is missing, damaged or not a file of `save`.
        """
        from relattr.system.npz import read_npz

        try:
            state = read_npz(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} does not hold a fitted {type(self).__name__}: {error}") from error
        self.restore_arrays(state)


def strengths_in_pairs(method: Method, images: Images, pairs: Pairs) -> NDArray[np.float64]:
    """The strength of each image that occurs in a pair, NaN for the others: ``(n_images,)``."""
    import numpy as np

    strengths = np.full(len(images), np.nan)
    paired = pairs.images
    if not paired.size:
        return strengths
    computed = as_real_array(method.strength(images.subset(paired)), f"{type(method).__name__}.strength(images)")
    if computed.shape != (paired.size,):
        raise BadInput(
            f"{type(method).__name__}.strength returned shape {computed.shape} for {paired.size} images; "
            f"expected ({paired.size},)"
        )
    strengths[paired] = computed
    return strengths
