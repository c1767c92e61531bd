"""A config.json as vLLM reads it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engines.vllm import recorded

from gyakusan.core.model import Stored
from gyakusan.engines.vllm import config
from gyakusan.engines.vllm.blocks import reservation
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import Malformed
from gyakusan.models import families

MISTRAL = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 32768,
    "max_position_embeddings": 32768,
}


def windows(found: dict[str, Any]) -> set[int | None]:
    return {getattr(g, "window", None) for g in config.model(found).memory}


def test_what_mistral_leaves_out_is_a_window() -> None:
    """transformers fills in 4096: KV is reserved for the window only. null turns it off."""
    assert windows(MISTRAL) == {4096}
    assert windows({**MISTRAL, "sliding_window": None}) == {None}
    assert windows({**MISTRAL, "sliding_window": 0}) == {None}


def test_a_window_that_qwen_does_not_use() -> None:
    qwen = {**MISTRAL, "model_type": "qwen2", "sliding_window": 4096}
    assert windows({**qwen, "use_sliding_window": False}) == {None}
    assert windows({**qwen, "use_sliding_window": True}) == {4096}


def test_every_fourth_layer_of_exaone_is_full() -> None:
    found = config.model(recorded.configs()["exaone4-1.2b"]["config"])
    assert [(g.window, len(g.layers)) for g in found.memory] == [(None, 7), (4096, 23)]  # type: ignore[union-attr]


def test_a_model_read_elsewhere_gets_the_same_windows() -> None:
    """The config that lies beside a model says what the family, after llama.cpp, leaves out."""
    from dataclasses import replace

    plain = replace(families.unquantized(families.convert(MISTRAL)), stored=Stored("safetensors", 1, MISTRAL))
    asked = Settings(32768, max_num_batched_tokens=2048)
    assert reservation(plain, asked) == reservation(config.model(MISTRAL), asked)


def test_a_declared_cache_type_is_auto() -> None:
    declared = {
        **MISTRAL,
        "sliding_window": None,
        "quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"},
    }
    whole, half = (reservation(config.model(declared, quantized=q), Settings(8192)).bytes for q in (False, True))
    assert half * 2 == whole
    asked = Settings(8192, kv_cache_dtype="bfloat16")
    assert reservation(config.model(declared), asked).bytes == whole


@pytest.mark.parametrize("change", [{"num_hidden_layers": 0}, {"hidden_size": None}, {"num_attention_heads": "x"}])
def test_damaged_configs(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        config.model({**MISTRAL, **change})
