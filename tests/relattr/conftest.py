"""A workspace with a small in-memory dataset and generated methods, in which the command line is run."""

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
"""Grey squares in memory; the brighter, the stronger."""
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
class Generated(Method):
    """{doc}"""

    {parameters}

    def fit(self, train, run):
        {body}

    def strength(self, images):
        import numpy as np

        return np.array([images[k].mean() for k in range(len(images))]) + {noise}
'''

RECORD_START = """
import os, time, pathlib
folder = pathlib.Path({folder!r}); folder.mkdir(exist_ok=True)
(folder / f"{{self.name}} {{run.seed}}@{{os.getpid()}}-{{time.time_ns()}}").touch()
"""


NOBODY = 65534


class Workspace:
    """A folder with plugins, a benchmark file and results, in which commands are run."""

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
        self.prefix: list[str] = []
        """What stands before every command, for example a change of the user."""

    def become_user_without_home(self) -> None:
        """Run the following commands as a user who owns this folder and nothing else, and has no home."""
        capability = "+dac_read_search"  # the interpreter may lie in a folder that only root can read
        self.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        self.prefix += [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
        self.environment = {k: v for k, v in self.environment.items() if k not in ("HOME", "NUMBA_CACHE_DIR", "USER")}
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        for parent in self.folder.parents:  # those that pytest makes are its user's alone
            if parent.stat().st_uid == os.getuid() and parent.name.startswith(("pytest-", "popen-")):
                parent.chmod(0o711)

    def write_method(
        self, name: str, body: str = "pass", *, imports: str = "", parameters: str = "", noise: str = "0.0"
    ) -> Path:
        """Write the plugin of a method with this body of ``fit``."""
        path = self.plugins / f"{name.replace('-', '_')}.py"
        lines = ("\n        ").join(body.strip().splitlines())
        text = METHOD.format(doc=f"Does {name}.", name=name, body=lines, parameters=parameters, noise=noise)
        path.write_text(text.replace("from relattr import", f"{imports}\nfrom relattr import", 1))
        if name not in self.methods:
            self.methods.append(name)
        return path

    def write_benchmark(self, *, methods: Sequence[str] = (), seeds: Sequence[int] = (0,), more: str = "") -> Path:
        """Write the benchmark file; by default it has all methods that were written."""
        path = self.folder / "bench.toml"
        path.write_text(
            f"title = 'a test'\nmethods = {list(methods or self.methods)}\ndatasets = ['tiny']\nseeds = {list(seeds)}\n"
            f"{more}\n[table]\ncaption = ''\ncolumns = [{{label = 'Tiny', dataset = 'tiny'}}]\n"
        )
        return path

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a relattr command on this benchmark, these results and these plugins."""
        verb, *rest = arguments
        code = "from relattr.cli import main; main()"
        benchmark = [] if verb in ("export", "check") else [str(self.folder / "bench.toml")]
        results = [] if verb == "check" else ["--results", str(self.folder / "results")]
        return [sys.executable, "-c", code, verb, *benchmark, *rest, *results, "--plugins", str(self.plugins)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a relattr command without waiting for it."""
        self.started.append(
            subprocess.Popen(
                [*self.prefix, *self.command(*arguments)],
                cwd=self.folder,
                env=self.environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return self.started[-1]

    def run_command(self, command: Sequence[str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command line in this folder."""
        return subprocess.run(
            [*self.prefix, *command],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def relattr(self, *arguments: str, timeout: float = 120, code: int | None = 0) -> str:
        """Run a relattr command and return its output, stdout then stderr.

        Asserts that it ends with this exit code (None: any) and leaves no resource open.
        """
        completed = self.run_command(self.command(*arguments), timeout)
        output = completed.stdout + completed.stderr
        assert "ResourceWarning" not in output, output
        assert code is None or completed.returncode == code, f"exit code {completed.returncode}\n{output}"
        return output

    def states(self) -> dict[str, str]:
        """Return ``state: reason`` of each cell, by ``method seed``, as ``relattr plan`` prints them."""
        states = {}
        for line in self.relattr("plan", "--verbose").splitlines():
            words = line.split()
            if len(words) > 4 and words[3] == "seed":
                states[f"{words[1]} {words[4]}"] = f"{words[0]}: {' '.join(words[5:])}"
        return states

    @property
    def n_starts(self) -> dict[str, int]:
        """How often each cell was started, from the files that the code of `record_start` wrote."""
        n_starts: dict[str, int] = {}
        for path in (self.folder / "marks").glob("*"):
            cell = path.name.rpartition("@")[0]
            n_starts[cell] = n_starts.get(cell, 0) + 1
        return n_starts


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path)
    yield workspace
    for process in workspace.started:
        if process.poll() is None:  # the test failed
            process.kill()
            process.communicate()


@pytest.fixture
def record_start(workspace: Workspace) -> str:
    """Code for the body of ``fit`` that writes an empty file at each start of a cell."""
    return RECORD_START.format(folder=str(workspace.folder / "marks"))


@pytest.fixture
def no_process_left(workspace: Workspace):
    """Fail if a process that was started from the workspace is still alive at the end of the test."""
    yield
    end = time.monotonic() + 8
    while (left := processes_with(str(workspace.folder))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left, f"still alive: {left}"


def processes_with(text: str) -> list[str]:
    """Return the processes, except zombies, with this text in their environment."""
    processes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = re.search(r"\nState:\s+(\S)", (entry / "status").read_text())
            if state and state[1] != "Z" and text.encode() in (entry / "environ").read_bytes():
                processes.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:200]!r}")
        except OSError:
            continue
    return processes


@pytest.fixture
def wait_for() -> Callable[..., None]:
    return _wait_for


def _wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition was not met within {seconds} s"
        time.sleep(0.01)
