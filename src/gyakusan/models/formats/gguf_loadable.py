"""What llama.cpp's loader refuses, although the bytes are a GGUF file: said before a server is asked to load it.

Source: llama.cpp b11434, gguf.cpp (offsets), src/llama-model-loader.cpp (GGUFMeta::GKV, types of keys),
src/llama-model.cpp (load_hparams, blocks and their tensors), llama-model-loader.cpp (check_tensor_dims).
"""

from __future__ import annotations

import re
import sys
from math import isfinite
from typing import Any, NoReturn

from gyakusan.errors import Malformed, Unsupported
from gyakusan.message import quoted
from gyakusan.models.formats.gguf_reader import Header

U32, F32, ARRAY = 4, 6, 9
TYPES = {
    **dict.fromkeys(
        (
            "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
            "attention.head_count_kv", "attention.key_length", "attention.value_length", "rope.dimension_count",
            "vocab_size", "expert_count", "expert_used_count",
        ),
        U32,
    ),
    **dict.fromkeys(("rope.freq_base", "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon"), F32),
}  # fmt: skip
"""Keys of every architecture that the loader reads, and the only type of a single value that it takes."""
WIDTH, VOCABULARY, EXPERTS, INNER, FREE = "embedding_length", "vocab_size", "expert_count", "feed_forward_length", ""
SHAPES: dict[str, tuple[str, ...]] = {
    "token_embd.weight": (WIDTH, VOCABULARY), "output.weight": (WIDTH, VOCABULARY), "output_norm.weight": (WIDTH,),
    "attn_norm.weight": (WIDTH,), "ffn_norm.weight": (WIDTH,), "attn_q.weight": (WIDTH, FREE),
    "attn_k.weight": (WIDTH, FREE), "attn_v.weight": (WIDTH, FREE), "attn_output.weight": (FREE, WIDTH),
    "ffn_gate.weight": (WIDTH, INNER), "ffn_up.weight": (WIDTH, FREE), "ffn_down.weight": (INNER, WIDTH),
    "ffn_gate_inp.weight": (WIDTH, EXPERTS), "ffn_gate_exps.weight": (WIDTH, FREE, EXPERTS),
    "ffn_up_exps.weight": (WIDTH, FREE, EXPERTS), "ffn_down_exps.weight": (FREE, WIDTH, EXPERTS),
}  # fmt: skip
"""Tensors of every architecture that has them, and the keys that their sizes repeat; the block is left out."""
_NAMES = {U32: "u32", F32: "f32"}
_BLOCK = re.compile(r"blk\.(0|[1-9]\d{0,4})\..+", re.ASCII)
_MEND = "The file is damaged, or its converter had a fault: download another one."


def check(header: Header) -> None:
    """Raise Malformed or Unsupported for a header whose file the loader refuses."""
    if header.endian != sys.byteorder:
        raise Unsupported(
            "{file} is written for {order}-endian computers: llama.cpp refuses it on this one.", file=header.name,
            order=header.endian, mend="Download the file for usual computers, or convert it with gguf-convert-endian.",
        )  # fmt: skip
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        return  # whoever builds the model says so
    if f"{architecture}.context_length" not in header.metadata:
        _bad(header, "{file} does not say {key}, which llama.cpp needs.", key=f"{architecture}.context_length")
    for key, kind in TYPES.items():
        _check_type(header, f"{architecture}.{key}", kind)
    _check_blocks(header, architecture)
    _check_shapes(header, architecture)


def _check_type(header: Header, key: str, kind: int) -> None:
    """Refuse a single value of another type; arrays have one value for each block."""
    found = header.kinds.get(key)
    if found is None or found == ARRAY:
        return
    value = header.metadata[key]
    if found != kind:
        _bad(header, "{file}: {key} is not of the type {type}, which llama.cpp needs.", key=key, type=_NAMES[kind])
    if isinstance(value, float) and not isfinite(value):
        _bad(header, "{file}: {key} is {value}.", key=key, value=value)


def _check_blocks(header: Header, architecture: str) -> None:
    """Refuse blocks without tensors, and tensors of no block. Layers that predict further tokens may be left out."""
    count, extra = (header.metadata.get(f"{architecture}.{key}", 0) for key in ("block_count", "nextn_predict_layers"))
    names = [t.name for t in header.tensors if t.name.startswith("blk.")]
    if type(count) is not int or (not names and any(".blk." in t.name for t in header.tensors)):
        return  # encoders and decoders number theirs apart
    there = set()
    for name in names:
        match = _BLOCK.fullmatch(name)
        if match is None or int(match[1]) >= count:
            facts = {"name": quoted(name, 80), "count": count}
            _bad(header, "{file}: the tensor {name} belongs to none of its {count} blocks.", **facts)
        there.add(int(match[1]))
    needed = count - extra if type(extra) is int else count
    absent = next((i for i in range(min(needed, len(there) + 1)) if i not in there), None)
    if absent is not None:
        _bad(header, "{file} claims {count} blocks, but has no tensor of block {n}.", count=count, n=absent)


def _check_shapes(header: Header, architecture: str) -> None:
    """Refuse tensors that are not as large as the keys say: the loader compares every size."""
    sizes = {k: header.metadata.get(f"{architecture}.{k}") for k in (WIDTH, VOCABULARY, EXPERTS, INNER)}
    if header.metadata.get("tokenizer.ggml.model") != "none":
        sizes[VOCABULARY] = header.count("tokenizer.ggml.tokens")  # what the key says counts for nothing then
    known = {k: v for k, v in sizes.items() if type(v) is int and v > 0}
    for t in header.tensors:
        keys = SHAPES.get(t.name.split(".", 2)[-1] if t.name.startswith("blk.") else t.name, ())
        found = (*t.shape, *(1,) * (len(keys) - len(t.shape)))
        wrong = next((k for k, n in zip(keys, found, strict=False) if n != known.get(k, n)), None)
        if keys and any(n != 1 for n in t.shape[len(keys) :]):
            shape = " x ".join(map(str, t.shape))
            _bad(header, "{file}: {name} is {shape}, which has too many sizes.", name=t.name[:80], shape=shape)
        if wrong is not None:
            shape, facts = " x ".join(map(str, t.shape)), {"key": f"{architecture}.{wrong}", "size": known[wrong]}
            _bad(header, "{file}: {name} is {shape}, but {key} is {size}.", name=t.name[:80], shape=shape, **facts)


def _bad(header: Header, template: str, **facts: Any) -> NoReturn:
    raise Malformed(template, file=header.name, mend=_MEND, **facts)
