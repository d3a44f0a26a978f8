"""Audit of a dataset: leaks and contradictions in its pairs and images.

Reports leaks between training and test sets, duplicate images, labels that correlate with the side, and contradicting
pairs. The audit is independent of what the dataset states about itself. `relattr.report.tables.audits` adds its results
to the tables.
"""

from __future__ import annotations

from relattr.audit.dataset import audit_dataset, code_of
from relattr.audit.observation import ONE_ORIENTATION, RELEASED, TRAINING, VERSION, Audit, Observation
from relattr.audit.pairs import audit_overlap, audit_pairs
from relattr.audit.task import audit_task

__all__ = [
    "ONE_ORIENTATION",
    "RELEASED",
    "TRAINING",
    "VERSION",
    "Audit",
    "Observation",
    "audit_dataset",
    "audit_overlap",
    "audit_pairs",
    "audit_task",
    "code_of",
]
