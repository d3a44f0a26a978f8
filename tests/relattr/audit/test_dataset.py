"""Audits of whole datasets: one fault does not hide another, and the files as released are audited too."""

from __future__ import annotations

import pytest

from relattr import Dataset
from relattr.audit import audit_dataset
from relattr.errors import BadInput
from relattr.registry import registry
from relattr.report.tables.audits import LeakNote, NoAudit, leak_notes
from relattr.report.tables.short_notes import NOT_AUDITED


def test_an_unavailable_attribute_does_not_hide_other_leaks(make_task, drawn):
    class Two(Dataset):
        name = "two"

        def attributes(self):
            return ["bad", "good"]

        def fingerprint(self):
            return "two"

        def task(self, name):
            if name.attribute == "bad":
                raise BadInput("all scores are 1.0")
            return make_task(drawn(4), [[0, 1], [2, 3]], [[0, 1]])

    audit = audit_dataset(Two())
    assert ("leak", "shared images") in {(o.severity, o.kind) for o in audit.observations}
    assert any("bad" in o.where and "all scores are 1.0" in o.text for o in audit.observations)
    flag = next(flag for flag in leak_notes({"two": audit})["two"] if "also training images" in flag.text)
    (place,) = flag.places
    task_of, _, test = place.rpartition(" ")
    assert flag.affects(task_of, test)
    assert not flag.affects(task_of, "another")  # a test set without a leak in the same task
    assert not flag.affects("two/good/other", test)
    assert LeakNote("in training", frozenset({f"{task_of} training"})).affects(task_of, "another")
    assert LeakNote("everywhere").affects("two/bad/standard", "test")
    assert leak_notes({"two": NoAudit("the audit failed: x", failed=True), "gone": NoAudit("not available")}) == {
        "two": [LeakNote("the audit failed: x", short=NOT_AUDITED)]
    }


def test_a_dataset_without_files_cannot_be_audited():
    class Gone(Dataset):
        def missing(self):
            return "it is gone"

    with pytest.raises(BadInput, match="cannot be audited: it is gone"):
        audit_dataset(Gone())


@pytest.mark.real
def test_the_two_duplicate_pairs_of_osr_are_reported(real):
    real("osr")
    registry.discover()
    if "osr" not in registry.datasets:
        pytest.skip("osr is not registered")
    audit = audit_dataset(registry.dataset("osr").create())
    same = [o.text for o in audit.observations if o.kind == "duplicate content"]
    assert len(same) == 2
    assert any("insidecity_urb992.jpg, tallbuilding_urb992.jpg" in text for text in same)
    assert any("mountain_sclos4.jpg, mountain_sharp59.jpg" in text for text in same)


@pytest.mark.real
def test_released_virality_pairs_are_audited_without_images(real):
    real("viral")
    registry.discover()
    audit = audit_dataset(registry.dataset("viral").create())
    reported = {(o.severity, o.text.partition(":")[0]) for o in audit.observations}
    assert ("leak", "the left image has more in all 5,039 ordered pairs") in reported
    assert ("leak", "the left image has more in all 489 ordered pairs") in reported
    assert ("leak", "all 978 images of Top_489_pair.mat are also in pair_matrix.mat") in reported
    assert not audit.images
    assert leak_notes({"viral": audit}) == {"viral": []}  # its tasks have random sides, so no result is affected
