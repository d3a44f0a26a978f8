"""Manifests are written and read, and files that differ from one are reported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from relattr.errors import BadInput
from relattr.system.manifest import ManifestEntry, find_mismatches, read_manifest, write_manifest


def a_folder(root: Path) -> dict[str, bytes]:
    contents = {"images/b c.jpg": b"bee", "images/a.jpg": b"a", "list.txt": b"", "other/x": b"not listed"}
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return contents


def test_a_written_manifest_is_read_and_matches(tmp_path: Path) -> None:
    root, manifest = tmp_path / "data", tmp_path / "m.txt"
    contents = a_folder(root)
    write_manifest(manifest, root, ["list.txt", "images"])
    entries = read_manifest(manifest)
    assert [entry.path for entry in entries] == ["images/a.jpg", "images/b c.jpg", "list.txt"]
    for entry in entries:
        assert entry.sha256 == hashlib.sha256(contents[entry.path]).hexdigest()
        assert entry.size == len(contents[entry.path])
    assert find_mismatches(root, entries) == {}


def test_the_shell_command_writes_the_same(tmp_path: Path) -> None:
    root, manifest = tmp_path / "data", tmp_path / "m.txt"
    a_folder(root)
    write_manifest(manifest, root, ["images"])
    command = [sys.executable, "-m", "relattr.system.manifest", str(root), str(tmp_path / "n.txt"), "images"]
    subprocess.run(command, check=True, timeout=60)
    assert (tmp_path / "n.txt").read_bytes() == manifest.read_bytes()


def test_each_mismatch_is_described(tmp_path: Path) -> None:
    root, manifest = tmp_path / "data", tmp_path / "m.txt"
    a_folder(root)
    write_manifest(manifest, root, ["images", "list.txt", "other"])
    (root / "images/a.jpg").write_bytes(b"b")
    (root / "images/b c.jpg").write_bytes(b"longer")
    (root / "list.txt").unlink()
    (root / "other/x").unlink()
    (root / "other/x").mkdir()
    mismatches = find_mismatches(root, read_manifest(manifest))
    assert set(mismatches) == {"images/a.jpg", "images/b c.jpg", "list.txt", "other/x"}
    assert mismatches["images/a.jpg"].startswith(f"has SHA-256 {hashlib.sha256(b'b').hexdigest()}, expected")
    assert mismatches["images/b c.jpg"] == "has 6 bytes, expected 3"
    assert mismatches["list.txt"] == "is missing"
    assert mismatches["other/x"] == "is not a file"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("nonsense\n", "line 1: expected 'sha256 size path', got 'nonsense'"),
        (f"{'0' * 64} 1 a\n{'0' * 64} -1 b\n", "line 2: expected"),
        (f"{'0' * 63} 1 a\n", "expected 64 hexadecimal digits"),
        (f"{'0' * 64} 1 ../a\n", "not a plain relative path"),
        (f"{'0' * 64} 1 b\n{'0' * 64} 1 a\n", "sorted"),
        (f"{'0' * 64} 1 a\n{'0' * 64} 1 a\n", "listed once"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "m.txt").write_text(text)
    with pytest.raises(BadInput, match=match):
        read_manifest(tmp_path / "m.txt")


def test_a_missing_manifest_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read the manifest .*m\.txt"):
        read_manifest(tmp_path / "m.txt")
    with pytest.raises(BadInput, match="at least 0"):
        ManifestEntry("a", "0" * 64, -1)
