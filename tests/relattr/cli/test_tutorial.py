"""Pages of the documentation, executed: files are written, commands run, and they say what the page says."""

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
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")


@pytest.mark.slow
def test_every_block_of_the_tutorial_does_what_the_page_says(tmp_path):
    work, commands = execute("tutorial.md", tmp_path)
    assert commands >= 11
    assert (work / "all.csv").read_text().count("\n") == 5
    table = (work / "tables").rglob("*.csv")
    assert any("Darker (outside)" in path.read_text() for path in table)


def test_every_block_of_the_page_on_own_images_does_what_it_says(tmp_path):
    work, commands = execute("folder.md", tmp_path)
    assert commands == 6
    with (work / "tables" / "apples.csv").open(newline="") as file:
        found = {row["method"]: float(row["measured_percent"]) for row in csv.DictReader(file)}
    assert found["mean-redness"] > 99  # redness is ripeness
    assert 20 < found["chance"] < 80


def execute(page, tmp_path):
    """Write the files and run the commands of a page; the folder it happened in, and how many commands there were."""
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
                said = run(shlex.split(command), work, site, environment, int(bool(fails)))
                commands += 1
                for line in expected:
                    assert line in said, f"$ {command}\nshould say\n{line}\nand said\n{said}"
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
    """What pip does, without a network: build the wheel, unpack it where Python looks."""
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
