"""The verdict on a published number follows from the interval of the measured one."""

import pytest

from relattr.report.tables.entry import TableEntry, published_verdict, reproduction_verdict


@pytest.mark.parametrize(
    ("interval", "published", "comparable", "verdict"),
    [
        ((85.0, 87.0), 86.9, True, "reproduced"),
        ((80.0, 91.0), 86.9, True, "within noise"),
        ((85.0, 87.0), 90.0, True, "not reproduced"),
        ((85.9, 86.1), 86.4, True, "reproduced"),
        ((85.0, 87.0), 86.0, False, "not comparable"),
        ((None, None), 86.0, True, "not judged"),
    ],
)
def test_verdicts(interval, published, comparable, verdict):
    assert reproduction_verdict(86.0, *interval, published, comparable) == verdict
    entry = TableEntry(measured=86.0, lower=interval[0], upper=interval[1], published=published)
    assert published_verdict(entry, comparable=comparable) == verdict


def test_there_is_no_verdict_without_both_numbers():
    for entry in (TableEntry(measured=86.0, lower=85.0, upper=87.0), TableEntry(published=86.0)):
        assert published_verdict(entry, comparable=True) == ""
