"""What is known of the virality data, checked on the files of a release; the images need not be there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import _matlab, _viral_attributes, _viral_files
from ._release import listed, look, some
from ._viral_splits import SPLITS

if TYPE_CHECKING:
    from relattr.dataset import Finding

    from .viral import Viral

ANSWERS = ((1050, 1020), (1236, 1258), (686, 630), (368, 326), (312, 319))
"""How often the left image has more and has less of each attribute, in the annotated pairs."""
CATEGORY_COUNTS = {
    "five": {"funny": 4683, "WTF": 521, "aww": 428, "atheism": 166, "gaming": 232, "other": 4048},
    "subreddits": {"funny": 5243, "WTF": 832, "aww": 517, "atheism": 268, "gaming": 308, "pics": 2611},
}


def findings(viral: Viral) -> list[Finding]:
    """Everything that was looked at, in one list."""

    def images() -> tuple[bool, str]:
        gone = viral.missing()
        return not gone, gone or f"{viral.n_images:,}"

    checks = {
        "annotations have their checksums": _content,
        "scores are A ln(M / mean M)": _scores,
        "A and M follow from the submissions": _submissions,
        "the annotated pairs have every image once, the more viral one first": _pairs,
        "Viral-RandomPairs": _random_pairs,
        "the most and least viral images": _extremes,
        "categories": _categories,
        "splits": _splits,
        "answers on five attributes": _answers,
        "Human Annotated Atts.-5": _human,
        "SVM + Deep Attributes-5": _deep,
    }
    there = look("all images are there", images)
    if viral.missing_annotations():
        return [there]
    return [there, *(look(what, partial(c, viral)) for what, c in checks.items())]


def _content(viral: Viral) -> tuple[bool, str]:
    from relattr.system.manifest import differences

    entries = listed(viral.manifest)
    wrong = differences(viral.root, entries)
    return not wrong, some(f"{k} {v}" for k, v in wrong.items()) or f"{len(entries)} files as in the manifest"


def _scores(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    s = viral.scored
    mean = s.times.mean()
    error = float(np.abs(s.score - s.best * np.log(s.times / mean)).max())
    ascending = bool((np.diff(s.score) >= 0).all())
    detail = f"{s.ids.size:,} scores, mean M {mean:.10f}, largest difference {error:.1e}, expected below 1e-9"
    return error < 1e-9 and ascending, detail + ("" if ascending else "; NOT in ascending order")


def _submissions(viral: Viral) -> tuple[bool, str]:
    submissions, s = _viral_files.read_submissions(viral.root), viral.scored
    strengths = _viral_files.read_lines(viral.root / _viral_files.STRENGTHS)
    if len(strengths) != len(submissions.groups):
        return False, f"{_viral_files.STRENGTHS} has {len(strengths):,} lines for {len(submissions.groups):,}"
    found: dict[str, list[float]] = {}
    counted = set(_viral_files.LISTED)
    for strength, group, subreddit in zip(strengths, submissions.groups, submissions.subreddits, strict=True):
        if subreddit in counted:
            try:
                found.setdefault(group, []).append(float(strength))
            except ValueError:
                return False, f"{_viral_files.STRENGTHS} has {strength[:80]!r}; expected a number"
    wrong = [
        f"image {i}: A {a}, M {m}"
        for i, g, a, m in zip(s.ids.tolist(), s.groups.tolist(), s.best.tolist(), s.times.tolist(), strict=True)
        if (of := found.get(str(g), [])) == [] or (max(of), len(of)) != (a, m)
    ]
    numbered = list(dict.fromkeys(submissions.groups))
    wrong += [
        f"image {i} is not group {g}"
        for i, g in zip(s.ids.tolist(), s.groups.tolist(), strict=True)
        if i > len(numbered) or numbered[i - 1] != str(g)
    ]
    detail = f"{len(submissions.groups):,} submissions, of which A is the largest normalised count and M the number"
    return not wrong, some(wrong) or detail


def _pairs(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    path = viral.root / _viral_files.ALL_PAIRS
    found = viral.scored.ranked(_viral_files.read_pairs(path, "pair_matrix_spot"), str(path))
    once = bool((np.bincount(found.ravel(), minlength=viral.n_images) == 1).all())
    return once, f"{len(found):,} pairs; {'every image once' if once else 'NOT every image once'}"


def _random_pairs(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    found = viral.drawn.random_pairs
    pairs = _viral_files.read_pairs(viral.root / _viral_files.ALL_PAIRS, "pair_matrix_spot")
    known = set(map(tuple, pairs.tolist()))
    strange = sum(tuple(pair) not in known for pair in viral.scored.ids[found].tolist())
    extreme = np.isin(found, np.concatenate(viral.drawn.extremes)).sum(1)
    ok = not strange and bool((extreme >= 1).all())
    return ok, f"{len(found)} pairs, {strange} not annotated; {(extreme == 1).sum()} with one of the most and " + (
        f"least viral images, {(extreme == 2).sum()} with two, {(extreme == 0).sum()} with none"
    )


def _extremes(viral: Viral) -> tuple[bool, str]:
    path = viral.root / _viral_files.EXTREMES
    ids = _viral_files.integers(_matlab.load(path, ["Top_Pairs"])["Top_Pairs"], f"{path}: Top_Pairs", columns=1)
    low, high = (viral.scored.ids[part].tolist() for part in viral.drawn.extremes)
    return ids.tolist() == [*low, *high], f"{len(low)} and {len(high)}, compared with {_viral_files.EXTREMES}"


def _categories(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    chosen, names = viral.image_categories()
    counts = dict(zip(names, np.bincount(chosen, minlength=len(names)).tolist(), strict=True))
    expected = CATEGORY_COUNTS[viral.categories]
    wrong = [f"{name}: {counts[name]}, expected {n}" for name, n in expected.items() if counts[name] != n]
    return not wrong, some(wrong) or ", ".join(f"{name} {n:,}" for name, n in counts.items() if n)


def _splits(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    test, judged = viral.drawn.parts[1], viral.drawn.test_pairs
    details, ok = [], True
    for split in SPLITS:
        train = viral.drawn.training_images(split)
        shared = {name: np.intersect1d(pairs.images, train).size for name, pairs in judged.items()}
        ok &= not np.intersect1d(train, test).size and (split != "held-out" or not any(shared.values()))
        both = ", ".join(f"{n:,} of {name}" for name, n in shared.items() if n)
        details.append(f"{split}: {train.size:,} images trained on, {both or 'no test image'} among them")
    return bool(ok), "; ".join(details)


def _answers(viral: Viral) -> tuple[bool, str]:
    import numpy as np

    path = viral.root / _viral_attributes.ANNOTATIONS
    _viral_attributes.read_annotations(viral.root)
    shown = _matlab.numbers(_matlab.load(path, ["Attribute_matrix_spot"])["Attribute_matrix_spot"], str(path))
    found = tuple((int(np.sum(column == 1)), int(np.sum(column == -1))) for column in shown.T)
    names = zip(_viral_attributes.ATTRIBUTES, found, ANSWERS, strict=True)
    wrong = [f"{name}: {a} left more and less, expected {b}" for name, a, b in names if a != b]
    return not wrong, some(wrong) or f"{len(shown):,} pairs; more and less as known for each attribute"


def _human(viral: Viral) -> tuple[bool, str]:
    votes = _viral_attributes.human_attributes(viral.root)
    detail = (
        f"{100 * votes.decided:.2f} ({votes.right} of {votes.right + votes.wrong}) with {votes.tied} ties left out, "
        f"{100 * votes.halved:.2f} with ties as halves; published 65.18"
    )
    return (votes.right, votes.wrong, votes.tied) == (204, 109, 176), detail


def _deep(viral: Viral) -> tuple[bool, str]:
    answers = _viral_attributes.read_predictions(viral.root)
    votes = _viral_attributes.count_votes(answers.vote(_viral_attributes.DEEP_SIGNS))
    left = float(_viral_attributes.shuffled(answers, _viral_attributes.DEEP_SIGNS).mean())
    detail = (
        f"{100 * votes.halved:.2f} with ties as halves, published 68.10; {100 * left:.1f} with each attribute's "
        "predictions shuffled among the pairs, as they are about (more viral, less viral)"
    )
    return (votes.right, votes.wrong, votes.tied) == (309, 131, 49), detail
