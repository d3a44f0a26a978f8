"""Commands and functions that read results show those of the chosen seeds, and no others."""

import csv
import json
import re
import shutil

import pytest
from click.testing import CliRunner

import relattr
from relattr import BadInput, UnknownName
from relattr.cli import cli

BENCHMARK = """
title = "Synthetic"
methods = ["m"]
datasets = ["a"]
seeds = [0, 1]
[table]
caption = ""
columns = [{ label = "A", dataset = "a", attribute = "x" }]
"""
CHOICES = [[1], [2], [0, 2], [0, 1, 2]]


@pytest.fixture
def percent(synthetic, tmp_path, monkeypatch):
    """The accuracy of each of three seeds, whose results are in the folder ``results``."""
    monkeypatch.setattr(shutil, "which", lambda program: None)  # no PDF
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text(BENCHMARK)
    results = [synthetic.add("m", "a", "x", seed=seed) for seed in range(3)]
    accuracies = [100 * result.tests[0].accuracy for result in results]
    assert len(set(accuracies)) == 3
    return accuracies


def command(*arguments, seeds):
    outcome = CliRunner().invoke(cli, [*arguments, *(word for seed in seeds for word in ("--seeds", str(seed)))])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def mean(values, chosen):
    return sum(values[k] for k in chosen) / len(chosen)


@pytest.mark.parametrize("seeds", CHOICES, ids=str)
def test_a_table_has_the_mean_over_the_chosen_seeds(percent, tmp_path, seeds):
    output = command("tables", "bench.toml", "--out", "out", "--no-audit", seeds=seeds)
    (row,) = csv.DictReader((tmp_path / "out" / "bench.csv").read_text().splitlines())
    assert float(row["measured_percent"]) == pytest.approx(mean(percent, seeds), abs=1e-3)
    assert int(row["n_seeds"]) == len(seeds)
    assert f"Settings: seeds={','.join(map(str, seeds))}." in output  # those of the benchmark are 0 and 1
    assert "missing" not in output  # what was not chosen was run
    assert relattr.table("bench.toml", seeds=seeds)["measured"].item() == pytest.approx(mean(percent, seeds))


def test_all_seeds_are_shown_without_a_choice(percent, tmp_path):
    assert "Settings" not in command("tables", "bench.toml", "--out", "out", "--no-audit", seeds=[])
    assert "Settings" not in command("tables", "bench.toml", "--out", "out", "--no-audit", seeds=[0, 1])
    assert relattr.table("bench.toml")["measured"].item() == pytest.approx(mean(percent, range(3)))


@pytest.mark.parametrize("seeds", CHOICES, ids=str)
def test_lists_and_files_have_the_chosen_seeds(percent, tmp_path, seeds):
    command("export", "bench.toml", "--out", "out.csv", seeds=seeds)
    rows = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert sorted(int(row["seed"]) for row in rows) == seeds
    assert sorted(relattr.results("results", seeds=seeds)["seed"]) == seeds
    command("release", "out.jsonl", seeds=seeds)
    records = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert sorted({record["seed"] for record in records if record.get("seed") is not None}) == seeds
    assert sorted(map(int, re.findall(r" seed (\d)", command("status", seeds=seeds)))) == seeds
    assert re.search(rf" {len(seeds)}$", command("diff", "results", "results", seeds=seeds), re.M)
    command("report", "bench.toml", "--out", "out.html", "--no-audit", seeds=seeds)
    page = (tmp_path / "out.html").read_text()
    assert page == relattr.report_page("bench.toml", seeds=seeds, audit=False).html
    assert sorted(set(map(int, re.findall(r"seed (\d)", page)))) == seeds


def test_other_choices_are_those_of_the_commands(percent, synthetic):
    synthetic.add("n", "a", "x")
    synthetic.add("n", "b", "y")
    assert relattr.table("bench.toml", methods="n")["key"].tolist() == ["n"]
    assert relattr.table("bench.toml", datasets="b")["column"].tolist() == ["b: y"] * 2
    assert relattr.table("bench.toml", attributes="x")["column"].tolist() == ["A"] * 2
    assert set(relattr.results(methods="n", datasets="b")["attribute"]) == {"y"}
    assert "seed 2" not in relattr.report_page("bench.toml", methods=["n"], audit=False).html
    for name in ("methods", "datasets", "attributes"):
        with pytest.raises(UnknownName, match="nothing"):
            relattr.table("bench.toml", **{name: "nothing"})


def test_a_seed_without_a_result_is_an_error(percent):
    for arguments in (["release", "out.jsonl"], ["export"], ["status"], ["diff", "results", "results"]):
        outcome = CliRunner().invoke(cli, [*arguments, "--seeds", "7"])
        assert str(outcome.exception) == "no seed is called '7'; known: 0, 1, 2", arguments
    for show in (relattr.table, relattr.report_page):
        with pytest.raises(BadInput, match="no results of bench with this selection, but 3 other results on a"):
            show("bench.toml", seeds=7)
