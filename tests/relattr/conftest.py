"""A tiny dataset in memory, methods that misbehave, and a runner in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

DATASET = '''
"""Grey squares in memory; the stronger, the brighter."""
from relattr import Dataset, Images, Pairs, Task, TestSet, TrainingSet, UnknownName, register_dataset


@register_dataset("tiny", label="Tiny")
class Tiny(Dataset):
    """Grey squares."""

    n_attributes: int = 1
    fingerprint_text: str = "tiny-1"

    def attributes(self):
        return [f"a{k}" for k in range(self.n_attributes)]

    def fingerprint(self):
        return self.fingerprint_text

    def task(self, name):
        import numpy as np

        if name.attribute not in self.attributes():
            raise UnknownName("attribute", name.attribute, self.attributes())
        rng = np.random.default_rng(self.attributes().index(name.attribute))
        order = rng.permutation(40)
        images = [np.full((8, 8, 3), 5 * k, np.uint8) for k in order]
        train = TrainingSet(Images.from_arrays(images[:20]), Pairs.from_scores(order[:20].astype(float)))
        test = TestSet("test", Images.from_arrays(images[20:]), Pairs.from_scores(order[20:].astype(float)))
        return Task(name, train, [test], "brightness of grey squares")
'''

METHOD = '''
"""{doc}"""
from relattr import Method, register_method


@register_method("{name}", label="{name}")
class It(Method):
    """{doc}"""

    {parameters}

    def fit(self, train, run):
        {body}

    def strength(self, images):
        import numpy as np

        return np.array([images[k].mean() for k in range(len(images))]) + {noise}
'''


class Workplace:
    """A folder with plugins, a benchmark and results, and runs of the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        (self.plugins / "tiny.py").write_text(DATASET)
        self.methods: list[str] = []
        self.started: list[subprocess.Popen[str]] = []
        self.environment = {
            **os.environ,
            "RELATTR_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "error",
        }

    def method(
        self, name: str, body: str = "pass", *, imports: str = "", parameters: str = "", noise: str = "0.0"
    ) -> Path:
        """Write a method whose ``fit`` is this."""
        path = self.plugins / f"{name.replace('-', '_')}.py"
        lines = ("\n        ").join(body.strip().splitlines())
        text = METHOD.format(doc=f"Does {name}.", name=name, body=lines, parameters=parameters, noise=noise)
        path.write_text(text.replace("from relattr import", f"{imports}\nfrom relattr import", 1))
        if name not in self.methods:
            self.methods.append(name)
        return path

    def benchmark(self, *, methods: Sequence[str] = (), seeds: Sequence[int] = (0,), more: str = "") -> Path:
        """Write the benchmark."""
        path = self.folder / "bench.toml"
        path.write_text(
            f"title = 'a test'\nmethods = {list(methods or self.methods)}\ndatasets = ['tiny']\nseeds = {list(seeds)}\n"
            f"{more}\n[table]\ncaption = ''\ncolumns = [{{label = 'Tiny', dataset = 'tiny'}}]\n"
        )
        return path

    def command(self, *arguments: str) -> list[str]:
        verb, *rest = arguments
        code = "from relattr.cli import main; main()"
        given = [] if verb in ("export", "check") else [str(self.folder / "bench.toml")]
        results = [] if verb == "check" else ["--results", str(self.folder / "results")]
        return [sys.executable, "-c", code, verb, *given, *rest, *results, "--plugins", str(self.plugins)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command and go on."""
        self.started.append(
            subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return self.started[-1]

    def end(self, command: Sequence[str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run any command line here to its end."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, capture_output=True, timeout=timeout, check=False
        )

    def relattr(self, *arguments: str, timeout: float = 120, code: int | None = 0) -> str:
        """Run a command to its end; what it said, stdout and stderr. ``code`` is the exit code to expect."""
        done = self.end(self.command(*arguments), timeout)
        said = done.stdout + done.stderr
        assert "ResourceWarning" not in said, said
        assert code is None or done.returncode == code, f"exit code {done.returncode}\n{said}"
        return said

    @property
    def runs_of(self) -> dict[str, int]:
        """How often each cell was begun, by the marks that `COUNT` leaves."""
        counts: dict[str, int] = {}
        for path in (self.folder / "marks").glob("*"):
            cell = path.name.rpartition("@")[0]
            counts[cell] = counts.get(cell, 0) + 1
        return counts


COUNT = """
import os, time, pathlib
folder = pathlib.Path({folder!r}); folder.mkdir(exist_ok=True)
(folder / f"{{self.name}} {{run.seed}}@{{os.getpid()}}-{{time.time_ns()}}").touch()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    made = Workplace(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:  # a test has failed
            process.kill()
            process.communicate()


@pytest.fixture
def count(place: Workplace) -> str:
    """Code for a fit that leaves a mark each time."""
    return COUNT.format(folder=str(place.folder / "marks"))


@pytest.fixture
def no_process_left(place: Workplace):
    """Fails where a process that was started below the workplace's runs is alive at the end."""
    yield
    end = time.monotonic() + 8
    while (left := alive(str(place.folder))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left, f"left behind: {left}"


def alive(text: str) -> list[str]:
    """The processes, zombies aside, in whose environment this text is."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = re.search(r"\nState:\s+(\S)", (entry / "status").read_text())
            if state and state[1] != "Z" and text.encode() in (entry / "environ").read_bytes():
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:200]!r}")
        except OSError:
            continue
    return found


@pytest.fixture
def wait_for() -> Callable[..., None]:
    return _wait_for


def _wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
