"""Repositories as people name them, offline: the catalogue's model and the file that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan import api
from gyakusan.catalog import repositories
from gyakusan.catalog.artifacts import artifacts
from gyakusan.core.load import Load
from gyakusan.errors import BadReference, BadSetting, SourceError, UnknownName
from gyakusan.models import load, published_quantization, resolve
from gyakusan.models.sources import http


@pytest.fixture(autouse=True)
def nothing_cached_and_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("open", "document"):
        monkeypatch.setattr(http, name, never)


QWEN = "unsloth/Qwen3.6-27B-GGUF"


@pytest.mark.parametrize(
    ("text", "model", "quantization"),
    [
        (f"{QWEN}:Q4_K_M", "qwen3.6-27b", "Q4_K_M"),
        (f"{QWEN.lower()}:q6_k", "qwen3.6-27b", "Q6_K"),
        (QWEN, "qwen3.6-27b", "Q4_K_M"),
        (f"hf.co/{QWEN}:UD-Q4_K_XL", "qwen3.6-27b", "UD-Q4_K_XL"),
        (f"huggingface.co/{QWEN}:Q8_0", "qwen3.6-27b", "Q8_0"),
        (f"https://huggingface.co/{QWEN}", "qwen3.6-27b", "Q4_K_M"),
        (f"https://huggingface.co/{QWEN}/tree/main", "qwen3.6-27b", "Q4_K_M"),
        (f"https://hf.co/{QWEN}/blob/main/Qwen3.6-27B-Q5_K_M.gguf?download=true", "qwen3.6-27b", "Q5_K_M"),
        (f"{QWEN}:Qwen3.6-27B-Q6_K.gguf", "qwen3.6-27b", "Q6_K"),
        (f"-hf {QWEN}:Q4_K_M", "qwen3.6-27b", "Q4_K_M"),
        ("-hf ggml-org/gpt-oss-20b-GGUF:MXFP4", "gpt-oss-20b", "MXFP4_MOE"),
        ("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b", "MXFP4_MOE"),
        ("hf:ggml-org/gpt-oss-20b-GGUF", None, ""),
    ],
)
def test_gguf(text: str, model: str | None, quantization: str) -> None:
    if model is None:  # hf: asks the network
        with pytest.raises(SourceError, match="network is switched off"):
            load(text, offline=True)
        return
    found = load(text, offline=True)
    assert (found.source, found.quantization) == (f"catalog:{model}", quantization)


def test_a_named_quantisation_wins() -> None:
    assert load(f"{QWEN}:Q4_K_M", "Q8_0").quantization == "Q8_0"


@pytest.mark.parametrize(
    ("text", "engine", "device", "name"),
    [
        ("Qwen/Qwen3.6-27B-FP8", "vllm", "H100 80GB SXM", "FP8"),
        ("Qwen/Qwen3-8B-AWQ", "vllm", "RTX 4090", "AWQ"),
        ("mlx-community/Qwen3.6-27B-4bit", "mlx", "M4 Max 128GB", "4bit"),
        (f"{QWEN}:UD-Q4_K_XL", "llama.cpp", "RTX 4090", "UD-Q4_K_XL"),
        ("Qwen/Qwen3-8B", "llama.cpp", "RTX 4090", "Q4_K_M"),
    ],
)
def test_a_checkpoint_has_its_own_format(text: str, engine: str, device: str, name: str) -> None:
    found = api.deployment(text, load=Load(1, 8192), device=device, server=engine)
    assert found.quantization == name
    assert found.model.source.startswith("catalog:qwen3")


def test_a_checkpoint_of_another_engine() -> None:
    with pytest.raises(BadSetting, match="AWQ is a format of vLLM: add --engine vllm"):
        api.deployment("Qwen/Qwen3-8B-AWQ", load=Load(1, 8192), device="RTX 4090")


def test_a_tag_that_the_repository_has_not() -> None:
    with pytest.raises(BadReference, match=r'has no "MXFP4_MOE"\. It has F16, '):
        load("unsloth/gpt-oss-20b-GGUF:MXFP4_MOE")


def test_another_owner() -> None:
    with pytest.raises(UnknownName, match=r"Nearest: unsloth/Qwen3\.6-27B-GGUF"):
        load("unslot/Qwen3.6-27B-GGUF:Q4_K_M")
    with pytest.raises(UnknownName) as raised:
        load("nobody/Nothing-of-ours-GGUF")
    assert "Nearest" not in str(raised.value)
    with pytest.raises(SourceError, match=r"name one that is known: unsloth/Qwen3\.6-27B-GGUF"):
        load("hf.co/unslot/Qwen3.6-27B-GGUF:Q4_K_M", offline=True)


def test_files_stay_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hf.co").mkdir()
    assert resolve("hf.co").kind == "directory"
    assert resolve("models/x.gguf").kind == "file"
    assert resolve(f"https://huggingface.co/{QWEN}/resolve/main/a.gguf").kind == "url"
    assert resolve("https://example.org/a/b").kind == "url"
    assert published_quantization("qwen3-8b") is None
    assert published_quantization(str(tmp_path)) is None


def test_sixteen_bits_of_gpt_oss_keep_the_experts() -> None:
    """unsloth/gpt-oss-20b-GGUF lists F16 with 13.8 GB."""
    assert abs(load("unsloth/gpt-oss-20b-GGUF:F16").bytes / 13.8e9 - 1) < 0.01


def test_every_listed_tag_is_found_and_every_repository_known() -> None:
    known = repositories.known_repositories()
    assert len(known) > 1000
    for name in known[::97]:
        found = repositories.find_published(name)
        if found is None:  # it has drafts only, or no file that a tag finds
            assert not any(a.repository == name for a in artifacts(repositories.model_of_repository(name)))
            continue
        if found.artifact is not None and found.artifact.quantization:
            again = repositories.find_published(f"{name}:{found.artifact.quantization}")
            assert again is not None
            assert again.artifact is not None
            assert again.artifact.quantization.casefold() == found.artifact.quantization.casefold()
