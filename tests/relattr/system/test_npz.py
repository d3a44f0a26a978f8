"""Files of arrays that are damaged, hostile or something else are ordinary errors."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest

from relattr.system import npz
from relattr.system.npz import array_names, read_npz


def packed(compression=zipfile.ZIP_STORED, **members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return content.getvalue()


def npy(array, *, allow_pickle=False):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=allow_pickle)
    return content.getvalue()


def header(shape):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return content.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_changed_byte_is_an_error_or_changes_nothing(tmp_path, compression):
    """A changed array is never returned. Some bytes of a zip file, such as times, have no meaning."""
    array = np.arange(8.0)
    content = packed(compression, a=npy(array))
    for k in range(len(content)):
        changed = content[:k] + bytes([content[k] ^ 255]) + content[k + 1 :]
        try:
            arrays = read_npz(changed)
        except ValueError:
            continue
        for value in arrays.values():
            np.testing.assert_array_equal(value, array)
    for n in range(len(content)):
        with pytest.raises(ValueError, match=r"."):
            read_npz(content[:n])


@pytest.mark.parametrize(
    "content",
    [
        packed(a=header((1 << 50,))),
        packed(a=header((1 << 27,))),
        packed(a=npy(np.array([object()]), allow_pickle=True)),
        packed(a=npy(np.arange(3)) + b"more"),
        packed(a=b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16),
        packed(a=b"\x93NUMPY\x01\x00\xf0\xff" + b"(" * 0xFFF0),
        packed(a=b"text"),
        b"\x80\x04\x95",
        b"",
        b"PK\x05\x06" + bytes(18),
    ][:-1],
)
def test_foreign_contents_are_errors(content, tmp_path):
    with pytest.raises(ValueError, match=r".") as error:
        read_npz(content)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_npz(tmp_path / "f.npz")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(npz, "MAX_ARRAYS", 1000)
    with pytest.raises(ValueError, match="at most 1,000 are read"):
        read_npz(packed(zipfile.ZIP_DEFLATED, a=npy(np.zeros(1000))))


def test_only_the_arrays_that_are_read_count_for_a_smaller_limit():
    content = packed(zipfile.ZIP_DEFLATED, large=npy(np.zeros(1000)), small=npy(np.zeros(1)))
    assert [*read_npz(content, ["small"], 1000)] == ["small"]
    for names in (["large"], ["small", "large"], None):
        with pytest.raises(ValueError, match="at most 1,000 are read"):
            read_npz(content, names, 1000)


def test_arrays_are_read_by_name(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, **{"a b": np.arange(3), "c": np.array("text")})
    assert array_names(path) == ("a b", "c")
    assert set(read_npz(path)) == {"a b", "c"}
    assert read_npz(path, ["c"])["c"].item() == "text"
    with pytest.raises(KeyError):
        read_npz(path, ["d"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="named pipe"):
        read_npz(tmp_path / "pipe")


@pytest.mark.parametrize(
    "array",
    [
        np.float64(1.5),
        np.zeros(0),
        np.zeros((3, 0, 2)),
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.array(["a", "longer"]),
        np.array([True, False]),
        np.zeros(2, [("x", "<i4"), ("y", "<f8")]),
        np.zeros(3, "V0"),
        np.arange(1 << 18, dtype=np.int64),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_every_kind_of_array_is_read_as_numpy_does(array):
    for _ in range(2):  # the second time its header is known
        read = read_npz(packed(a=npy(array)))["a"]
        np.testing.assert_array_equal(read, array, strict=True)
        assert read.flags.writeable
        assert read.flags.f_contiguous == np.asarray(array).flags.f_contiguous
