"""Weights are searched for in the documented order, verified and fingerprinted; missing weights are explained."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from relattr.backbones import names
from relattr.backbones.torchvision_files import DOWNLOADS, FILES
from relattr.backbones.weights import MissingWeights, PretrainedWeights, WeightsFile, fetch_weights, find_weights
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.system import digests


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    for variable, name in (("RELATTR_WEIGHTS", "weights"), ("RELATTR_CACHE", "cache"), ("TORCH_HOME", "torch")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.delenv("RELATTR_OFFLINE", raising=False)
    return tmp_path


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hub_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, digits: str) -> Path:
    """A file in torch's cache, registered as the weights of alexnet."""
    name = f"alexnet-owt-{digits}.pth"
    monkeypatch.setitem(FILES, "alexnet", name)
    return write(tmp_path / "torch/hub/checkpoints" / name, content)


def test_the_weights_folder_precedes_the_hub_cache(tmp_path, monkeypatch):
    content = b"from the hub"
    hub = hub_file(tmp_path, monkeypatch, content, hashlib.sha256(content).hexdigest()[:8])
    assert find_weights("alexnet") == WeightsFile(hub, "torch hub cache")
    local = write(tmp_path / "weights/alexnet.safetensors", b"local")
    assert find_weights("alexnet") == WeightsFile(local, "weights folder")
    assert find_weights("torchvision:alexnet") == WeightsFile(local, "weights folder")


def test_a_hub_file_with_another_hash_is_refused(tmp_path, monkeypatch):
    path = hub_file(tmp_path, monkeypatch, b"not what it says", "7be5be79")
    with pytest.raises(BadInput, match=r"damaged.*7be5be79") as error:
        find_weights("alexnet")
    assert str(path) in str(error.value)
    assert str(path) in (PretrainedWeights("alexnet").missing() or "")


def test_the_hugging_face_cache_is_searched(tmp_path):
    known = names.resolve_backbone("timm:resnet18")
    folder = tmp_path / "hf" / f"models--{known.hf_repo.replace('/', '--')}"
    write(folder / "refs/main", b"0123456789abcdef0123456789abcdef01234567")
    path = write(folder / "snapshots/0123456789abcdef0123456789abcdef01234567" / known.hf_file, b"tensors")
    assert find_weights("timm:resnet18") == WeightsFile(path, "hugging face cache")


def test_shadowed_timm_names_have_separate_files(tmp_path):
    assert names.resolve_backbone("resnet18").library == "torchvision"
    assert names.resolve_backbone("timm:resnet18").file_stem == "timm-resnet18"
    assert names.resolve_backbone("vit_tiny_patch16_224").library == "timm"
    assert names.resolve_backbone("vit_tiny_patch16_224").file_stem == "vit_tiny_patch16_224"


def test_missing_weights_offline_are_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_OFFLINE", "1")
    reason = PretrainedWeights("alexnet").missing()
    assert reason is not None
    for part in ("alexnet.safetensors", str(tmp_path / "weights"), FILES["alexnet"], DOWNLOADS, "RELATTR_OFFLINE"):
        assert part in reason
    with pytest.raises(Blocked, match=r"alexnet\.safetensors"):
        fetch_weights("alexnet")
    assert not (tmp_path / "torch").exists()


def test_a_failed_download_blocks(tmp_path, monkeypatch):
    assert PretrainedWeights("alexnet").missing() is None
    monkeypatch.setattr(names, "DOWNLOADS", (tmp_path / "nowhere").as_uri() + "/")
    with pytest.raises(Blocked, match=r"alexnet\.safetensors.*nowhere"):
        fetch_weights("alexnet")


def test_a_download_is_verified_and_cached(tmp_path, monkeypatch):
    content = b"the weights"
    digits = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setitem(FILES, "alexnet", f"alexnet-owt-{digits}.pth")
    served = write(tmp_path / "server" / f"alexnet-owt-{digits}.pth", content)
    monkeypatch.setattr(names, "DOWNLOADS", served.parent.as_uri() + "/")
    file = fetch_weights("alexnet")
    assert file.place == "torch hub cache"
    assert file.path.read_bytes() == content

    wrong = write(tmp_path / "server" / "alexnet-owt-00000000.pth", content)
    monkeypatch.setitem(FILES, "alexnet", wrong.name)
    with pytest.raises(Blocked, match="SHA-256"):
        fetch_weights("alexnet")
    assert [path.name for path in (tmp_path / "torch/hub/checkpoints").iterdir()] == [served.name]


def test_caffenet_has_no_download(tmp_path):
    reason = PretrainedWeights("caffenet").missing()
    assert reason is not None
    assert "caffenet.safetensors" in reason
    assert "cannot be downloaded" in reason
    assert isinstance(find_weights("caffenet"), MissingWeights)


def test_the_fingerprint_is_the_cached_sha256(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_MIN_AGE", 0.0)
    path = write(tmp_path / "weights/vgg16.safetensors", b"a" * 1000)
    expected = hashlib.sha256(b"a" * 1000).hexdigest()
    assert PretrainedWeights("vgg16").fingerprint() == expected
    monkeypatch.setattr(digests, "digest_file", lambda *arguments: pytest.fail("hashed again"))
    assert PretrainedWeights("vgg16").fingerprint() == expected
    monkeypatch.undo()
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "cache"))
    write(path, b"b" * 1001)
    assert PretrainedWeights("vgg16").fingerprint() == hashlib.sha256(b"b" * 1001).hexdigest()


def test_a_damaged_digest_cache_is_recomputed(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_MIN_AGE", 0.0)
    write(tmp_path / "weights/vgg16.safetensors", b"a")
    expected = PretrainedWeights("vgg16").fingerprint()
    (cached,) = (tmp_path / "cache/digests").iterdir()
    for damage in ("", "{}", json.dumps({"sha256": 3}), json.dumps({"sha256": "xyz"})):
        cached.write_text(damage)
        assert PretrainedWeights("vgg16").fingerprint() == expected


def test_the_fingerprint_of_missing_weights_names_the_file():
    assert PretrainedWeights("alexnet").fingerprint() == f"undownloaded:{FILES['alexnet']}"
    assert PretrainedWeights("caffenet").fingerprint() == "undownloaded:caffenet"


def test_an_unknown_name_suggests_similar_names():
    for call in (
        find_weights,
        lambda name: PretrainedWeights(name).missing(),
        lambda name: PretrainedWeights(name).fingerprint(),
    ):
        with pytest.raises(UnknownName, match="'alexnett'; did you mean alexnet"):
            call("alexnett")
    with pytest.raises(UnknownName, match="library of backbones"):
        find_weights("torchvison:alexnet")
    with pytest.raises(UnknownName, match="torchvision backbone"):
        find_weights("torchvision:resnet18d")


def test_a_registered_backbone_reports_its_weights():
    names.register_backbone(
        "tiny-test", build=lambda: pytest.fail("built"), fingerprint=lambda: "tiny:1", missing=lambda: "no disk"
    )
    try:
        assert PretrainedWeights("tiny-test").missing() == "no disk"
        assert PretrainedWeights("tiny-test").fingerprint() == "tiny:1"
        with pytest.raises(BadInput, match="registered backbone"):
            find_weights("tiny-test")
        for taken in ("tiny-test", "alexnet", "caffenet"):
            with pytest.raises(BadInput, match="already used by"):
                names.register_backbone(taken, build=lambda: None, fingerprint=str)
    finally:
        names.unregister_backbone("tiny-test")
    with pytest.raises(BadInput, match="printable text"):
        names.register_backbone("a:b", build=lambda: None, fingerprint=str)


def test_the_list_of_files_matches_torchvision():
    from torchvision import models

    available = set(models.list_models(module=models))
    common = available & set(FILES)
    assert len(common) >= 75  # most networks are in both
    for name in common:
        assert models.get_model_weights(name).DEFAULT.url == DOWNLOADS + FILES[name]


def test_planning_imports_no_torch(tmp_path):
    code = (
        "import sys; from relattr.backbones.weights import PretrainedWeights; import relattr.backbones.micro;"
        "w = PretrainedWeights('alexnet'); w.missing(); w.fingerprint();"
        "heavy = {'torch', 'torchvision', 'timm', 'numpy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
