"""Statistics of pairs that share images: accuracy, confidence intervals, paired differences, ranks.

The independent units are images, not pairs; docs/statistics.md explains the consequences.
"""

from relattr.statistics.best import LargestDifference, difference_covariance
from relattr.statistics.bootstrap import Bootstrap, bootstrap
from relattr.statistics.correlation import spearman
from relattr.statistics.counts import PairCounts, count_margins, count_strengths
from relattr.statistics.design import Design, Judgement
from relattr.statistics.interval import AccuracyEstimate, Difference, difference, estimate_accuracy, pairs_interval
from relattr.statistics.multiple_comparisons import holm
from relattr.statistics.planning import FEW_TEST_PAIRS, describe_few_pairs, images_needed, pairs_needed
from relattr.statistics.ranks import Ranks, average_ranks

__all__ = [
    "FEW_TEST_PAIRS",
    "AccuracyEstimate",
    "Bootstrap",
    "Design",
    "Difference",
    "Judgement",
    "LargestDifference",
    "PairCounts",
    "Ranks",
    "average_ranks",
    "bootstrap",
    "count_margins",
    "count_strengths",
    "describe_few_pairs",
    "difference",
    "difference_covariance",
    "estimate_accuracy",
    "holm",
    "images_needed",
    "pairs_interval",
    "pairs_needed",
    "spearman",
]
