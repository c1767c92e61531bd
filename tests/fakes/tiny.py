"""A model of a few hundred kilobytes, as GGUF and as a Hugging Face repository."""

from __future__ import annotations

import json
from typing import Any

from tests.models import building
from tests.models.building import STRING, U32

from gyakusan.core import recipe
from gyakusan.core.dtypes import DTYPES
from gyakusan.core.model import Model, Tensor
from gyakusan.models import families

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 512,
    "vocab_size": 320,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def model() -> Model:
    return families.unquantized(families.convert(CONFIG))


def gguf(quantization: str = "Q4_K_M", more: tuple[Tensor, ...] = ()) -> bytes:
    """The whole file, zeros for weights. more: tensors that are written besides."""
    made = recipe.apply(quantization, model())
    keys = [(k, v) for k, v in families.convert(CONFIG).values.items() if k.startswith(("llama.", "general."))]
    pairs = [building.pair(k, STRING if isinstance(v, str) else U32, v) for k, v in keys]
    codes = {name: kind for kind, name in recipe.FILE_TYPES.items()}
    pairs.append(building.pair("general.file_type", U32, codes[made.quantization]))
    entries, at = [], 0
    for t in (*made.tensors, *more):
        entries.append(building.tensor(t.name, t.shape, DTYPES[t.type].code, at))
        at += -(-t.bytes // 32) * 32
    return building.padded(building.header(pairs, entries), at)


def split(quantization: str) -> tuple[bytes, bytes]:
    """The same in two parts."""
    made = recipe.apply(quantization, model())
    halves = made.tensors[:5], made.tensors[5:]
    keys = [(k, v) for k, v in families.convert(CONFIG).values.items() if k.startswith(("llama.", "general."))]
    out = []
    for number, tensors in enumerate(halves):
        pairs = [building.pair(k, STRING if isinstance(v, str) else U32, v) for k, v in keys] if number == 0 else []
        pairs += [
            building.pair("split.no", U32, number),
            building.pair("split.count", U32, 2),
            building.pair("split.tensors.count", U32, len(made.tensors)),
        ]
        entries, at = [], 0
        for t in tensors:
            entries.append(building.tensor(t.name, t.shape, DTYPES[t.type].code, at))
            at += -(-t.bytes // 32) * 32
        out.append(building.padded(building.header(pairs, entries), at))
    return out[0], out[1]


def config(**more: Any) -> bytes:
    return json.dumps({**CONFIG, **more}).encode()


def safetensors(names: dict[str, tuple[str, list[int], int]], **metadata: str) -> bytes:
    """A file of tensors: name -> (type, shape, bytes)."""
    head: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (kind, shape, size) in names.items():
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(head).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(at)
