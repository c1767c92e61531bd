"""Hostile metadata: each error names the key, in bounded time."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import recorded

from gyakusan.errors import BadModel, Malformed
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

SMALL: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.context_length": 2048,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 128,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.vocab_size": 100,
}


def built(**changes: Any) -> Any:
    values = {**SMALL, **{f"llama.{k.replace('__', '.')}": v for k, v in changes.items()}}
    return families.unquantized(Metadata({k: v for k, v in values.items() if v is not None}))


def test_the_small_model_is_sound() -> None:
    (attention,) = built().memory
    assert (attention.layers, attention.key, attention.value, attention.key_head) == ((0, 1), 32, 32, 16)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_count", 0),
        ("block_count", 2**31),
        ("block_count", 513),
        ("block_count", None),
        ("block_count", "two"),
        ("block_count", -1),
        ("block_count", True),
        ("block_count", 1.5),
        ("embedding_length", 0),
        ("embedding_length", [64, 32]),
        ("embedding_length", None),
        ("attention.head_count", 0),
        ("attention.head_count", 3),
        ("attention.head_count", [4]),
        ("attention.head_count", [4, "x"]),
        ("attention.head_count", {}),
        ("attention.head_count_kv", 3),
        ("attention.head_count_kv", 0),
        ("attention.head_count_kv", 8),
        ("attention.head_count_kv", 2**63),
        ("attention.key_length", 0),
        ("attention.key_length", -16),
        ("feed_forward_length", None),
        ("feed_forward_length", [128]),
        ("nextn_predict_layers", 2),
        ("nextn_predict_layers", 7),
        ("vocab_size", -5),
        ("expert_used_count", 9),
    ],
)
def test_the_key_is_named(key: str, value: Any) -> None:
    experts = {"expert_count": 8, "expert_used_count": 2} if key == "expert_used_count" else {}
    with pytest.raises(Malformed) as error:
        built(**{**experts, key.replace(".", "__"): value})
    assert f"llama.{key}" in str(error.value)


def test_heads_too_wide() -> None:
    with pytest.raises(Malformed, match="head_count"):
        built(attention__key_length=2**30, attention__value_length=2**30)


def test_architecture_is_needed() -> None:
    for wrong in (None, 7, "", ["llama"]):
        with pytest.raises(Malformed, match="architecture"):
            families.build(Metadata({"general.architecture": wrong}), [])


def test_a_number_may_be_a_list_of_equal_ones() -> None:
    assert Metadata({**SMALL, "llama.x": [3, 3, 3]}).number("x") == 3


def test_flags_are_filled_up() -> None:
    assert Metadata({**SMALL, "llama.x": [1]}).flags("x") == (True, False)
    with pytest.raises(Malformed, match=r"llama\.x"):
        Metadata({**SMALL, "llama.x": ["yes", "no"]}).flags("x")


SUBJECTS = ["gpt-oss-20b", "gemma4-e2b", "deepseek-v2-lite", "qwen3-next-80b", "nemotron-nano-9b-v2", "kimi-linear-48b"]
SUBJECTS += ["lfm2-1.2b", "jamba-mini", "mamba-2.8b", "deepseek-v4-flash", "minimax-m3", "step-3.5-flash", "plamo-2-1b"]
VALUES = st.one_of(
    st.none(),
    st.integers(-3, 600),
    st.sampled_from([2**31, 2**63, -(2**63)]),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.lists(st.integers(-2, 300), max_size=70),
    st.lists(st.text(max_size=2), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(SUBJECTS), data=st.data())
def test_damage_is_refused_or_harmless(name: str, data: st.DataObject) -> None:
    kv = recorded.metadata(name).values
    keys = sorted(k for k in kv if not k.startswith(("general", "tokenizer", "gyakusan")))
    damage = data.draw(st.dictionaries(st.sampled_from(keys), VALUES, min_size=1, max_size=3))
    with suppress(BadModel):
        assert all(t.values >= 0 for t in families.unquantized(Metadata({**kv, **damage})).tensors)
