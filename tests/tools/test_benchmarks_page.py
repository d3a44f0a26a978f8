"""docs/benchmarks.md matches the benchmark files and the registry, whatever data this machine has."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from relattr.harness.benchmark import benchmark_names, load_benchmark
from relattr.registry import Registry, registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_page", ROOT / "tools" / "benchmarks_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plugins() -> Registry:
    """The project's own plugins, without those that other tests register."""
    registry.discover()
    own = Registry()
    own.methods.update((k, v) for k, v in registry.methods.items() if v.module.startswith("relattr."))
    own.datasets.update((k, v) for k, v in registry.datasets.items() if v.module.startswith("relattr."))
    own.constants.update((k, v) for k, v in registry.constants.items() if v.module.startswith("relattr."))
    return own


@pytest.mark.parametrize("data", ["as it is", "absent"])
def test_the_page_is_current(
    page_tool: ModuleType, plugins: Registry, data: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if data == "absent":
        monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
        monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path))
    page = page_tool.PAGE.read_text(encoding="utf-8")
    assert page == page_tool.render_page(plugins), "run python tools/benchmarks_page.py"


def test_every_benchmark_method_and_dataset_is_listed(page_tool: ModuleType, plugins: Registry) -> None:
    page = page_tool.PAGE.read_text(encoding="utf-8")
    for name in benchmark_names():
        section = page.partition(f"## `{name}`")[2].partition("\n## ")[0]
        for method in load_benchmark(name).methods:
            assert f"`{method}`" in section, (name, method)
    assert [name for name in plugins.datasets if f"\n| `{name}` |" not in page] == []
