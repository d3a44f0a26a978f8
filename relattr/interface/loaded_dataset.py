"""`LoadedDataset`: a dataset with its parameters; `task` returns the task of an attribute."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from relattr import parameters
from relattr.dataset import Dataset, VerificationResult
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.interface.notebook import properties_html
from relattr.task import TaskName

if TYPE_CHECKING:
    from relattr.task import Task, TrainingSet

Source = Mapping[str, Any]
"""Where a training set comes from: dataset, dataset_parameters, attribute, split."""

_sources: WeakKeyDictionary[TrainingSet, Source] = WeakKeyDictionary()


def source_of(train: TrainingSet) -> Source:
    """Where a training set comes from; empty unless a `LoadedDataset` returned it."""
    return _sources.get(train, {})


class LoadedDataset:
    """A dataset with its parameters. Iterating yields its tasks; see `load_dataset`.

    Examples
    --------
    >>> import relattr
    >>> dataset = relattr.load_dataset("glyphs", n_train=50, n_test=40)
    >>> task = dataset.task("local")
    >>> len(task.train.images), len(task.tests[0].images)
    (50, 40)
    """

    def __init__(self, dataset: Dataset, label: str) -> None:
        self.dataset = dataset
        """The plugin."""
        self.label = label
        """Its name in tables."""

    @property
    def name(self) -> str:
        """The name under which it is registered."""
        return self.dataset.name

    @property
    def parameters(self) -> dict[str, Any]:
        """All its parameters, with their values."""
        return parameters.values_of(self.dataset)

    @property
    def attributes(self) -> list[str]:
        """Its attributes. Raises `Blocked` if they are defined in files that are missing."""
        attributes = list(self.dataset.attributes())
        if not attributes:
            self._require_available()
        return attributes

    @property
    def splits(self) -> list[str]:
        """The names of its splits into training and test images."""
        return list(self.dataset.splits())

    @property
    def is_available(self) -> bool:
        """Whether its files are on this machine."""
        return self.dataset.missing() is None

    def missing(self) -> str | None:
        """Which of its files are not on this machine and how to get them; None if nothing is missing."""
        return self.dataset.missing()

    @property
    def citation(self) -> str:
        """What to cite."""
        return self.dataset.citation

    @property
    def licence(self) -> str:
        """The licence of its files."""
        return self.dataset.licence

    def tasks(self) -> list[TaskName]:
        """The names of its tasks: (dataset, attribute, split)."""
        return list(self.dataset.tasks())

    def task(self, attribute: str | TaskName | None = None, split: str | None = None) -> Task:
        """The training set and the test sets of an attribute.

        Parameters
        ----------
        attribute : str or TaskName, optional
            One of `attributes`, or one of `tasks`; may be left out if there is only one attribute.
        split : str, optional
            One of `splits`, by default the first.

        Raises `UnknownName` for an attribute or split that does not exist, `BadInput` without an attribute where there
        are several, and `Blocked` with what to do if files are missing. Warns if the first of several folds of a
        cross-validation is taken because no split is named.
        """
        name = attribute if isinstance(attribute, TaskName) else self._task_name(attribute, split)
        task = self.dataset.task(name)
        n_folds = len(self.splits)
        if split is None and name is not attribute and n_folds > 1 and any(test.fold for test in task.tests):
            warnings.warn(
                f"{self.name} is split into {n_folds} folds for cross-validation, and this is the first: use "
                f"relattr.cross_validate for a result on all of them, or name a split, as in "
                f"task({name.attribute!r}, {name.split!r})",
                stacklevel=2,
            )
        _sources[task.train] = self._source(name.attribute, name.split)
        return task

    def training_set(self, attribute: str | None = None) -> TrainingSet:
        """All labelled images and pairs of an attribute, to fit a method that is used on other images.

        Raises `BadInput` for a dataset that does not support this; `folder`, your own photographs, does.
        """
        name = self.attribute(attribute)
        train = self.dataset.labelled(name)
        _sources[train] = self._source(name, "")
        return train

    def verify(self) -> list[VerificationResult]:
        """Compare files, counts, splits and labels with the expected ones."""
        return self.dataset.verify()

    def __iter__(self) -> Iterator[Task]:
        return (self.task(name) for name in self.tasks())

    def __len__(self) -> int:
        """The number of tasks."""
        return len(self.tasks())

    def __repr__(self) -> str:
        n, files = len(self), "" if self.is_available else ", files are missing"
        return f"<LoadedDataset {self.name}: {n:,} {'task' if n == 1 else 'tasks'}{files}>"

    def _repr_html_(self) -> str:
        missing = self.dataset.missing()
        return properties_html(
            f"Dataset {self.name}",
            {
                "label": self.label,
                "attributes": ", ".join(self.dataset.attributes()) or "–",
                "splits": ", ".join(self.splits),
                "parameters": ", ".join(f"{key}={value!r}" for key, value in self.parameters.items()) or "none",
                "files": missing or "available",
                "licence": self.licence,
                "cite": self.citation,
            },
        )

    def _source(self, attribute: str, split: str) -> Source:
        """The source of a training set; without the parameters that say where the files are on this machine."""
        values = {k: v for k, v in self.parameters.items() if k not in self.dataset.location_parameters}
        return {"dataset": self.name, "dataset_parameters": values, "attribute": attribute, "split": split}

    def _task_name(self, attribute: str | None, split: str | None) -> TaskName:
        splits = self.splits
        if split is not None and split not in splits:
            raise UnknownName(f"split of {self.name}", split, splits)
        return TaskName(self.name, self.attribute(attribute), splits[0] if split is None else split)

    def attribute(self, attribute: str | None = None) -> str:
        """An attribute of the dataset: the one that is given, or the only one. Raises as `task`."""
        attributes = self.attributes
        if attribute is None:
            _require_single(attributes, self.name)
            return attributes[0]
        if attribute not in attributes:
            raise UnknownName(f"attribute of {self.name}", attribute, attributes)
        return attribute

    def _require_available(self) -> None:
        missing = self.dataset.missing()
        if missing is not None:
            raise Blocked(missing)


def _require_single(attributes: Sequence[str], name: str) -> None:
    if len(attributes) != 1:
        raise BadInput(f"{name} has {len(attributes)} attributes; name one: {', '.join(attributes)}")
