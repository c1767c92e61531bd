"""Models that recipes are checked on: recorded ones of many architectures, and the zoo. Tests only."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.oracle.zoo import zoo

from gyakusan.core.dtypes import BY_CODE
from gyakusan.core.model import Tensor
from gyakusan.core.recipe import FILE_TYPES, QUANTIZATIONS, converted

TRUTH = Path(__file__).parents[1] / "truth"
NUMBERS = {name: number for number, name in FILE_TYPES.items()}
# One for each way in which an architecture departs: tied, narrow rows, experts, latent, fused, recurrent, shared KV.
RECORDED = (
    *(
        "llama3.2-1b",
        "phi3-mini-4k",
        "qwen2.5-0.5b",
        "mixtral-8x7b",
        "qwen3-30b-a3b",
        "gpt-oss-20b",
        "gemma3-1b",
        "gemma3n-e4b",
    ),
    *("gemma4-26b-a4b", "deepseek-v2-lite", "glm-5", "deepseek-v4-flash", "mistral-small-4-119b", "lfm2-8b-a1b"),
    *("codestral-mamba-7b", "jamba-mini", "nemotron-3-nano-30b", "plamo-2-1b", "kimi-linear-48b", "ling-3.0-flash"),
    *("qwen3.5-35b-a3b", "qwen3-next-80b", "minimax-m3", "llama4-scout"),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """An unquantised file: key-values and tensors."""

    name: str
    pairs: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return str(self.pairs["general.architecture"])

    def pair(self, key: str, default: int = 0) -> int:
        """The value under `architecture.key`, that of the first block if it is a list."""
        value = self.pairs.get(f"{self.architecture}.{key}", default)
        return int(value[0] if isinstance(value, list) else value)

    def facts(self) -> dict[str, int]:
        """What `recipe.types` asks about the model."""
        heads = self.pair("attention.head_count")
        return {
            "layers": self.pair("block_count"),
            "experts": self.pair("expert_count"),
            "heads": heads,
            "kv_heads": self.pair("attention.head_count_kv", heads),
        }


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """The fixture: key-values, tensors, and types for each quantisation."""
    with gzip.open(TRUTH / "gguf_meta.json.gz") as file:
        return dict(json.load(file))


def types_of(name: str, quantization: str) -> tuple[str, ...]:
    """Recorded types of a model."""
    return tuple(BY_CODE[c].name for c in recorded()[name]["types"][quantization])


def subject(name: str) -> Subject:
    """A recorded model, unquantised: as its F16 file if there is one, else as the converter would write it."""
    row = recorded()[name]
    architecture = row["kv"]["general.architecture"]
    shapes = [(n, tuple(s)) for n, s in row["tensors"]]
    plain = (converted(n, s, architecture) for n, s in shapes)
    types = types_of(name, "F16") if "F16" in row["types"] else tuple(plain)
    return Subject(name, row["kv"], tuple(Tensor(n, s, t) for (n, s), t in zip(shapes, types, strict=True)))


def subjects() -> Iterator[Subject]:
    """The recorded choice and the zoo."""
    yield from map(subject, RECORDED)
    yield from (Subject(n, pairs, tensors) for n, (pairs, tensors) in zoo().items())


def questions() -> list[tuple[str, bool]]:
    """Every quantisation, without and with an importance matrix."""
    return [(q, matrix) for q in QUANTIZATIONS for matrix in (False, True)]
