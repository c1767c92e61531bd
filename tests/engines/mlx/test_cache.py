"""Caches of MLX-LM against what the real library counted (tests/truth/mlx_cache.json.gz; see tests/oracle/record_mlx.py)."""

from __future__ import annotations

import gzip
import json
from functools import cache as kept
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gyakusan.core.model import Model
from gyakusan.engines.mlx import cache, families
from gyakusan.engines.mlx.settings import Settings
from gyakusan.models import families as readers

TRUTH: dict[str, Any] = json.loads(
    gzip.decompress((Path(__file__).parents[2] / "truth" / "mlx_cache.json.gz").read_bytes())
)
ROWS = [r for r in TRUTH["rows"] if "tokens" in r]
COUNTED = [r for r in ROWS if "refused" not in r]
FAMILIES = sorted(TRUTH["configs"])


@kept
def model(family: str) -> Model:
    return readers.unquantized(readers.convert(TRUTH["configs"][family]), name=family)


def asked(row: dict[str, Any]) -> Settings:
    return Settings(
        row["tokens"],
        users=row["users"],
        kv_bits=row["bits"],
        quantized_kv_start=0,
        prefill_step_size=row["step"],
    )


def name(row: dict[str, Any]) -> str:
    return f"{row['family']}-{row['tokens']}-{row['users']}-{row['bits']}"


def test_the_record_is_wide() -> None:
    assert len(FAMILIES) >= 20
    assert len(COUNTED) >= 200
    assert {k for r in COUNTED for k in r["answer"]} >= {
        "KVCache",
        "RotatingKVCache",
        "ArraysCache",
        "QuantizedKVCache",
    }


@pytest.mark.parametrize("row", COUNTED, ids=name)
def test_bytes_are_the_librarys_own(row: dict[str, Any]) -> None:
    held = cache.groups(model(row["family"]), asked(row))
    for when in ("prompt", "answer"):
        assert row["users"] * sum(getattr(h, when) for h in held) == sum(row[when].values()), when
    peak, real = row["users"] * sum(h.peak for h in held), max(row["peak"], sum(row["answer"].values()))
    windows = any("Rotating" in name for name in row["answer"])
    grown = row["users"] * sum(h.answer for h in cache.groups(model(row["family"]), Settings(2)))
    assert real <= peak <= real + (grown if windows else 0)  # window layers peak up to one step before the others do


@pytest.mark.parametrize("family", FAMILIES)
def test_refusals_of_a_quantised_cache_are_foreseen(family: str) -> None:
    rows = [r for r in ROWS if r["family"] == family and r["bits"]]
    refused = any("refused" in r for r in rows)
    assert (cache.uneven(model(family), asked(rows[0])) is not None) is refused


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_are_foreseen(family: str) -> None:
    refused = any("refused" in r for r in ROWS if r["family"] == family and r["users"] > 1)
    assert families.batches(model(family)) is not refused


def test_only_v2_multiplies_latent_vectors_out() -> None:
    latent = [f for f in FAMILIES if f.startswith(("deepseek", "glm4_moe_lite"))]
    assert {f for f in latent if families.expands(model(f))} == {"deepseek_v2"}


@pytest.mark.parametrize("family", FAMILIES)
def test_arrays_equal_scalars(family: str) -> None:
    lengths = np.arange(2, 700, 23)
    many = cache.groups(model(family), Settings(lengths, prefill_step_size=64))
    for at, length in enumerate(lengths):
        alone = cache.groups(model(family), Settings(int(length), prefill_step_size=64))
        for part in ("prompt", "answer", "peak"):
            want = [getattr(h, part) for h in alone]
            assert [int(np.broadcast_to(getattr(h, part), lengths.shape)[at]) for h in many] == want


@pytest.mark.parametrize(("bits", "share"), [(8, 0.53125), (4, 0.28125)])
def test_share_of_a_quantised_cache(bits: int, share: float) -> None:
    m = model("qwen3")
    plain = cache.groups(m, Settings(8192))[0].answer
    assert cache.groups(m, Settings(8192, kv_bits=bits))[0].answer == plain * share
    assert cache.groups(m, Settings(4096, kv_bits=bits))[0].answer == plain / 2  # starts at 5000 tokens
