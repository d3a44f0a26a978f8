"""Code that is edited while a session runs: no number is of other code than that in the files."""

from __future__ import annotations

import importlib
import os
import sys
import warnings

import pytest

import relattr
from relattr.errors import BadInput, UnknownName
from relattr.execution.processes import is_supported

pytestmark = pytest.mark.usefixtures("own_registry")

METHOD = """
import numpy as np
from relattr import Method, register_method
{imports}

@register_method("{name}", label="Edited")
class Edited(Method):
    "Gives every image the same strength."

    def fit(self, train, run):
        pass

    def strength(self, images):
        {body}
        return np.full(len(images), VALUE)
"""
HELPERS = {
    "method": ("VALUE = 1.0", "pass", "edited.py"),
    "helper": ("from ._value import VALUE", "pass", "_value.py"),
    "helper in a package": ("from ._parts.deep.value import VALUE", "pass", "_parts/deep/value.py"),
    "helper in a folder": ("", "from ._folder.value import VALUE", "_folder/value.py"),
    "late helper": ("", "from ._late import VALUE", "_late.py"),
    "late dynamic helper": (
        "import importlib",
        "VALUE = importlib.import_module('._dyn', __package__).VALUE",
        "_dyn.py",
    ),
}
"""For each place of the value: the imports, the first line of ``strength``, and the file."""


NOISE = "(VALUE - 1.0) * np.array([images[k].mean() for k in range(len(images))])"
"""Reverses the order if the value is -1."""


def write(folder, imports="VALUE = 1.0", body="pass", *, name="edited"):
    """Write the plugin of a method."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(METHOD.format(imports=imports, body=body, name=name))


@pytest.fixture(params=HELPERS)
def edited(request, tmp_path):
    """A folder of a plugin, and the file that has its value."""
    imports, body, file = HELPERS[request.param]
    folder = tmp_path / "edited"
    write(folder, imports, body)
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    for parent in {path.parent, path.parent.parent} - {tmp_path, folder}:
        if file.startswith("_parts"):
            (parent / "__init__.py").touch()
    if file != "edited.py":
        path.write_text("VALUE = 1.0\n")
    return folder, path


def edit(path, value):
    """Write another value into a file; its size stays the same, and mostly the second of its time."""
    text = path.read_text()
    start = text.index("VALUE = ")
    path.write_text(f"{text[:start]}VALUE = {value:.1f}{text[start + len('VALUE = 1.0') :]}")


def value_of(task, **settings):
    model = relattr.load_method("edited", **settings).fit(task.train)
    return float(model.strength(task.tests[0].images)[0])


@pytest.mark.parametrize("byte_code", [True, False])
def test_an_edited_plugin_is_loaded_again(task, edited, monkeypatch, byte_code):
    monkeypatch.setattr(sys, "dont_write_bytecode", not byte_code)
    folder, path = edited
    assert value_of(task, plugins=folder) == 1.0
    first = relattr.load_method("edited")
    assert type(relattr.load_method("edited").method) is type(first.method)
    for value in (2.0, 3.0):
        edit(path, value)
        assert value_of(task) == value
    edit(path, 4.0)
    assert value_of(task, plugins=str(folder)) == 4.0


@pytest.mark.parametrize(
    "backend", [pytest.param("local", marks=pytest.mark.skipif(not is_supported(), reason="Linux")), "inline"]
)
def test_a_result_of_earlier_code_is_computed_again(workspace, backend):
    (workspace.plugins / "_sign.py").write_text("VALUE = 1.0\n")
    workspace.write_method("signed", imports="from ._sign import VALUE", noise=NOISE)
    file = workspace.write_benchmark()

    def run(**more):
        folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}
        parameters = {"tiny.n_attributes": 2}
        return relattr.run(str(file), parameters=parameters, backend=backend, verbose=False, **folders, **more)

    assert run(attributes="a0")[["accuracy", "state"]].values.tolist() == [[1.0, "done"]]
    text = (workspace.plugins / "_sign.py").read_text()
    (workspace.plugins / "_sign.py").write_text(text.replace("1.0", "-1.0"))
    assert run()[["accuracy", "state"]].values.tolist() == 2 * [[0.0, "done"]]


def test_plugins_come_and_go_with_their_files(task, tmp_path):
    folder = tmp_path / "edited"
    write(folder)
    assert value_of(task, plugins=folder) == 1.0
    write(folder, name="second")
    assert {"edited", "second"} <= set(relattr.list_methods(plugins=folder))
    (folder / "edited.py").unlink()
    assert "second" in relattr.list_methods()
    with pytest.raises(UnknownName, match="edited"):
        relattr.load_method("edited")


def test_a_broken_plugin_is_loaded_when_it_is_repaired(task, tmp_path):
    folder = tmp_path / "edited"
    for mistake in ("VALUE = 1.0 +", "VALUE = 1.0 / 0"):
        write(folder, mistake)
        with pytest.warns(UserWarning, match=r"edited\.py\) could not be loaded"), pytest.raises(UnknownName):
            relattr.load_method("edited", plugins=folder)
        write(folder)
        assert value_of(task, plugins=folder) == 1.0


def test_a_class_of_another_module_is_registered_again(tmp_path):
    folder = tmp_path / "edited"
    folder.mkdir()
    text = "from relattr import register_method\nfrom relattr.methods.chance import Chance\n"
    for label in ("First", "Second"):
        (folder / "preset.py").write_text(f"{text}register_method('preset', label='{label}')(Chance)\n")
        assert relattr.load_method("preset", plugins=folder).label == label


# ---------------------------------------------------------------------- code outside a plugin folder


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder of modules that can be imported."""
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.startswith("outside_")]:
        del sys.modules[name]


@pytest.mark.parametrize("body", ["", "import sys; sys.path.append({!r}); "], ids=["static", "on a path of its own"])
def test_edited_code_outside_the_folder_asks_for_a_restart(task, tmp_path, outside, body):
    late = tmp_path / "late" if body else outside
    late.mkdir(exist_ok=True)
    helper = late / f"outside_{'late' if body else 'static'}.py"
    helper.write_text("VALUE = 1.0\n")
    write(tmp_path / "edited", "", f"{body.format(str(late))}from {helper.stem} import VALUE")
    path = list(sys.path)
    try:
        assert value_of(task, plugins=tmp_path / "edited") == 1.0
        edit(helper, 2.0)
        for call in (relattr.list_methods, lambda: value_of(task), lambda: relattr.run("quick", methods="chance")):
            with pytest.raises(BadInput, match=rf"code has changed since .*{helper.name}; restart Python"):
                call()
    finally:
        sys.path[:] = path


def test_a_file_of_another_clock_needs_no_restart(task, tmp_path, outside):
    (outside / "outside_future.py").write_text("VALUE = 1.0\n")
    os.utime(outside / "outside_future.py", (2e10, 2e10))
    write(tmp_path / "edited", "from outside_future import VALUE")
    assert [value_of(task, plugins=tmp_path / "edited") for _ in range(2)] == [1.0, 1.0]


def test_code_that_no_plugin_runs_may_be_edited(outside):
    (outside / "outside_own.py").write_text("VALUE = 1.0\n")
    importlib.import_module("outside_own")
    relattr.list_methods()
    edit(outside / "outside_own.py", 2.0)
    relattr.list_methods()


def test_a_module_that_was_reloaded_needs_no_restart(task, outside, monkeypatch):
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # Python reloads byte code of a file of the same size and second
    write(outside, name="edited")
    (outside / "edited.py").rename(outside / "outside_edited.py")
    reloaded = importlib.import_module("outside_edited")
    assert value_of(task) == 1.0
    edit(outside / "outside_edited.py", 2.0)
    with pytest.raises(BadInput, match="restart Python"):
        value_of(task)
    importlib.reload(reloaded)
    assert value_of(task) == 2.0


# ---------------------------------------------------------------------- saved models


def test_a_model_of_earlier_code_is_saved_as_such(task, tmp_path):
    folder = tmp_path / "edited"
    for name in ("edited", "second"):
        write(folder, name=name)
    models = [relattr.load_method(name, plugins=folder).fit(task.train) for name in ("edited", "second")]
    edit(folder / "edited.py", 2.0)
    for reload in (lambda: None, relattr.list_methods):
        reload()
        for model in models:
            relattr.save_model(model, tmp_path / f"{model.name}.npz")
        with pytest.warns(
            UserWarning, match=r"other code or weights of edited \(relattr_plugins_edited\.edited changed"
        ):
            relattr.load_model(tmp_path / "edited.npz", plugins=folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            relattr.load_model(tmp_path / "second.npz", plugins=folder)


def test_a_model_is_saved_although_its_code_needs_a_restart(task, outside, tmp_path):
    write(outside, name="edited")
    (outside / "edited.py").rename(outside / "outside_edited.py")
    module = importlib.import_module("outside_edited")
    model = relattr.load_method("edited").fit(task.train)
    relattr.save_model(model, tmp_path / "before.npz")
    edit(outside / "outside_edited.py", 2.0)
    relattr.save_model(model, tmp_path / "after.npz")
    importlib.reload(module)
    relattr.list_methods()
    relattr.save_model(model, tmp_path / "reloaded.npz")
    for name in ("before", "after", "reloaded"):
        with pytest.warns(UserWarning, match=r"other code or weights of edited \(outside_edited changed"):
            relattr.load_model(tmp_path / f"{name}.npz")
