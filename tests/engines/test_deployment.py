"""A deployment: the command that is printed and the server that is started think alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.llamacpp import router
from gyakusan.engines.router import Routed, RoutedModel
from gyakusan.serving.server import Server

LOAD = Load(1, 4096)


@pytest.mark.parametrize(
    ("engine", "words"),
    [("llama.cpp", "--reasoning off"), ("vllm", "--default-chat-template-kwargs"), ("ollama", "")],
)
def test_a_plan_is_started_as_it_was_planned_to_think(engine: str, words: str) -> None:
    asked = structs.replace(api.deployment("qwen3-8b", load=LOAD, server=engine, device="RTX 4090"), mode="off")
    line, usual = (Server.of(d, path="/m").command for d in (asked, structs.replace(asked, mode="")))
    assert line.startswith(usual)
    assert words in line
    assert bool(words) == (line != usual)
    assert asked.thinking_words == asked.command.argv[len(structs.replace(asked, mode="").command.argv) :]


def test_one_of_several_models_thinks_as_it_was_planned_to() -> None:
    asked = structs.replace(api.deployment("qwen3-8b", load=LOAD, device="RTX 4090"), mode="off")
    model = RoutedModel("a", Path("/m.gguf"), asked.settings, asked.thinking_words)
    assert "reasoning = off" in router.preset(Routed((model,), 1))
    assert "reasoning = off" not in router.preset(Routed((replace(model, words=()),), 1))


@pytest.mark.parametrize(
    ("engine", "changes", "told"),
    [
        ("llama.cpp", {}, "f16"),
        ("llama.cpp", {"key_type": "Q8_0", "value_type": "Q8_0"}, "q8_0"),
        ("llama.cpp", {"key_type": "f16", "value_type": "q8_0"}, "K f16, V q8_0"),
        ("llama.cpp", {"key_type": "Q5_1", "value_type": "Q5_1"}, "q5_1"),
        ("ollama", {"kv_cache_type": "q4_0"}, "q4_0"),
        ("vllm", {"kv_cache_dtype": "bfloat16"}, "f16"),
        ("vllm", {"kv_cache_dtype": "fp8_e4m3"}, "fp8_e4m3"),
        ("mlx", {}, "f16"),
        ("mlx", {"kv_bits": 8}, "8bit"),
    ],
)
def test_the_type_of_the_cache_is_that_of_the_settings(engine: str, changes: dict[str, object], told: str) -> None:
    """Keys of f16 beside values of q8_0 were called f16, and so was every type but q8_0 and q4_0."""
    device = "M4 Max 64GB" if engine == "mlx" else "RTX 4090"
    asked = api.deployment("qwen3-8b", load=LOAD, server=engine, device=device, settings=changes)
    assert asked.cache_type == told


def test_a_mixed_cache_is_read_as_half_of_each() -> None:
    keys, values = (
        api.deployment(
            "qwen3-8b", load=LOAD, server="llama.cpp", device="RTX 4090", settings={"key_type": k, "value_type": v}
        )
        for k, v in (("f32", "f16"), ("f16", "f32"))
    )
    bytes_ = [d.rules.compute_settings(d.machine, d.settings).cache_bytes for d in (keys, values)]
    assert bytes_[0] == bytes_[1] == (4 + 2) / 2
