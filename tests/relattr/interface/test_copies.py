"""Copies and pickles of models."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import relattr

NETWORK = {"backbone": "micro", "preset": "fast", "updates": 2, "image": 1.0, "view": 1.0, "crop": 1.0}
MODELS = {
    "chance": {},
    "ranksvm-hog2x2": {"C": 0.01, "words": 8},
    "ranksvm-cnn": {"backbone": "micro", "C": 0.01},
    "siamese": NETWORK,
    "viralnet": NETWORK,
}
"""Methods of all kinds of state, with parameters for a quick fit."""
COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


@pytest.fixture(scope="module")
def fitted(task):
    """A fitted model of each of these methods."""
    return {name: relattr.load_method(name, **values).fit(task.train, threads=1) for name, values in MODELS.items()}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_gives_the_same_strengths(name, make, fitted, task):
    model = fitted[name]
    images = task.tests[0].images
    copied = make(model)
    assert (copied.name, copied.parameters, copied.fitted_on) == (model.name, model.parameters, model.fitted_on)
    np.testing.assert_array_equal(copied.strength(images), model.strength(images))


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_fitting_a_copy_does_not_change_the_model(make, fitted, task):
    other = relattr.load_dataset("glyphs", n_train=12, n_test=10, size=32).task("local")
    for name in ("ranksvm-hog2x2", "siamese"):
        model, images = fitted[name], task.tests[0].images
        strengths, record = model.strength(images), model.fitted_on
        make(model).fit(other.train, threads=1)
        np.testing.assert_array_equal(model.strength(images), strengths)
        assert model.fitted_on == record


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_model_that_is_not_fitted_is_copied_too(make, task):
    model = relattr.load_method("siamese", **NETWORK)
    copied = make(model)
    assert not copied.is_fitted
    assert copied.parameters == model.parameters
    copied.fit(task.train, threads=1)
    assert not model.is_fitted


def test_a_pickle_is_read_in_another_process(fitted, task, tmp_path):
    images = list(task.tests[0].images)
    np.save(tmp_path / "images.npy", np.stack(images))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted["ranksvm-hog2x2"]))
    code = (
        "import pickle, numpy as np, relattr; "
        "model = pickle.load(open('model.pickle', 'rb')); "
        "np.save('strengths.npy', model.strength(list(np.load('images.npy')))); "
        "assert relattr.load_method(model.name).name in relattr.list_methods()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    expected = fitted["ranksvm-hog2x2"].strength(images)
    np.testing.assert_array_equal(np.load(tmp_path / "strengths.npy"), expected)
