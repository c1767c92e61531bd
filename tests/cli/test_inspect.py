"""References as a person types them at `gyakusan inspect`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import fake_hub, fake_ollama, tiny
from tests.models.sources.serving import Site, serving

from gyakusan.cli import main

FILES = {"t-Q4_K_M.gguf": tiny.gguf(), "t-Q8_0.gguf": tiny.gguf("Q8_0"), "mmproj-F16.gguf": b"m" * 9}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    with serving() as site:
        monkeypatch.setenv("HF_ENDPOINT", site.base)
        yield site


def test_a_tag_offline(web: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "qwen3:14b", "--offline", "--memory", "24GiB", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert (model["name"], model["quantization"], model["parameters"]) == ("qwen3:14b", "Q4_K_M", 14768307200)
    assert round(model["size"] / 1e9, 1) == 9.3
    assert web.log == []


def test_a_tag_in_the_store(web: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_ollama.pull(tmp_path / "ollama", "registry.ollama.ai/library/tiny", "1b", [("model", tiny.gguf(), {})])
    assert main(["inspect", "tiny:1b", "--memory", "24GiB", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert (model["name"], model["parameters"]) == ("tiny:1b", tiny.model().parameters)


def test_a_table_of_quantisations(web: Site, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", FILES)
    assert main(["inspect", "hf:org/tiny-GGUF", "--quants", "--memory", "24GiB", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["quantizations"]
    assert [(q["name"], q["bytes"]) for q in found] == [
        ("Q4_K_M", len(FILES["t-Q4_K_M.gguf"])),
        ("Q8_0", len(FILES["t-Q8_0.gguf"])),
    ]
    assert found[1]["total"] - found[0]["total"] == pytest.approx(found[1]["bytes"] - found[0]["bytes"], abs=2)
    assert main(["inspect", "hf:org/tiny-GGUF", "--quants", "--memory", "24GiB", "--lang", "en"]) == 0
    assert "Q8_0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("hf:org/tiny", 3, "network is switched off"),
        ("ollama:nobody/nothing", 3, "network is switched off"),
        ("https://example.org/x.gguf", 3, "network is switched off"),
        ("org/tiny", 2, "write hf:org/tiny"),
        ("qwen3:99b", 2, "has no tag '99b'"),
        ("ollama:../x", 2, "An Ollama model name was expected"),
    ],
)
def test_offline_is_one_line(
    web: Site, capsys: pytest.CaptureFixture[str], reference: str, code: int, said: str
) -> None:
    assert main(["inspect", reference, "--offline", "--lang", "en"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert web.log == []
