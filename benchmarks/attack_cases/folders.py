"""Folders with a config.json and safetensors files: what they say is spoilt, or no model says it."""

from __future__ import annotations

import gzip
import json
from functools import cache
from random import Random
from typing import Any

from benchmarks.attack_cases.case import Case, Content, Sparse, flipped, value, word
from benchmarks.attack_cases.gguf_files import TRUTH

MORE = (
    "quantization_config",
    "vision_config",
    "rope_scaling",
    "text_config",
    "layer_types",
    "architectures",
    "model_type",
)
"""Keys that readers of a config.json look for."""
WAYS = (
    ("inspect", "{dir}/m"),
    ("inspect", "{dir}/m", "--json", "--engine", "vllm", "--device", "RTX 5090"),
    ("inspect", "{dir}/m", "--engine", "all"),
    ("inspect", "{dir}/m", "--engine", "mlx"),
)


def config(random: Random) -> Case:
    """A folder with a config.json that lies."""
    said = dict(random.choice(list(_configs().values())))
    for _ in range(random.randrange(1, 5)):
        _change(random, said)
    extra = random.choice(MORE)
    if random.random() < 0.3:
        said[extra] = random.choice(
            (
                {"weight_block_size": ["x"]},
                {"deepstack_visual_indexes": 5},
                value(random),
                {"quant_method": word(random), "bits": value(random)},
            )
        )
    files: dict[str, Content] = {"m/config.json": _written(random, said)}
    if random.random() < 0.3:
        files["m/model.safetensors"] = tensors(random)
    return Case(random.choice(WAYS), files)


def _change(random: Random, said: dict[str, Any]) -> None:
    """Change a value of a config, or of a table in it."""
    target, key = said, random.choice(sorted(said))
    if isinstance(said[key], dict) and said[key] and random.random() < 0.7:
        said[key] = target = dict(said[key])
        key = random.choice(sorted(target))
    kind = random.randrange(6)
    if kind == 0 and len(target) > 1:
        target.pop(key, None)
    elif kind == 1:
        target[key] = word(random)
    elif kind == 2 and isinstance(target[key], int):
        target[key] = target[key] * random.choice((-1, 0, 2, 3, 2**20))
    else:
        target[key] = value(random)


def _written(random: Random, said: dict[str, Any]) -> bytes:
    """A config as JSON, now and then spoilt, or something else."""
    text = json.dumps(said).encode()
    if random.random() < 0.1:
        return flipped(random, text)
    if random.random() < 0.05:
        return random.choice(
            (b"[" * 200_000, b'{"a":' * 100_000, b'{"hidden_size": 1' + b"0" * 5000 + b"}", b'"\\ud800"', b"\xff\xfe{}")
        )
    if random.random() < 0.02:
        return b"{" + b",".join(b'"k%d":1' % i for i in range(40_000)) + b',"k1":2}'
    return text


@cache
def _configs() -> dict[str, Any]:
    one = json.loads((TRUTH / "hf_hparams.json").read_text())
    two = json.loads(gzip.decompress((TRUTH / "vllm_configs.json.gz").read_bytes()))
    found = {k: v.get("hf_config") for k, v in one.items()} | {f"{k} vllm": v.get("config") for k, v in two.items()}
    return {k: v for k, v in found.items() if isinstance(v, dict) and v}


def tensors(random: Random) -> Content:
    """A safetensors file with a header that may lie."""
    at, rows = 0, {}
    for i in range(random.randrange(0, 30)):
        shape = [random.choice((1, 16, 64, 256)) for _ in range(random.randrange(3))]
        size = 2
        for n in shape:
            size *= n
        rows[f"model.layers.{i}.self_attn.q_proj.weight"] = {
            "dtype": "BF16",
            "shape": shape,
            "data_offsets": [at, at + size],
        }
        at += size
    said: dict[str, Any] = {"__metadata__": {"format": "pt"}, **rows}
    if random.random() < 0.7:
        for _ in range(random.randrange(1, 4)):
            key = random.choice(sorted(said))
            if isinstance(said[key], dict) and said[key] and random.random() < 0.7:
                said[key] = {**said[key], random.choice(sorted(said[key])): value(random)}
            else:
                said[random.choice((key, word(random)))] = value(random)
    text = json.dumps(said).encode()
    if random.random() < 0.3:
        text = flipped(random, text)
    length = len(text) if random.random() < 0.8 else random.choice((0, 1, 2**31, 2**63, 2**64 - 1, 100_000_001))
    return Sparse(
        length.to_bytes(8, "little") + text, min(8 + len(text) + at + random.choice((0, 0, 0, 1, -1, 2**40)), 2**43)
    )


def safetensors(random: Random) -> Case:
    """A folder of one file, or of shards with an index."""
    files: dict[str, Content] = {"m/config.json": json.dumps(random.choice(list(_configs().values()))).encode()}
    if random.random() < 0.5:
        files["m/model.safetensors"] = tensors(random)
    else:
        shards = [f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3)]
        names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(20)]
        odd = ("../../etc/passwd", "/dev/zero", "", "a/../b", word(random), "x" * 300, 5, None)
        index: Any = {
            "metadata": {"total_size": value(random)},
            "weight_map": {n: random.choice(shards) if random.random() < 0.9 else random.choice(odd) for n in names},
        }
        if random.random() < 0.3:
            index = value(random)
        text = json.dumps(index).encode()
        files["m/model.safetensors.index.json"] = flipped(random, text) if random.random() < 0.2 else text
        files |= {f"m/{s}": tensors(random) for s in shards if random.random() < 0.9}
    where = random.choice(("{dir}/m", "{dir}/m", "{dir}/m/model.safetensors"))
    return Case(
        ("inspect", where, *random.choice(((), ("--json",), ("--engine", "vllm", "--device", "RTX 5090")))), files
    )
