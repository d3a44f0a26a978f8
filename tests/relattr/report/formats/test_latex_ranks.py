"""The critical-difference diagram: everyone in it, at the place of its rank, a bar for each group."""

import re

import pytest

from relattr.report.formats.latex_ranks import LEFT, RIGHT, to_latex_ranks
from relattr.statistics import average_ranks


def ranks_of(k, blocks=6):
    return average_ranks({f"m_{i:02} & co": {f"b{b}": float(-i) for b in range(blocks)} for i in range(k)})


@pytest.mark.parametrize("k", [2, 5, 40])
def test_every_method_stands_at_its_rank(k):
    ranks = ranks_of(k)
    made = to_latex_ranks("t", ranks)
    for method, average in zip(ranks.methods, ranks.average, strict=True):
        assert method.replace("_", r"\_").replace("&", r"\&") + f" ({average:.2f})" in made
        x = LEFT + (RIGHT - LEFT) * (average - 1) / (k - 1)
        assert rf"\put({x:.2f}," in made
    thick = made.partition(r"\linethickness{1.6pt}")[2]
    assert len(re.findall(r"\\line\(1,0\)", thick)) == len(ranks.groups)
    assert made.count("{") == made.count("}")
    assert r"\label{fig:t-ranks}" in made


def test_too_many_to_read_make_no_diagram():
    assert to_latex_ranks("t", ranks_of(41)) is None
