"""A small llama as a GGUF that a real llama.cpp loads: real shapes and a byte vocabulary, weights of zeros."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from gyakusan.core import recipe
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Tensor
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

WIDTH, FF, HEADS, KV, BLOCKS, VOCABULARY = 512, 1024, 8, 4, 3, 512


def metadata() -> Metadata:
    """Hyper-parameters."""
    keys = {
        "block_count": BLOCKS,
        "context_length": 4096,
        "embedding_length": WIDTH,
        "feed_forward_length": FF,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": WIDTH // HEADS,
        "vocab_size": VOCABULARY,
    }
    return Metadata({"general.architecture": "llama", **{f"llama.{k}": v for k, v in keys.items()}})


def write(path: Path, quantization: str) -> Path:
    """The file, its tensors as llama.cpp's quantiser would type them."""
    model = recipe.apply(quantization, families.unquantized(metadata()))
    writer = GGUFWriter(path, "llama")
    for key, value in model.metadata.items():
        if key == "general.architecture":
            continue
        writer.add_float32(key, value) if isinstance(value, float) else writer.add_uint32(key, value)
    _tokens(writer)
    for tensor in model.tensors:
        _tensor(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokens(writer: GGUFWriter) -> None:
    writer.add_tokenizer_model("llama")
    special = ["<unk>", "<s>", "</s>"]
    pieces = [*special, *(f"<0x{i:02X}>" for i in range(256))]
    pieces += [f"piece{i}" for i in range(VOCABULARY - len(pieces))]
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCABULARY - 259))


def _tensor(writer: GGUFWriter, tensor: Tensor) -> None:
    kind = dtype(tensor.type)
    size = kind.row(tensor.shape[0])
    shape = tuple(reversed(tensor.shape))
    if not kind.quantized:
        writer.add_tensor(tensor.name, np.zeros(shape, dtype=np.float32 if tensor.type == "F32" else np.float16))
        return
    data = np.zeros((*shape[:-1], size), dtype=np.uint8)
    writer.add_tensor(tensor.name, data, raw_dtype=GGMLQuantizationType(kind.code))
