"""The page on faults names a test for each promise, and each of these tests exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^\| (.+?) \| `?([^|`]*)`? \|$", PAGE.partition("## Promises and tests")[2], re.MULTILINE)[2:]


def test_every_promise_names_a_test():
    assert len(PROMISES) > 20
    for promise, test in PROMISES:
        assert test or promise.startswith("**"), promise


@pytest.mark.parametrize("test", sorted({test.strip() for _, test in PROMISES if test.strip()}))
def test_a_named_test_exists(test):
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
