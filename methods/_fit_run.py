"""The run of a fitted method, which decides where and with how many threads it is applied."""

from __future__ import annotations

from relattr.run_settings import Run


class FitRun:
    """For methods whose `fit` stores its run as ``self._run``."""

    @property
    def fit_run(self) -> Run:
        """The run of the last `fit`; default values for a loaded method."""
        return getattr(self, "_run", None) or Run()
