"""A wheel and an editable install behave the same: built, installed in another environment, and run there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "RELATTR_", "COV_"))
    }
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=3600,  # a minute or two on a quiet machine; on a crowded one the cells have limits of their own
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "relattr"
    # from a copy of what git tracks: a build leaves files beside the sources, and untracked ones must not be needed
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--installer", "uv", "--outdir", out, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_contains_exactly_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {f"relattr/{p.relative_to(ROOT / 'relattr')}" for p in (ROOT / "relattr").rglob("*") if is_packaged(p)}
    for folder in ("methods", "datasets", "benchmarks", "paper_tables"):
        expected |= {
            f"relattr/{p.relative_to(ROOT)}"
            for p in (ROOT / folder).rglob("*")
            if is_packaged(p) and p.parts[len(ROOT.parts) + 1] not in ("speed", "studies")
        }
    assert names == expected


def is_packaged(path: Path) -> bool:
    kinds = {".py", ".toml", ".csv", ".bib", ".jinja", ".txt", ".typed", ".json", ".safetensors"}
    return path.is_file() and (path.suffix in kinds or path.name == "py.typed") and "__pycache__" not in path.parts


@pytest.mark.slow
def test_the_installed_wheel_runs_the_quick_benchmark(wheel: Path, tmp_path: Path) -> None:
    environment, work = tmp_path / "fresh", tmp_path / "work"
    work.mkdir()
    constraints = {"UV_CONSTRAINT": str(ROOT / "constraints.txt")}
    run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, environment, cwd=work)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, f"{wheel}[deep]", cwd=work, **constraints)
    relattr = environment / "bin" / "relattr"
    folders = {"RELATTR_CACHE": str(tmp_path / "cache"), "RELATTR_OFFLINE": "1"}

    where = run(python, "-c", "import relattr.methods.ranksvm as m; print(m.__file__)", cwd=work)
    assert Path(where.strip()).is_relative_to(environment)
    there = run(relattr, "list", "methods", cwd=work, **folders)
    here = run(Path(sys.executable).with_name("relattr"), "list", "methods", cwd=ROOT, **folders)
    assert there == here

    # one method of each kind, on one attribute: the whole of it is the first command of the README
    some = [f"--methods={m}" for m in ("chance", "ranksvm-hog2x2", "parikh-grauman-cnn", "viralnet-c")]
    command: list[str | Path] = [relattr, "run", "quick", "--attributes", "local", *some]
    shown = run(*command, cwd=work, **folders)
    assert "RankSVM" in shown
    assert "4 cells computed, 0 already available" in shown
    assert "0 cells computed" in run(*command, cwd=work, **folders)
    run(relattr, "tables", "quick", "--out", "tables", cwd=work, **folders)
    assert (work / "tables" / "quick.tex").read_text().count(r"\toprule") == 1
