"""Deza & Parikh's five attributes as a predictor of virality: the vote of people, of their SVMs, and of sound ones.

Deza & Parikh, "Understanding Image Virality", CVPR 2015. "Which of the two images has more of it?" is asked of five
attributes, and the answers are added up with fixed signs. The answers come with the images of a test set
(`relattr.images.Images.answers`), as pixels do, and never with its labels; a dataset has them for some test sets,
and these methods are judged on those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import Method, register_method
from relattr.errors import BadInput
from relattr.mixins import TieRule, UsesPairAnswers
from relattr.needs import DEEP, Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Pairs, Run, TrainingSet

ATTRIBUTES = ("animal", "synthetically-generated", "beautiful", "explicit", "sexual")
HUMAN_SIGNS = (1, 1, -1, 1, 1)
DEEP_SIGNS = (1, 1, -1, 1, -1)
_FIXED = "its signs are published constants: it learns nothing from the labels"


class Vote(UsesPairAnswers, Method):
    """The sum of five answers about a pair, with fixed signs; a subclass says whose answers."""

    signs: tuple[int, ...] = HUMAN_SIGNS

    uses_pixels: ClassVar[bool] = False
    exempt: ClassVar[Mapping[str, str]] = {"noise": _FIXED}

    def fit(self, train: TrainingSet, run: Run) -> None:
        _check(self.name, self.signs)

    def compare(self, images: Images, pairs: Pairs) -> NDArray[np.floating[Any]]:
        import numpy as np

        (who,) = self.test_answers
        answers, known = images.answers[who].of(images.indices[pairs.left], images.indices[pairs.right])
        if not known.all():
            pair = int(np.flatnonzero(~known)[0])
            raise BadInput(f"{who} did not answer about pair {pair} of {len(pairs)}")
        return (answers @ np.array(self.signs)).astype(np.float64)


@register_method("human-attributes-5", label="Human Annotated Atts. -5")
class HumanAttributes(Vote):
    """The vote of annotators; as published, pairs whose vote is tied are left out."""

    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"annotators": ATTRIBUTES}
    ties: ClassVar[TieRule] = "drop"

    def deviations(self) -> Sequence[str]:
        return ("the signs of the vote are not published: these give the published number",)


@register_method("svm-deep-attributes-5", label="SVM + Deep Attributes-5", signs=DEEP_SIGNS)
class ReleasedSVMs(Vote):
    """The vote of the released SVMs, whose answers give the order of the pair away; ties are half right.

    They were trained and asked about (more viral - less viral) alone, and lean to answers that are right for that
    order whatever the pair: dealt out to the pairs at random they still reach 67 %.
    """

    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"released-svms": ATTRIBUTES}
    ties: ClassVar[TieRule] = "half"

    def deviations(self) -> Sequence[str]:
        return (
            "leaks: the released SVMs were asked about (more viral - less viral) images only, so that their answers "
            "tell the order; dealt out at random they still reach 67 %",
        )


@register_method("svm-deep-attributes-5-sound", label="SVM + Deep Attributes-5, both orders")
class SoundSVMs(UsesPairAnswers, Method):
    """The same vote of SVMs that do not know which image is the more viral one.

    For each attribute a linear pair SVM without bias learns the annotators' answers about training pairs (who has
    more, or neither); trained so, or on both orders of each pair, it says the opposite of the pair the other way
    round. The strength of an image is the sum of the five with the published signs: a margin of 1 is one whole answer.
    """

    signs: tuple[int, ...] = DEEP_SIGNS
    check_with: ClassVar[Mapping[str, Any]] = {"backbone": "squeezenet1_0", "layer": "pooled"}

    backbone: str = "alexnet"
    layer: str | None = "fc6"
    C: float | Literal["auto"] = "auto"

    train_answers: ClassVar[Mapping[str, Sequence[str]]] = {"annotators": ATTRIBUTES}
    exempt: ClassVar[Mapping[str, str]] = {"noise": _FIXED}

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights

        return (DEEP, PretrainedWeights(self.backbone))

    def deviations(self) -> Sequence[str]:
        return (
            "not the published protocol, which leaks: trained on both orders of a pair",
            "a linear kernel, where theirs is RBF",
            f"{self.layer or 'the last layer'} of {self.backbone}, not DeCAF6 of Caffe's network",
        )

    def fit(self, train: TrainingSet, run: Run) -> None:
        import numpy as np

        from relattr.pairs import Pairs
        from relattr.ranksvm import RankSVM, RankSVMCV

        _check(self.name, self.signs)
        self._run = run
        (who,) = self.train_answers
        # whichever two training images were asked about
        answers = train.images.answers[who]
        left, right, given = answers.among(train.images.indices)
        x = self._features(train.images)
        parts = []
        for k, question in enumerate(ATTRIBUTES):
            pairs = Pairs(left, right, given[:, k])
            if not pairs.n_ordered:
                raise BadInput(f"no answer about {question} of two training images says which has more")
            model = (
                RankSVMCV(seed=run.seed_for("folds", question)) if self.C == "auto" else RankSVM(C=float(self.C))
            ).fit(x, pairs)
            parts.append(model.coef_)
        self.attributes_ = np.stack(parts)
        self.coef_ = np.array(self.signs) @ self.attributes_

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self._features(images) @ self.coef_

    def _features(self, images: Images) -> NDArray[np.float32]:
        from relattr import Run
        from relattr.backbones.extraction import cached_deep_features

        device = getattr(self, "_run", Run()).device
        return cached_deep_features(images, self.backbone, self.layer, device=device)


def _check(name: str, signs: Sequence[int]) -> None:
    if len(signs) != len(ATTRIBUTES) or not set(signs) <= {-1, 0, 1}:
        raise BadInput(f"{name}: signs are {list(signs)}; expected {len(ATTRIBUTES)} of -1, 0 and 1")
