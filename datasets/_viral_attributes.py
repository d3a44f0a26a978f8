"""Answers on five attributes of Deza and Parikh's pairs, from annotators and SVMs, and their votes on virality.

Source: Deza & Parikh, "Understanding Image Virality", CVPR 2015. A pair has the more viral image first. Which of its
images has more of each of five attributes is known from annotators (`read_annotations`) or from SVMs
(`read_predictions`). The sum of the five answers, with published signs, is a vote on which image is more viral
(`count_votes`).

Two facts matter for reading the published numbers; both are computed here:

* 65.18 % (annotations) excludes tied votes; 68.10 % (predictions) breaks ties at random. `Votes` has both accuracies.
* The SVMs saw (more viral - less viral) features in training and in testing, so an SVM with a bias towards "more" is
  right about virality regardless of the pair. `shuffled_accuracy` permutes each SVM's answers among the pairs: 67 %
  remains, so nearly all of the 68 % comes from how often each SVM answers "more". Only a predictor whose answer is
  the same for both orders of a pair is comparable with others. (The annotators did not know the order. What remains
  after permuting their answers is not a leak; it is what the attributes themselves say about virality.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.random import generator

from ._matlab import cell_text, read_mat
from ._viral_files import ALL_PAIRS, RANDOM_PAIRS, integer_matrix, read_ranked_pairs

ATTRIBUTES = ("animal", "synthetically-generated", "beautiful", "explicit", "sexual")

HUMAN_SIGNS = (1, 1, -1, 1, 1)
"""The signs that give the published 65.18 % (204 of 313); they are not in the paper."""
DEEP_SIGNS = (1, 1, -1, 1, -1)
"""The signs in the released `compute_virality_N_nodrop.m`."""

LABELS = "virality_label.mat"
ANNOTATIONS = "Attribute_matrix.mat"
_RESULTS = "Results_Computations/Relative_Attributes"
_SVMS = (("animal", "0830"), ("synthgen", "1027"), ("beautiful", "0553"), ("explicit", "0269"), ("sexual", "0262"))
PREDICTIONS = tuple(
    f"{_RESULTS}/{folder}_N/SVM_Result_{number}_deep__split_01__rbf__weighted_F__bow_F__normalize_T__.mat"
    for folder, number in _SVMS
)
SPLITS = tuple(f"{_RESULTS}/split_A{k}_Top.mat" for k in range(1, 6))
ANNOTATION_FILES = (ALL_PAIRS, LABELS, ANNOTATIONS)
PREDICTION_FILES = (*PREDICTIONS, *SPLITS)


@dataclass(frozen=True, eq=False)
class PairAttributes:
    """Answers on the attributes of pairs.

    ``ids`` ``(n, 2)`` int64: the more viral image, the other one. ``answers`` ``(n, 5)`` int8, in the order of
    `ATTRIBUTES`: +1 the more viral image has more, -1 it has less, 0 neither.
    """

    ids: NDArray[np.int64]
    answers: NDArray[np.int8]

    def select(self, ids: NDArray[np.int64]) -> PairAttributes:
        """Return these pairs ``(k, 2)``, in this order. Raises `BadInput` for a pair without answers."""
        row = {pair: i for i, pair in enumerate(map(tuple, self.ids.tolist()))}
        unknown = [pair for pair in map(tuple, ids.tolist()) if pair not in row]
        if unknown:
            raise BadInput(
                f"images {unknown[0][0]} and {unknown[0][1]} are not one of the {len(row):,} annotated pairs"
            )
        rows = np.array([row[pair] for pair in map(tuple, ids.tolist())], np.int64)
        return PairAttributes(self.ids[rows], self.answers[rows])

    def vote(self, signs: Sequence[int]) -> NDArray[np.int64]:
        """Sum the answers with these signs, ``(n,)``; a sum > 0 votes for the more viral image."""
        weights = np.asarray(signs)
        if weights.shape != (len(ATTRIBUTES),) or not np.isin(weights, (-1, 0, 1)).all():
            raise BadInput(f"signs are {list(signs)}; expected {len(ATTRIBUTES)} of -1, 0 and 1")
        return self.answers.astype(np.int64) @ weights.astype(np.int64)


@dataclass(frozen=True)
class Votes:
    """Numbers of pairs whose vote is for the more viral image, for the other one, and tied."""

    right: int
    wrong: int
    tied: int

    @property
    def accuracy_without_ties(self) -> float:
        """Accuracy over the pairs whose vote is not tied, in [0, 1]; the published 65.18 % is computed so."""
        total = self.right + self.wrong
        return self.right / total if total else float("nan")

    @property
    def accuracy_with_half_ties(self) -> float:
        """Accuracy over all pairs, a tie counted as half right, in [0, 1].

        This is the mean over all ways to break the ties at random; the published 68.10 % breaks them at random.
        """
        total = self.right + self.wrong + self.tied
        return (self.right + self.tied / 2) / total if total else float("nan")


def count_votes(votes: ArrayLike) -> Votes:
    """Count votes ``(n,)``; a vote > 0 is for the more viral image."""
    signs = np.sign(np.asarray(votes))
    return Votes(int((signs > 0).sum()), int((signs < 0).sum()), int((signs == 0).sum()))


def shuffled_accuracy(
    pairs: PairAttributes, signs: Sequence[int], *, times: int = 100, seed: int = 0
) -> NDArray[np.float64]:
    """Compute `Votes.accuracy_with_half_ties` with each attribute's answers permuted among the pairs, ``(times,)``.

    Permuted answers carry no information about a pair: the accuracy that remains is due to how often each attribute
    is answered "more". For answers that depend on the order in which a pair was shown, that is a leak.
    """
    rng = generator(seed, "viral", "shuffled answers")
    return np.array(
        [
            count_votes(
                PairAttributes(pairs.ids, rng.permuted(pairs.answers, axis=0)).vote(signs)
            ).accuracy_with_half_ties
            for _ in range(times)
        ]
    )


def read_annotations(root: Path) -> PairAttributes:
    """Read the annotators' answers on all pairs of a release.

    The file has left against right, with random sides; `LABELS` says on which side the more viral image was. Raises
    `BadInput`, naming the file, for anything but n pairs, labels 0 and 1, and n x 5 answers -1, 0 and 1.
    """
    ids = read_ranked_pairs(root / ALL_PAIRS, "pair_matrix_spot")
    first = _codes(root / LABELS, "virality_label_spot", 1, (0, 1), len(ids))
    answers = _codes(root / ANNOTATIONS, "Attribute_matrix_spot", len(ATTRIBUTES), (-1, 0, 1), len(ids))
    return PairAttributes(ids, np.where(first == 1, 1, -1)[:, None].astype(np.int8) * answers.astype(np.int8))


def read_predictions(root: Path) -> PairAttributes:
    """Read the released SVMs' answers on the pairs of Viral-RandomPairs.

    The predictions of an attribute are in the order of its split file: test pairs grouped by their true answer, each
    identified by the id of its more viral image. Raises `BadInput`, naming the file, where these are not the test
    pairs, or a prediction is not 1, 2 or 3.
    """
    ids = read_ranked_pairs(root / RANDOM_PAIRS, "top_pair_matrix_489")
    row = {image: i for i, image in enumerate(ids[:, 0].tolist())}
    answers = np.zeros((len(ids), len(ATTRIBUTES)), np.int8)
    for k, (file, split) in enumerate(zip(PREDICTIONS, SPLITS, strict=True)):
        predicted = _codes(root / file, "class_hat", 1, (1, 2, 3), len(ids))
        tested = _test_ids(root / split)
        if sorted(tested) != sorted(row):
            raise BadInput(
                f"{root / split} has {len(tested)} test images; expected the {len(row)} more viral images of "
                f"{RANDOM_PAIRS}, each once"
            )
        answers[[row[image] for image in tested], k] = np.array([0, 1, -1, 0], np.int8)[predicted]
    return PairAttributes(ids, answers)


def human_attributes(root: Path) -> Votes:
    """Compute Human Annotated Atts.-5 on Viral-RandomPairs: 65.18 % without ties, as published."""
    pairs = read_ranked_pairs(root / RANDOM_PAIRS, "top_pair_matrix_489")
    return count_votes(read_annotations(root).select(pairs).vote(HUMAN_SIGNS))


def deep_attributes(root: Path) -> Votes:
    """Compute SVM + Deep Attributes-5 on Viral-RandomPairs: 68.2 % with ties as halves, published as 68.10 %."""
    return count_votes(read_predictions(root).vote(DEEP_SIGNS))


def _codes(path: Path, variable: str, columns: int, allowed: Sequence[int], n: int) -> NDArray[np.int64]:
    """A matrix of codes, ``(n, columns)`` or ``(n,)``."""
    codes = integer_matrix(read_mat(path, [variable])[variable], f"{path}: {variable}", columns=columns)
    if len(codes) != n:
        raise BadInput(f"{path}: {variable} has {len(codes):,} rows; expected {n:,}, one for each pair")
    bad = np.flatnonzero(~np.isin(codes, allowed).reshape(n, -1).all(1))
    if bad.size:
        raise BadInput(f"{path}: {variable}, row {bad[0] + 1} is {codes[bad[0]].tolist()}; expected {list(allowed)}")
    return codes


def _test_ids(path: Path) -> list[int]:
    """The ids of the test images in a split file, grouped by class: more, less, neither."""
    split = read_mat(path, ["split"])["split"]
    try:
        classes = split.ravel()[0].ravel()
        ids = [np.asarray(cell).item() for cls in classes for cell in cls["TestingID"].item().ravel()]
        names = [cell_text(cls["ClassName"].item(), f"{path}: ClassName") for cls in classes]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: split is not a cell array of classes with TestingID and ClassName: {error!r}"
        ) from error
    expected = ["./positive", "./negative", "./neutral"]
    if names != expected:
        raise BadInput(f"{path} has the classes {names}; expected {expected}")
    bad = [value for value in ids if not isinstance(value, int)]
    if bad:
        raise BadInput(f"{path}: TestingID has {bad[0]!r}; expected integers")
    return ids
