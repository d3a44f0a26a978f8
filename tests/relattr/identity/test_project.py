"""On a copy of relattr: layout edits change no fingerprint; edits of a constant change those of its users only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import json, sys
from pathlib import Path
import relattr
from relattr.harness.fingerprints import dataset_fingerprints, method_fingerprints
from relattr.identity.code import clear_caches
from relattr.registry import registry

root = Path(sys.argv[1])
assert Path(relattr.__file__).is_relative_to(root), relattr.__file__
registry.discover()
assert not registry.broken, registry.broken


def prints():
    clear_caches()
    found = {name: method_fingerprints(entry, {}) for name, entry in registry.methods.items()}
    return found | {name: dataset_fingerprints(entry, {}) for name, entry in registry.datasets.items() if name == "glyphs"}


before = prints()
changes = []
for path, old, new in json.loads(sys.argv[2]):
    text = (root / path).read_text(encoding="utf-8")
    assert old in text, (path, old)
    (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    after = prints()
    changes.append(sorted(name for name in before if before[name] != after[name]))
    (root / path).write_text(text, encoding="utf-8")
assert prints() == before
print(json.dumps({"names": sorted(before), "changes": changes}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "relattr", root / "relattr", ignore=ignore)
    for plugins in ("methods", "datasets"):
        shutil.copytree(ROOT / plugins, root / "relattr" / plugins, ignore=ignore, dirs_exist_ok=True)
    return root


def changed_by(root, edits):
    """Return all names, and the methods and datasets whose fingerprint each of these edits changes."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(root), json.dumps(edits)],
        env={**os.environ, "PYTHONPATH": str(root), "RELATTR_CACHE": str(root / "cache")},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)
    return set(changes["names"]), [set(names) for names in changes["changes"]]


TRAINER, NEWTON, COUNTS = "relattr/training/trainer.py", "relattr/ranksvm/newton.py", "relattr/statistics/counts.py"
REGISTRY, REPORT, STORE = "relattr/registry.py", "relattr/report/tables/table.py", "relattr/harness/store.py"
METHOD, DATASET = "relattr/methods/chance.py", "relattr/datasets/glyphs/__init__.py"


def inserted(copy, path, text):
    """An edit that inserts text between two definitions of a file."""
    gap = "\n\n\n"
    assert gap in (copy / path).read_text(encoding="utf-8"), path
    return [path, gap, f"{gap}{text}{gap}"]


def test_comments_and_docstrings_change_no_fingerprint(copy):
    paths = (TRAINER, NEWTON, COUNTS, REGISTRY, REPORT, STORE, METHOD, DATASET)
    edits = [inserted(copy, path, '# a comment\n\n"""And a text."""') for path in paths]
    assert changed_by(copy, edits)[1] == [set()] * len(edits)


def test_a_constant_reaches_exactly_what_uses_it(copy):
    paths = (TRAINER, NEWTON, COUNTS, REGISTRY, REPORT, STORE, METHOD, DATASET)
    names, changes = changed_by(copy, [inserted(copy, path, "A_CONSTANT = 1") for path in paths])
    changed = dict(zip(paths, changes, strict=True))
    assert "ranksvm-gist" in changed[NEWTON]
    assert "ranksvm-gist" not in changed[TRAINER]
    assert {name for name in names if name.startswith("regression-")} <= changed[TRAINER]
    assert not {"chance", "glyphs"} & (changed[NEWTON] | changed[TRAINER])
    assert "glyphs" in changed[COUNTS]  # judging is in the fingerprint of every cell, beside the dataset's code
    assert changed[REGISTRY] == changed[REPORT] == changed[STORE] == set()
    assert changed[METHOD] == {"chance"}
    assert changed[DATASET] == {"glyphs"}
