"""Check the annotations of the virality release against its known values; no image is needed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from relattr.dataset import VerificationResult

from . import _viral_attributes
from ._matlab import numeric_array, read_mat
from ._release_files import cached_manifest, compare_with_manifest
from ._verification import join_first, run_check
from ._viral_files import (
    ALL_PAIRS,
    EXTREMES,
    STRENGTHS,
    SUBREDDIT_NAMES,
    integer_matrix,
    read_column,
    read_ranked_pairs,
    read_submissions,
)
from ._viral_release import ViralRelease
from ._viral_splits import SPLITS

DECIDES_RESULTS = False

ANSWERS = ((1050, 1020), (1236, 1258), (686, 630), (368, 326), (312, 319))
"""In how many annotated pairs the left image has more, and less, of each attribute."""
CATEGORY_COUNTS = {
    "five": {"funny": 4683, "WTF": 521, "aww": 428, "atheism": 166, "gaming": 232, "none": 4048},
    "subreddits": {"funny": 5243, "WTF": 832, "aww": 517, "atheism": 268, "gaming": 308, "pics": 2611},
}


def verify_annotations(release: ViralRelease, manifest: Path) -> list[VerificationResult]:
    """Check the annotation files of a release, whose checksums are in ``manifest``."""
    checks = {
        "scores are A ln(M / mean M)": _check_scores,
        "A and M follow from the submissions": _check_submissions,
        "the annotated pairs have every image once, the more viral one first": _check_pairs,
        "Viral-RandomPairs": _check_random_pairs,
        "the most and least viral images": _check_extremes,
        "categories": _check_categories,
        "splits": _check_splits,
        "answers on five attributes": _check_answers,
        "Human Annotated Atts.-5": _check_human_attributes,
        "SVM + Deep Attributes-5": _check_deep_attributes,
    }
    return [
        run_check(
            "annotations have their checksums",
            lambda: compare_with_manifest(release.root, cached_manifest(manifest)),
        ),
        *(run_check(what, partial(check, release)) for what, check in checks.items()),
    ]


def _check_scores(release: ViralRelease) -> tuple[bool, str]:
    s = release.scores
    mean = s.times.mean()
    error = float(np.abs(s.score - s.best * np.log(s.times / mean)).max())
    ascending = bool((np.diff(s.score) >= 0).all())
    detail = f"{s.ids.size:,} scores, mean M {mean:.10f}, largest difference {error:.1e}, expected below 1e-9"
    return error < 1e-9 and ascending, detail + ("" if ascending else "; NOT in ascending order")


def _check_submissions(release: ViralRelease) -> tuple[bool, str]:
    submissions, s = read_submissions(release.root), release.scores
    strengths = read_column(release.root / STRENGTHS)
    if len(strengths) != len(submissions.groups):
        return False, f"{STRENGTHS} has {len(strengths):,} lines for {len(submissions.groups):,} submissions"
    by_group: dict[str, list[float]] = {}
    counted = set(SUBREDDIT_NAMES)
    for strength, group, subreddit in zip(strengths, submissions.groups, submissions.subreddits, strict=True):
        if subreddit in counted:
            try:
                by_group.setdefault(group, []).append(float(strength))
            except ValueError:
                return False, f"{STRENGTHS} has {strength[:80]!r}; expected a number"
    wrong = [
        f"image {i}: A {a}, M {m}"
        for i, g, a, m in zip(s.ids.tolist(), s.groups.tolist(), s.best.tolist(), s.times.tolist(), strict=True)
        if (values := by_group.get(str(g), [])) == [] or (max(values), len(values)) != (a, m)
    ]
    numbered = list(dict.fromkeys(submissions.groups))
    wrong += [
        f"image {i} is not group {g}"
        for i, g in zip(s.ids.tolist(), s.groups.tolist(), strict=True)
        if i > len(numbered) or numbered[i - 1] != str(g)
    ]
    detail = f"{len(submissions.groups):,} submissions: A is the largest normalised upvote count and M the number"
    return not wrong, join_first(wrong) or detail


def _check_pairs(release: ViralRelease) -> tuple[bool, str]:
    path = release.root / ALL_PAIRS
    pairs = release.scores.positions_of_ranked(read_ranked_pairs(path, "pair_matrix_spot"), str(path))
    once = bool((np.bincount(pairs.ravel(), minlength=release.n_images) == 1).all())
    return once, f"{len(pairs):,} pairs; {'every image once' if once else 'NOT every image once'}"


def _check_random_pairs(release: ViralRelease) -> tuple[bool, str]:
    pairs = release.split.random_pairs
    annotated = read_ranked_pairs(release.root / ALL_PAIRS, "pair_matrix_spot")
    known = set(map(tuple, annotated.tolist()))
    unknown = sum(tuple(pair) not in known for pair in release.scores.ids[pairs].tolist())
    extreme = np.isin(pairs, np.concatenate(release.split.extremes)).sum(1)
    ok = not unknown and bool((extreme >= 1).all())
    return ok, f"{len(pairs)} pairs, {unknown} not annotated; {(extreme == 1).sum()} with one of the most and " + (
        f"least viral images, {(extreme == 2).sum()} with two, {(extreme == 0).sum()} with none"
    )


def _check_extremes(release: ViralRelease) -> tuple[bool, str]:
    path = release.root / EXTREMES
    ids = integer_matrix(read_mat(path, ["Top_Pairs"])["Top_Pairs"], f"{path}: Top_Pairs", columns=1)
    least, most = (release.scores.ids[part].tolist() for part in release.split.extremes)
    return ids.tolist() == [*least, *most], f"{len(least)} and {len(most)}, compared with {EXTREMES}"


def _check_categories(release: ViralRelease) -> tuple[bool, str]:
    categories, names = release.image_categories()
    counted = np.bincount(categories + 1, minlength=len(names) + 1).tolist()  # -1, no category, is counted first
    counts = dict(zip(("none", *names), counted, strict=True))
    expected = CATEGORY_COUNTS[release.categories]
    wrong = [f"{name}: {counts[name]}, expected {n}" for name, n in expected.items() if counts[name] != n]
    return not wrong, join_first(wrong) or ", ".join(f"{name} {n:,}" for name, n in counts.items() if n)


def _check_splits(release: ViralRelease) -> tuple[bool, str]:
    test, test_pairs = release.split.parts[1], release.split.test_pairs
    details, ok = [], True
    for split in SPLITS:
        train = release.split.training_images(split)
        shared = {name: np.intersect1d(pairs.images, train).size for name, pairs in test_pairs.items()}
        ok &= not np.intersect1d(train, test).size and (split != "held-out" or not any(shared.values()))
        both = ", ".join(f"{n:,} of {name}" for name, n in shared.items() if n)
        details.append(f"{split}: {train.size:,} training images, {both or 'no test image'} among them")
    return bool(ok), "; ".join(details)


def _check_answers(release: ViralRelease) -> tuple[bool, str]:
    path = release.root / _viral_attributes.ANNOTATIONS
    _viral_attributes.read_annotations(release.root)
    answers = numeric_array(read_mat(path, ["Attribute_matrix_spot"])["Attribute_matrix_spot"], str(path))
    counts = tuple((int(np.sum(column == 1)), int(np.sum(column == -1))) for column in answers.T)
    names = zip(_viral_attributes.ATTRIBUTES, counts, ANSWERS, strict=True)
    wrong = [f"{name}: {a} left more and less, expected {b}" for name, a, b in names if a != b]
    return not wrong, join_first(wrong) or f"{len(answers):,} pairs; more and less as known for each attribute"


def _check_human_attributes(release: ViralRelease) -> tuple[bool, str]:
    votes = _viral_attributes.human_attributes(release.root)
    detail = (
        f"{100 * votes.accuracy_without_ties:.2f} ({votes.right} of {votes.right + votes.wrong}) without the "
        f"{votes.tied} ties, {100 * votes.accuracy_with_half_ties:.2f} with ties as halves; published 65.18"
    )
    return (votes.right, votes.wrong, votes.tied) == (204, 109, 176), detail


def _check_deep_attributes(release: ViralRelease) -> tuple[bool, str]:
    answers = _viral_attributes.read_predictions(release.root)
    votes = _viral_attributes.count_votes(answers.vote(_viral_attributes.DEEP_SIGNS))
    shuffled = float(_viral_attributes.shuffled_accuracy(answers, _viral_attributes.DEEP_SIGNS).mean())
    detail = (
        f"{100 * votes.accuracy_with_half_ties:.2f} with ties as halves, published 68.10; {100 * shuffled:.1f} with "
        "each attribute's predictions shuffled among the pairs, as they are about (more viral, less viral)"
    )
    return (votes.right, votes.wrong, votes.tied) == (309, 131, 49), detail
