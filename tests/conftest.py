"""Fixtures of all tests: an empty cache folder, the real data if available, deterministic hypothesis."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("relattr", derandomize=True, deadline=None, database=None)
settings.load_profile("relattr")

# the real files beside the checkout, unless the environment names another place
_SHARED = Path(__file__).resolve().parents[2] / "shared"
for _variable, _folder in (("RELATTR_DATA", _SHARED / "data"), ("RELATTR_WEIGHTS", _SHARED / "weights")):
    if _variable not in os.environ and _folder.is_dir():
        os.environ[_variable] = str(_folder)

# compiled loops are kept from one session to the next, although every test has a cache folder of its own
_COMPILED = Path(tempfile.gettempdir()) / f"relattr-tests-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
os.environ.setdefault("NUMBA_CACHE_DIR", str(_COMPILED))


# workers of pytest-xdist share the processors; with a full set of threads each, they mostly wait for one another
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_variable, str(max(1, (os.cpu_count() or 1) // _WORKERS)))


@pytest.fixture(autouse=True)
def cache(no_plugin_stays: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for each test. Depends on what must be torn down after ``monkeypatch``."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RELATTR_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def environment_is_restored() -> Iterator[None]:
    """Restore the environment after each test: a cell computed in this process sets ``OMP_NUM_THREADS`` and others."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def no_plugin_stays(environment_is_restored: None) -> Iterator[None]:
    """A test that loads a folder of plugins in this process uses ``own_registry``, which later tests rely on."""
    yield
    if "relattr.registry" in sys.modules:
        registry = sys.modules["relattr.registry"].registry
        rows = (*registry.methods.values(), *registry.datasets.values(), *registry.constants.values())
        stay = [row.name for row in rows if row.module.startswith("relattr_plugins_")]
        assert not stay, f"plugins of this test would be seen by others: {stay}; use the fixture own_registry"


@pytest.fixture
def own_registry(no_plugin_stays: None) -> Iterator[None]:
    """Folders of plugins that the test loads in this process are forgotten at its end."""
    import relattr
    from relattr.identity.code import clear_caches
    from relattr.registry import registry

    relattr.list_methods()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("methods", "datasets", "constants"):
            patch.setattr(registry, name, dict(getattr(registry, name)))
        patch.setattr(registry, "_loaded", set(registry._loaded))
        patch.setattr(registry, "broken", list(registry.broken))
        yield
    for module in [name for name in sys.modules if name.startswith("relattr_plugins_")]:
        del sys.modules[module]
    clear_caches()


@pytest.fixture(autouse=True)
def plugins_answer_directly() -> Iterator[None]:
    """A command that a test runs in this process lets plugins answer in a fork; later tests must not ask it."""
    yield
    if "relattr.plugin_answers" in sys.modules:
        sys.modules["relattr.plugin_answers"].answer_directly()


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """``real("osr")``: the folder of a dataset's real files; without it, the test is skipped with the reason."""

    def find(dataset: str) -> Path:
        from relattr.system.paths import data_dir

        folder = data_dir() / dataset
        if not folder.is_dir():
            pytest.skip(
                f"real data not found: {folder} is not a folder; set RELATTR_DATA to the folder that holds {dataset}/"
            )
        return folder

    return find


@pytest.fixture(scope="session")
def real_weights() -> Callable[[str], Path]:
    """``real_weights("squeezenet1_0")``: the weight file of a backbone; without it, the test is skipped with the reason."""

    def find(backbone: str) -> Path:
        from relattr.system.paths import weights_dir

        path = weights_dir() / f"{backbone}.safetensors"
        if not path.is_file():
            pytest.skip(
                f"real weights not found: {path} is not a file; set RELATTR_WEIGHTS to the folder that holds it"
            )
        return path

    return find


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--slow-part 2/7`` runs the second of seven parts of the slow tests, the same ones on every machine."""
    parser.addoption("--slow-part", metavar="K/N", help="run only part K of N of the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the slow tests that are not in the requested part.

    All tests of a file are in the same part; the files, in alphabetical order, are dealt to the parts in turn.
    """
    option = config.getoption("--slow-part")
    if not option:
        return
    part, parts = map(int, option.split("/"))
    slow = {item for item in items if item.get_closest_marker("slow") is not None}
    files = sorted({item.path.relative_to(config.rootpath).as_posix() for item in slow})
    if parts > len(files):
        raise pytest.UsageError(f"--slow-part {option}: only {len(files)} files have slow tests")
    chosen = set(files[part % parts :: parts])
    selected, dropped = [], []
    for item in items:
        file = item.path.relative_to(config.rootpath).as_posix()
        (dropped if item in slow and file not in chosen else selected).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = selected


def pytest_configure() -> None:
    """Restore SIGINT: a shell makes background jobs ignore it, child processes inherit that, and tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
