"""Pages: which splits over GPUs a model allows."""

from __future__ import annotations

import pytest

from gyakusan.catalog.models import find
from gyakusan.engines.vllm.pages import pages
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.models.assemble import plain


@pytest.mark.parametrize("name", ["deepseek-v3", "kimi-k2", "deepseek-v4-flash"])
def test_latent_heads_are_shared_out_evenly_or_not_at_all(name: str) -> None:
    model = plain(find(name))
    assert pages(model, Settings(1024, tensor_parallel=8))
    for ranks in (3, 5, 6, 7):
        with pytest.raises(BadSetting, match="cannot be split"):
            pages(model, Settings(1024, tensor_parallel=ranks))


def test_gpus_that_keep_the_same_cache_share_its_tokens() -> None:
    """kv_cache_interface.py, FullAttentionSpec.max_memory_usage_bytes: a rank keeps ceil(length / decode context parallel)."""
    latent = plain(find("deepseek-v3.1"))
    for parts, blocks in ((1, 2048), (2, 1024), (8, 256)):
        settings = Settings(32_768, tensor_parallel=8, decode_context_parallel=parts)
        assert [p.blocks(settings) for p in pages(latent, settings)] == [blocks]
    heads = plain(find("qwen3-30b-a3b"))
    assert pages(heads, Settings(32_768, tensor_parallel=8, decode_context_parallel=2))


@pytest.mark.parametrize(
    ("name", "ranks", "parts"),
    [
        ("qwen3-30b-a3b", 4, 2),
        ("qwen3-30b-a3b", 8, 4),
        ("deepseek-v3.1", 4, 8),
        ("gpt-oss-20b", 8, 2),
        ("qwen3.5-35b-a3b", 8, 2),
    ],
)
def test_tokens_are_not_shared_where_vllm_refuses(name: str, ranks: int, parts: int) -> None:
    """config/model.py: at most tensor parallel / KV heads (qwen3-30b-a3b has 4); never windows, never states."""
    with pytest.raises(BadSetting, match="cannot share"):
        pages(plain(find(name)), Settings(32_768, tensor_parallel=ranks, decode_context_parallel=parts))
