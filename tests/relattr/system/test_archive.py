"""Zip files are unpacked completely into their folder, or refused without leaving files."""

from __future__ import annotations

import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from relattr.errors import BadInput
from relattr.system.archive import is_unpacked, unpack_zip

SHA = "ab" * 32


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_members_are_unpacked_and_the_digest_is_stored(tmp_path: Path) -> None:
    members = {"a.txt": b"A", "deep/er/b.bin": random.Random(0).randbytes(3_000_000), "empty": b"", "dir/": b""}
    folder = tmp_path / "new" / "folder"
    assert not is_unpacked(folder, SHA)
    unpack_zip(zipped(tmp_path / "x.zip", members), folder, SHA)
    files = below(folder)
    assert files.pop(".unpacked") == SHA.encode() + b"\n"
    assert files == {name: content for name, content in members.items() if not name.endswith("/")}
    assert is_unpacked(folder, SHA)
    assert not is_unpacked(folder, "cd" * 32)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["folder"]


def refused(archive: Path, match: str, **limits: int) -> None:
    """Unpacking raises, and leaves nothing beside the archive."""
    folder = archive.parent / "out" / "folder"
    with pytest.raises(BadInput, match=match) as error:
        unpack_zip(archive, folder, SHA, **limits)
    assert archive.name in str(error.value) or "declares" in str(error.value)
    assert not list((archive.parent / "out").iterdir())
    assert {p.name for p in archive.parent.iterdir()} == {archive.name, "out"}


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "a//b", "./a"])
def test_members_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    refused(zipped(tmp_path / "x.zip", {"good": b"1", name: b"2"}), "outside the folder")


def test_a_backslash_is_refused(tmp_path: Path) -> None:
    # written by hand: zipfile itself would turn the name's separators round on some systems
    archive = zipped(tmp_path / "x.zip", {"..#evil": b"2"})
    archive.write_bytes(archive.read_bytes().replace(b"..#evil", b"..\\evil"))
    refused(archive, "outside the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (kind | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    refused(archive, "link or device")


def test_too_many_members_and_too_many_bytes(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {f"{i}": bytes(1000) for i in range(10)})
    refused(archive, "has 10 members; at most 9", max_members=9)
    refused(archive, "unpacks to 10,000 bytes; at most 9,999", max_bytes=9_999)
    unpack_zip(archive, tmp_path / "fits", SHA, max_members=10, max_bytes=10_000)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"bomb": bytes(1_000_000)})
    content = archive.read_bytes()
    size = struct.pack("<I", 1_000_000)
    assert content.count(size) == 2  # in the member's own header and in the directory
    archive.write_bytes(content.replace(size, struct.pack("<I", 10)))
    refused(archive, "not a complete zip file|declares", max_bytes=100)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(tmp_path: Path, keep: float) -> None:
    archive = zipped(tmp_path / "x.zip", {f"{i}": random.Random(i).randbytes(500) for i in range(20)})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * keep)])
    refused(archive, "not a complete zip file")


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"good": b"1" * 100, "bad": b"precious content"}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"precious", b"PRECIOUS"))
    refused(archive, "not a complete zip file .*CRC")


def test_files_that_are_not_archives_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    archive.write_text("<html>not found</html>")
    refused(archive, "not a complete zip file")
    with pytest.raises(FileNotFoundError):
        unpack_zip(tmp_path / "gone.zip", tmp_path / "y", SHA)
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), (".unpacked",)])
def test_members_that_collide_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for i, name in enumerate(names):
            stand_in = name if i == 0 or name != names[0] else "@"  # zipfile warns of a name given twice
            file.writestr(stand_in, b"x")
    archive.write_bytes(archive.read_bytes().replace(b"@", names[0].encode()[:1]))
    refused(archive, "twice|reserved|below another member")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"secret": b"abc"}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    archive.write_bytes(bytes(content))
    refused(archive, "has an encrypted member")


def test_an_existing_folder_is_not_changed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"a": b"new"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("old")
    with pytest.raises(BadInput, match="move it away"):
        unpack_zip(archive, tmp_path / "mine", SHA)
    assert (tmp_path / "mine" / "a").read_text() == "old"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="move it away"):
        unpack_zip(archive, tmp_path / "dangling", SHA)
    assert not (tmp_path / "nowhere").exists()
