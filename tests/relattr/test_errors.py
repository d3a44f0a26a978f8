"""Messages of errors."""

from relattr.errors import UnknownName


def test_an_unknown_name_lists_a_screen_of_names():
    few = UnknownName("method", "zzz", ["b", "a"])
    assert str(few) == "no method is called 'zzz'; known: a, b"
    many = str(UnknownName("backbone", "zzz", [f"net{k:04}" for k in range(1300)]))
    assert "net0059 and 1,240 others" in many
    assert "net0060" not in many
