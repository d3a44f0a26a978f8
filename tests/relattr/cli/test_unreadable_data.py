"""Own photographs that cannot be read are one error before the cells, not one in each cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import relattr
from relattr.cli import cli
from relattr.errors import BadInput

N = 30


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    for k in range(N):
        Image.fromarray(np.full((40, 40, 3), 8 * k, np.uint8)).save(tmp_path / "my photos" / f"{k:02}.png")
    rows = [f"{k:02}.png,{k},{attribute}" for attribute in ("a", "b") for k in range(N)]
    (tmp_path / "my photos" / "o.csv").write_text("\n".join(["image,score,attribute", *rows]))
    return tmp_path / "my photos"


def run(*methods: str) -> Result:
    chosen = [word for method in methods for word in ("--methods", method)]
    return CliRunner().invoke(cli, ["run", "own", "--data", "my photos", *chosen, "--backend", "inline", "--quiet"])


@pytest.mark.parametrize("broken", [[0], [7], [3, 8, 11, 20, 29], [*range(N)]], ids=str)
def test_photographs_that_cannot_be_read_are_counted_first(data: Path, broken: list[int]) -> None:
    for k in broken:
        (data / f"{k:02}.png").write_bytes(b"no image")
    outcome = run("chance", "linear-color-histogram")
    message = str(outcome.exception)
    assert isinstance(outcome.exception, BadInput)
    assert message.startswith(f"{len(broken)} of {N} photographs cannot be read: ")
    assert all(f"{k:02}.png is not an image" in message for k in broken[:3])
    assert ("more" in message) == (len(broken) > 3)
    assert f"relattr data verify folder --data '{data}' lists them" in message
    assert not list(Path("results").rglob("*.json"))
    with pytest.raises(BadInput) as caught:
        relattr.run("own", data=data, methods="linear-color-histogram", backend="inline", verbose=False)
    assert str(caught.value) == message


def test_methods_without_pixels_run_on_them(data: Path) -> None:
    (data / "00.png").write_bytes(b"no image")
    outcome = run("chance")
    assert outcome.exit_code == 0, outcome.exception
    assert "14 cells computed" in outcome.output
