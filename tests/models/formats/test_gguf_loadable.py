"""F15: what llama.cpp's loader refuses is refused here; what it loads is not (both seen with llama-server b10434)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.attack_cases import gguf_files
from tests.fakes import tiny
from tests.models import building
from tests.models.building import ARRAY, F32, I32, STRING, U32, U64, Memory

from gyakusan import models
from gyakusan.core import recipe
from gyakusan.core.dtypes import DTYPES
from gyakusan.errors import BadModel
from gyakusan.models import families
from gyakusan.models.formats import gguf, gguf_loadable

KEYS = {k: v for k, v in families.convert(tiny.CONFIG).values.items() if k.startswith(("llama.", "general."))}


def made(
    values: dict[str, tuple[int, Any] | None] | None = None, names: dict[str, str] | None = None, hole: int = 0
) -> bytes:
    """The tiny model with other values (None: without the key), other names of tensors, and a hole before the last one."""
    kinds = {k: (STRING if isinstance(v, str) else U32, v) for k, v in KEYS.items()}
    told = {k: v for k, v in {**kinds, **(values or {})}.items() if v is not None}
    pairs = [building.pair(k, kind, value) for k, (kind, value) in told.items()]
    tensors = recipe.apply("Q4_K_M", tiny.model()).tensors
    entries, at = [], 0
    for t in tensors:
        at += hole if t is tensors[-1] else 0
        entries.append(building.tensor((names or {}).get(t.name, t.name), t.shape, DTYPES[t.type].code, at))
        at += -(-t.bytes // 32) * 32
    return building.padded(building.header(pairs, entries), at)


REFUSED: dict[str, tuple[bytes, str]] = {
    "one block of two": (made({"llama.block_count": (U32, 1)}), r"blk\.1\.\S+ belongs to none of its 1 blocks"),
    "512 blocks": (made({"llama.block_count": (U32, 512)}), "claims 512 blocks, but has no tensor of block 2"),
    "blk.x": (made(names={"blk.1.attn_q.weight": "blk.x.attn_q.weight"}), "'blk.x.attn_q.weight' belongs to none"),
    "blk.99": (made(names={"blk.1.attn_q.weight": "blk.99.attn_q.weight"}), "belongs to none of its 2 blocks"),
    "no context": (made({"llama.context_length": None}), r"does not say llama\.context_length"),
    "vocabulary f32": (made({"llama.vocab_size": (F32, 320.0)}), "vocab_size is not of the type u32"),
    "width u64": (made({"llama.embedding_length": (U64, 256)}), "embedding_length is not of the type u32"),
    "heads i32": (made({"llama.attention.head_count": (I32, 4)}), "head_count is not of the type u32"),
    "base u32": (made({"llama.rope.freq_base": (U32, 10_000)}), "freq_base is not of the type f32"),
    "base nan": (made({"llama.rope.freq_base": (F32, float("nan"))}), r"freq_base is nan\."),
    "other width": (made({"llama.embedding_length": (U32, 512)}), r"token_embd\.weight is 256 x 320, but llama\.embed"),
    "other vocabulary": (
        made({"llama.vocab_size": (U32, 321), "tokenizer.ggml.model": (STRING, "none")}),
        r"token_embd\.weight is 256 x 320, but llama\.vocab_size is 321",
    ),
    "other inner width": (
        made({"llama.feed_forward_length": (U32, 96)}),
        r"ffn_gate\.weight is 256 x \d+, but llama\.feed_f",
    ),
    "hole": (made(hole=32), "and 0|begins at byte"),
    "big endian": (building.small(">"), "written for big-endian computers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_loader_refuses(case: str, tmp_path: Path) -> None:
    data, said = REFUSED[case]
    (tmp_path / "m.gguf").write_bytes(data)
    if sys.byteorder != "little":
        pytest.skip("the files are made for usual computers")
    with pytest.raises(BadModel, match=said):
        models.load(str(tmp_path / "m.gguf"))


def test_what_it_loads(tmp_path: Path) -> None:
    more = {
        "llama.rope.freq_base": (F32, 10_000.0),
        "llama.attention.head_count_kv": (ARRAY, building.array(I32, [2, 2])),
    }
    (tmp_path / "m.gguf").write_bytes(made(more))
    assert models.load(str(tmp_path / "m.gguf")).blocks == 2


def test_a_size_of_the_vocabulary_that_lies_counts_for_nothing(tmp_path: Path) -> None:
    """F15: llama.cpp takes the rows of the embedding table; 2^31 stated tokens were 16 GiB of logits."""
    (tmp_path / "m.gguf").write_bytes(made({"llama.vocab_size": (U32, 2**31 - 1)}))
    assert models.load(str(tmp_path / "m.gguf")).vocabulary == 320


@pytest.mark.parametrize("name", sorted(gguf_files.recorded()))
def test_no_real_model_is_refused(name: str) -> None:
    head, size = gguf_files.head(name, min(gguf_files.recorded()[name]["types"]))
    file = Memory(head + bytes(2**20))
    file.size = size
    gguf_loadable.check(gguf.read(file))


def test_layers_that_predict_further_tokens_may_be_left_out() -> None:
    header = gguf.read(Memory(made({"llama.block_count": (U32, 3)})))
    with pytest.raises(BadModel, match="no tensor of block 2"):
        gguf_loadable.check(header)
    gguf_loadable.check(replace(header, metadata={**header.metadata, "llama.nextn_predict_layers": 1}))
