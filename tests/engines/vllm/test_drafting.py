"""Prediction layers under vLLM: their own blocks, their weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gyakusan.engines.vllm.blocks import reservation
from gyakusan.engines.vllm.drafting import predicting, tensors_of, with_drafting_layers
from gyakusan.engines.vllm.settings import Settings
from gyakusan.engines.vllm.weights import prediction_layers
from gyakusan.models import load

ASKED = Settings(
    262144, max_num_batched_tokens=65536, max_num_seqs=8, kv_cache_dtype="fp8", speculative_tokens=2, version="0.23.1"
)


@pytest.mark.parametrize(
    ("name", "method", "layers"),
    [
        ("qwen3.6-27b", "auto", 17),
        ("qwen3.6-27b", "other", 16),
        ("qwen3.5-9b", "mtp", 9),
        ("qwen3-8b", "mtp", 36),
        ("qwen3.8-27b", "auto", 17),
    ],
)
def test_layers_that_keep_tokens(name: str, method: str, layers: int) -> None:
    found = with_drafting_layers(load(name), replace(ASKED, speculative_method=method)).memory
    assert sum(len(m.layers) for m in found if hasattr(m, "heads")) == layers


def test_bytes_of_a_token_as_a_server_reserved_them() -> None:
    """Qwen3.6-27B with MTP, fp8, on a DGX Spark: 48.6 GiB held 5.32 requests of 262,144 tokens: 37,431 B each."""
    assert reservation(load("qwen3.6-27b"), ASKED).bytes / 262144 == pytest.approx(37431, rel=0.002)


def test_latent_layers_and_their_indexer_are_lengthened() -> None:
    plain = load("glm-5")
    found = with_drafting_layers(plain, ASKED).memory
    assert [len(m.layers) - len(n.layers) for m, n in zip(found, plain.memory, strict=True)] == [1] * len(found)


def test_weights_are_in_16_bits_beside_4_bits() -> None:
    """cyankiwi/Qwen3.8-27B-AWQ-INT4 has 0.9 GB of them."""
    model = load("qwen3.8-27b")
    assert prediction_layers(model, replace(ASKED, quantization="awq")) == pytest.approx(0.9e9, rel=0.06)
    assert prediction_layers(model, replace(ASKED, quantization="fp8")) < 0.5e9
    assert prediction_layers(model, replace(ASKED, quantization="awq", speculative_tokens=0)) == 0
    assert prediction_layers(load("qwen3-8b"), replace(ASKED, quantization="awq")) == 0


def test_embedding_and_output_are_the_models_own() -> None:
    whole = predicting(load("glm-4.5-air"), ASKED)
    assert whole is not None
    assert not any("embed_tokens" in t.name or "shared_head_head" in t.name for t in tensors_of(whole))
