"""The tutorial, executed: its files are written, its commands run, and they say what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")
def test_every_block_does_what_the_page_says(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    environment = {
        **os.environ, "PYTHONPATH": str(site), "RELATTR_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "error",
    }  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    commands = 0
    for language, file, content in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if file:
            path = work / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif language == "console":
            for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
                command, *expected = part.strip().splitlines()
                said = run(shlex.split(command), work, site, environment)
                commands += 1
                for line in expected:
                    assert line in said, f"$ {command}\nshould say\n{line}\nand said\n{said}"
    assert commands >= 11
    assert (work / "all.csv").read_text().count("\n") == 5
    table = (work / "tables").rglob("*.csv")
    assert any("Darker (outside)" in path.read_text() for path in table)


def run(command: list[str], work: Path, site: Path, environment: dict[str, str]) -> str:
    if command[:2] == ["pip", "install"]:
        return install(work / command[2], site)
    if command[0] == "relattr":
        command = [sys.executable, "-c", "from relattr.cli import main; main()", *command[1:]]
    elif command[0] == "python":
        command = [sys.executable, *command[1:], "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"$ {shlex.join(command)}\n{done.stdout}{done.stderr}"
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
