"""``relattr list backbones``: one line a network; with a name, all about it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.cli.list import command


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg11.safetensors").write_bytes(b"x" * 1_250_000)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, ["backbones", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_one_line_a_network():
    lines = {line.split()[0]: line.split("  ") for line in run().splitlines()}
    words = {name: [word.strip() for word in line if word.strip()] for name, line in lines.items()}
    assert words["vgg11"] == [
        "vgg11",
        "here",
        "weights folder",
        "1.2 MB",
        "132.9 million",
        "69.0 % (torchvision)",
        "224 px",
    ]
    assert words["alexnet"][1:4] == ["not here", "download", "244.4 MB"]
    assert words["tf_efficientnet_lite1"][-3:] == ["5.4 million", "76.6 % (timm)", "240 px"]
    assert words["caffenet"][-3:] == ["61.0 million", "–", "227 px"]
    assert words["micro"][1:3] == ["here", "file of its plugin"]


def test_details_say_how_to_get_the_weights():
    text = run(DEFAULT_BACKBONE, "alexnet")
    first, second = text.split("\nalexnet\n")
    assert "of every method that is not tied to another" in first
    assert "4,652,008" in first
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in second
    assert "of every method" not in second
