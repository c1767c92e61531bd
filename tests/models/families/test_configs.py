"""Hostile config.json: each error names the key."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import recorded

from gyakusan.errors import BadModel, Malformed
from gyakusan.models import families

CONFIGS: dict[str, Any] = json.loads((recorded.TRUTH / "hf_hparams.json").read_text())
SMALL = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 2048,
}


def test_a_llama() -> None:
    model = families.unquantized(families.convert({**SMALL, "tie_word_embeddings": True}))
    assert (model.tied, model.vocabulary, model.quantization) == (True, 100, "F16")
    assert {t.name for t in model.tensors} >= {"token_embd.weight", "blk.1.ffn_down.weight"}


def test_scaled_rotary_embedding_writes_its_factors() -> None:
    scaled = families.tensors(families.convert({**SMALL, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}))
    assert [t.shape for t in scaled if t.name == "rope_freqs.weight"] == [(8,)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 0),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", "2"),
        ("num_hidden_layers", None),
        ("hidden_size", -1),
        ("hidden_size", 2**40),
        ("intermediate_size", [1, 2]),
        ("num_attention_heads", True),
        ("vocab_size", 1.5),
    ],
)
def test_the_key_is_named(key: str, value: Any) -> None:
    with pytest.raises(Malformed) as error:
        families.convert({**SMALL, key: value})
    assert key in str(error.value)


WORDS = {"M": "linear_attention", "*": "full_attention", "-": "mlp", "E": "moe"}


@pytest.mark.parametrize("name", [n for n in CONFIGS if CONFIGS[n]["hf_config"].get("hybrid_override_pattern")])
@pytest.mark.parametrize("stale", [{}, {"num_hidden_layers": 7}])
def test_blocks_are_counted_by_their_kinds(name: str, stale: dict[str, int]) -> None:
    """transformers 5 writes layers_block_type and no num_hidden_layers; a number that is there counts for nothing."""
    config = CONFIGS[name]["hf_config"]
    kinds = {"layers_block_type": [WORDS[letter] for letter in config["hybrid_override_pattern"]]}
    kept = {k: v for k, v in config.items() if k not in ("num_hidden_layers", "hybrid_override_pattern")}
    assert families.convert({**kept, **kinds, **stale}) == families.convert(config)
    assert families.convert({**config, "num_hidden_layers": 7}) == families.convert(config)
    with pytest.raises(Malformed, match="hybrid_override_pattern"):
        families.convert({**kept, "layers_block_type": ["full_attention", "a word of tomorrow"]})


def test_layers_are_counted_by_their_kinds() -> None:
    """The words of transformers 5 mean what those before them meant."""
    hybrid = {**SMALL, "model_type": "granitemoehybrid", "mamba_n_heads": 4, "mamba_d_state": 16}
    older = {**hybrid, "num_hidden_layers": 3, "layer_types": ["mamba", "attention", "mamba"]}
    newer = {**hybrid, "layer_types": ["linear_attention", "full_attention", "linear_attention"]}
    del newer["num_hidden_layers"]
    assert families.convert(newer) == families.convert(older)
    assert families.convert(newer).values["granitehybrid.attention.head_count_kv"] == [0, 2, 0]


VALUES = st.one_of(
    st.none(),
    st.integers(-2, 600),
    st.sampled_from([2**31, 2**63]),
    st.booleans(),
    st.text(max_size=4),
    st.lists(st.integers(-1, 90), max_size=60),
    st.lists(st.text(max_size=3), max_size=60),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(CONFIGS)), data=st.data())
def test_damage_is_refused_or_harmless(name: str, data: st.DataObject) -> None:
    config = CONFIGS[name]["hf_config"]
    keys = sorted(set(config) - {"architectures"})
    damage = data.draw(st.dictionaries(st.sampled_from(keys), VALUES, min_size=1, max_size=3))
    with suppress(BadModel):
        assert families.unquantized(families.convert({**config, **damage})).tensors
