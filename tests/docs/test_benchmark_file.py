"""The page on benchmark files describes every field, and its example is a benchmark."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from relattr.harness.benchmark import Benchmark, ColumnSpec, ImprovementSpec, RowSpec, TableSpec, load_benchmark
from relattr.harness.limits import Limits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "benchmark_file.md").read_text(encoding="utf-8")
NOT_IN_FILES = {"name", "folder"}


@pytest.mark.parametrize("struct", [Benchmark, TableSpec, RowSpec, ColumnSpec, ImprovementSpec, Limits])
def test_every_field_is_described(struct):
    described = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))
    fields = {field.name for field in msgspec.structs.fields(struct)} - NOT_IN_FILES - {"table"}
    assert fields <= described, fields - described


@pytest.mark.parametrize(("heading", "struct"), [("The matrix", Benchmark), ("The table", TableSpec)])
def test_required_fields_are_those_without_a_default(heading, struct):
    section = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0].partition("| field of a column")[0]
    required = {name for name, end in re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", section, re.M) if end == "required"}
    assert required == {field.name for field in msgspec.structs.fields(struct) if field.required} - {"table"}


def test_the_example_is_a_benchmark(tmp_path):
    (example,) = re.findall(r"```toml file=my.toml\n(.*?)```", PAGE, re.S)
    (tmp_path / "my.toml").write_text(example, encoding="utf-8")
    benchmark = load_benchmark(str(tmp_path / "my.toml"))
    assert len(benchmark.methods) * len(benchmark.seeds) == 9
    assert benchmark.variants["siamese"] == ({"updates": 400},)
