"""What a person waits for before anything is computed: commands, imports, and the first row of ``relattr run quick``.

    python benchmarks/speed/startup.py [--repeat 5] [--quick]

Each command runs in a new interpreter, once to fill the caches and then ``--repeat`` times. Wall-clock seconds are the
fastest of the repeats; processor seconds are those of the same run. The floor is an interpreter that imports click, or
NumPy. ``--quick`` runs ``relattr run quick`` to its end with an empty cache and prints when its rows appeared.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RELATTR = "from relattr.cli import main; main()"
PUBLIC_NAMES = "import relattr\nfor name in relattr.__all__:\n    if name not in {skip!r}: getattr(relattr, name)"
SCIKIT_LEARN = ("RankSVM", "RankSVMCV")
"""The public names that are estimators of scikit-learn, which has to be imported for them."""


def measure(arguments: list[str], repeat: int) -> tuple[float, float]:
    """Return the wall-clock and processor seconds of the fastest of some runs of Python with these arguments."""
    results = []
    for _ in range(repeat + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        results.append((took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(results[1:])


def first_rows() -> None:
    """Run ``relattr run quick`` with an empty cache, and print when its first rows and the table appeared."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", RELATTR, "run", "quick", "--results", str(Path(folder) / "results")]
        environment = {**os.environ, "RELATTR_CACHE": str(Path(folder) / "cache")}
        start = time.perf_counter()
        rows: list[float] = []
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        ) as run:
            assert run.stderr is not None
            for line in run.stderr:
                if "/44]" in line:
                    rows.append(time.perf_counter() - start)
        end = time.perf_counter() - start
    shown = ", ".join(f"{rows[k]:.1f} s (row {k + 1})" for k in (0, 4, 11, 43) if k < len(rows))
    print(f"relattr run quick, cold: {shown}; with the table {end:.1f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="also time relattr run quick, for some minutes")
    options = parser.parse_args()
    reference = ["--results", "results/reference"]
    commands = {
        "floor: import click": ["-c", "import click"],
        "floor: import click, numpy, msgspec": ["-c", "import click, numpy, msgspec"],
        "relattr --help": ["-c", RELATTR, "--help"],
        "relattr list methods": ["-c", RELATTR, "list", "methods"],
        "relattr plan table3": ["-c", RELATTR, "plan", "table3", *reference],
        "relattr status table3": ["-c", RELATTR, "status", "table3", *reference],
        "import relattr": ["-c", "import relattr"],
        "all public names but the estimators": ["-c", PUBLIC_NAMES.format(skip=SCIKIT_LEARN)],
        "floor: sklearn.base, sklearn.utils": ["-c", "import sklearn.base, sklearn.utils.validation"],
        "all public names": ["-c", PUBLIC_NAMES.format(skip=())],
    }
    print(f"Python {platform.python_version()}, {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}")
    print(f"{'':40}{'seconds':>9}{'processor':>11}")
    for name, arguments in commands.items():
        wall, processor = measure(arguments, options.repeat)
        print(f"{name:40}{wall:9.2f}{processor:11.2f}")
    if options.quick:
        first_rows()


if __name__ == "__main__":
    main()
