"""What to cite."""

import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner

import relattr
from relattr import UnknownName
from relattr.cli import cli
from relattr.report.bibliography import ALWAYS, bibliography


def keys(text):
    return re.findall(r"^@\w+\{([^,]+),", text, re.M)


def test_every_method_and_dataset_of_a_paper_is_cited_once(plugins):
    everything = bibliography([*plugins.methods, *plugins.constants], plugins.datasets, plugins)
    assert len(set(keys(everything))) == len(keys(everything))
    always = bibliography([], [], plugins)
    assert keys(always) == list(ALWAYS)
    assert f"version = {{{relattr.__version__}}}" in always
    assert "cited-for" not in everything
    own = ("best-place", "chance", "regression", "siamese")  # of no single paper
    for name in (*plugins.methods, *plugins.constants):
        if not name.startswith(own):
            cited = keys(bibliography([name], [], plugins))
            assert len(cited) > len(ALWAYS) or name.startswith("viralnet-"), name


def test_names_select_entries():
    output = CliRunner().invoke(cli, ["cite", "visual-chains", "osr"]).output
    assert keys(output) == [
        *ALWAYS,
        "xiao2015discovering",
        "tan2019efficientnet",
        "oliva2001modeling",
        "parikh2011relative",
    ]
    assert "khosla2014makes" in keys(CliRunner().invoke(cli, ["cite", "table2"]).output)
    assert isinstance(CliRunner().invoke(cli, ["cite", "visual-chain"]).exception, UnknownName)


def test_a_comment_says_what_an_entry_is_cited_for(plugins):
    text = bibliography(["ranksvm-cnn", "ranksvm-hog2x2"], ["glyphs", "osr"], plugins)
    entries = dict(re.findall(r"^% (.*)\n@\w+\{([^,]+),", text, re.M))
    by_key = {key: names for names, key in entries.items()}
    assert by_key["tan2019efficientnet"] == "ranksvm-cnn"  # its default backbone; HOG needs none
    assert by_key["joachims2002optimizing"] == "ranksvm-cnn, ranksvm-hog2x2"
    assert by_key["oliva2001modeling"] == "osr"
    assert not set(ALWAYS) & set(by_key)


def test_a_dataset_or_benchmark_has_entries_of_its_own():
    for name, key in (("pubfig", "kumar2009attribute"), ("scores", "liang2018scut")):
        assert key in keys(CliRunner().invoke(cli, ["cite", name]).output)
        assert key not in keys(CliRunner().invoke(cli, ["cite", "osr-shipped", "folder"]).output)


def test_networks_cite_their_loss_and_their_transformer(plugins):
    loss, transformer = "burges2005learning", "jaderberg2015spatial"
    assert loss in keys(bibliography(["siamese"], [], plugins))
    assert {loss, transformer} <= set(keys(bibliography(["viralnet-m"], [], plugins)))
    assert not {loss, transformer} & set(keys(bibliography(["regression"], [], plugins)))


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="bibtex is not installed")
def test_bibtex_reads_every_entry(plugins, tmp_path):
    text = bibliography(plugins.methods, plugins.datasets, plugins)
    (tmp_path / "references.bib").write_text(text)
    aux = [r"\bibstyle{plain}", r"\bibdata{references}", *(rf"\citation{{{key}}}" for key in keys(text))]
    (tmp_path / "paper.aux").write_text("\n".join(aux))
    process = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "error" not in process.stdout.lower(), process.stdout


ENTRY = "@misc{leaves, title = {Leaves {and} trees}}"
CITATIONS = {
    "one line": (ENTRY, ENTRY),
    "indented": (
        """
        @misc{leaves,
          title = {Leaves},
        }
        """,
        "@misc{leaves,\n  title = {Leaves},\n}",
    ),
    "beside text": (f"Please cite {ENTRY} and us.", ENTRY),
    "text": ("Drawn by\nme@example.org.", "% leaves: Drawn by me(at)example.org."),
    "damaged": ("@misc{leaves, title = {Leaves}", "% leaves: (at)misc{leaves, title = {Leaves}"),
}


@pytest.mark.parametrize("kind", CITATIONS)
def test_a_plugin_is_cited_as_it_states(tmp_path, kind, own_registry):
    citation, expected = CITATIONS[kind]
    write_dataset(tmp_path, citation)
    outcome = CliRunner().invoke(cli, ["cite", "leaves", "--plugins", str(tmp_path)])
    assert expected in outcome.stdout
    assert outcome.stdout.count("leaves") >= 1
    assert outcome.stderr == ""
    assert outcome.stdout.count("@") == len(keys(outcome.stdout))  # BibTeX takes every other one for an entry


def test_names_without_a_citation_are_listed(tmp_path, own_registry):
    write_dataset(tmp_path, "")
    outcome = CliRunner().invoke(cli, ["cite", "chance", "osr", "leaves", "--plugins", str(tmp_path)])
    assert outcome.exit_code == 0
    assert outcome.stderr == "nothing else to cite for chance, leaves\n"
    assert CliRunner().invoke(cli, ["cite"]).stderr == ""


def write_dataset(folder, citation):
    (folder / "leaves.py").write_text(
        "from relattr import Dataset, register_dataset\n\n\n@register_dataset('leaves', label='Leaves')\n"
        f"class Leaves(Dataset):\n    '''Leaves.'''\n\n    citation = {citation!r}\n"
    )
