"""Executes pages of the documentation: writes their files, runs their commands, and compares the output."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+)| (fails))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="separate processes for cells are supported on Linux only"
)


@pytest.mark.slow
def test_the_tutorial_works_as_written(tmp_path):
    work, commands = execute("tutorial.md", tmp_path)
    assert commands >= 11
    assert (work / "all.csv").read_text().count("\n") == 5
    table = (work / "tables").rglob("*.csv")
    assert any("Darker (third party)" in path.read_text() for path in table)


def test_the_page_on_own_images_works_as_written(tmp_path):
    work, commands = execute("folder.md", tmp_path)
    assert commands == 6
    with (work / "tables" / "apples.csv").open(newline="") as file:
        accuracies = {row["method"]: float(row["measured_percent"]) for row in csv.DictReader(file)}
    assert accuracies["mean-redness"] > 99  # redness is ripeness
    assert 20 < accuracies["chance"] < 80


def execute(page, tmp_path):
    """Write the files and run the commands of a page. Returns the working folder and the number of commands."""
    site = tmp_path / "site"
    site.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "RELATTR_CACHE": str(tmp_path / "cache"),
        "PYTHONWARNINGS": "error",
    }
    work = tmp_path / "work"
    work.mkdir()
    commands = 0
    for language, file, fails, content in FENCE.findall((DOCS / page).read_text(encoding="utf-8")):
        if file:
            path = work / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif language == "console":
            for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
                command, *expected = part.strip().splitlines()
                output = run(shlex.split(command), work, site, environment, int(bool(fails)))
                commands += 1
                for line in expected:
                    assert line in output, f"$ {command}\nshould print\n{line}\nbut printed\n{output}"
    return work, commands


def run(command: list[str], work: Path, site: Path, environment: dict[str, str], code: int) -> str:
    if command[:2] == ["pip", "install"]:
        return install(work / command[2], site)
    if command[0] == "relattr":
        command = [sys.executable, "-c", "from relattr.cli import main; main()", *command[1:]]
    elif command[0] == "python":
        command = [sys.executable, *command[1:], "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == code, f"$ {shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def install(folder: Path, site: Path) -> str:
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
