"""Saved models: what is loaded is what was saved, and a file that is not is refused in one line."""

from __future__ import annotations

import warnings
import zipfile

import msgspec
import numpy as np
import pytest

import relattr
from relattr.errors import BadInput
from relattr.interface import model_file
from relattr.interface.model_file import DESCRIPTION
from relattr.registry import registry
from relattr.system import npz
from relattr.system.sealed import open_sealed, seal_record


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.npz"
    relattr.save_model(model, path)
    return path


def rewrite(path, change=lambda values: None, arrays=None, *, seal=True):
    """Change the description of a saved model."""
    with np.load(path) as stored:
        content = {name: stored[name] for name in stored.files}
    values, _ = open_sealed(str(content[DESCRIPTION]).encode())
    change(values)
    text = msgspec.json.encode(values)
    content[DESCRIPTION] = np.array((seal_record(text) if seal else text).decode())
    np.savez(path, **{**content, **(arrays or {})})


@pytest.mark.parametrize("name", ["brightness", "pairwise-brightness", "chance"])
def test_a_loaded_model_is_the_saved_one(task, tmp_path, name):
    model = relattr.load_method(name).fit(task.train, seed=7)
    relattr.save_model(model, tmp_path / "model.npz")
    loaded = relattr.load_model(str(tmp_path / "model.npz"))
    assert (loaded.name, loaded.label, loaded.parameters) == (model.name, model.label, model.parameters)
    assert loaded.fitted_on == model.fitted_on
    test = task.tests[0]
    np.testing.assert_array_equal(loaded.compare(test.images, test.pairs), model.compare(test.images, test.pairs))
    assert relattr.evaluate(loaded, task).accuracy == relattr.evaluate(model, task).accuracy


def test_parameters_are_saved(task, tmp_path):
    model = relattr.load_method("brightness", gamma=2.5).fit(task.train)
    relattr.save_model(model, tmp_path / "model.npz")
    assert relattr.load_model(tmp_path / "model.npz").parameters == {"gamma": 2.5}


def test_saving_a_loaded_model_gives_the_same_model(saved, tmp_path):
    relattr.save_model(relattr.load_model(saved), tmp_path / "again.npz")
    with np.load(saved) as first, np.load(tmp_path / "again.npz") as second:
        assert {name: first[name].tolist() for name in first.files} == {n: second[n].tolist() for n in second.files}


def test_the_file_has_no_pickle_and_names_its_method(saved):
    with np.load(saved, allow_pickle=False) as arrays:
        values = msgspec.json.decode(str(arrays[DESCRIPTION]))
        assert all(arrays[name].dtype.kind in "biufU" for name in arrays.files)
    assert (values["method"], values["parameters"], values["format"]) == ("brightness", {"gamma": 1.0}, 1)
    assert values["fitted_on"]["attribute"] == "global"
    assert values["relattr"] == relattr.__version__


def test_an_unfitted_model_is_not_saved(tmp_path):
    with pytest.raises(BadInput, match="brightness is not fitted, so there is nothing to save"):
        relattr.save_model(relattr.load_method("brightness"), tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_state_that_is_no_array_is_not_saved(model, tmp_path):
    model.method.words_ = {"a": 1}
    with pytest.raises(BadInput, match=r"words_ is a dict, which cannot be saved"):
        relattr.save_model(model, tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*model.npz: No such file"),
        (b"", "is not a saved model, or is damaged"),
        (b"hello", "is not a saved model, or is damaged"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content, message):
    path = tmp_path / "model.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        relattr.load_model(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_method_save_is_refused_with_the_reason(model, tmp_path):
    model.method.save(tmp_path / "state.npz")
    with pytest.raises(BadInput, match="does not name its method; write it with save_model"):
        relattr.load_model(tmp_path / "state.npz")


def test_a_truncated_file_is_refused(saved):
    content = saved.read_bytes()
    for share in (0.3, 0.6, 0.95):
        saved.write_bytes(content[: int(share * len(content))])
        with pytest.raises(BadInput, match="damaged"):
            relattr.load_model(saved)


def test_a_changed_byte_is_noticed_or_changes_nothing(saved, model, task):
    content = bytearray(saved.read_bytes())
    expected = model.strength(task.tests[0].images)
    for position in range(0, len(content), 97):
        changed = bytearray(content)
        changed[position] ^= 0x41
        saved.write_bytes(changed)
        try:
            loaded = relattr.load_model(saved)
        except BadInput:
            continue
        np.testing.assert_array_equal(loaded.strength(task.tests[0].images), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda v: v.update(method="brightnes"),
            "was fitted with the method 'brightnes', .*; if it is in a plugin file, pass",
        ),
        (lambda v: v["parameters"].update(delta=1), "no parameter of method brightness is called 'delta'"),
        (lambda v: v["parameters"].update(gamma="x"), "gamma='x' is not valid"),
        (lambda v: v.update(format=2, relattr="9.0"), "format 2, by relattr 9.0; this one, .*, reads format 1"),
        (lambda v: v.update(fitted_on=3), "damaged saved model"),
        (lambda v: v.pop("arrays"), "damaged saved model"),
        (lambda v: v.update(surprise=1), "damaged saved model"),
        (lambda v: v["arrays"].update(sign_="0"), "its arrays are not those that were saved"),
    ],
)
def test_a_description_that_is_not_valid_is_refused(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(BadInput, match=message) as caught:
        relattr.load_model(saved)
    assert str(saved) in str(caught.value)


def test_a_description_without_its_digest_is_refused(saved):
    rewrite(saved, lambda values: values["parameters"].update(gamma=3.0), seal=False)
    with pytest.raises(BadInput, match="damaged saved model"):
        relattr.load_model(saved)


@pytest.mark.parametrize("name", ["strength", "gamma", "name", "_run", "__class__", "__dict__"])
def test_an_array_replaces_nothing_but_fitted_state(saved, name):
    from relattr.system.digests import digest_array

    array = np.zeros(3)
    rewrite(saved, lambda values: values["arrays"].update({name: digest_array(array)}), {name: array})
    with pytest.raises(BadInput, match=f"an array '{name}', which is not fitted state of brightness"):
        relattr.load_model(saved)


@pytest.mark.parametrize("name", ["extra_", DESCRIPTION])
def test_an_array_that_is_not_described_is_not_unpacked(saved, monkeypatch, name):
    """A small file may have gigabytes of zeros, which are not read before the description says that they are a model's."""
    monkeypatch.setattr(model_file, "MAX_DESCRIPTION", 100_000)
    rewrite(saved, arrays={name: np.array(" " * 1_000_000)})
    read = []
    original = npz._read_member
    monkeypatch.setattr(npz, "_read_member", lambda archive, m: (read.append(m.file_size), original(archive, m))[1])
    with pytest.raises(BadInput, match="damaged"):
        relattr.load_model(saved)
    assert sum(read) < 100_000


def test_state_that_the_method_cannot_restore_is_refused(saved, monkeypatch):
    def fail(self, state):
        raise KeyError("network_")

    monkeypatch.setattr(registry.methods["brightness"].cls, "restore", fail)
    with pytest.raises(BadInput, match="does not fit the method brightness as it is now: KeyError: 'network_'"):
        relattr.load_model(saved)


def test_a_change_of_the_code_is_a_warning(model, tmp_path, monkeypatch):
    saved = tmp_path / "model.npz"
    monkeypatch.setattr(model_file, "_fingerprints", lambda model, registry: {"code relattr.features.hog": "1"})
    relattr.save_model(model, saved)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        relattr.load_model(saved)
    monkeypatch.setattr(model_file, "_fingerprints", lambda model, registry: {"code relattr.features.hog": "2"})
    with pytest.warns(UserWarning, match=r"other code or weights of brightness \(relattr\.features\.hog changed\)"):
        relattr.load_model(saved)


def test_methods_of_the_project_are_saved_with_their_code(task, tmp_path):
    relattr.save_model(relattr.load_method("chance").fit(task.train), tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as arrays:
        values = msgspec.json.decode(str(arrays[DESCRIPTION]))
    assert "code relattr.methods.chance" in values["fingerprints"]


def test_a_loaded_model_is_applied_with_the_settings_given(saved):
    loaded = relattr.load_model(saved, device="cpu", threads=2)
    assert (loaded.method._run.device, loaded.method._run.threads) == ("cpu", 2)
    assert zipfile.is_zipfile(saved)
