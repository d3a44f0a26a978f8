"""Shared by all tests: a cache of their own, the real data where it is there, reproducible hypothesis."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("relattr", derandomize=True, deadline=None, database=None)
settings.load_profile("relattr")

# real files, where they lie beside the checkout and nobody named another place
_SHARED = Path(__file__).resolve().parents[2] / "shared"
for _variable, _folder in (("RELATTR_DATA", _SHARED / "data"), ("RELATTR_WEIGHTS", _SHARED / "weights")):
    if _variable not in os.environ and _folder.is_dir():
        os.environ[_variable] = str(_folder)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that no other test has seen."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RELATTR_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """``real("osr")``: the folder of a dataset's real files; the test is skipped, saying why, without it."""

    def find(dataset: str) -> Path:
        from relattr.system.paths import data_dir

        folder = data_dir() / dataset
        if not folder.is_dir():
            pytest.skip(
                f"REAL DATA NOT THERE: {folder} is no folder; set RELATTR_DATA to the folder that holds {dataset}/"
            )
        return folder

    return find


@pytest.fixture(scope="session")
def real_weights() -> Callable[[str], Path]:
    """``real_weights("squeezenet1_0")``: the weight file of a backbone; skipped, saying why, without it."""

    def find(backbone: str) -> Path:
        from relattr.system.paths import weights_dir

        path = weights_dir() / f"{backbone}.safetensors"
        if not path.is_file():
            pytest.skip(f"REAL WEIGHTS NOT THERE: {path} is no file; set RELATTR_WEIGHTS to the folder that holds it")
        return path

    return find


def pytest_configure() -> None:
    """A shell has what it puts in the background ignore SIGINT, and children inherit that; stops are tested."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
