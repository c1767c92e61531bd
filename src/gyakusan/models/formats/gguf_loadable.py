"""What llama.cpp's loader refuses, although the bytes are a GGUF file: said before a server is asked to load it.

Source: llama.cpp b11434, gguf.cpp (offsets), src/llama-model-loader.cpp (GGUFMeta::GKV, types of keys),
src/llama-model.cpp (load_hparams, blocks and their tensors).
"""

from __future__ import annotations

import re
import sys
from math import isfinite
from typing import Any, NoReturn

from gyakusan.errors import Malformed, Unsupported
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
            facts = {"name": repr(name)[:80], "count": count}
            _bad(header, "{file}: the tensor {name} belongs to none of its {count} blocks.", **facts)
        there.add(int(match[1]))
    needed = count - extra if type(extra) is int else count
    absent = next((i for i in range(min(needed, len(there) + 1)) if i not in there), None)
    if absent is not None:
        _bad(header, "{file} claims {count} blocks, but has no tensor of block {n}.", count=count, n=absent)


def _bad(header: Header, template: str, **facts: Any) -> NoReturn:
    raise Malformed(template, file=header.name, mend=_MEND, **facts)
