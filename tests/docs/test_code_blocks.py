"""Executes the code on the pages of the documentation, and checks the commands that it cannot execute.

A fenced block begins with its language and, after it, what is done with the block:

- ``file=PATH``: the block is written to this file
- ``console``: every line that begins with ``$`` is executed, and each other line must occur in the output of the command
  above it, except ``...``, which stands for other lines; with ``fails``, the commands must fail. ``VARIABLE=value``
  before a command sets it in its environment
- ``python``: executed in one interpreter for the whole page, in order
- ``not-run="reason"``: neither; but Python must compile, and commands must have valid options

The blocks of a page share an empty working folder.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import pytest

from relattr.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "paper_tables/*.md", "results/*.md")
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
)
SLOW = {
    "CONTRIBUTING.md": "draws the scenes of the benchmark quick",
    "docs/start.md": "draws the scenes of the benchmark quick",
    "docs/tutorial.md": "checks a plugin, runs pytest and builds a package",
}
TIME_LIMIT = 200  # seconds, for one command or block
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S+)(?P<options>[^\n`]*)\n(?P<content>.*?)^(?P=indent)```$", re.M | re.S
)
PYTHON = """
import json, sys
sys.stdin, lines = None, sys.stdin
namespace = {"__name__": "__main__"}
for line in lines:
    code, place = json.loads(line)
    exec(compile(code, place, "exec"), namespace)
    print("executed", flush=True)
"""


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    options: tuple[str, ...]
    content: str

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def file(self):
        return self.option("file")

    @property
    def reason(self):
        return self.option("not-run")

    @property
    def is_executed(self):
        return self.reason is None and (self.file is not None or self.language in ("console", "python"))

    def option(self, name):
        return next((o.partition("=")[2] for o in self.options if o.partition("=")[0] == name), None)


@cache
def blocks_of(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            tuple(shlex.split(match["options"])),
            "".join(line.removeprefix(match["indent"]) for line in match["content"].splitlines(keepends=True)),
        )
        for match in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
EXECUTED = sorted({block.page for block in BLOCKS if block.is_executed})


def commands(content):
    """The commands of a console block, each with the lines that its output must have."""
    for part in re.split(r"^\$ ", content, flags=re.M)[1:]:
        command, *expected = re.sub(r" *\\\n", " ", part).strip().splitlines()
        yield shlex.split(command, comments=True), [line for line in expected if line != "..."]


# ---------------------------------------------------------------------- execution


def after_the_tutorial(work):
    assert (work / "all.csv").read_text().count("\n") == 5
    table = (work / "tables").rglob("*.csv")
    assert any("Darker (third party)" in path.read_text() for path in table)


def after_own_images(work):
    with (work / "tables" / "apples.csv").open(newline="") as file:
        accuracies = {row["method"]: float(row["measured_percent"]) for row in csv.DictReader(file)}
    assert accuracies["mean-redness"] > 99  # redness is ripeness
    assert 20 < accuracies["chance"] < 80


AFTER = {"docs/tutorial.md": after_the_tutorial, "docs/folder.md": after_own_images}
"""What must be true of the working folder after all blocks of a page."""


@pytest.mark.skipif(sys.platform != "linux", reason="separate processes for cells are supported on Linux only")
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in EXECUTED]
)
def test_a_page_works_as_written(page, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    site.mkdir()
    work.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "RELATTR_CACHE": str(tmp_path / "cache"),
        "PYTHONWARNINGS": "error",
    }
    with Interpreter(work, environment) as interpreter:
        for block in blocks_of(page):
            if not block.is_executed:
                continue
            if block.file:
                path = work / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.content, encoding="utf-8")
            elif block.language == "console":
                for command, expected in commands(block.content):
                    output = run(command, work, site, environment, "fails" in block.options)
                    for line in expected:
                        assert line in output, (
                            f"{block.place}: {shlex.join(command)}\nshould print\n{line}\nbut printed\n{output}"
                        )
            else:
                interpreter.execute(block)
    AFTER.get(page, lambda _: None)(work)


class Interpreter:
    """One Python process that executes the blocks of a page; started by the first one."""

    def __init__(self, work, environment):
        self.work, self.environment, self.process = work, environment, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process is not None:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait(TIME_LIMIT)

    def execute(self, block):
        errors = self.work.parent / "errors.txt"
        if self.process is None:
            with errors.open("w") as stderr:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", PYTHON],
                    cwd=self.work,
                    env=self.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
        self.process.stdin.write(json.dumps([block.content, block.place]) + "\n")
        self.process.stdin.flush()
        timer = threading.Timer(TIME_LIMIT, self.process.kill)
        timer.start()
        ended = next((line for line in self.process.stdout if line == "executed\n"), None)
        timer.cancel()
        assert ended, f"{block.place} fails:\n{errors.read_text()}"


def run(command, work, site, environment, fails):
    while re.match(r"[A-Z_]+=", command[0]):
        variable, _, value = command.pop(0).partition("=")
        environment = {**environment, variable: value}
    if command[:2] == ["pip", "install"]:
        return install(work / command[2], site)
    if command[0] == "relattr":
        command = [sys.executable, "-c", "from relattr.cli import main; main()", *command[1:]]
    elif command[0] == "python":
        command = [sys.executable, *command[1:], *(["-p", "no:cacheprovider"] if "pytest" in command else [])]
    done = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )
    assert (done.returncode == 1) if fails else (done.returncode == 0), (
        f"$ {shlex.join(command)}\n{done.stdout}{done.stderr}"
    )
    return done.stdout + done.stderr


def install(folder, site):
    """Do what pip does, without a network: build the wheel and unpack it into ``site``."""
    code = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    built = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(folder / built.stdout.strip().splitlines()[-1]) as wheel:
        wheel.extractall(site)
    return built.stdout


# ---------------------------------------------------------------------- every block


def test_pages_and_their_blocks_are_found():
    assert {"README.md", "docs/tutorial.md", "docs/folder.md", "benchmarks/speed/README.md"} <= set(PAGES)
    assert sum(block.language == "console" for block in blocks_of("docs/tutorial.md")) >= 4
    for page in PAGES:
        fences = re.findall(r"^ *```", (ROOT / page).read_text(encoding="utf-8"), re.M)
        assert len(fences) == 2 * len(blocks_of(page)), f"{page} has a fence without a language or without an end"


def test_options_of_blocks_are_known():
    known = {"file", "not-run", "fails"}
    unknown = [(b.place, o) for b in BLOCKS for o in b.options if o.partition("=")[0] not in known]
    assert unknown == []
    for block in BLOCKS:
        assert block.reason is None or len(block.reason.split()) >= 3, f"{block.place} gives no reason"


def test_code_that_is_not_executed_is_valid():
    for block in BLOCKS:
        if block.language == "python":
            compile(block.content, block.place, "exec")
        elif block.language == "toml":
            tomllib.loads(block.content)


def relattr_commands(page):
    """``(line, arguments)`` of every relattr command in a console block, an indented block, or between backticks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in re.finditer(r"^(?:\$ | {4}(?! ))(?:\w+=\S+ )*relattr ((?:.*\\\n)*.*)$", text, re.M):
        yield text.count("\n", 0, match.start()) + 1, shlex.split(match[1].replace("\\\n", " "), comments=True)
    for match in re.finditer(r"(?<!`)`(?:\w+=\S+ )*relattr ([^`]+)`", text):
        for command in re.split(r"; relattr ", " ".join(match[1].split())):
            yield text.count("\n", 0, match.start()) + 1, shlex.split(command.replace("...", ""))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_has_valid_options(page):
    for line, arguments in relattr_commands(page):
        command, context = cli, click.Context(cli, info_name="relattr")
        while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            name, *arguments = arguments
            following = command.get_command(context, name)
            if following is None and not re.fullmatch(r"[a-z-]+", name):
                break  # a placeholder or a list of commands
            assert following is not None, f"{page}:{line}: no command {name}"
            command, context = following, click.Context(following, info_name=name, parent=context)
        try:
            command.make_parser(context).parse_args(args=arguments)
        except click.NoSuchOption as error:
            pytest.fail(f"{page}:{line}: {error.format_message()}")
        except click.UsageError:
            pass  # a placeholder, or an option mentioned without its value
