"""Missing needs are reported with a remedy; the test for them never fails."""

from __future__ import annotations

import sys
import types

import pytest

from relattr.errors import BadInput
from relattr.needs import DEEP, Gpu, Packages, needs_of


def test_installed_packages_are_not_missing():
    assert Packages(("json", "numpy", "xml.etree.ElementTree"), "deep").missing() is None


@pytest.mark.parametrize("gone", ["no_such_package", "no_such_package.part", "json.no_such_part", "math.no_such_part"])
def test_a_missing_package_is_named_with_the_install_command(gone):
    assert Packages(("json", gone), "deep").missing() == f"needs the package {gone}: pip install 'relattr[deep]'"


def test_all_missing_packages_are_named():
    assert "needs the package gone_1 and gone_2:" in str(Packages(("gone_1", "json", "gone_2"), "x").missing())


def test_checking_for_a_package_does_not_import_it(tmp_path, monkeypatch):
    (tmp_path / "explosive.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Packages(("explosive",), "x").missing() is None
    assert "explosive" not in sys.modules


def test_a_module_without_spec_counts_as_missing(monkeypatch):
    module = types.ModuleType("made_by_hand")
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    assert "made_by_hand" in str(Packages(("made_by_hand",), "x").missing())


def test_a_gpu_is_detected_with_torch(monkeypatch):
    for available, expected in ((True, None), (False, "needs a GPU, and none is visible")):
        torch = types.ModuleType("torch")
        torch.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
        torch.cuda = types.SimpleNamespace(is_available=lambda available=available: available)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torch", torch)
        assert Gpu().missing() == expected
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    assert Gpu().missing() == "needs a GPU, and none is visible"


def test_packages_and_gpus_have_no_fingerprint():
    assert DEEP.fingerprint() == Gpu().fingerprint() == ""


@pytest.mark.parametrize(
    ("need", "command"),
    [
        (Packages(["gone_1", "json", "gone_2.part"]), "pip install gone_1 gone_2"),
        (Packages(["gone_1"], install=["gone-one"]), "pip install gone-one"),
        (Packages(["gone_1"], extra="not-an-extra-of-relattr"), "pip install gone_1"),
        (Packages(["gone_1"], extra="deep"), "pip install 'relattr[deep]'"),
    ],
)
def test_the_hint_names_what_pip_installs(need, command):
    assert need.missing().endswith(f": {command}")


@pytest.mark.parametrize("needs", ["torch", ["torch"], [Gpu], None, {"torch": 1}, 3])
def test_wrong_needs_are_refused_with_an_example(needs):
    class Wrong:
        name = "wrong"

        def needs(self):
            return needs

    with pytest.raises(BadInput, match=r"needs\(\) of method wrong .*expected a list such as \[Packages"):
        needs_of(Wrong())


def test_a_single_module_is_not_a_list():
    with pytest.raises(BadInput, match=r"such as \['torch'\]"):
        Packages("torch")
