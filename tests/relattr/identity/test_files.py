"""Files that a plugin declares are part of its fingerprint."""

from __future__ import annotations

import importlib
import sys

import pytest

from relattr.errors import BadInput
from relattr.identity.files import declared_files, file_digests

BASE = "from relattr import Method\nclass Base(Method):\n    'Base.'\n    files = ('weights.txt',)\n"


@pytest.fixture
def create(project):
    """``create(files)`` -> an instance of class ``Model`` in module ``model`` of a package with these files."""

    def build(files, **values):
        return importlib.import_module(f"{project(files)}.model").Model(**values)

    return build


def test_a_change_of_a_declared_file_changes_its_digest(create, tmp_path):
    model = create({"model.py": BASE + "class Model(Base): 'M.'", "weights.txt": "1"})
    before = file_digests(model)
    assert list(before) == ["weights.txt"]
    (path,) = declared_files(model).values()
    path.write_text("2")
    assert file_digests(model) != before
    path.write_text("1")
    assert file_digests(model) == before


def test_paths_are_relative_to_the_module_that_declares(create, tmp_path):
    model = create({"model.py": "from .low.base import Base as Model", "low/base.py": BASE, "low/weights.txt": "1"})
    assert declared_files(model)["weights.txt"].parent.name == "low"
    text = "from relattr import Method\nclass Model(Method):\n    'M.'\n    files = ('../shared.txt',)\n"
    (tmp_path / "shared.txt").write_text("1")
    assert declared_files(create({"model.py": text}))["../shared.txt"] == tmp_path / "shared.txt"


def test_files_may_depend_on_parameters(create):
    text = (
        "from relattr import Method\nclass Model(Method):\n    'M.'\n    kind: str = 'a'\n"
        "    @property\n    def files(self):\n        return (self.kind + '.txt',)\n"
    )
    files = {"model.py": text, "a.txt": "1", "b.txt": "2"}
    assert list(file_digests(create(files))) == ["a.txt"]
    assert list(file_digests(create(files, kind="b"))) == ["b.txt"]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("('gone.txt',)", r"Model declares the file 'gone.txt', but .*gone.txt does not exist; correct Model.files"),
        ("('.',)", "is a folder"),
        ("'weights.txt'", "Model.files should be a sequence of paths as text, got 'weights.txt'"),
        ("(3,)", "should be a sequence of paths"),
    ],
)
def test_a_wrong_declaration_is_an_error(create, declared, words):
    text = f"from relattr import Method\nclass Model(Method):\n    'M.'\n    files = {declared}\n"
    with pytest.raises(BadInput, match=words):
        file_digests(create({"model.py": text}))


def test_a_plugin_without_a_declaration_has_no_files(create):
    model = create({"model.py": "from relattr import Method\nclass Model(Method): 'M.'"})
    assert file_digests(model) == {}
    assert "files" not in vars(sys.modules[type(model).__module__])
