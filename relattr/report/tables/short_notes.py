"""Notes in a few words, for the tables of a paper: one text for each kind of note, so that few marks suffice."""

from __future__ import annotations

DIFFERENT = "differs from the published method, data or protocol"
"""The method, its parameters, the data or the protocol are not the published ones."""
PART = "k/n: mean over k of n attributes"
"""The column is a mean over several attributes, and some are not measured; see `TableEntry.part`."""
INCOMPLETE = "some splits or seeds are missing"
OVERLAP = "training and test sets overlap"
SIDES = "which image is on the left determines the label"
NOT_AUDITED = "the audit of the data failed"
"""So it is not known whether training and test sets overlap."""
EARLIER_CODE = "computed with an earlier version of the code or data"
NOT_LOADED = "computed by a plugin that is not loaded"
"""So it is not known whether its code has changed since."""
NOT_RECORDED = "computed with code that is not recorded"
"""A method that was defined in a session: it has no file."""
TIES = "many pairs are predicted as ties, which count as errors"
NO_INTERVAL = "no interval"
PUBLISHED = "published, not measured here"
FAILURES = {
    "failed": "failed",
    "timeout": "stopped at its time limit",
    "memory": "stopped at its memory limit",
    "crashed": "crashed",
    "blocked": "not run: something that it needs is missing",
    "skipped": "does not apply",
}
"""Status of a cell without a number -> why there is none. A cell that was not run has no note."""
