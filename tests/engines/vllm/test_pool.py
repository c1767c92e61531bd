"""The pool: ranges hold every point they were calibrated on, and every start-up log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.engines.vllm import recorded

from benchmarks import vllm_accuracy
from gyakusan.core.machine import Device
from gyakusan.engines.vllm import profile
from gyakusan.engines.vllm.pool import pool, requested
from gyakusan.engines.vllm.profile_points import CALIBRATED
from gyakusan.engines.vllm.settings import Settings
from gyakusan.models import load
from gyakusan.units import GIB

CARD = Device("NVIDIA GeForce RTX 3090", "gpu", 24 * GIB, "cuda", reserved=464 << 20)
DEVICES = {
    "cuda": CARD,
    "rocm": Device("R9700", "gpu", 32 * GIB, "rocm"),
    "unified": Device("GB10", "unified", 121 * GIB, "cuda"),
}


def points() -> list[Any]:
    return [(place, *point) for place, rows in CALIBRATED["points"].items() for point in rows]


@pytest.mark.parametrize(("place", "card", "name", "ranks", "batched", "seqs", "used"), points())
def test_ranges_hold_their_points(
    place: str, card: str, name: str, ranks: int, batched: int, seqs: int, used: float
) -> None:
    asked = Settings(8192, max_num_batched_tokens=batched, max_num_seqs=seqs, tensor_parallel=ranks, version="0.12")
    found = profile.activation(load(name), asked) + profile.base(DEVICES[place]) + profile.graphs(asked)
    assert found.low <= used * GIB <= found.high, card


def test_logs() -> None:
    found = vllm_accuracy.judge_logs(recorded.logs(), recorded.configs())
    assert found["n"] == 35
    assert found["refused"] == []
    assert found["by"]["full"] >= 28
    assert found["tokens_median_error"] < 0.05
    assert found["full_median_error"] < 0.05
    assert found["range_holds_share"] >= 0.9
    assert found["full_range_holds_share"] >= 0.9


def test_requested_is_rounded_up() -> None:
    assert requested(1001, Settings(1, gpu_memory_utilization=0.5)) == 501
    assert requested(1000, Settings(1, gpu_memory_utilization=0.5)) == 500


def test_cuda_counts_less_than_the_driver() -> None:
    assert profile.visible(CARD) / GIB == pytest.approx(23.66, abs=0.04)
    assert profile.visible(Device("B", "gpu", 80 * GIB, "cuda")) / GIB == pytest.approx(79.44, abs=0.01)


def test_a_pool_given_in_bytes_is_taken_as_it_is() -> None:
    found = pool(recorded.model("llama3.1-8b"), Settings(8192, memory_kept=4 * GIB), CARD)
    assert found.blocks(found.available.best) == 4 * GIB // (32 * 65536)
    assert found.requests(found.available.best) == pytest.approx(4 * GIB // (32 * 65536) / 512)


def test_tokens_were_counted_otherwise_until_0_20() -> None:
    """A log of 0.12: gpt-oss-20b on an RTX 4090, 7.11 GiB: 155,344 tokens, 16.73 requests of 16,384."""
    found = pool(recorded.model("gpt-oss-20b"), Settings(16384, version="0.12.0"), CARD)
    free = round(7.11 * GIB)
    assert found.tokens(free) == pytest.approx(155_344, rel=1e-3)
    assert found.requests(free) == pytest.approx(16.73, rel=1e-3)
    assert pool(recorded.model("gpt-oss-20b"), Settings(16384), CARD).tokens(free) == pytest.approx(
        pool(recorded.model("gpt-oss-20b"), Settings(16384), CARD).requests(free) * 16384, abs=1
    )


def test_graphs_come_off_the_pool_since_0_20() -> None:
    assert profile.graphs(Settings(1, version="0.20.1")) is profile.NOTHING
    assert profile.graphs(Settings(1, enforce_eager=True)) is profile.NOTHING
    assert profile.graphs(Settings(1)).best > 0


def test_arrays_give_what_numbers_give() -> None:
    model, lengths = recorded.model("qwen3-30b-a3b"), np.array([4096, 16384])
    many = pool(model, Settings(lengths, max_num_batched_tokens=np.array([2048, 8192])), CARD)
    for i, (length, tokens) in enumerate(((4096, 2048), (16384, 8192))):
        one = pool(model, Settings(length, max_num_batched_tokens=tokens), CARD)
        assert many.available.best[i] == one.available.best
        assert many.requests(many.available.best)[i] == one.requests(one.available.best)


@pytest.mark.parametrize(
    ("name", "requests", "seen"),
    [("gpt-oss-20b", 1024, 7.38), ("llama3.1-8b", 1024, 4.76), ("qwen3-30b-a3b", 256, 1.40), ("qwen3-8b", 1024, 5.64)],
)
def test_sampling_of_older_versions_sorts_the_logits(name: str, requests: int, seen: float) -> None:
    """Ten servers of 0.10 to 0.12 printed 9.6 to 9.9 copies of requests x vocabulary x 4 B, whatever the model's size."""
    asked = Settings(16000, max_num_seqs=requests, max_num_batched_tokens=8192, version="0.11.2")
    assert profile.sampling(recorded.model(name), asked).best == pytest.approx(seen * GIB, rel=0.03)


def test_sampling_by_version_and_by_choice() -> None:
    model, asked = recorded.model("llama3.1-8b"), Settings(16000, max_num_seqs=1024, max_num_batched_tokens=8192)
    old, new = (profile.sampling(model, replace(asked, version=v)).best for v in ("0.16.0", "0.17.0"))
    assert old > 2 * new
    assert profile.sampling(model, replace(asked, sampler="sorted")).best == old
    assert profile.sampling(model, replace(asked, version="0.12.0", sampler="masked")).best == new


def test_few_requests_are_sorted_one_after_another() -> None:
    few, many = (
        profile.sampling(recorded.model("qwen3-8b"), Settings(8192, max_num_seqs=n, version="0.12.0"))
        for n in (64, 128)
    )
    assert few.best < many.best / 2
    assert few.low <= few.best <= few.high
