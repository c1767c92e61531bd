"""Every family against the recorded files: registry, tensors from metadata, config.json, unknown architectures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.models import recorded

from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Model, Recurrent, Tensor
from gyakusan.errors import Malformed, Unsupported
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

CONFIGS: dict[str, Any] = json.loads((recorded.TRUTH / "hf_hparams.json").read_text())
DEFAULTED = {"gemma3n-e4b", "glm-4.7-flash", "glm-4.7-flash-mtp", "kimi-linear-48b", "laguna-xs-2.1"} | {
    "mistral-small-4-119b",
    "ling-3.0-flash",
    "ling-3.0-flash-mtp",
}
"""Recorded configs that leave their widths to transformers' defaults."""
RECORDING = {
    "glm-4.5-air": {"blk.46.attn_q_norm.weight", "blk.46.attn_k_norm.weight"},
    "phi3-mini-4k": {".attn_qkv.bias"},
    "phi3-medium-4k": {".attn_qkv.bias"},
    "phi4-14b": {".attn_qkv.bias"},
    "mimo-v2-flash": {".attn_sinks.weight"},
    "mistral-small-4-119b": {".exp_probs_b.bias"},
}
"""Optional tensors that the recorded file has and the converter would not write: they came from asking the loader."""


def shapes(tensors: Any) -> set[tuple[str, tuple[int, ...]]]:
    return {(t.name, t.shape) for t in tensors}


def wanted(name: str) -> set[tuple[str, tuple[int, ...]]]:
    return {(n, tuple(s)) for n, s in recorded.files()[name]["tensors"]}


def without(name: str, found: set[tuple[str, tuple[int, ...]]]) -> set[tuple[str, tuple[int, ...]]]:
    odd = RECORDING.get(name, set())
    return {t for t in found if not any(o in t[0] for o in odd)}


def test_every_recorded_architecture_has_a_family() -> None:
    assert {recorded.architecture(n) for n in recorded.files()} <= set(families.registry())


def test_a_family_is_found_without_importing_all() -> None:
    assert families.rule("gpt-oss", "memory").__module__.endswith("families.gpt_oss")
    assert families.rule("qwen3moe", "block").__module__.endswith("families.qwen3")
    assert families.rule("llama", "memory").__module__.endswith("families.dense")


@pytest.mark.parametrize("name", sorted(recorded.files()))
def test_tensors_from_metadata_alone(name: str) -> None:
    actual = families.tensors(recorded.metadata(name))
    assert len(actual) == len({t.name for t in actual})
    assert without(name, wanted(name)) == without(name, shapes(actual))


@pytest.mark.parametrize("name", sorted(n for n, f in recorded.files().items() if "F16" in f["types"]))
def test_types_of_the_unquantised_file(name: str) -> None:
    expected = {t.name: t.type for t in recorded.tensors(name, "F16")}
    assert expected == {t.name: t.type for t in families.tensors(recorded.metadata(name))}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_config_gives_the_model_of_the_gguf(name: str) -> None:
    actual = families.unquantized(families.convert(CONFIGS[name]["hf_config"]))
    expected = families.build(recorded.metadata(name), [Tensor(n, s, "F16") for n, s in wanted(name)])
    for field in ("architecture", "blocks", "loaded", "embedding", "vocabulary", "trained_context", "memory"):
        assert getattr(expected, field) == getattr(actual, field), field
    assert expected.feed_forward == actual.feed_forward
    assert without(name, wanted(name)) == without(name, shapes(actual.tensors))


def test_there_are_84_configs() -> None:
    assert len(CONFIGS) == 84
    assert {n for n, c in CONFIGS.items() if "num_hidden_layers" not in c["hf_config"]} == DEFAULTED


def test_defaults_are_of_a_claimed_model_type() -> None:
    modules = set(families.model_types().values())
    tables = [(m, getattr(m, "DEFAULTS", {})) for m in modules]
    assert all(set(table) <= set(m.MODEL_TYPES) for m, table in tables)
    claimed = {kind for _, table in tables for kind in table}
    assert claimed >= {CONFIGS[n]["hf_config"]["model_type"] for n in DEFAULTED}


@pytest.mark.parametrize("name", sorted(DEFAULTED))
def test_what_a_config_says_wins(name: str) -> None:
    """Layers, width and vocabulary, also under the names that GPT-2 gave them; null is said too."""
    config = CONFIGS[name]["hf_config"]
    usual = families.convert({**config, "num_hidden_layers": 12, "hidden_size": 1024, "vocab_size": 999})
    other = families.convert({**config, "n_layer": 12, "n_embd": 1024, "vocab_size": 999})
    assert usual == other
    extra = config.get("num_nextn_predict_layers", 0)
    read = (usual.blocks, usual.number("embedding_length"), usual.number("vocab_size"))
    assert read == (12 + extra, 1024, 999)
    with pytest.raises(Malformed, match="hidden_size is missing"):
        families.convert({**config, "hidden_size": None})


@pytest.mark.parametrize("name", ["glm-4.7-flash", "kimi-linear-48b", "laguna-xs-2.1", "ling-3.0-flash"])
@pytest.mark.parametrize("key", ["num_local_experts", "num_experts", "n_routed_experts"])
def test_experts_are_counted_under_any_name(name: str, key: str) -> None:
    metadata = families.convert({**CONFIGS[name]["hf_config"], key: 48})
    assert metadata.number("expert_count") == 48


@pytest.mark.parametrize("bound", [None, True, "-5", float("nan"), 10**400])
def test_the_bound_of_a_gate_is_a_number(bound: Any) -> None:
    with pytest.raises(Malformed, match="kda_lower_bound"):
        families.convert({**CONFIGS["ling-3.0-flash"]["hf_config"], "kda_lower_bound": bound})


def test_null_is_said() -> None:
    config = {**CONFIGS["glm-4.7-flash"]["hf_config"], "q_lora_rank": None}
    assert families.convert(config).number("attention.q_lora_rank") == 0


def test_laguna_without_windows() -> None:
    """A class default of 512 must not give windows to a model whose layers are all full."""
    config = CONFIGS["laguna-xs-2.1"]["hf_config"]
    windowed = families.unquantized(families.convert(config)).memory
    assert [(len(g.layers), g.window) for g in windowed if isinstance(g, Attention)] == [(10, None), (30, 512)]
    for types in (None, ["full_attention"] * 40):
        full = families.unquantized(families.convert({**config, "layer_types": types})).memory
        assert all(isinstance(g, Attention) and g.window is None for g in full)


def test_text_of_a_larger_model_has_defaults() -> None:
    text = families.convert(CONFIGS["mistral-small-4-119b"]["hf_config"])
    assert families.convert({"model_type": "mistral3", "text_config": {"model_type": "mistral4"}}) == text
    assert families.convert({"model_type": "gemma3n", "text_config": {}}).blocks == 35


def test_config_without_widths_is_refused() -> None:
    """Where no class defaults are known, what is absent is missing."""
    with pytest.raises(Malformed, match="num_hidden_layers is missing"):
        families.convert({"model_type": "deepseek_v3"})


def test_language_part_of_a_config() -> None:
    text = CONFIGS["qwen3-1.7b"]["hf_config"]
    outer = {"model_type": "somevl", "tie_word_embeddings": True, "text_config": {**text, "tie_word_embeddings": None}}
    assert families.convert(outer).architecture == "qwen3"
    assert families.convert({"thinker_config": {"text_config": text}}).architecture == "qwen3"


def test_unknown_model_type_names_the_nearest() -> None:
    with pytest.raises(Unsupported, match=r"'qwen3_mo'.*qwen3_moe"):
        families.convert({"model_type": "qwen3_mo"})
    with pytest.raises(Malformed, match="model_type"):
        families.convert({})


def gpt_oss_from_config() -> Model:
    config = {
        "model_type": "gpt_oss",
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "num_hidden_layers": 24,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 201088,
        "max_position_embeddings": 131072,
        "sliding_window": 128,
        "num_local_experts": 32,
        "num_experts_per_tok": 4,
    }
    return families.unquantized(families.convert(config), name="gpt-oss-20b")


def test_gpt_oss() -> None:
    model = gpt_oss_from_config()
    full, window = model.memory
    assert full == Attention(tuple(range(1, 24, 2)), 64, 512, 512, 64, 64)
    assert window == Attention(tuple(range(0, 24, 2)), 64, 512, 512, 64, 64, 128)
    assert shapes(model.tensors) == wanted("gpt-oss-20b")


def kept(name: str) -> Model:
    row = recorded.files()[name]
    return recorded.model(name, next(iter(row["types"])))


def test_latent_attention_keeps_one_vector() -> None:
    (latent,) = kept("deepseek-v2-lite").memory
    assert isinstance(latent, Latent)
    assert (latent.key, latent.value, latent.nope, latent.value_head) == (576, 0, 128, 128)


def test_indexers_of_some_layers_only() -> None:
    kv = {**recorded.files()["glm-5"]["kv"], "glm-dsa.context_length": 2**20}
    del kv["glm-dsa.attention.indexer.types"]
    indexer = families.rule("glm-dsa", "memory")(Metadata(kv))[-1]
    assert isinstance(indexer, Indexer)
    assert (len(indexer.layers), indexer.layers[:5]) == (21, (0, 1, 2, 6, 10))


def test_side_by_side() -> None:
    attention, state = families.rule("falcon-h1", "memory")(
        Metadata(
            {
                "general.architecture": "falcon-h1",
                "falcon-h1.block_count": 4,
                "falcon-h1.embedding_length": 3072,
                "falcon-h1.attention.head_count": 12,
                "falcon-h1.attention.head_count_kv": 2,
                "falcon-h1.attention.key_length": 128,
                "falcon-h1.attention.value_length": 128,
                "falcon-h1.ssm.conv_kernel": 4,
                "falcon-h1.ssm.inner_size": 3072,
                "falcon-h1.ssm.state_size": 256,
                "falcon-h1.ssm.group_count": 1,
            }
        )
    )
    assert attention.layers == state.layers == (0, 1, 2, 3)
    assert (state.convolution, state.state) == (3 * (3072 + 512), 256 * 3072)


def test_shared_caches() -> None:
    owners = sorted(i for group in kept("gemma4-e4b").memory for i in group.layers)
    assert owners == list(range(42 - 18))
    assert max(i for group in kept("gemma3n-e4b").memory for i in group.layers) == 19


def test_compressed_keys_have_states() -> None:
    memory = kept("deepseek-v4-flash").memory
    assert [m.ratio for m in memory if isinstance(m, Compressed)] == [0, 4, 128]
    assert [m.state for m in memory if isinstance(m, Recurrent)] == [2 * 512 * 8, 2 * 128 * 8, 512 * 128]


def test_jamba_without_tensors_has_experts_in_odd_blocks() -> None:
    metadata = recorded.metadata("jamba-mini")
    assert families.rule("jamba", "feed_forward")(metadata) == kept("jamba-mini").feed_forward


def test_window_of_an_unmeasured_family() -> None:
    kv = {
        "general.architecture": "smallthinker",
        "smallthinker.block_count": 8,
        "smallthinker.embedding_length": 2560,
        "smallthinker.attention.head_count": 20,
        "smallthinker.attention.head_count_kv": 4,
        "smallthinker.attention.sliding_window": 1,
        "smallthinker.feed_forward_length": 768,
    }
    full, window = families.rule("smallthinker", "memory")(Metadata(kv))
    assert (full.layers, window.layers, window.window) == ((0, 4), (1, 2, 3, 5, 6, 7), 4096)
    with pytest.raises(Unsupported, match="GGUF"):
        families.tensors(Metadata(kv))


@pytest.mark.parametrize("architecture", ["qwen35", "llama", "gpt-oss", "gemma4"])
def test_a_family_is_found_without_the_others(architecture: str) -> None:
    code = (
        f"import sys; from gyakusan.models import families; assert families.known({architecture!r});"
        "print(sum(m.startswith('gyakusan.models.families.') for m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) <= len(families.PARTS) + 3
