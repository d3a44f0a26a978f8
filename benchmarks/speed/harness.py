"""Compare the harness with benchopt on the same trivial matrix, cold and with everything cached.

    pip install benchopt && python benchmarks/speed/harness.py [--repeat 3]

10 methods x 10 datasets x 2 seeds with almost no work, so that the time is that of the harness: start-up, one cell
after another, results on disk. relattr runs each cell in a separate process, with limits; benchopt runs all in one
process. Both use one job; each command runs in a new interpreter, and the fastest of the repeats counts. relattr is also
measured with two jobs, and with torch loaded in the server. Milliseconds per cell are the difference to a matrix of 20
cells, divided by the 180 additional cells. Processor seconds are of the command and all processes below it.

The floor is what isolation and storage alone take: for each cell, a process with NumPy loaded forks, the fork imports
nothing and ends, and two files of the size of a result are written and flushed to disk. Without benchopt, the rest is
measured. At the end: the largest memory of a cell, and the disk space of its result.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

METHODS, DATASETS, SEEDS = 10, 10, 2

METHOD = '''
from relattr import Method, register_method


class Trivial(Method):
    """Mean grey level."""

    shift: float = 0.0

    def fit(self, train, run):{torch}
        self.seed_ = run.seed

    def strength(self, images):
        import numpy as np

        return np.array([images[k].mean() for k in range(len(images))]) + self.shift


for k in range({n}):
    register_method(f"trivial-{{k}}", label=f"Trivial {{k}}", shift=float(k))(Trivial)
'''

DATASET = '''
from relattr import Dataset, Task, TestSet, TrainingSet, register_dataset


class Grey(Dataset):
    """Ten grey squares."""

    which: int = 0

    def attributes(self):
        return ["grey"]

    def fingerprint(self):
        return f"grey {{self.which}}"

    def task(self, name):
        import numpy as np

        from relattr import Images, Pairs

        images = Images.from_arrays([np.full((8, 8, 3), 20 * k, np.uint8) for k in range(10)])
        pairs = Pairs.from_scores(np.arange(10.0))
        return Task(name, TrainingSet(images, pairs), [TestSet("test", images, pairs)], "ten grey squares")


for k in range({n}):
    register_dataset(f"grey-{{k}}", label=f"Grey {{k}}", which=k)(Grey)
'''

OBJECTIVE = """
from benchopt import BaseObjective
import numpy as np


class Objective(BaseObjective):
    name = "grey"

    def set_data(self, X):
        self.X = X

    def get_objective(self):
        return dict(X=self.X)

    def evaluate_result(self, strengths):
        d = np.sign(strengths[:, None] - strengths[None, :])
        t = np.sign(self.X[:, None] - self.X[None, :])
        return dict(value=float((d != t).mean()))

    def get_one_result(self):
        return dict(strengths=self.X)
"""

SOLVER = """
from benchopt import BaseSolver


class Solver(BaseSolver):
    name = "trivial"
    sampling_strategy = "run_once"
    parameters = {{"shift": list(range({n})), "seed": list(range({seeds}))}}

    def set_objective(self, X):
        self.X = X

    def run(self, _):
        self.strengths = self.X + self.shift

    def get_result(self):
        return dict(strengths=self.strengths)
"""

GREY = """
from benchopt import BaseDataset
import numpy as np


class Dataset(BaseDataset):
    name = "grey"
    parameters = {{"which": list(range({n}))}}

    def get_data(self):
        return dict(X=np.arange(10.0))
"""


class RunTimes(NamedTuple):
    """Seconds of a cold run and of a cached run, and what is known of the cells."""

    cold: float
    cached: float
    cells: str = ""


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds that a command takes, start-up included, and the processor seconds of all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def relattr(folder: Path, jobs: int, methods: int, *, torch: bool = False) -> RunTimes:
    """Measure relattr with this many jobs."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True)
    load = "\n        import torch" if torch else ""
    (plugins / "trivial.py").write_text(METHOD.format(n=methods, torch=load))
    (plugins / "grey.py").write_text(DATASET.format(n=DATASETS))
    (folder / "b.toml").write_text(
        f"title = 't'\nmethods = ['trivial-*']\ndatasets = ['grey-*']\nseeds = {list(range(SEEDS))}\n[table]\n"
        "caption = ''\ncolumns = ["
        + ", ".join(f"{{label = 'G{k}', dataset = 'grey-{k}'}}" for k in range(DATASETS))
        + "]"
    )
    environment = {**os.environ, "RELATTR_CACHE": str(folder / "cache")}
    command = [
        sys.executable,
        "-c",
        "from relattr.cli import main; main()",
        "run",
        "b.toml",
        "--plugins",
        "plugins",
        "--jobs",
        str(jobs),
        "--quiet",
    ]
    cold, processor = timed(command, folder, environment)
    cells = describe_results(folder / "results", processor)
    return RunTimes(cold, timed(command, folder, environment)[0], cells)


def describe_results(results: Path, processor: float) -> str:
    """The processor time, the memory and the disk space per cell of these results."""
    rows = list(results.glob("*/*/*.json"))
    peaks = sorted(json.loads(row.read_bytes())["peak_memory_bytes"] for row in rows)
    files = [path for path in results.rglob("*") if path.is_file() and ".locks" not in path.parts]
    used = sum(512 * path.stat().st_blocks for path in files)
    return (
        f"{1000 * processor / len(rows):.1f} ms of processor time a cell, start-up included; memory of a cell with all "
        f"that it shares: median {peaks[len(peaks) // 2] / 2**20:.0f} MB, largest {peaks[-1] / 2**20:.0f} MB; disk: "
        f"{sum(path.stat().st_size for path in files) / len(rows) / 1000:.1f} kB a cell, {used / len(rows) / 1000:.1f} "
        "kB with the rest of its blocks"
    )


FLOOR = """
import os, sys, time
import numpy
folder, n = sys.argv[1], int(sys.argv[2])
for cell in range(n):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    for name, size in (("npz", 400), ("json", 3800)):
        with open(f"{folder}/{cell}.{name}.tmp", "wb") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{folder}/{cell}.{name}.tmp", f"{folder}/{cell}.{name}")
"""


def floor(folder: Path, methods: int) -> RunTimes:
    """Measure a process and two flushed files for each cell, and of the interpreter and NumPy alone."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", FLOOR, str(folder)]
    environment = dict(os.environ)
    return RunTimes(
        timed([*command, str(methods * DATASETS * SEEDS)], folder, environment)[0],
        timed([*command, "0"], folder, environment)[0],
    )


def benchopt(folder: Path, methods: int) -> RunTimes:
    """Measure benchopt."""
    for name, text in (
        ("objective.py", OBJECTIVE),
        ("solvers/trivial.py", SOLVER.format(n=methods, seeds=SEEDS)),
        ("datasets/grey.py", GREY.format(n=DATASETS)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {**os.environ, "BENCHOPT_DEBUG": "0"}
    program = shutil.which("benchopt") or str(Path(sys.executable).with_name("benchopt"))
    command = [program, "run", ".", "--no-plot", "--no-html", "-n", "1", "-r", "1", "--no-display"]
    try:
        cold, _ = timed(command, folder, environment)
    except SystemExit:
        command = [part for part in command if part != "--no-display"]
        cold, _ = timed(command, folder, environment)
    return RunTimes(cold, timed(command, folder, environment)[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    cells = METHODS * DATASETS * SEEDS
    runs = {
        "floor: fork, flush two files": floor,
        "relattr, 1 job": lambda f, m: relattr(f, 1, m),
        "relattr, 2 jobs": lambda f, m: relattr(f, 2, m),
    }
    if importlib.util.find_spec("torch") is not None:
        runs["relattr, 1 job, torch in the server"] = lambda f, m: relattr(f, 1, m, torch=True)
    version = "not installed"
    if importlib.util.find_spec("benchopt") is not None:
        version = importlib.metadata.version("benchopt")
        runs = {"benchopt, 1 job, no isolation": benchopt, **runs}
    print(
        f"benchopt {version}, relattr {importlib.metadata.version('relattr')}, Python "
        f"{platform.python_version()}, {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}; {cells} cells"
    )
    details: dict[str, str] = {}
    best: dict[str, list[float]] = {name: [float("inf")] * 3 for name in runs}
    for _ in range(repeat):  # one after the other, so that a busy minute meets all of them
        for name, run in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                cold, cached, details[name] = run(Path(folder) / "all", METHODS)
                few = run(Path(folder) / "few", 1).cold
            for k, value in enumerate((cold, cached, few)):
                best[name][k] = min(best[name][k], value)
    print(f"{'':38}{'cold, s':>9}{'cached, s':>11}{'ms per cell':>13}")
    for name, (cold, cached, few) in best.items():
        each = 1000 * (cold - few) / (cells - cells // METHODS)
        print(f"{name:38}{cold:9.2f}{cached:11.2f}{each:13.1f}")
    for name, text in details.items():
        if text:
            print(f"{name}: {text}")


if __name__ == "__main__":
    main()
