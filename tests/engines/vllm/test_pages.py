"""Pages: which splits over GPUs a model allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from gyakusan.catalog.models import find
from gyakusan.core.model import Attention
from gyakusan.engines.vllm.pages import _check_context_parallel, pages
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


@pytest.mark.parametrize(
    ("name", "ranks", "parts", "reason", "mend"),
    [
        ("deepseek-v3.1", 4, 8, "8 GPUs cannot share the tokens of a cache on 4 GPUs", "must divide tensor_parallel"),
        ("deepseek-v3.1", 8, 3, "3 GPUs cannot share the tokens of a cache on 8 GPUs", "must divide tensor_parallel"),
        ("qwen3-30b-a3b", 8, 4, "4 GPUs cannot share the tokens of 4 KV heads on 8 GPUs", "divided by the KV heads"),
        (
            "qwen3-14b",
            16,
            2,
            "2 GPUs cannot share the tokens of a KV head that 5 query heads read",
            "query heads of each",
        ),
        ("qwen3-30b-a3b", 20, 4, "", ""),
    ],
)
def test_the_mend_names_the_condition_that_failed(name: str, ranks: int, parts: int, reason: str, mend: str) -> None:
    """The width need not divide the KV heads: 4 of them on 20 GPUs, each read by 8 query heads."""
    model = plain(find(name))
    settings = Settings(32_768, tensor_parallel=ranks, decode_context_parallel=parts)
    if not reason:
        _check_context_parallel(model, settings)
        return
    with pytest.raises(BadSetting, match=reason) as error:
        _check_context_parallel(model, settings)
    assert mend in str(error.value.mend)


def test_every_kind_of_layer_is_checked_and_its_own_number_is_told() -> None:
    """A model with layers of 8 and of 2 KV heads: the layers that failed are named."""
    model = plain(find("qwen3-14b"))
    (group,) = (g for g in model.memory if isinstance(g, Attention))
    narrow = structs.replace(group, key=2 * group.key_head, value=2 * group.value_head)
    mixed = replace(model, memory=(narrow, group))
    with pytest.raises(BadSetting, match="8 KV heads on 8 GPUs"):
        _check_context_parallel(mixed, Settings(32_768, tensor_parallel=8, decode_context_parallel=4))
