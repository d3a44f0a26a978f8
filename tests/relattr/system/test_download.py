"""A download states where its file goes and comes from, and refuses what is not valid."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from relattr.errors import BadInput
from relattr.system.download import Download


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/", "", "C:\\a", "C:/a", "\\\\host\\a", "a\\..\\b", "a\0"],
)
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    with pytest.raises(BadInput, match="not a plain relative path"):
        Download(path, ("http://127.0.0.1/a",), "0" * 64, 1)
    with pytest.raises(BadInput, match="not a plain relative path"):
        Download("a", ("http://127.0.0.1/a",), "0" * 64, 1, unpack=path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a", "/a", "http:///a", "javascript:1"])
def test_addresses_of_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(BadInput, match="not an http or https address"):
        Download("a", (url,), "0" * 64, 1)


def test_invalid_downloads_are_refused() -> None:
    with pytest.raises(BadInput, match="no mirror"):
        Download("a", (), "0" * 64, 1)
    with pytest.raises(BadInput, match="64 hexadecimal"):
        Download("a", ("http://host/a",), "abc", 1)


def test_a_file_is_present_only_with_its_contents(tmp_path: Path) -> None:
    download = Download("images/a.bin", ("http://host/a",), hashlib.sha256(b"abc").hexdigest(), 3)
    assert not download.is_present(tmp_path)
    (tmp_path / "images").mkdir()
    for content, expected in ((b"abd", False), (b"abc", True), (b"abcd", False)):
        (tmp_path / "images" / "a.bin").write_bytes(content)
        assert download.is_present(tmp_path) is expected


def test_a_partial_file_is_hidden_beside_the_final_one(tmp_path: Path) -> None:
    paths = {Download("images/a.bin", ("http://host/a",), digit * 64, 3).partial_path(tmp_path) for digit in "01"}
    assert len(paths) == 2  # one for each version of the file
    assert {path.parent for path in paths} == {tmp_path / "images"}
    assert all(path.name.startswith(".a.bin.") for path in paths)
