"""Methods and datasets by name."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image

import relattr
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.interface import plugins as loading
from relattr.registry import BrokenPlugin, registry
from relattr.task import Task, TaskName


def test_lists_are_those_of_the_registry_in_order():
    assert relattr.list_methods() == sorted(registry.methods)
    assert relattr.list_datasets() == sorted(registry.datasets)
    assert relattr.list_methods("viralnet*") == sorted(n for n in registry.methods if n.startswith("viralnet"))
    assert relattr.list_methods("no such method") == []
    assert {"quick", "table3"} <= set(relattr.list_benchmarks())


def test_parameters_are_those_given_and_the_defaults():
    model = relattr.load_method("brightness", gamma=2)
    assert model.parameters == {"gamma": 2.0}
    assert relattr.load_method("brightness").parameters == {"gamma": 1.0}
    assert not model.is_fitted
    assert relattr.load_dataset("folder", path=Path("some")).parameters["path"] == "some"


@pytest.mark.parametrize(
    ("call", "suggestion"),
    [
        (lambda: relattr.load_method("ranksvm-hog"), "ranksvm-hog2x2"),
        (lambda: relattr.load_method("brightness", gama=1), "gamma"),
        (lambda: relattr.load_method(None), "no method is called None"),
        (lambda: relattr.load_dataset("lfw"), "lfw10"),
        (lambda: relattr.load_dataset("glyphs", n_trian=3), "n_train"),
        (lambda: relattr.load_dataset("glyphs").task("lokal"), "local"),
        (lambda: relattr.load_dataset("glyphs").task("local", split="standart"), "standard"),
    ],
)
def test_an_unknown_name_suggests_similar_ones(call, suggestion):
    with pytest.raises(UnknownName, match=suggestion):
        call()


@pytest.mark.parametrize("of", [str, Path])
def test_a_path_in_place_of_a_dataset_says_how_to_open_it(tmp_path, of):
    for path in (tmp_path, tmp_path / "smile.csv"):
        path.touch()
        with pytest.raises(BadInput, match=re.escape(f"load_dataset('folder', path={str(path)!r})")):
            relattr.load_dataset(of(path))


def test_a_folder_called_almost_as_a_dataset_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lfw").mkdir()
    with pytest.raises(
        BadInput, match=r"did you mean lfw10\? for your own photographs: load_dataset\('folder', path='lfw'"
    ):
        relattr.load_dataset("lfw")


def test_a_folder_of_the_name_of_a_dataset_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glyphs").mkdir()
    assert relattr.load_dataset("glyphs").name == "glyphs"


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(BadInput, match="gamma='bright'"):
        relattr.load_method("brightness", gamma="bright")


@pytest.mark.usefixtures("own_registry")
def test_plugins_in_a_folder_are_loaded(tmp_path):
    (tmp_path / "third_party.py").write_text(
        "from relattr import Method, register_method\n"
        "@register_method('third-party-interface', label='T')\n"
        "class T(Method):\n    'A test.'\n    def fit(self, train, run): pass\n"
    )
    assert relattr.load_method("third-party-interface", plugins=tmp_path).label == "T"
    assert "third-party-interface" in relattr.list_methods(plugins=[tmp_path])
    with pytest.raises(BadInput, match="nowhere is not a folder"):
        relattr.list_methods(plugins=tmp_path / "nowhere")


def test_a_broken_plugin_is_reported_once(monkeypatch):
    monkeypatch.setattr(registry, "broken", [BrokenPlugin("some.py", "NameError: x", "")])
    monkeypatch.setattr(loading, "_warned", set())
    with pytest.warns(UserWarning, match=r"plugin some\.py could not be loaded and is left out: NameError: x"):
        relattr.list_methods()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        relattr.list_methods()


# ---------------------------------------------------------------------- datasets


def test_iterating_a_dataset_gives_its_tasks():
    dataset = relattr.load_dataset("glyphs", n_train=6, n_test=5, size=32)
    tasks = list(dataset)
    assert len(tasks) == len(dataset) == 4
    assert [task.name for task in tasks] == dataset.tasks()
    assert [task.name.attribute for task in tasks] == dataset.attributes
    assert all(isinstance(task, Task) and len(task.train.images) == 6 for task in tasks)


def test_a_task_is_that_of_the_plugin():
    dataset = relattr.load_dataset("glyphs", n_train=6, n_test=5, size=32)
    task = dataset.task("local")
    assert task.name == TaskName("glyphs", "local", "standard")
    expected = dataset.dataset.task(task.name)
    assert task.train.pairs.fingerprint() == expected.train.pairs.fingerprint()
    assert dataset.task(task.name).name == task.name


def test_the_attribute_may_be_left_out_if_there_is_one():
    assert relattr.load_dataset("glyphs-aligned", n_train=6, n_test=5, size=32).task().name.attribute == "local"
    with pytest.raises(BadInput, match="glyphs has 4 attributes; name one: global, local"):
        relattr.load_dataset("glyphs").task()


def test_a_missing_dataset_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    dataset = relattr.load_dataset("osr")
    assert not dataset.is_available
    with pytest.raises(Blocked, match="relattr data fetch osr"):
        dataset.task("open")


def test_own_images_give_a_training_set_of_everything(tmp_path):
    from PIL import Image

    names = [f"{k}.png" for k in range(8)]
    for k, name in enumerate(names):
        Image.new("RGB", (8, 8), (30 * k, 30 * k, 30 * k)).save(tmp_path / name)
    rows = [f"{names[k + 1]},{names[k]},left" for k in range(7)]
    (tmp_path / "pairs.csv").write_text("\n".join(["left,right,label", *rows]) + "\n")
    dataset = relattr.load_dataset("folder", path=tmp_path)
    train = dataset.training_set()
    assert (len(train.images), train.pairs.n_ordered) == (8, 7)
    model = relattr.load_method("brightness").fit(train)
    assert list(model.rank(tmp_path)["image"]) == names[::-1]
    assert str(tmp_path) not in str(model.fitted_on)
    with pytest.raises(BadInput, match="keeps its test images for testing"):
        relattr.load_dataset("glyphs").training_set("local")


def test_importing_the_names_imports_nothing_heavy():
    code = (
        "import sys, relattr; [getattr(relattr, n) for n in relattr.__all__ if not n.startswith('RankSVM')];"
        "print(sorted({'torch', 'sklearn', 'scipy', 'numba', 'pandas', 'matplotlib', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_relattr_imports_neither_numpy_nor_plugins():
    code = "import sys, relattr; print([n for n in sys.modules if n.startswith(('numpy', 'relattr.'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists():
    for name in relattr.__all__:
        assert getattr(relattr, name) is not None
    assert set(dir(relattr)) == set(relattr.__all__)
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        _ = relattr.predict


def test_datasets_describe_themselves():
    dataset = relattr.load_dataset("glyphs", n_train=6, n_test=5)
    assert "n_train=6" in dataset._repr_html_()
    assert "global, local" in dataset._repr_html_()
    assert repr(dataset) == "<LoadedDataset glyphs: 4 tasks>"
    assert dataset.licence == "MIT"


@pytest.mark.parametrize(
    ("load", "parameter"),
    [
        (lambda **path: relattr.load_dataset("folder", **path), "path"),
        (lambda **path: relattr.load_dataset("relative-attributes", **path), "file"),
        (lambda **path: relattr.load_dataset("relative-attributes", **path), "images"),
        (lambda **path: relattr.load_method("viralnet-c", **path), "category_network"),
        (lambda **path: relattr.load_method("viralnet-c", supplement="micro", **path), "supplement_weights"),
    ],
)
@pytest.mark.parametrize("given", ["here", "./here", Path("here")], ids=repr)
def test_a_path_means_one_file_whatever_the_folder(load, parameter, given, tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "first")
    loaded = load(**{parameter: given})
    monkeypatch.chdir(tmp_path / "second")
    assert Path(loaded.parameters[parameter]).samefile(tmp_path / "first" / "here")


def test_several_paths_mean_the_same_files_too(tmp_path, monkeypatch):
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)
    files = ["here", Path("here")]
    method = relattr.load_method("viralnet-c", supplement=["micro", "alexnet"], supplement_weights=files)
    assert method.parameters["supplement_weights"] == [str(tmp_path / "here")] * 2


@pytest.mark.parametrize("path", ["", "~/photos", "$RELATTR_DATA/photos", "not yet here"])
def test_other_paths_stay_as_they_are(path):
    assert relattr.load_dataset("folder", path=path).parameters["path"] == path


def test_photographs_are_those_of_when_they_were_loaded(tmp_path, monkeypatch):
    for folder, grey in (("first", 10), ("second", 200)):
        photos = tmp_path / folder / "photos"
        photos.mkdir(parents=True)
        for k in range(4):
            Image.new("L", (8, 8), grey + k).save(photos / f"{k}.png")
        (photos / "light.csv").write_text("image,score\n0.png,1\n1.png,2\n2.png,3\n3.png,4\n")
    monkeypatch.chdir(tmp_path / "first")
    dataset = relattr.load_dataset("folder", path="photos")
    monkeypatch.chdir(tmp_path / "second")
    assert [int(image.max()) for image in dataset.training_set().images] == [10, 11, 12, 13]
