"""``relattr category-network`` trains on the categories of a dataset and writes one file."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from relattr import BadInput
from relattr.backbones import micro_net
from relattr.backbones import names as backbones
from relattr.cli import cli


@pytest.fixture(autouse=True)
def tiny():
    preprocessing = backbones.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    build = lambda: micro_net.MicroNet(4)  # noqa: E731
    backbones.register_backbone(
        "tiny", build=build, untrained=build, fingerprint=lambda: "tiny", preprocessing=preprocessing
    )
    yield
    backbones.unregister_backbone("tiny")


def test_the_file_says_what_the_network_was_trained_on(tmp_path):
    from relattr.training.category_network import read_category_network_record

    path = tmp_path / "glyphs.safetensors"
    options = ["--backbone", "tiny", "--preset", "fast", "--updates", "2", "--set", "n_train=30", "--set", "size=64"]
    result = CliRunner().invoke(cli, ["category-network", "glyphs", str(path), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    record = read_category_network_record(path)
    assert (record.backbone, record.dataset, record.standardise) == ("tiny", "glyphs", False)
    assert record.trained_on.startswith("glyphs/")
    assert "30 images" in record.trained_on
    assert f"{len(record.categories)} categories ({', '.join(record.categories)})" in result.output
    assert record.fingerprint[:16] in result.output


def test_a_file_that_cannot_be_written_comes_first(tmp_path, monkeypatch):
    from relattr.training import category_network

    monkeypatch.setattr(category_network, "fit_category_network", lambda *_, **__: pytest.fail("it was trained"))
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.safetensors"
    options = ["--backbone", "tiny", "--set", "n_train=30", "--set", "size=64"]
    result = CliRunner().invoke(cli, ["category-network", "glyphs", str(path), *options])
    assert isinstance(result.exception, BadInput)
    assert str(path) in str(result.exception)


def test_a_dataset_without_categories_is_refused(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(cli, ["category-network", *arguments], catch_exceptions=True).exception

    error = run("glyphs", str(tmp_path / "a.safetensors"), "--attribute", "beauty")
    assert isinstance(error, BadInput)
    assert "glyphs has no task with attribute beauty" in str(error)
