"""Families of 2026, proved by the number of weights that the hub counts for a published model.

Configs: public repositories and transformers 5.24 (their figures, read on 2026-11-29); counts: hub list of llmfit 1.1.17.
"""

from __future__ import annotations

from typing import Any

import pytest

from gyakusan.core.model import Attention, Indexer, Latent, Memory, Recurrent
from gyakusan.errors import Malformed
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

NORTH = {
    "model_type": "cohere2_moe", "hidden_size": 2048, "head_dim": 128, "num_hidden_layers": 49, "intermediate_size": 768,
    "prefix_dense_intermediate_size": 3072, "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 262144,
    "num_experts": 128, "num_experts_per_tok": 8, "num_shared_experts": 0, "first_k_dense_replace": 1,
    "sliding_window": 4096, "max_position_embeddings": 500000, "tie_word_embeddings": None,
}  # fmt: skip
EXAONE = {
    "model_type": "exaone_moe", "hidden_size": 6144, "num_hidden_layers": 48, "num_attention_heads": 64,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 153600, "max_position_embeddings": 262144,
    "num_experts": 128, "num_experts_per_tok": 8, "num_shared_experts": 1, "moe_intermediate_size": 2048,
    "intermediate_size": 18432, "first_k_dense_replace": 1, "sliding_window": 128, "num_nextn_predict_layers": 1,
}  # fmt: skip
FLASH_NEXT = {
    "model_type": "qwen4_exp_text", "hidden_size": 2560, "num_hidden_layers": 48, "num_attention_heads": 24,
    "num_key_value_heads": 2, "head_dim": 256, "vocab_size": 248320, "max_position_embeddings": 262144,
    "num_experts": 512, "num_experts_per_tok": 10, "moe_intermediate_size": 640, "shared_expert_intermediate_size": 640,
    "linear_num_key_heads": 16, "linear_num_value_heads": 48, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4, "hc_count": 4, "hc_lowrank": 320, "indexer_budget": 2048, "indexer_head_dim": 128,
    "indexer_n_heads": 4, "ngram_size": 3, "ngram_vocab_size_base": 20000000, "heads_per_ngram": 8,
    "make_ngram_vocab_size_divisible_by": 128, "ple_layer_ids": [2], "ple_embed_dim": 2560, "mtp_num_hidden_layers": 1,
}  # fmt: skip
HY3 = {"model_type": "hy_v3", "num_nextn_predict_layers": 1}
GLM = {"model_type": "glm5_next_text", "num_nextn_predict_layers": 1}
EXACT: dict[str, tuple[dict[str, Any], int]] = {
    "North-Mini-Code-1.0": (NORTH, 30_484_303_872),
    "Hy3": (HY3, 298_786_155_776),
    "K-EXAONE-236B-A23B": (EXAONE, 237_099_669_632),
    "K-EXAONE-2.0-750B-A37B": (
        {**EXAONE, "num_hidden_layers": 78, "num_experts": 256, "first_k_dense_replace": 2},
        749_357_484_800,
    ),
}
NEAR: dict[str, tuple[dict[str, Any], int]] = {
    "Qwen3.8-Flash-Next": (FLASH_NEXT, 179_999_981_459),
    "GLM-5.3-Flash": (GLM, 321_323_031_390),
}
"""Models that read images: the hub counts the part for it too."""


def groups(config: dict[str, Any]) -> list[tuple[type[Memory], int]]:
    return [(type(g), len(g.layers)) for g in families.unquantized(families.convert(config)).memory]


@pytest.mark.parametrize("name", EXACT)
def test_weights_are_those_that_the_hub_counts(name: str) -> None:
    config, published = EXACT[name]
    assert families.unquantized(families.convert(config)).parameters == published


@pytest.mark.parametrize("name", NEAR)
def test_what_is_left_is_the_part_for_images(name: str) -> None:
    config, published = NEAR[name]
    assert 0.0015 < 1 - families.unquantized(families.convert(config)).parameters / published < 0.003


def test_caches_by_layer() -> None:
    assert groups(NORTH) == [(Attention, 13), (Attention, 36)]
    assert groups(EXAONE) == [(Attention, 12), (Attention, 36)]
    assert groups(HY3) == [(Attention, 80)]
    assert groups(GLM) == [(Latent, 11), (Indexer, 11), (Recurrent, 34)]
    assert groups(FLASH_NEXT) == [(Attention, 12), (Indexer, 12), (Recurrent, 36)]


def test_windows_and_kinds_as_the_config_has_them() -> None:
    full_last = ["sliding_attention", "sliding_attention", "full_attention"] * 16
    assert groups({**EXAONE, "layer_types": full_last}) == [(Attention, 16), (Attention, 32)]
    assert groups({**NORTH, "layer_types": [*["sliding_attention"] * 48, "full_attention"]}) == [
        (Attention, 1),
        (Attention, 48),
    ]
    dense = families.convert({**EXAONE, "mlp_layer_types": ["dense"] * 3 + ["sparse"] * 45})
    assert dense.number("leading_dense_block_count") == 3
    shared = ["full", "shared"] * 22 + ["full"]
    assert Indexer not in dict(groups({**GLM, "indexer_types": shared}))


def test_a_table_of_word_groups_is_read_by_rows() -> None:
    model = families.unquantized(families.convert(FLASH_NEXT))
    assert model.tables == ("token_embd.weight", "per_layer_token_embd.weight")
    assert 6e9 < model.active_parameters < 7e9
    without = families.unquantized(families.convert({**FLASH_NEXT, "ple_layer_ids": []}))
    assert without.parameters < 0.75 * model.parameters


@pytest.mark.parametrize("wrong", [{"heads_per_ngram": 1000}, {"ngram_vocab_size_base": 2**30}])
def test_an_impossible_table_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="heads_per_ngram"):
        families.convert({**FLASH_NEXT, **wrong})


def test_latent_attention_needs_heads() -> None:
    kept = families.convert(GLM).values
    with pytest.raises(Malformed, match="head_count"):
        families.unquantized(Metadata({**kept, "glm5-next.attention.head_count": 0}))
