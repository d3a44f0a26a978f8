"""`relattr status` of a folder whose plugins are not loaded."""

import re

import pytest
from click.testing import CliRunner

from relattr import UnknownName
from relattr.cli import cli


@pytest.fixture
def status(synthetic):
    for rate in (1, 2):
        synthetic.add("plain", "a", "x", parameters={"rate": rate})
    synthetic.add("broken", "a", "x", status="failed")

    def invoke(*arguments):
        return CliRunner().invoke(cli, ["status", *arguments, "--results", str(synthetic.store.folder)])

    return invoke


def test_results_of_plugins_that_are_not_loaded_are_shown(status):
    output = status().output
    assert re.search(r"no plugin +broken .*it broke.*not loaded", output)
    for rate in (1, 2):
        assert re.search(rf"no plugin +plain +rate={rate} ", output)
    assert "3 cells: 3 no plugin" in output


def test_parameters_of_the_dataset_tell_results_apart(synthetic, status):
    for seed in (0, 1):
        synthetic.add("plain", "b", "x", dataset_parameters={"n": 1, "seed": seed}, parameters={"rate": 1})
    output = status().output
    for seed in (0, 1):
        assert re.search(rf"no plugin +plain +rate=1, b\.seed={seed} +b/x", output)
    assert "b.n" not in output  # it is the same


def test_only_default_values_of_the_dataset_are_left_out(synthetic, status):
    """Those of an installed dataset are known."""
    for parameters in ({"split": "auto"}, {"split": "held-out"}):
        synthetic.add("chance", "folder", "x", dataset_parameters=parameters)
    output = status("--datasets", "folder").output
    settings = re.findall(r"chance +(folder\.split=\S+ +)?folder/x", output)
    assert sorted(text.strip() for text in settings) == ["", "folder.split=held-out"]


def test_only_what_is_chosen_is_shown(status):
    output = status("--methods", "bro*").output
    assert "broken" in output
    assert "plain" not in output
    assert "2 other results there" in output


@pytest.mark.parametrize("option", ["--methods", "--datasets", "--attributes"])
def test_a_pattern_without_a_match_is_an_error(status, option):
    assert isinstance(status(option, "planet").exception, UnknownName)


def test_two_results_folders_are_refused(status):
    process = status("--results", "other")
    assert process.exit_code == 2
    assert "--results" in process.output
    assert "given 2 times" in process.output
