"""SmolLM2's GGUF file as a Hugging Face checkpoint in bf16, for servers that read no GGUF: the same real weights.

Without torch and transformers: the tensors by the `gguf` package, the tokenizer from the file's own vocabulary.
`python tests/real/smollm2_checkpoint.py FILE.gguf FOLDER`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, dequantize

OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OF_MODEL = {"token_embd": "embed_tokens", "output_norm": "norm"}


def write(source: Path, folder: Path) -> Path:
    """Write the checkpoint, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    reader = GGUFReader(str(source))
    values = {name: field.contents() for name, field in reader.fields.items()}
    config = _config(values)
    tensors = {_name(t.name): _bf16(_rows(t, config)) for t in reader.tensors}
    (folder / "model.safetensors").write_bytes(_safetensors(tensors))
    for name, content in (("config", config), ("tokenizer", _tokenizer(values)), ("tokenizer_config", _words(values))):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def _name(name: str) -> str:
    """The checkpoint's name of a tensor."""
    words = name.removesuffix(".weight").split(".")
    inner = f"layers.{words[1]}.{OF_LAYER[words[2]]}" if words[0] == "blk" else OF_MODEL[words[0]]
    return f"model.{inner}.weight"


def _rows(tensor: Any, config: dict[str, Any]) -> Any:
    """The values, with the rows of queries and keys in the order of the checkpoint: llama.cpp interleaves the halves."""
    values = dequantize(tensor.data, tensor.tensor_type)
    kind = tensor.name.split(".")[-2]
    if kind not in ("attn_q", "attn_k"):
        return values
    heads = config["num_attention_heads" if kind == "attn_q" else "num_key_value_heads"]
    half = values.shape[0] // heads // 2
    return values.reshape(heads, half, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _bf16(values: Any) -> Any:
    """The upper halves of the floats, rounded to nearest."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _safetensors(tensors: dict[str, Any]) -> bytes:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, values in tensors.items():
        head[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(v.tobytes() for v in tensors.values())


def _config(values: dict[str, Any]) -> dict[str, Any]:
    own = {k.removeprefix("llama."): v for k, v in values.items()}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": own["embedding_length"],
        "intermediate_size": own["feed_forward_length"],
        "num_hidden_layers": own["block_count"],
        "num_attention_heads": own["attention.head_count"],
        "num_key_value_heads": own["attention.head_count_kv"],
        "max_position_embeddings": own["context_length"],
        "rms_norm_eps": 1e-5,
        "rope_theta": own["rope.freq_base"],
        "rope_scaling": None,
        "vocab_size": own["vocab_size"],
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": values["tokenizer.ggml.bos_token_id"],
        "eos_token_id": values["tokenizer.ggml.eos_token_id"],
    }


def _tokenizer(values: dict[str, Any]) -> dict[str, Any]:
    """GPT-2's byte pairs, digits one by one."""
    tokens, kinds = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    special = [
        {"id": n, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for n, (t, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == 3
    ]  # fmt: skip
    bytes_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_level],
        },
        "post_processor": None,
        "decoder": bytes_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {t: n for n, t in enumerate(tokens)},
            "merges": values["tokenizer.ggml.merges"],
        },
    }


def _words(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
        "chat_template": values["tokenizer.chat_template"],
    }


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2])))
