"""Messages of errors."""

import pickle

import pytest

from relattr.errors import MAYBE_PLUGIN, UnknownName


def test_an_unknown_name_lists_a_screen_of_names():
    few = UnknownName("method", "zzz", ["b", "a"])
    assert str(few) == "no method is called 'zzz'; known: a, b"
    many = str(UnknownName("backbone", "zzz", [f"net{k:04}" for k in range(1300)]))
    assert "net0059 and 1,240 others" in many
    assert "net0060" not in many


@pytest.mark.parametrize(
    ("name", "known", "suggested"),
    [
        ("siamse", ["siamese", "chance"], "siamese"),
        ("ranksvm-hog", ["ranksvm-hog2x2", "ranksvm-gist", "siamese"], "ranksvm-hog2x2"),
        ("tiny-torch", ["linear-color-patches", "chance", "linear-gist"], ""),
        ("my-method", ["linear-decaf", "best-place", "chance"], ""),
        ("zzz", ["a"], ""),
    ],
)
def test_only_a_name_that_may_be_meant_is_suggested(name, known, suggested):
    error = UnknownName("method", name, known, MAYBE_PLUGIN)
    hints = str(error).removeprefix(f"no method is called {name!r}; ")
    if suggested:
        assert hints.startswith(f"did you mean {suggested}")
    else:
        assert hints == f"{MAYBE_PLUGIN}; known: {', '.join(sorted(known))}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
