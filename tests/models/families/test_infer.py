"""Architectures that no family claims: inferred where sound, else refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.models import recorded

from gyakusan.core.model import Model, Tensor
from gyakusan.errors import Malformed, Unsupported
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata


def renamed(name: str, quantization: str, architecture: str = "brandnew", **more: Any) -> Metadata:
    old = recorded.architecture(name)
    kv = recorded.files()[name]["kv"]
    values = {k.replace(f"{old}.", f"{architecture}.", 1) if k.startswith(f"{old}.") else k: v for k, v in kv.items()}
    own = {f"{architecture}.{k.replace('__', '.')}": v for k, v in more.items()}
    return Metadata({**values, "general.architecture": architecture, **own})


def inferred(name: str, quantization: str = "Q4_K_M", **more: Any) -> Model:
    return families.build(renamed(name, quantization, **more), recorded.tensors(name, quantization))


@pytest.mark.parametrize(
    "name", ["llama3.1-8b", "qwen2.5-7b", "qwen3-8b", "qwen3-30b-a3b", "minimax-m2.5", "ling-mini-2.0", "mixtral-8x7b"]
)
def test_plain_blocks_are_read_from_their_tensors(name: str) -> None:
    known, found = recorded.model(name, "Q4_K_M"), inferred(name)
    assert found.inferred
    assert not known.inferred
    assert known.memory == found.memory
    assert known.feed_forward == found.feed_forward
    assert known.vocabulary == found.vocabulary


def test_widths_come_from_the_tensors_not_the_metadata() -> None:
    found = inferred("llama3.1-8b", attention__head_count_kv=32)
    assert found.memory == recorded.model("llama3.1-8b", "Q4_K_M").memory


@pytest.mark.parametrize(
    "name", ["gemma3-4b", "qwen3-next-80b", "deepseek-v2-lite", "mamba-2.8b", "lfm2-1.2b", "jamba-mini", "gemma4-e4b"]
)
def test_what_is_not_plain_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match="'brandnew'"):
        inferred(name)


def test_an_encoder_is_refused() -> None:
    with pytest.raises(Unsupported):
        inferred("llama3.1-8b", attention__causal=False)


def test_a_missing_block_is_refused() -> None:
    tensors = [t for t in recorded.tensors("llama3.1-8b", "Q4_K_M") if not t.name.startswith("blk.7.")]
    with pytest.raises(Unsupported):
        families.build(renamed("llama3.1-8b", "Q4_K_M"), tensors)


def test_widths_that_make_no_heads_are_refused() -> None:
    tensors = [
        Tensor(t.name, (4096, 1000), t.type) if t.name == "blk.3.attn_k.weight" else t
        for t in recorded.tensors("llama3.1-8b", "Q4_K_M")
    ]
    with pytest.raises(Unsupported):
        families.build(renamed("llama3.1-8b", "Q4_K_M"), tensors)


def test_the_nearest_known_architecture_is_named() -> None:
    with pytest.raises(Unsupported, match=r"Similar: .*qwen3"):
        families.build(renamed("gemma3-4b", "Q4_K_M", "qwen3x"), recorded.tensors("gemma3-4b", "Q4_K_M"))


def test_no_blocks_at_all() -> None:
    with pytest.raises(Malformed, match=r"odd\.block_count"):
        families.build(Metadata({"general.architecture": "odd"}), [])
