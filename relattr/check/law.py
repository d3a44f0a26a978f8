"""A law, and what became of it for one plugin."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from relattr.errors import Blocked

Verdict = Literal["held", "broken", "exempt", "not applicable", "blocked"]


class LawBroken(AssertionError):
    """A plugin does not keep a law; the message says what was found and what was expected."""


class NotApplicable(Exception):
    """The law says nothing about this plugin, and why."""


@dataclass(frozen=True)
class Law:
    """A law by name; ``look(subject)`` raises `LawBroken` where it is broken, and may say how far it looked."""

    name: str
    statement: str
    look: Callable[[Any], str | None]


@dataclass(frozen=True)
class CheckResult:
    """What became of a law for a plugin."""

    law: Law
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True)
class Check:
    """One law to be held by one plugin; ``subject`` makes what is looked at, once for all its laws."""

    law: Law
    plugin: str
    subject: Callable[[], Any]
    exempt: str | None = None
    """The reason for which the plugin need not keep it."""

    def __str__(self) -> str:
        return f"{self.plugin}-{self.law.name}"

    def run(self) -> CheckResult:
        """Look, and say what was found; an error in the plugin breaks the law."""
        if self.exempt is not None:
            return CheckResult(self.law, "exempt", self.exempt)
        try:
            said = self.law.look(self.subject())
        except LawBroken as broken:
            return CheckResult(self.law, "broken", str(broken))
        except NotApplicable as why:
            return CheckResult(self.law, "not applicable", str(why))
        except Blocked as why:
            return CheckResult(self.law, "blocked", str(why))
        except Exception as error:
            return CheckResult(self.law, "broken", f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        return CheckResult(self.law, "held", said or "")

    def hold(self) -> None:
        """Raise `LawBroken` if the law is broken; in pytest, skip where it was not looked at."""
        finding = self.run()
        if finding.verdict == "broken":
            raise LawBroken(f"{self.plugin} breaks the law {self.law.name!r} ({self.law.statement}): {finding.detail}")
        if finding.verdict != "held" and "pytest" in sys.modules:
            import pytest

            pytest.skip(f"{finding.verdict}: {finding.detail}")


def demand(condition: object, message: str) -> None:
    """Raise `LawBroken` with this message unless the condition holds."""
    if not condition:
        raise LawBroken(message)
