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
