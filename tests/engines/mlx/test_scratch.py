"""Working memory of MLX-LM: the scores of attention that no kernel fuses."""

from __future__ import annotations

import numpy as np
import pytest

from gyakusan import inspect, machines, models
from gyakusan.core.arrays import Number
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.engines.mlx import engine as mlx
from gyakusan.units import GIB, MIB

GB = 10**9


def priced(name: str, context: int, computer: str = "M4 Max 128GB", users: int = 1, **changes: object) -> Ledger:
    machine, model, load = machines.parse(computer), models.load(name), Load(users, context)
    return mlx.ledger(model, load, machine, mlx.settings(model, load, machine, prompt_cache_size=0, **changes))


def total(ledger: Ledger) -> float:
    """What MLX allocates: all but the process."""
    return float(ledger.accounts[0].total - ledger.of("overhead"))


def scores(ledger: Ledger) -> Number:
    return sum(x.bytes for x in ledger.accounts[0].lines if x.part == "compute.scores")


@pytest.mark.parametrize(
    ("weights", "context", "seen"),
    [("4bit", 196608, 38.0 * GB), ("8bit", 196608, 52738 * MIB), ("4bit", 130000, 32.5 * GB)],
)
def test_peaks_that_a_mac_reported(weights: str, context: int, seen: float) -> None:
    """Qwen3.6-35B-A3B on mlx 0.32.0, mlx-lm 0.31.3 (ml-explore/mlx-lm#1480): heads of 256 are not fused."""
    found = priced("qwen3.6-35b-a3b", context, "M5 Max 128GB", weights=weights, mlx="0.32.0")
    assert abs(total(found) / seen - 1) < 0.03


def test_each_token_costs_keys_and_a_row_of_scores() -> None:
    """Seen: 86.5 KB for each token of context, of which 20.5 are the cache."""
    a, b = (total(priced("qwen3.6-35b-a3b", n, mlx="0.32.0")) for n in (65536, 196608))
    assert (b - a) / 131072 == pytest.approx(86.5e3, rel=0.03)


@pytest.mark.parametrize(
    ("name", "heads", "keys"),
    [
        ("qwen3.5-9b", 16, 65536),
        ("qwen3-next-80b", 16, 65536),
        ("gemma4-26b-a4b", 16, 65536),  # full layers of 512; its windows of 256 see 1,023 tokens and a chunk
        ("qwen3-8b", 0, 0),
        ("gpt-oss-20b", 0, 0),
    ],
)
def test_scores_by_the_width_of_heads(name: str, heads: int, keys: int) -> None:
    assert scores(priced(name, 65536)) == heads * 2048 * keys * 2


def test_windows_see_their_window_and_a_chunk() -> None:
    """Gemma 3 has heads of 256 (27B: 128): full layers decide, and a short context needs less."""
    long, short = (scores(priced("gemma3-12b", n)) for n in (32768, 4096))
    assert long == 8 * short == 16 * 2048 * 32768 * 2


def test_newer_macs_with_newer_mlx_fuse_more() -> None:
    new = priced("qwen3.6-35b-a3b", 65536, "M5 Max 128GB", mlx="0.32.4").accounts[0]
    (line,) = [x for x in new.lines if x.part == "compute.scores"]
    assert (line.bytes, line.greatest) == (0, 16 * 2048 * 65536 * 2)
    unknown = priced("qwen3.6-35b-a3b", 65536, "M5 Max 128GB").accounts[0]
    (line,) = [x for x in unknown.lines if x.part == "compute.scores"]
    assert (line.least, line.bytes) == (0, 16 * 2048 * 65536 * 2)


def test_latent_attention_writes_rotated_scores_and_multiplies_keys_out() -> None:
    """Kimi-K2: 64 heads of 128, whose rotated scores are the mask of a fused kernel."""
    found = scores(priced("kimi-k2", 32768, "Mac Studio M3 Ultra 512GB", weights="4bit"))
    assert found == 64 * 32768 * (2048 * 2 + (128 + 128) * 2)


def test_what_fits_at_most_agrees_with_what_fits() -> None:
    """130,000 tokens took 32.5 GB where 27.0 GiB are usable, and 262,144 were said to fit."""
    found = inspect("qwen3.6-35b-a3b", engine="mlx", context=131072, device="M4 Max 36GB", prompt_cache_size=0)
    assert not found.fits
    assert found.accounts[0].total > 27 * GIB
    assert inspect("qwen3.6-35b-a3b", engine="mlx", context=70656, device="M4 Max 36GB", prompt_cache_size=0).fits


def test_numbers_broadcast() -> None:
    many, model = np.array([8192, 65536]), models.load("gemma4-26b-a4b")
    machine = machines.parse("M4 Max 128GB")
    load = Load(1, many)
    found = scores(mlx.ledger(model, load, machine, mlx.settings(model, load, machine)))
    assert list(found) == [scores(priced("gemma4-26b-a4b", int(n))) for n in many]
