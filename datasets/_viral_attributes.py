"""The five attributes of Deza and Parikh's pairs: people's annotations, released predictions, their votes.

Deza & Parikh, "Understanding Image Virality", CVPR 2015. An image pair is shown with the more viral
image first, and "which image has more" of five attributes is known for it from annotators
(`read_annotations`) or from SVMs (`read_predictions`). The sum of the five answers with published signs
is the vote on which image is the more viral one (`count_votes`).

Two things must be known to read the published numbers, and are computed here:

* 65.18 % (annotations) leaves tied votes out; 68.10 % (predictions) breaks them at random. `Votes` has both.
* The SVMs were given (more viral - less viral), in training and in testing, so an SVM that leans to "more"
  is right about virality before it looks at a pair. `shuffled` deals each SVM's answers out to the pairs at
  random: 67 % is left, so how often each says "more" makes nearly all of the 68 %. Only a predictor that is
  the same for both orders of a pair can be compared with others. (The annotators did not know the order:
  there, what is left after shuffling is no leak, but what the attributes themselves say of virality.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relattr.errors import BadInput
from relattr.random import generator

from . import _matlab, _viral_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

ATTRIBUTES = ("animal", "synthetically-generated", "beautiful", "explicit", "sexual")

HUMAN_SIGNS = (1, 1, -1, 1, 1)
"""The signs that give the published 65.18 % (204 of 313); the paper does not print them."""
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
ANNOTATION_FILES = (_viral_files.ALL_PAIRS, LABELS, ANNOTATIONS)
PREDICTION_FILES = (*PREDICTIONS, *SPLITS)


@dataclass(frozen=True, eq=False)
class PairAttributes:
    """What is known of the attributes of pairs.

    ``ids`` ``(n, 2)`` int64: the more viral image, the other one. ``answers`` ``(n, 5)`` int8, in the
    order of `ATTRIBUTES`: +1 the more viral image has more, -1 less, 0 neither.
    """

    ids: NDArray[np.int64]
    answers: NDArray[np.int8]

    def only(self, ids: NDArray[np.int64]) -> PairAttributes:
        """These pairs ``(k, 2)``, in this order. Raises `BadInput` for one that is not there."""
        import numpy as np

        row = {pair: i for i, pair in enumerate(map(tuple, self.ids.tolist()))}
        gone = [pair for pair in map(tuple, ids.tolist()) if pair not in row]
        if gone:
            raise BadInput(f"images {gone[0][0]} and {gone[0][1]} are not one of the {len(row):,} annotated pairs")
        rows = np.array([row[pair] for pair in map(tuple, ids.tolist())], np.int64)
        return PairAttributes(self.ids[rows], self.answers[rows])

    def vote(self, signs: Sequence[int]) -> NDArray[np.int64]:
        """The sum of the answers with these signs, ``(n,)``: > 0 where it is for the more viral image."""
        import numpy as np

        weights = np.asarray(signs)
        if weights.shape != (len(ATTRIBUTES),) or not np.isin(weights, (-1, 0, 1)).all():
            raise BadInput(f"signs are {list(signs)}; expected {len(ATTRIBUTES)} of -1, 0 and 1")
        return self.answers.astype(np.int64) @ weights.astype(np.int64)


@dataclass(frozen=True)
class Votes:
    """How votes on pairs came out: for the more viral image, for the other one, for neither."""

    right: int
    wrong: int
    tied: int

    @property
    def decided(self) -> float:
        """Accuracy over the pairs whose vote is not tied, in [0, 1]: the rule behind the published 65.18 %."""
        total = self.right + self.wrong
        return self.right / total if total else float("nan")

    @property
    def halved(self) -> float:
        """Accuracy over all pairs, a tie counted as half right, in [0, 1].

        It is the mean over all ways to break the ties at random: the rule behind the published 68.10 %.
        """
        total = self.right + self.wrong + self.tied
        return (self.right + self.tied / 2) / total if total else float("nan")


def count_votes(votes: ArrayLike) -> Votes:
    """Count votes ``(n,)``, > 0 where they are for the more viral image."""
    import numpy as np

    signs = np.sign(np.asarray(votes))
    return Votes(int((signs > 0).sum()), int((signs < 0).sum()), int((signs == 0).sum()))


def shuffled(pairs: PairAttributes, signs: Sequence[int], *, times: int = 100, seed: int = 0) -> NDArray[np.float64]:
    """`Votes.halved` when each attribute's answers are dealt out to the pairs at random, ``(times,)``.

    The answers then say nothing of a pair: what is left is due to how often each attribute is answered "more".
    For answers that depend on the order in which a pair was shown that is a leak.
    """
    import numpy as np

    draw = generator(seed, "viral", "shuffled answers")
    return np.array(
        [
            count_votes(PairAttributes(pairs.ids, draw.permuted(pairs.answers, axis=0)).vote(signs)).halved
            for _ in range(times)
        ]
    )


def read_annotations(root: Path) -> PairAttributes:
    """The annotators' answers on all pairs of a release.

    They were given as left against right with the sides drawn by lot; `LABELS` says where the more viral
    image was. Raises `BadInput`, naming the file, for anything else than n pairs, labels 0 and 1, and
    n x 5 answers -1, 0 and 1.
    """
    import numpy as np

    ids = _viral_files.read_pairs(root / _viral_files.ALL_PAIRS, "pair_matrix_spot")
    first = _codes(root / LABELS, "virality_label_spot", 1, (0, 1), len(ids))
    answers = _codes(root / ANNOTATIONS, "Attribute_matrix_spot", len(ATTRIBUTES), (-1, 0, 1), len(ids))
    return PairAttributes(ids, np.where(first == 1, 1, -1)[:, None].astype(np.int8) * answers.astype(np.int8))


def read_predictions(root: Path) -> PairAttributes:
    """The released SVMs' answers on the pairs of Viral-RandomPairs.

    The predictions of an attribute are in the order of that attribute's split file: its test pairs by their
    true answer, each under the id of its more viral image. Raises `BadInput`, naming the file, where
    these are not the test pairs or the predictions are not one of 1, 2, 3 for each.
    """
    import numpy as np

    ids = _viral_files.read_pairs(root / _viral_files.RANDOM_PAIRS, "top_pair_matrix_489")
    row = {image: i for i, image in enumerate(ids[:, 0].tolist())}
    answers = np.zeros((len(ids), len(ATTRIBUTES)), np.int8)
    for k, (file, split) in enumerate(zip(PREDICTIONS, SPLITS, strict=True)):
        predicted = _codes(root / file, "class_hat", 1, (1, 2, 3), len(ids))
        tested = _tested(root / split)
        if sorted(tested) != sorted(row):
            raise BadInput(
                f"{root / split} has {len(tested)} test images; expected the {len(row)} more viral images of "
                f"{_viral_files.RANDOM_PAIRS}, each once"
            )
        answers[[row[image] for image in tested], k] = np.array([0, 1, -1, 0], np.int8)[predicted]
    return PairAttributes(ids, answers)


def human_attributes(root: Path) -> Votes:
    """Human Annotated Atts.-5 on Viral-RandomPairs: 65.18 % of the decided votes, as published."""
    pairs = _viral_files.read_pairs(root / _viral_files.RANDOM_PAIRS, "top_pair_matrix_489")
    return count_votes(read_annotations(root).only(pairs).vote(HUMAN_SIGNS))


def deep_attributes(root: Path) -> Votes:
    """SVM + Deep Attributes-5 on Viral-RandomPairs: 68.2 % with ties halved, published as 68.10 %."""
    return count_votes(read_predictions(root).vote(DEEP_SIGNS))


def _codes(path: Path, variable: str, columns: int, allowed: Sequence[int], n: int) -> NDArray[np.int64]:
    """A matrix of codes, ``(n, columns)`` or ``(n,)``."""
    import numpy as np

    codes = _viral_files.integers(_matlab.load(path, [variable])[variable], f"{path}: {variable}", columns=columns)
    if len(codes) != n:
        raise BadInput(f"{path}: {variable} has {len(codes):,} rows; expected {n:,}, one for each pair")
    bad = np.flatnonzero(~np.isin(codes, allowed).reshape(n, -1).all(1))
    if bad.size:
        raise BadInput(f"{path}: {variable}, row {bad[0] + 1} is {codes[bad[0]].tolist()}; expected {list(allowed)}")
    return codes


def _tested(path: Path) -> list[int]:
    """The ids of the test images in a split file, class after class: more, less, neither."""
    import numpy as np

    split = _matlab.load(path, ["split"])["split"]
    try:
        classes = split.ravel()[0].ravel()
        ids = [np.asarray(cell).item() for one in classes for cell in one["TestingID"].item().ravel()]
        names = [_matlab.text(one["ClassName"].item(), f"{path}: ClassName") for one in classes]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: split is not a cell of classes with TestingID and ClassName: {error!r}") from error
    expected = ["./positive", "./negative", "./neutral"]
    if names != expected:
        raise BadInput(f"{path} has the classes {names}; expected {expected}")
    bad = [x for x in ids if not isinstance(x, int)]
    if bad:
        raise BadInput(f"{path}: TestingID has {bad[0]!r}; expected whole numbers")
    return ids
