"""Models behind the recorded rows: metadata, tensors, and what only the tensors of a GGUF file show."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.core.dtypes import BY_CODE
from gyakusan.core.model import Model, Tensor
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

TRUTH = Path(__file__).parents[1] / "truth"


@cache
def files() -> dict[str, Any]:
    """Name -> kv, tensors (name, shape), types (codes by quantisation)."""
    found: dict[str, Any] = json.loads(gzip.decompress((TRUTH / "gguf_meta.json.gz").read_bytes()))
    return found


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """Recorded rows of one file."""
    with gzip.open(TRUTH / name, "rt") as lines:
        return tuple(json.loads(line) for line in lines)


def architecture(name: str) -> str:
    """general.architecture of a recorded model."""
    return str(files()[name]["kv"]["general.architecture"])


def tensors(name: str, quantization: str) -> tuple[Tensor, ...]:
    """The tensors of a recorded model as llama.cpp's quantiser wrote them."""
    row = files()[name]
    types = row["types"][quantization]
    return tuple(Tensor(n, tuple(s), BY_CODE[t].name) for (n, s), t in zip(row["tensors"], types, strict=True))


@cache
def model(name: str, quantization: str) -> Model:
    """A recorded model."""
    return families.build(Metadata(files()[name]["kv"]), tensors(name, quantization), name=name)


def metadata(name: str) -> Metadata:
    """Metadata of a recorded model with our own keys set from its tensors, as a config.json would set them."""
    row = files()[name]
    names = {n for n, _ in row["tensors"]}
    full = [i for i in range(512) if f"blk.{i}.attn_k.weight" in names and f"blk.{i}.attn_v.weight" not in names]
    own = {
        "gyakusan.tied": "output.weight" not in names,
        "gyakusan.rope_factors": "rope_freqs.weight" in names,
        "gyakusan.attention_bias": bool({"blk.0.attn_q.bias", "blk.0.attn_qkv.bias"} & names),
        "gyakusan.expert_bias": any(".exp_probs_b." in n for n in names),
        "gyakusan.keys_are_values": bool(full),
    }
    return Metadata({**row["kv"], **own})
