"""Parameters are checked against their types, from Python and from the command line alike."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from relattr.errors import BadInput, UnknownName
from relattr.method import Method
from relattr.parameters import UnparsedValue, choices_of, create_plugin, types_of, values_of


class Thing(Method):
    number: float = 1.0
    count: int = 2
    flag: bool = False
    text: str = "t"
    loss: Literal["hinge", "logistic"] = "hinge"
    mixed: float | Literal["auto"] = "auto"
    maybe: int | None = None
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] = (1, "a")


def from_command_line(key: str, text: str) -> Any:
    return getattr(create_plugin(Thing, "method", "thing", {key: UnparsedValue(text)}), key)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("number", "2", 2.0),
        ("number", "1e-3", 1e-3),
        ("number", '"2.5"', 2.5),
        ("count", "7", 7),
        ("count", "-7", -7),
        ("flag", "true", True),
        ("flag", "false", False),
        ("flag", '"true"', True),
        ("text", "some words", "some words"),
        ("text", "", ""),
        ("text", '"7"', "7"),
        ("text", "2024", "2024"),
        ("text", "[1]", "[1]"),
        ("loss", "logistic", "logistic"),
        ("mixed", "auto", "auto"),
        ("mixed", "0.1", 0.1),
        ("mixed", "3", 3.0),
        ("maybe", "5", 5),
        ("maybe", "null", None),
        ("sizes", "[3, 4, 5]", (3, 4, 5)),
        ("sizes", "[]", ()),
        ("pair", '[2, "b"]', (2, "b")),
    ],
)
def test_a_command_line_value_is_converted_to_the_type(key, text, value):
    result = from_command_line(key, text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("number", "2", 2.0),
        ("flag", "true", True),
        ("flag", "0", False),
        ("count", "12", 12),
        ("mixed", "auto", "auto"),
        ("mixed", "2", 2.0),
        ("maybe", "4", 4),
        ("maybe", "null", None),
        ("loss", "hinge", "hinge"),
    ],
)
def test_text_is_converted_to_the_type(key, value, same):
    result = getattr(create_plugin(Thing, "method", "thing", {key: value}), key)
    assert result == same
    assert type(result) is type(same)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("number", "much"),
        ("number", "true"),
        ("number", "[1]"),
        ("count", "2.5"),
        ("count", "many"),
        ("flag", "perhaps"),
        ("flag", "2"),
        ("loss", "squared"),
        ("mixed", "automatic"),
        ("maybe", "none at all"),
        ("sizes", "[1, 2.5]"),
        ("sizes", "5"),
        ("pair", "[1]"),
        ("pair", '["b", 1]'),
        ("number", "Infinity"),
        ("number", "nan"),
        ("mixed", "-Infinity"),
    ],
)
def test_an_invalid_value_raises_an_error_that_names_it(key, text):
    with pytest.raises(BadInput, match=rf"method thing: {key}="):
        from_command_line(key, text)


def test_the_error_lists_the_words_that_are_valid():
    with pytest.raises(BadInput, match=r"mixed='b' is not valid: expected a number or auto$"):
        create_plugin(Thing, "method", "thing", {"mixed": "b"})


def test_an_unknown_parameter_suggests_similar_ones():
    with pytest.raises(UnknownName, match=r"parameter of method thing.*'numbr'.*did you mean number"):
        create_plugin(Thing, "method", "thing", {"numbr": 1})


@pytest.mark.parametrize("key", ["name", "uses_scores", "fit", "strength"])
def test_other_attributes_cannot_be_set(key):
    with pytest.raises(UnknownName):
        create_plugin(Thing, "method", "thing", {key: 1})


def test_a_parameter_without_default_is_required():
    class Needy(Method):
        size: int

    with pytest.raises(BadInput, match="parameter size has no default"):
        create_plugin(Needy, "method", "needy", {})
    assert create_plugin(Needy, "method", "needy", {"size": 3}).size == 3


def test_parameters_are_inherited_without_class_variables():
    class More(Thing):
        number: int = 5  # type: ignore[assignment]
        extra: str = "x"

    assert set(types_of(More)) == {*types_of(Thing), "extra"}
    assert types_of(More)["number"] is int
    assert "uses_scores" not in types_of(More)


def test_values_of_returns_the_given_values():
    values = {
        "number": 2.5,
        "count": 3,
        "flag": True,
        "text": "x",
        "loss": "logistic",
        "mixed": 4.0,
        "maybe": 6,
        "sizes": (7,),
        "pair": (1, "b"),
    }
    plugin = create_plugin(Thing, "method", "thing", values)
    again = create_plugin(Thing, "method", "thing", values_of(plugin))
    assert values_of(again) == values_of(plugin)
    assert {key: getattr(again, key) for key in values} == values


def test_values_survive_a_round_trip_through_json():
    plugin = create_plugin(Thing, "method", "thing", {"sizes": [3, 4]})
    assert values_of(plugin)["sizes"] == [3, 4]  # and no tuple, which would differ from what a row says
    for number in (float("inf"), float("nan")):  # JSON has neither: a row could not say which it was
        with pytest.raises(BadInput, match="finite"):
            create_plugin(Thing, "method", "thing", {"number": number})
    values = values_of(create_plugin(Thing, "method", "thing", {}))
    assert json.loads(json.dumps(values)) == values


def test_instances_do_not_share_mutable_values():
    plugin = create_plugin(Thing, "method", "thing", {"sizes": [1]})
    assert plugin.sizes == (1,)
    assert create_plugin(Thing, "method", "thing", {}).sizes == (1, 2)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 100_000, '{"a":' * 50_000])
def test_a_value_without_end_is_an_error_of_one_line(text):
    with pytest.raises(BadInput, match="not valid") as error:
        create_plugin(Thing, "method", "thing", {"number": UnparsedValue(text)})
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Literal["a", "b"], "one of a, b"),
        (Literal["a", "b"] | None, "one of a, b"),
        (float | Literal["auto"], "a number or auto"),
        (float, ""),
        (str | None, ""),
    ],
)
def test_the_words_that_a_parameter_takes_are_listed(kind, text):
    assert choices_of(kind) == text
