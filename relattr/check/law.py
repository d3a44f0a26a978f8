"""Laws, and the check of one law on one plugin."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from relattr.errors import Blocked, RelattrError

LawOutcome = Literal["passed", "failed", "exempt", "not applicable", "blocked"]


class LawBroken(AssertionError):
    """A plugin breaks a law; the message gives the actual and the expected behaviour."""


class NotApplicable(Exception):
    """A law does not apply to this plugin; the message gives the reason."""


@dataclass(frozen=True)
class Law:
    """A property that every plugin must have.

    ``test(subject)`` raises `LawBroken` if the plugin does not have it. It may return a remark, for example how many
    images were compared.
    """

    name: str
    statement: str
    test: Callable[[Any], str | None]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one law for one plugin."""

    law: Law
    outcome: LawOutcome
    detail: str = ""


@dataclass(frozen=True)
class Check:
    """One law to check on one plugin; ``subject()`` returns what the law tests, the same object for all laws."""

    law: Law
    plugin: str
    subject: Callable[[], Any]
    exempt: str | None = None
    """Why the law does not apply to the plugin, from its ``exempt``; None if it does."""

    def __str__(self) -> str:
        return f"{self.plugin}-{self.law.name}"

    def run(self) -> CheckResult:
        """Test the law. An exception raised by the plugin counts as a broken law."""
        if self.exempt is not None:
            return CheckResult(self.law, "exempt", self.exempt)
        try:
            remark = self.law.test(self.subject())
        except LawBroken as broken:
            return CheckResult(self.law, "failed", str(broken))
        except NotApplicable as reason:
            return CheckResult(self.law, "not applicable", str(reason))
        except Blocked as reason:
            return CheckResult(self.law, "blocked", str(reason))
        except RelattrError as error:  # its message says what to do; a traceback adds nothing
            return CheckResult(self.law, "failed", str(error))
        except Exception as error:
            return CheckResult(self.law, "failed", f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        return CheckResult(self.law, "passed", remark or "")

    def assert_passes(self) -> None:
        """Raise `LawBroken` if the law is broken; under pytest, skip the test if the law could not be tested."""
        result = self.run()
        if result.outcome == "failed":
            raise LawBroken(f"{self.plugin} breaks the law {self.law.name!r} ({self.law.statement}): {result.detail}")
        if result.outcome != "passed" and "pytest" in sys.modules:
            import pytest

            pytest.skip(f"{result.outcome}: {result.detail}")


def require(condition: object, message: str) -> None:
    """Raise `LawBroken` with this message if the condition is false."""
    if not condition:
        raise LawBroken(message)
