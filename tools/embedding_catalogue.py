"""Write the records of embedding models: python tools/embedding_catalogue.py src/gyakusan/catalog/data/embeddings

Hyper-parameters are those of the published config.json; `published` is the hub's count of parameters. Both were recalled, and a
record is only written if its tensors add up to the published count to the last parameter: less what `left` says is not in a
GGUF file (a pooler that nobody uses, rows of padding), each with its size.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

CHECKED = "2026-11-23"
SOURCE = "config.json of the published model, recalled; its tensors add up to the hub's count of parameters"
MANY = ["en", "ja", "zh", "ko", "de", "fr", "es"]
HEAD = """\
#:schema ../../schemas/embeddings.json
# Embedding models, which never answer. Written by tools/embedding_catalogue.py: edit its table, not this file.
# score: mean over the tasks of MTEB (Multilingual, v2), as the model's own card has it; recalled where it says so.
"""


def bert(width: int, layers: int, heads: int, ffn: int, vocab: int, context: int) -> dict[str, Any]:
    """XLM-RoBERTa's and BERT's."""
    return {
        "general.architecture": "bert",
        "bert.context_length": context,
        "bert.embedding_length": width,
        "bert.block_count": layers,
        "bert.feed_forward_length": ffn,
        "bert.attention.head_count": heads,
        "bert.attention.causal": False,
        "bert.attention.layer_norm_epsilon": 1e-05,
        "tokenizer.ggml.token_type_count": 1,
        "bert.vocab_size": vocab,
    }


def nomic(arch: str, vocab: int, types: int, context: int, **more: int) -> dict[str, Any]:
    """Nomic's two, with experts or without."""
    values = {
        "context_length": context,
        "embedding_length": 768,
        "block_count": 12,
        "feed_forward_length": 3072,
        "attention.head_count": 12,
        "attention.causal": False,
        "attention.layer_norm_epsilon": 1e-05,
        "rope.freq_base": 10000.0 if more else 1000.0,
        "vocab_size": vocab,
        **{k.replace("__", "."): v for k, v in more.items()},
    }
    return {**prefixed(arch, values), "tokenizer.ggml.token_type_count": types}


def qwen3(width: int, layers: int, heads: int, ffn: int, vocab: int) -> dict[str, Any]:
    """Qwen3's own blocks."""
    return {
        "general.architecture": "qwen3",
        "qwen3.block_count": layers,
        "qwen3.context_length": 40960 if width > 1024 else 32768,
        "qwen3.embedding_length": width,
        "qwen3.feed_forward_length": ffn,
        "qwen3.attention.head_count": heads,
        "qwen3.attention.head_count_kv": 8,
        "qwen3.rope.freq_base": 1000000.0,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-06,
        "qwen3.attention.key_length": 128,
        "qwen3.attention.value_length": 128,
        "qwen3.vocab_size": vocab,
    }


GEMMA = {
    "context_length": 2048,
    "embedding_length": 768,
    "block_count": 24,
    "feed_forward_length": 1152,
    "attention.head_count": 3,
    "attention.head_count_kv": 1,
    "attention.key_length": 256,
    "attention.value_length": 256,
    "attention.layer_norm_rms_epsilon": 1e-06,
    "attention.sliding_window": 512,
    "rope.freq_base": 1000000.0,
    "vocab_size": 262144,
}
MODERN = {
    "context_length": 8192,
    "embedding_length": 768,
    "block_count": 25,
    "feed_forward_length": 3072,
    "attention.head_count": 12,
    "attention.layer_norm_epsilon": 1e-05,
    "attention.sliding_window": 128,
    "rope.freq_base": 160000.0,
    "vocab_size": 102400,
}


def prefixed(arch: str, values: dict[str, Any]) -> dict[str, Any]:
    """Keys under the architecture's name."""
    return {"general.architecture": arch, **{f"{arch}.{k}": v for k, v in values.items()}}


# name -> facts. left: parameters of the checkpoint that are not in the GGUF file; score: MTEB (Multilingual), 0 = not known.
MODELS: dict[str, dict[str, Any]] = {
    "qwen3-embedding-0.6b": {
        "aliases": ["Qwen/Qwen3-Embedding-0.6B"],
        "license": "apache-2.0",
        "published": 595_776_512,
        "pooling": "last",
        "score": 64.33,
        "released": "2025-06",
        "gguf": ["Qwen/Qwen3-Embedding-0.6B-GGUF"],
        "metadata": qwen3(1024, 28, 16, 3072, 151669),
    },
    "qwen3-embedding-4b": {
        "aliases": ["Qwen/Qwen3-Embedding-4B"],
        "license": "apache-2.0",
        "published": 4_021_774_336,
        "pooling": "last",
        "score": 69.45,
        "released": "2025-06",
        "gguf": ["Qwen/Qwen3-Embedding-4B-GGUF"],
        "metadata": qwen3(2560, 36, 32, 9728, 151665),
    },
    "qwen3-embedding-8b": {
        "aliases": ["Qwen/Qwen3-Embedding-8B"],
        "license": "apache-2.0",
        "published": 7_567_295_488,
        "pooling": "last",
        "score": 70.58,
        "released": "2025-06",
        "gguf": ["Qwen/Qwen3-Embedding-8B-GGUF"],
        "metadata": qwen3(4096, 36, 32, 12288, 151665),
    },
    "bge-m3": {
        "aliases": ["BAAI/bge-m3"],
        "license": "mit",
        "published": 567_754_752,
        "left": 1024 * 1024 + 1024 + 2 * 1024,  # the pooler; rows of padding before the first position
        "pooling": "cls",
        "score": 59.56,
        "released": "2024-01",
        "gguf": ["gpustack/bge-m3-GGUF"],
        "metadata": bert(1024, 24, 16, 4096, 250002, 8192),
    },
    "multilingual-e5-large": {
        "aliases": ["intfloat/multilingual-e5-large"],
        "license": "mit",
        "published": 559_890_432,
        "left": 1024 * 1024 + 1024 + 2 * 1024,
        "pooling": "mean",
        "released": "2023-06",
        "metadata": bert(1024, 24, 16, 4096, 250002, 512),
    },
    "nomic-embed-text-v1.5": {
        "aliases": ["nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text"],
        "license": "apache-2.0",
        "published": 136_731_648,
        "pooling": "mean",
        "languages": ["en"],
        "released": "2024-02",
        "gguf": ["nomic-ai/nomic-embed-text-v1.5-GGUF"],
        "metadata": nomic("nomic-bert", 30528, 2, 2048),
    },
    "nomic-embed-text-v2-moe": {
        "aliases": ["nomic-ai/nomic-embed-text-v2-moe"],
        "license": "apache-2.0",
        "published": 475_292_928,
        "left": 6 * 768,  # the experts' bias, which the converter leaves out
        "active": 305_000_000,
        "pooling": "mean",
        "released": "2025-02",
        "gguf": ["nomic-ai/nomic-embed-text-v2-moe-GGUF"],
        "metadata": nomic("nomic-bert-moe", 250048, 1, 512, expert_count=8, expert_used_count=2, moe_every_n_layers=2),
    },
    "embeddinggemma-300m": {
        "aliases": ["google/embeddinggemma-300m", "embeddinggemma"],
        "license": "gemma",
        "published": 302_863_104,
        "pooling": "mean",
        "score": 61.15,
        "released": "2025-09",
        "gguf": ["ggml-org/embeddinggemma-300M-GGUF"],
        "metadata": prefixed("gemma-embedding", GEMMA),
    },
    "ruri-v3-310m": {
        "aliases": ["cl-nagoya/ruri-v3-310m"],
        "license": "apache-2.0",
        "published": 314_611_968,
        "pooling": "mean",
        "languages": ["ja"],
        "released": "2025-04",
        "metadata": prefixed("modern-bert", MODERN),
    },
}


def main(folder: str) -> None:
    """Write the file, or say which record does not add up."""
    Path(folder).mkdir(exist_ok=True)
    records = [record(name, dict(facts)) for name, facts in MODELS.items()]
    Path(folder, "embeddings.toml").write_text(HEAD + "".join(f"\n{r}" for r in records))


def record(name: str, facts: dict[str, Any]) -> str:
    """One record as TOML."""
    metadata, left = facts.pop("metadata"), facts.pop("left", 0)
    tensors = families.tensors(Metadata({**metadata, "gyakusan.tied": True}))
    count = sum(math.prod(t.shape) for t in tensors)
    if count + left != facts["published"]:
        raise SystemExit(f"{name}: {count:,} + {left:,} parameters, published are {facts['published']:,}")
    top = {
        "name": name,
        "aliases": facts.pop("aliases"),
        "parameters": count,
        "tensors": len(tensors),
        "tied": True,
        "quantization": "Q8_0",
        "basis": "derived",
        "source": SOURCE,
        "checked": CHECKED,
        "role": "embedding",
        "listed": False,
        "languages": facts.pop("languages", MANY),
        **facts,
        "recalled": [k for k in ("published", "languages", "released", "score", "gguf", "active") if facts.get(k)],
    }
    lines = "".join(f"{k} = {text(v)}\n" for k, v in top.items())
    keys = "".join(f'"{k}" = {text(v)}\n' for k, v in metadata.items())
    return f"[[embedding]]\n{lines}\n[embedding.metadata]\n{keys}"


def text(value: Any) -> str:
    """A TOML value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(text(v) for v in value) + "]"
    return repr(value)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
