"""Deza & Parikh's five attributes as predictors of virality: votes of annotators, of their SVMs, of leak-free SVMs.

Deza & Parikh, "Understanding Image Virality", CVPR 2015. For each of five attributes the question is which of two
images has more of it; the answers are summed with fixed signs. The answers belong to the images
(`relattr.images.Images.answers`), as pixels do, not to the labels; a dataset has them for some test sets, and these
methods are evaluated on those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Method, register_method
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.errors import BadInput
from relattr.mixins import PairAnswersMixin, TieRule
from relattr.needs import Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Pairs, Run, TrainingSet

ATTRIBUTES = ("animal", "synthetically-generated", "beautiful", "explicit", "sexual")
HUMAN_SIGNS = (1, 1, -1, 1, 1)
DEEP_SIGNS = (1, 1, -1, 1, -1)
_FIXED = "its signs are published constants: it learns nothing from the labels"


class AttributeVote(PairAnswersMixin, Method):
    """The sum of five answers about a pair, with fixed signs; a subclass defines whose answers.

    Parameters
    ----------
    signs : weight of each answer, -1, 0 or 1, in the order of the attributes.
    """

    signs: tuple[int, ...] = HUMAN_SIGNS

    uses_pixels: ClassVar[bool] = False
    exempt: ClassVar[Mapping[str, str]] = {"noise": _FIXED}

    def fit(self, train: TrainingSet, run: Run) -> None:
        _check_signs(self.name, self.signs)

    def compare(self, images: Images, pairs: Pairs) -> NDArray[np.floating[Any]]:
        (source,) = self.test_answers
        answers, known = images.answers[source].of(images.indices[pairs.left], images.indices[pairs.right])
        if not known.all():
            pair = int(np.flatnonzero(~known)[0])
            raise BadInput(f"{source} have no answer about pair {pair} of {len(pairs)}")
        return (answers @ np.array(self.signs)).astype(np.float64)


@register_method(
    "human-attributes-5",
    label="Human Annotated Atts. -5",
    summary="Vote of annotators on five attributes; as published, tied pairs are left out.",
)
class HumanAttributeVote(AttributeVote):
    """The vote of annotators; as published, pairs whose vote is tied are left out."""

    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"annotators": ATTRIBUTES}
    ties: ClassVar[TieRule] = "drop"

    def notes(self) -> Sequence[str]:
        return ("the signs of the vote are not published: these give the published number",)


@register_method(
    "svm-deep-attributes-5",
    label="SVM + Deep Attributes-5",
    summary="Vote of the released SVMs on five attributes, which leaks the order; ties count half, as published.",
    signs=DEEP_SIGNS,
)
class ReleasedSVMVote(AttributeVote):
    """The vote of the released SVMs, whose answers leak the order of the pair; ties count half.

    They were trained and evaluated on differences (more viral - less viral) only, and are biased towards the answer
    that is right for that order, whatever the pair: with the answers assigned to pairs at random, the vote still
    reaches 67 %.
    """

    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"released-svms": ATTRIBUTES}
    ties: ClassVar[TieRule] = "half"

    def notes(self) -> Sequence[str]:
        return (
            "leaks: the released SVMs were evaluated on (more viral - less viral) images only, so their answers depend "
            "on the order; assigned to pairs at random, they still reach 67 %",
        )


@register_method(
    "svm-deep-attributes-5-sound",
    label="SVM + Deep Attributes-5, both orders",
    summary="The same vote of SVMs trained on both orders of each pair, which do not leak.",
)
class AntisymmetricSVMVote(FitRun, PairAnswersMixin, Method):
    """The same vote of SVMs that are antisymmetric, so that they cannot know which image is the more viral one.

    For each attribute a linear SVM without bias learns the annotators' answers about training pairs (who has more, or
    neither). Swapping a pair negates its output, as if it were trained on both orders. The strength of an image is the
    sum of the five with the published signs; a margin of 1 corresponds to one full answer.

    Parameters
    ----------
    signs : weight of each attribute, -1, 0 or 1.
    backbone, layer : the pretrained network, and its layer that gives the features.
    C : weight of the loss of one pair; "auto" selects it on training pairs held out by image.
    """

    signs: tuple[int, ...] = DEEP_SIGNS
    check_with: ClassVar[Mapping[str, Any]] = {"backbone": DEFAULT_BACKBONE, "layer": "pooled"}

    backbone: str = "alexnet"
    layer: str | None = "fc6"
    C: float | Literal["auto"] = "auto"

    train_answers: ClassVar[Mapping[str, Sequence[str]]] = {"annotators": ATTRIBUTES}
    exempt: ClassVar[Mapping[str, str]] = {"noise": _FIXED}

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import backbone_needs

        return backbone_needs(self.backbone)

    def deviations(self) -> Sequence[str]:
        return (
            "not the published protocol, which leaks: trained on both orders of a pair",
            "a linear kernel, where theirs is RBF",
            f"{self.layer or 'the last layer'} of {self.backbone}, not DeCAF6 of Caffe's network",
        )

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.pairs import Pairs
        from relattr.ranksvm import RankSVM, RankSVMCV

        _check_signs(self.name, self.signs)
        self._run = run
        (source,) = self.train_answers
        answers = train.images.answers[source]
        left, right, labels = answers.among(train.images.indices)
        x = self._features(train.images)
        weights = []
        for k, question in enumerate(ATTRIBUTES):
            pairs = Pairs(left, right, labels[:, k])
            if not pairs.n_ordered:
                raise BadInput(f"no answer about {question} of two training images says which one has more")
            model = (
                RankSVMCV(seed=run.seed_for("folds", question)) if self.C == "auto" else RankSVM(C=float(self.C))
            ).fit(x, pairs)
            weights.append(model.coef_)
            setattr(self, f"C_{question.replace('-', '_')}_", model.C_ if self.C == "auto" else float(self.C))
        self.attributes_ = np.stack(weights)
        self.coef_ = np.array(self.signs) @ self.attributes_

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self._features(images) @ self.coef_

    def _features(self, images: Images) -> NDArray[np.float32]:
        from relattr.backbones.extraction import cached_deep_features

        return cached_deep_features(images, self.backbone, self.layer, device=self.fit_run.device)


def _check_signs(name: str, signs: Sequence[int]) -> None:
    if len(signs) != len(ATTRIBUTES) or not set(signs) <= {-1, 0, 1}:
        raise BadInput(f"{name}: signs are {list(signs)}; expected {len(ATTRIBUTES)} values, each -1, 0 or 1")
