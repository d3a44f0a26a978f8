"""Short labels: what all rows share is stated once, and each row says what tells it apart."""

from hypothesis import given
from hypothesis import strategies as st

from relattr.report.tables.row_labels import RowParameters, settle_labels

DEFAULTS = {"rate": 1, "backbone": "a", "folds": 5}


def row(method, known_defaults=True, **changes):
    values = {**DEFAULTS, **changes}
    changed = {name: value for name, value in values.items() if DEFAULTS[name] != value} if known_defaults else {}
    return RowParameters(method, values, changed, known_defaults)


def test_what_all_methods_share_is_stated_once():
    settings = settle_labels([row("m", backbone="b"), row("n", backbone="b", folds=7, rate=3)])
    assert settings.common[0] == "backbone=b"
    assert "backbone" not in "".join(settings.rows)


def test_a_value_that_some_methods_have_stands_beside_them():
    settings = settle_labels([row("m", backbone="b"), row("n", backbone="b"), row("o")])
    assert settings.common == ()
    assert settings.rows == ("backbone=b", "backbone=b", "")


def network(method, backbone, changed=False):
    """A row whose numbers depend on the weights of a backbone; ``changed``: not the benchmark's."""
    values = {"backbone": backbone}
    return RowParameters(method, values, values if changed else {}, backbone=backbone)


def test_the_backbone_is_stated_also_where_it_is_the_default():
    without = RowParameters("hog", {"C": 1, "backbone": "z"})  # features without a network
    shared = settle_labels([network("m", "a"), network("n", "a"), without])
    assert (shared.common, shared.rows) == (("backbone=a",), ("", "", ""))
    one_differs = settle_labels([network("m", "a"), network("n", "a"), network("n", "b", changed=True), without])
    assert one_differs.common == ("backbone=a where no other is named",)
    assert one_differs.rows == ("", "", "backbone=b", "")
    all_differ = settle_labels([network("m", "a"), network("o", "b"), without])
    assert (all_differ.common, all_differ.rows) == ((), ("backbone=a", "backbone=b", ""))


def test_many_parameters_of_one_method_are_left_to_the_notes():
    other = {f"p{k}": k for k in range(12)}
    chains = RowParameters("chains", {**DEFAULTS, **other}, other)
    assert settle_labels([chains, row("m")]) == settle_labels([RowParameters("chains", DEFAULTS), row("m")])


def test_rows_of_a_plugin_that_is_not_loaded_are_told_apart():
    settings = settle_labels([row("gone", False, rate=1), row("gone", False, rate=2), row("m")])
    assert settings.rows == ("rate=1", "rate=2", "")


changes = st.fixed_dictionaries({}, optional={"rate": st.integers(1, 3), "backbone": st.sampled_from("ab")})


@given(st.lists(st.tuples(st.sampled_from("mno"), changes), max_size=6, unique_by=repr), st.booleans())
def test_rows_of_one_method_have_different_settings(variants, known):
    rows = [row(method, known, **of_row) for method, of_row in variants]
    rows = list({(r.method, repr(sorted(r.values.items()))): r for r in rows}.values())
    labels = [(r.method, setting) for r, setting in zip(rows, settle_labels(rows).rows, strict=True)]
    assert len(set(labels)) == len(rows)
