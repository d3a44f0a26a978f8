"""`relattr forget` removes the chosen results and nothing else; `relattr diff` compares what is left."""

import re
import shutil

import pytest
from click.testing import CliRunner

from relattr import BadInput
from relattr.cli import cli


@pytest.fixture
def forget(synthetic):
    for method in ("m", "n"):
        for attribute in ("x", "y"):
            synthetic.add(method, "a", attribute)
    synthetic.add("m", "b", "x", status="failed")

    def invoke(*arguments, **options):
        return CliRunner().invoke(cli, ["forget", *arguments, "--results", str(synthetic.store.folder)], **options)

    return invoke


def left(synthetic):
    return sorted(f"{r.cell.method} {r.cell.dataset} {r.cell.attribute}" for r in synthetic.store)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--methods", "m"], ["n a x", "n a y"]),
        (["--failures"], ["m a x", "m a y", "n a x", "n a y"]),
        (["--status", "ok", "--attributes", "x"], ["m a y", "m b x", "n a y"]),
        (["--methods", "m", "--datasets", "a", "--attributes", "y"], ["m a x", "m b x", "n a x", "n a y"]),
    ],
)
def test_the_chosen_results_are_removed(forget, synthetic, arguments, expected):
    before = left(synthetic)
    assert f"would remove {len(before) - len(expected)} result" in forget(*arguments, "--dry-run").output
    assert left(synthetic) == before
    answered = forget(*arguments, input="n\n")
    assert (answered.exit_code, left(synthetic)) == (1, before)
    assert forget(*arguments, "--yes").exit_code == 0
    assert left(synthetic) == expected
    stems = {path.stem for path in synthetic.store.folder.glob("[ab]/*/*.json")}
    assert {path.stem for path in synthetic.store.folder.glob("[ab]/*/*.npz")} <= stems


def test_without_a_choice_or_an_answer_nothing_is_removed(forget, synthetic):
    before = left(synthetic)
    assert isinstance(forget("--yes").exception, BadInput)
    assert "--yes removes" in str(forget("--failures", input="").exception)
    assert left(synthetic) == before


def test_a_cell_that_is_being_computed_is_left(forget, synthetic):
    running = next(r for r in synthetic.store if r.status == "failed")
    with synthetic.store.lock(running.cell):
        process = forget("--methods", "m", "--yes")
    assert "it is being computed" in process.output
    assert left(synthetic) == ["m b x", "n a x", "n a y"]


def test_diff_writes_its_rows(forget, synthetic, tmp_path):
    out = tmp_path / "diff.csv"
    folder = str(synthetic.store.folder)
    process = CliRunner().invoke(cli, ["diff", folder, folder, "--by-attribute", "--out", str(out)])
    assert process.exit_code == 0, process.output
    assert "4 cells with the same counts in both" in process.output
    assert len(out.read_text().splitlines()) == 1 + 4
    assert isinstance(CliRunner().invoke(cli, ["diff", folder, str(tmp_path / "none")]).exception, BadInput)


def test_diff_names_damaged_results(synthetic, tmp_path):
    for method in ("m", "n"):
        synthetic.add(method, "a", "x")
    shutil.copytree(synthetic.store.folder, tmp_path / "second")
    (damaged,) = (tmp_path / "second").glob("a/n/*.json")
    damaged.write_text("garbage")
    process = CliRunner().invoke(cli, ["diff", str(synthetic.store.folder), str(tmp_path / "second")])
    assert process.exit_code == 0, process.output
    assert process.stderr.startswith(f"left out, not a result: {damaged}: ")
    assert process.stderr.count("\n") == 1
    assert "n on a: 1 cell" in process.stdout


def test_diff_tells_parameters_of_the_dataset_apart(synthetic, tmp_path):
    for seed in (0, 1):
        synthetic.add("m", "a", "x", dataset_parameters={"seed": seed})
    out, folder = tmp_path / "diff.csv", str(synthetic.store.folder)
    process = CliRunner().invoke(cli, ["diff", folder, folder, "--out", str(out)])
    assert process.exit_code == 0, process.output
    for text in (process.output, out.read_text()):
        assert all(len(re.findall(rf"\ba\.seed={seed}\b", text)) == 1 for seed in (0, 1)), text


def test_diff_of_folders_without_a_shared_cell_says_so(forget, synthetic, tmp_path):
    (tmp_path / "none").mkdir()
    process = CliRunner().invoke(cli, ["diff", str(synthetic.store.folder), str(tmp_path / "none")])
    assert process.output.startswith("No cell is in both folders.\nonly in ")


@pytest.mark.parametrize("status", ["failed", "timeout", "skipped", "blocked"])
def test_diff_counts_cells_without_a_number_in_both(synthetic, status):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute, status=status)
    folder = str(synthetic.store.folder)
    process = CliRunner().invoke(cli, ["diff", folder, folder])
    assert process.output == (
        "0 cells with the same counts in both.\n2 cells without a number, with the same status in both.\n"
    )
