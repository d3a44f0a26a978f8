"""Paths in a benchmark file are relative to the file, wherever a command is run."""

from __future__ import annotations

from pathlib import Path

from relattr.harness.benchmark import Benchmark, TableSpec, load_benchmark
from relattr.harness.benchmark_paths import with_resolved_paths
from relattr.registry import registry

registry.discover()


def resolved(folder: Path, **fields):
    benchmark = Benchmark("T", (), (), TableSpec("", (), ()), folder=str(folder), **fields)
    return with_resolved_paths(benchmark, registry)


def test_relative_paths_are_below_the_folder_of_the_file(tmp_path):
    benchmark = resolved(
        tmp_path,
        dataset={"folder": {"path": "photos", "test": 0.3}, "osr": {"path": "kept"}},
        set={"viralnet-c.category_network": "net.safetensors", "category_network": "b", "backbone": "micro"},
        variants={"viralnet-c": ({"category_network": "net2.safetensors", "backbone": "micro"},)},
    )
    assert benchmark.dataset == {"folder": {"path": str(tmp_path / "photos"), "test": 0.3}, "osr": {"path": "kept"}}
    assert benchmark.set == {
        "viralnet-c.category_network": str(tmp_path / "net.safetensors"),
        "category_network": str(tmp_path / "b"),
        "backbone": "micro",
    }
    assert benchmark.variants["viralnet-c"][0] == {
        "category_network": str(tmp_path / "net2.safetensors"),
        "backbone": "micro",
    }


def test_absolute_and_empty_paths_stay(tmp_path):
    for path in (str(tmp_path / "photos"), "", "~/photos", "$RELATTR_DATA/photos"):
        assert resolved(tmp_path / "other", dataset={"folder": {"path": path}}).dataset["folder"]["path"] == path


def test_the_folder_is_that_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    text = (
        "title = 'T'\nmethods = []\ndatasets = ['folder']\n[dataset.folder]\npath = 'photos'\n[table]\ncaption = ''\n"
    )
    (tmp_path / "sub" / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    benchmark = with_resolved_paths(load_benchmark("sub/mine.toml"), registry)
    assert Path(benchmark.dataset["folder"]["path"]) == Path("sub/photos")
    assert load_benchmark("quick").folder == ""
