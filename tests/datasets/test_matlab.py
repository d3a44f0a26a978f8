"""Variables of MATLAB files of any kind are read as arrays, or refused in one line that names file and variable."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from relattr.datasets import _matlab
from relattr.datasets._matlab import cell_texts, numeric_array, read_mat

from relattr.errors import BadInput


def saved(tmp_path: Path, **variables: object) -> Path:
    path = tmp_path / "data.mat"
    scipy.io.savemat(path, variables)
    return path


def test_a_sparse_matrix_is_read_as_a_dense_one(tmp_path: Path) -> None:
    path = saved(tmp_path, x=scipy.sparse.csc_matrix([[0.0, 2.0], [0.0, 0.0]]))
    assert numeric_array(read_mat(path, ["x"])["x"], "x").tolist() == [[0, 2], [0, 0]]


def test_a_huge_sparse_matrix_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matlab, "MAX_DENSE", 3)
    path = saved(tmp_path, x=scipy.sparse.csc_matrix(np.eye(2)))
    with pytest.raises(BadInput, match=r"data\.mat: x is a sparse matrix of \(2, 2\); expected at most 3 values"):
        read_mat(path, ["x"])


def test_complex_numbers_are_refused_unless_they_are_real(tmp_path: Path) -> None:
    assert read_mat(saved(tmp_path, x=np.array([[1 + 0j]])), ["x"])["x"].tolist() == [[1.0]]
    with pytest.raises(BadInput, match=r"data\.mat: x has complex numbers"):
        read_mat(saved(tmp_path, x=np.array([[1 + 2j]])), ["x"])
    cells = np.array([[np.array([[1 + 2j]])]], object)
    with pytest.raises(BadInput, match="x contains a value that is not a number: a complex number"):
        numeric_array(read_mat(saved(tmp_path, x=cells), ["x"])["x"], "x")


def test_names_in_a_character_matrix_are_read_without_padding(tmp_path: Path) -> None:
    path = saved(tmp_path, names=np.array(["a", "long name", "b c"]))
    assert cell_texts(read_mat(path, ["names"])["names"], "names") == ["a", "long name", "b c"]
    cells = np.array(["a", "b c "], object)
    assert cell_texts(read_mat(saved(tmp_path, names=cells), ["names"])["names"], "names") == ["a", "b c "]


@pytest.mark.parametrize("value", [np.eye(2), {"field": 1.0}, np.array([[1.0, "a"]], object)])
def test_numbers_and_structures_are_no_names(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadInput, match=r"names.* expected text"):
        cell_texts(read_mat(saved(tmp_path, names=value), ["names"])["names"], "names")


@pytest.mark.parametrize("value", ["text", {"field": 1.0}, np.array(["a", "b"], object)])
def test_text_and_structures_are_no_numbers(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadInput, match="x contains a value that is not a number"):
        numeric_array(read_mat(saved(tmp_path, x=value), ["x"])["x"], "x")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mat")
    (tmp_path / "zero.mat").symlink_to("/dev/zero")
    (tmp_path / "folder.mat").mkdir()
    for name in ("pipe.mat", "zero.mat", "folder.mat", "missing.mat"):
        with pytest.raises(BadInput, match=f"cannot read .*{name}"):
            read_mat(tmp_path / name, ["x"])
