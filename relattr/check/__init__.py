"""The laws that every plugin must satisfy, as named checks: for ``relattr check`` and for your own pytest suite.

::

    import pytest
    from relattr.check import method_checks

    @pytest.mark.parametrize("check", method_checks("my-method", plugins=["my_methods"]), ids=str)
    def test_contract(check):
        check.assert_passes()

A plugin to which a law does not apply lists it, with the reason, in its class attribute ``exempt``.
"""

from __future__ import annotations

from relattr.check.law import Check, CheckResult, Law, LawBroken
from relattr.check.suite import dataset_checks, dataset_laws, method_checks, method_laws

__all__ = ["Check", "CheckResult", "Law", "LawBroken", "dataset_checks", "dataset_laws", "method_checks", "method_laws"]

DECIDES_RESULTS = False
