"""Output that cannot be written, or not in full, loses no work and ends in no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HELLO = """
import sys
from relattr.cli.output import Streams, echo
streams = Streams()
open({path!r}, "w").write("done")
echo("50 – 60 \\u202e\\x1b[31m")
echo("to stderr – \\udcff", err=True)
code = streams.exit_code(0)
open({path!r}, "a").write(str(code))
sys.exit(code)
"""


def shell(tmp_path, redirection, **environment):
    """Run the script with this redirection: its exit code, what it did, and what it printed."""
    script = tmp_path / "hello.py"
    script.write_text(HELLO.format(path=str(tmp_path / "log")))
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {script} {redirection}"],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    return done.returncode, (tmp_path / "log").read_text(), done.stdout, done.stderr


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        (">/dev/full", 1),
        ("2>/dev/full", 0),
        (">/dev/full 2>&1", 1),
        (">&-", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
        ("2> >(true)", 0),
    ],
)
def test_a_closed_or_full_stream_loses_nothing(tmp_path, redirection, code):
    status, log, _, stderr = shell(tmp_path, redirection)
    assert (status, log) == (code, f"done{code}")
    assert b"Traceback" not in stderr
    if redirection == ">/dev/full":
        assert b"standard output could not be written: No space left on device" in stderr


@pytest.mark.parametrize(
    ("encoding", "dash"),
    [("latin-1", b"-"), ("ascii", b"-"), ("cp1252", b"\x96"), ("utf-8", "–".encode()), ("utf-8:strict", "–".encode())],
)
def test_any_encoding_shows_what_it_can(tmp_path, encoding, dash):
    status, _, stdout, stderr = shell(tmp_path, "", PYTHONIOENCODING=encoding)
    assert status == 0
    assert stdout == b"50 " + dash + rb" 60 \u202e\x1b[31m" + b"\n"
    assert stderr == b"to stderr " + dash + rb" \xff" + b"\n"


def test_errors_name_the_file_and_what_to_do(tmp_path):
    script = """
import errno, os, sys
from unittest import mock
from relattr import cli
error = OSError(errno.ENOSPC, "No space left on device", {name!r})
with mock.patch.object(cli, "cli", side_effect=error):
    cli.main()
"""
    cache = str(tmp_path / "cache")
    for name, advice in (
        (f"{cache}/x", "set RELATTR_CACHE to a folder that can be read and written and has free space"),
        ("/elsewhere", "free some space, or choose another folder or file (--out, --results)"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script.format(name=name)],
            env={**os.environ, "RELATTR_CACHE": cache},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr == f"relattr: {name}: No space left on device; {advice}\n"


def test_an_argument_that_is_not_utf8_is_shown_escaped(tmp_path):
    script = "from relattr.cli import main; main()"
    arguments = [sys.executable, "-c", script, "status", b"no\xff\x1b[31m.toml"]
    done = subprocess.run(arguments, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert rb"no\xff\x1b[31m" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_refused_thread_is_one_line(capsys, monkeypatch):
    from relattr import cli

    def refused(**options):
        try:
            raise RuntimeError("can't start new thread")
        finally:
            raise AttributeError("'DummyProcess' object has no attribute 'terminate'")  # as multiprocessing.pool does

    monkeypatch.setattr(cli, "cli", refused)
    assert cli._run() == 2
    assert capsys.readouterr().err.startswith("relattr: the system refuses to start another thread (see ulimit -u)")
    monkeypatch.setattr(cli, "cli", lambda **options: {}["mine"])
    with pytest.raises(KeyError):
        cli._run()


def test_a_removed_working_folder_is_one_line(tmp_path, capsys, monkeypatch):
    from relattr import cli

    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    monkeypatch.setattr(cli, "cli", lambda **options: os.getcwd())
    assert cli._run() == 2
    assert capsys.readouterr().err == "relattr: the current folder has been removed; change to another folder\n"


@pytest.mark.parametrize(("mode", "is_explained"), [("0", True), ("1", False)])
def test_errors_say_if_names_of_files_are_not_utf8(tmp_path, mode, is_explained):
    """A locale such as C or ISO-8859-1 reads and writes other names than those on the disk."""
    script = "import sys; from relattr.cli import main; sys.argv = ['relattr', *sys.argv[1:]]; main()"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": mode, "PYTHONWARNINGS": ""}
    for arguments in (["plan", str(tmp_path / "none.toml")], ["list", "nothing"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert ("read as ascii here" in done.stderr) == is_explained
        assert ("PYTHONUTF8=1" in done.stderr) == is_explained
