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


@pytest.mark.parametrize(
    ("context", "prompt", "told"),
    [
        ("128k", None, "131,072 tokens, half full, prompts of 1,000"),
        ("128k", "100k", "131,072 tokens, 89 % full, prompts of 102,400"),
        ("16k", "8k", "16,384 tokens, 75 % full, prompts of 8,192"),
        ("2k", None, "2,048 tokens, 74 % full"),
    ],
)
def test_how_full_the_context_is_follows_from_the_prompt(
    context: str, prompt: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["inspect", "gemma4-26b-a4b-qat", "--device", "RTX 4090", "--context", context, "--lang", "en"]
    assert main([*asked, *(("--prompt", prompt) if prompt else ())]) == 0
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("8k", "A prompt of 8,192 tokens is longer than the context of 4,096."),
        ("4k", "A prompt of 4,096 tokens fills the context: no answer fits."),
    ],
)
@pytest.mark.parametrize("asked", [("inspect", "qwen3-8b"), ("plan",), ("fleet",)])
def test_a_prompt_alone_may_be_too_long(
    asked: tuple[str, ...], prompt: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, "--device", "RTX 4090", "--context", "4k", "--prompt", prompt, "--lang", "en"]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert told in err
    assert "an answer of" not in err


@pytest.mark.parametrize("blocks", [1, 26])
@pytest.mark.parametrize("bandwidth", [(), ("--bandwidth", "60GB/s")])
def test_experts_in_ram_and_its_assumed_bandwidth_are_said(
    blocks: int, bandwidth: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["inspect", "gpt-oss-120b", "--device", "2x RTX 5090", "--ram", "64GiB", "--set", f"n_cpu_moe={blocks}"]
    main([*asked, *bandwidth, "--context", "8k", "--lang", "en"])
    out = " ".join(capsys.readouterr().out.split())
    assert f"; the experts of {blocks} of them in RAM." in out
    assert ("GB/s for the RAM (--bandwidth)" in out) == (not bandwidth and "Speed " in out)


def test_nothing_is_said_of_ram_where_all_is_on_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", "--ram", "64GiB", "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "of them in RAM" not in out
    assert "for the RAM" not in out


def test_vllm_counts_what_the_plan_starts(capsys: pytest.CaptureFixture[str]) -> None:
    """Text only, said so; --images counts what reads them, and what vLLM measures of the largest."""
    words = (
        "inspect",
        "qwen3.5-4b",
        "--quant",
        "AWQ",
        "--users",
        "4",
        "--context",
        "8192",
        "--engine",
        "vllm",
        "--json",
    )
    fits = {}
    for images in (False, True):
        main([*words, "--device", "RTX 3060 12GB", *(["--images"] if images else [])])
        found = json.loads(capsys.readouterr().out)
        parts = {line["part"] for device in found["devices"] for line in device["lines"]}
        assert ({"weights.projector", "compute.projector"} <= parts) is images
        assert any("--language-model-only" in note for note in found["notes"]) is not images
        fits[images] = found["fits"]
    assert fits == {False: True, True: "unsure"}


def test_a_task_is_its_prompt_answer_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", "gpt-oss-20b", "--device", "RTX 5090", "--json"]
    told = []
    for more in (
        ["--task", "coding"], ["--context", "32k", "--prompt", "6000", "--answer", "800"],
        ["--task", "chat", "--context", "32k", "--prompt", "6000", "--answer", "800"],
    ):  # fmt: skip
        assert main([*words, *more]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1] == told[2]
    assert main([*words[:-1], "--answer", "5", "--lang", "en"]) == 0
    assert "prompts of 1,000, answers of 5," in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--task", "cooking"]) == 2
    assert "coding" in capsys.readouterr().err


def test_the_lengths_of_a_task_leave_room_in_a_shorter_context(capsys: pytest.CaptureFixture[str]) -> None:
    """A prompt of 5,000 tokens that nobody typed was refused in a context of 4,096."""
    assert main(["inspect", "qwen3-8b", "--device", "RTX 4090", "--task", "rag", "--context", "4k"]) == 0
    assert "prompts of 3,072" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ("--answer 5000", "A prompt of 1,000 tokens and an answer of 5,000 exceed the context of 4,096."),
        ("--answer 3097", "A prompt of 1,000 tokens and an answer of 3,097 exceed the context of 4,096."),
        ("--prompt 4000 --answer 97", "A prompt of 4,000 tokens and an answer of 97 exceed the context of 4,096."),
        ("--task rag --prompt 4000 --answer 97", "exceed the context of 4,096."),
    ],
)
@pytest.mark.parametrize("asked", [("inspect", "qwen3-8b"), ("plan",)])
def test_an_answer_that_was_given_is_never_cut(
    asked: tuple[str, ...], lengths: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*asked, "--device", "RTX 4090", "--context", "4k", "--lang", "en"]
    assert main([*words, *lengths.split()]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("lengths", "told"), [("--answer 3096", "3,096"), ("--prompt 4095", "answers of 1,")])
def test_lengths_that_fill_the_context_are_taken(lengths: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", "qwen3-8b", "--device", "RTX 4090", "--context", "4k", "--lang", "en"]
    assert main([*words, *lengths.split()]) == 0
    assert told in capsys.readouterr().out


def test_a_long_answer_counts_for_how_full_the_context_is(capsys: pytest.CaptureFixture[str]) -> None:
    """It was "0 % full", although the speed is that of the middle of the answer."""
    words = ["inspect", "llama3.1-8b", "--device", "RTX 4090", "--context", "128k", "--prompt", "1"]
    assert main([*words, "--answer", "131071", "--lang", "en"]) == 0
    assert "131,072 tokens, half full" in " ".join(capsys.readouterr().out.split())
