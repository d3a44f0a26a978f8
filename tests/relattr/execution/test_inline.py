"""Running in this process gives the results of running in separate ones."""

from __future__ import annotations

import json


def test_inline_cells_have_the_same_threads_and_seeds(workspace):
    body = "import numpy as np\nself.r_ = np.random.random()"
    workspace.write_method("draws", body, noise="self.r_ * (np.arange(len(images)) % 2)")
    workspace.write_benchmark(more="threads = 1")
    rows = []
    for backend in ("local", "inline"):
        workspace.relattr("run", "--backend", backend, "--threads", "3")
        (path,) = workspace.folder.glob("results/tiny/draws/*.json")
        rows.append(json.loads(path.read_text()))
        path.unlink()
    local, inline = rows
    assert local["arrays"]["sha256"] == inline["arrays"]["sha256"]
    for row in rows:  # --threads overrides the benchmark
        assert row["provenance"]["threads"] == 3
    assert inline["seconds"] >= 0
