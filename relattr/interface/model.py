"""`Model`: a method with its parameters and, once fitted, what it has learned."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import msgspec

from relattr import parameters
from relattr.errors import BadInput, Blocked, shortened
from relattr.interface.given_pairs import as_pairs
from relattr.interface.loaded_dataset import source_of
from relattr.interface.notebook import properties_html
from relattr.interface.seen_images import SeenImages
from relattr.interface.strengths import any_strengths, positions_not_finite, readable_strengths
from relattr.method import Method
from relattr.real_numbers import as_real_array
from relattr.registry import registry
from relattr.run_settings import Run

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from relattr.images.loading import ImagesLike
    from relattr.pairs import Pairs
    from relattr.task import Task, TrainingSet


MAX_NAMED = 10
"""Images that are left out of a ranking that the warning names at most."""


class FitRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model was fitted on, and with which settings."""

    n_images: int
    n_pairs: int
    images: str
    """A digest of the training images."""
    pairs: str
    """A digest of the training pairs."""
    seed: int
    device: str
    threads: int
    dataset: str = ""
    """The dataset, if the training set is one of `relattr.load_dataset`."""
    dataset_parameters: dict[str, Any] = {}
    attribute: str = ""
    split: str = ""
    """Empty if the model was fitted on all labelled images of the attribute."""
    labelled: str = ""
    """A digest of the training images that have a label; empty in files of earlier versions."""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.dataset, self.attribute, self.split) if part)
        return f"{self.n_pairs:,} pairs of {self.n_images:,} images{f' of {where}' if where else ''}, seed {self.seed}"


class Model:
    """A method with its parameters: `fit` it, then `compare` pairs of images or compute their `strength`.

    `relattr.load_method` returns one that is not fitted, `relattr.load_model` one that is.

    Examples
    --------
    >>> import relattr
    >>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
    >>> model = relattr.load_method("chance").fit(task.train)
    >>> images = task.tests[0].images
    >>> model.strength(images).shape
    (20,)
    >>> model.compare(images, [(0, 1), (1, 0)]).sum()
    np.float64(0.0)
    """

    def __init__(self, method: Method, label: str) -> None:
        self.method = method
        """The plugin."""
        self.label = label
        """Its name in tables."""
        self.fitted_on: FitRecord | None = None
        """What it was fitted on; None if it is not fitted."""
        self.seen_images: SeenImages | None = None
        """Its training images that have a label; None if it is not fitted, or was loaded from a file."""

    @property
    def name(self) -> str:
        """The name under which the method is registered."""
        return self.method.name

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the method, with their values."""
        return parameters.values_of(self.method)

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` has succeeded, or it was loaded from a file."""
        return self.fitted_on is not None

    @property
    def has_strength(self) -> bool:
        """Whether it gives each image a strength; otherwise it only compares pairs."""
        return self.method.has_strength

    @property
    def fitted_parameters(self) -> Mapping[str, Any]:
        """What `fit` chose, such as ``C_``."""
        self.require_fitted()
        return self.method.fitted_parameters()

    def unfitted_copy(self) -> Model:
        """A new model with the same method and parameters that is not fitted."""
        method = parameters.create_plugin(type(self.method), "method", self.name, self.parameters)
        vars(method)["name"] = self.name  # one class may be registered under several names
        return Model(method, self.label)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or pickle of it contains: everything but images that it was trained on, as in a saved model.

        Those may be drawn by a function, which cannot be copied. Fitting a copy does not change this model.
        """
        from relattr.images import Images

        method = copy.copy(self.method)
        for name in [name for name, value in vars(method).items() if isinstance(value, Images)]:
            delattr(method, name)
        return {**vars(self), "method": method}

    def missing(self) -> list[str]:
        """What it needs that is not available here, such as packages or weights, and how to get it."""
        return [reason for need in self.method.needs() if (reason := need.missing()) is not None]

    def fit(
        self, train: TrainingSet | Task, *, seed: int = 0, device: str = "auto", threads: int | None = None
    ) -> Model:
        """Learn from a training set, and return this model.

        Parameters
        ----------
        train : TrainingSet or Task
            The training set, or a task, whose training set is used.
        seed : int
            Decides all randomness; the same seed gives the same model.
        device : str
            ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` is the first GPU if there is one, else the processor.
        threads : int, optional
            Number of processor threads; None for one per processor.

        Raises `Blocked` if something that the method needs is missing (a package, weights), and `BadInput` if the
        training set lacks something that it uses, such as scores. Warns if the labels of your own `Pairs` are only 1
        and 0: 0 means similar, not that the right image has more. Pairs of `relattr.load_pairs` are not in doubt.
        """
        from relattr.execution.evaluate import MethodNotApplicable, require_applicable
        from relattr.task import Task, TrainingSet

        if isinstance(train, Task):
            train = train.train
        if not isinstance(train, TrainingSet):
            raise BadInput(f"fit takes a training set, such as task.train; got {shortened(repr(train))}")
        missing = self.missing()
        if missing:
            raise Blocked(f"{self.name} {'; '.join(missing)}")
        source = source_of(train)
        if not source:  # pairs of the user's program
            _warn_of_zero_labels(train.pairs)
        try:
            require_applicable(self.method, train, source.get("dataset", "this training set"))
        except MethodNotApplicable as error:
            raise BadInput(f"{self.name} {error}") from None
        self.fitted_on = self.seen_images = None
        run = make_run(seed, device, threads)
        with _threads(threads):
            if self.method.uses_pixels:
                train.images.prepare()
            self.method.fit(train, run)
        self.seen_images = SeenImages.labelled_in(train)
        self.fitted_on = FitRecord(
            n_images=len(train.images),
            n_pairs=len(train.pairs),
            images=SeenImages.of(train.images).digest,
            pairs=train.pairs.fingerprint(),
            seed=run.seed,
            device=run.device,
            threads=run.threads,
            labelled=self.seen_images.digest,
            **source,
        )
        return self

    def strength(self, images: ImagesLike) -> NDArray[Any]:
        """The strength of the attribute in each image, ``(n,)``, larger = more of the attribute.

        ``images`` is an `Images`, a folder, or a sequence of paths, Pillow images or arrays; see `relattr.load_images`.
        Strengths have no unit: only their order and differences between images have a meaning. Raises `BadInput` if
        the model is not fitted or only compares pairs, and if the strength of an image is not a finite number.
        """
        from relattr.images.loading import load_images

        opened = load_images(images, keep_decoded=False)
        strengths = any_strengths(self, opened)
        invalid = positions_not_finite(strengths)
        if invalid:
            names = opened.names
            raise BadInput(
                f"the strength of {names[invalid[0]]} by {self.name} is {strengths[invalid[0]]}{_how_many(invalid)}; "
                "expected a finite number"
            )
        return strengths

    def compare(self, images: ImagesLike, pairs: Pairs | ArrayLike) -> NDArray[Any]:
        """The margin of each pair, ``(n_pairs,)``: > 0 if the first (left) image has more of the attribute.

        ``images`` as in `strength`. ``pairs`` is a `Pairs`, or ``(n_pairs, 2)`` indices, names or paths of images:
        ``compare([a, b], [(0, 1)])`` compares two. Raises `BadInput` if the model is not fitted, for an index beyond
        the images, and if a margin is not a finite number, `UnknownName` for a name that no image has.
        """
        from relattr.images.loading import load_images

        self.require_fitted()
        if isinstance(images, Iterator):
            images = list(images)  # they are needed twice
        opened = load_images(images, keep_decoded=False)
        given = as_pairs(pairs, opened, images)
        margins = as_real_array(self.method.compare(opened, given), f"compare of {self.name}")
        if margins.shape != (len(given),):
            raise BadInput(
                f"compare of {self.name} has shape {margins.shape} for {len(given)} pairs; expected ({len(given)},)"
            )
        invalid = positions_not_finite(margins)
        if invalid:
            names, k = opened.names, invalid[0]
            raise BadInput(
                f"the margin of {names[given.left[k]]} and {names[given.right[k]]} by {self.name} is {margins[k]}"
                f"{_how_many(invalid)}; expected a finite number"
            )
        return margins

    def rank(self, images: ImagesLike) -> pd.DataFrame:
        """The images from most to least of the attribute, with the columns ``image`` (its name) and ``strength``.

        The index is the rank, from 1; images of equal strength keep their order. As by ``relattr rank``, an image that
        cannot be read, or whose strength is not a finite number, is left out, with a warning that names it. Raises
        `BadInput` if the model is not fitted or only compares pairs, and if all images would be left out.
        """
        import pandas as pd

        from relattr.images import Images
        from relattr.images.loading import load_images

        opened = load_images(images, keep_decoded=False)
        # those of a dataset may have no files here, and a method may need none
        strengths = readable_strengths(self, opened, read_all=not isinstance(images, Images))
        order, names = strengths.order(), opened.names
        problems = [
            *strengths.unreadable.values(),
            *(f"the strength of {names[k]} is {strengths.values[k]}" for k in strengths.not_finite),
        ]
        if problems:
            more = f"; and {len(problems) - MAX_NAMED:,} more" if len(problems) > MAX_NAMED else ""
            text = f"left out of the ranking by {self.name}: {'; '.join(problems[:MAX_NAMED])}{more}"
            if not order:
                raise BadInput(f"no image can be ranked; {text}")
            warnings.warn(text, stacklevel=2)
        index = pd.RangeIndex(1, len(order) + 1, name="rank")
        return pd.DataFrame({"image": [names[k] for k in order], "strength": strengths.values[order]}, index=index)

    def __repr__(self) -> str:
        changed = ", ".join(self._changed_parameters())
        return f"<Model {self.name}{f'({changed})' if changed else ''}, {self._state()}>"

    def _repr_html_(self) -> str:
        return properties_html(
            f"Model {self.name}",
            {
                "label": self.label,
                "parameters that were set": ", ".join(self._changed_parameters()) or "none",
                "state": self._state(),
                "missing": "; ".join(self.missing()),
                "differs from the publication": "; ".join(self.method.deviations()),
                "notes": "; ".join(self.method.notes()),
            },
        )

    def _changed_parameters(self) -> list[str]:
        """``name=value`` of each parameter that differs from that of the method as it is registered."""
        plugin = registry.methods.get(self.name)
        defaults = parameters.values_of(plugin.create()) if plugin is not None else {}
        return parameters.changed_parameters(self.parameters, defaults)

    def _state(self) -> str:
        return "not fitted" if self.fitted_on is None else f"fitted on {self.fitted_on}"

    def require_fitted(self) -> None:
        """Raise `BadInput` unless it is fitted."""
        if not self.is_fitted:
            raise BadInput(f"{self.name} is not fitted; call fit(task.train) first, or load_model(file)")

    def require_strengths(self) -> None:
        """Raise `BadInput` unless it is fitted and gives each image a strength."""
        self.require_fitted()
        if not self.has_strength:
            raise BadInput(f"{self.name} compares pairs and gives no strengths; use compare(images, pairs)")


def _warn_of_zero_labels(pairs: Pairs) -> None:
    """Warn of labels that are only 1 and 0, or only -1 and 0: 0 may be meant as "the other image has more".

    Labels of 0 and 1, or of False and True, are common elsewhere. A file of own photographs with them is refused.
    """
    from relattr.interface.labelled_pairs import doubtful_zeros

    problem = doubtful_zeros(pairs)
    if problem:
        warnings.warn(problem, stacklevel=3)


def _how_many(invalid: Sequence[int]) -> str:
    """What follows the first invalid value in a message."""
    return f", and {len(invalid) - 1:,} more like it" if len(invalid) > 1 else ""


def make_run(seed: int, device: str, threads: int | None) -> Run:
    """The settings of a fit. Raises `BadInput` for a negative seed, no threads, or a device that does not exist."""
    from relattr.bounds import MAX_SEED, MAX_THREADS, is_integer
    from relattr.execution.resources import available_cpus, check_device, resolve_device

    for name, value, least, most in (("seed", seed, 0, MAX_SEED), ("threads", threads, 1, MAX_THREADS)):
        if value is not None and not is_integer(value, least, most):
            raise BadInput(f"{name} is {value!r}; expected an integer from {least} to {most}")
    check_device(device, option="device")
    return Run(seed=int(seed), device=resolve_device(device), threads=int(threads or available_cpus()))


def _threads(threads: int | None) -> AbstractContextManager[None]:
    from relattr.execution.determinism import limited_threads

    return contextlib.nullcontext() if threads is None else limited_threads(threads)
