"""The ledger: who pays for what, what fits, and what the notes say."""

from __future__ import annotations

import numpy as np
import pytest

from gyakusan import machines
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.registry import engine as named
from gyakusan.engines.vllm import engine
from gyakusan.engines.vllm.blocks import reservation
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.models import load
from gyakusan.units import GIB


def price(name: str, device: str, users: int = 2, context: int = 32768, **changes: object) -> Ledger:
    model, machine, asked = load(name), machines.parse(device), Load(users, context)
    return engine.ledger(model, asked, machine, engine.settings(model, asked, machine, **changes))


def test_the_engine_is_registered() -> None:
    assert named("vLLM").NAME == "vLLM"
    assert named("vllm").VERSION == engine.VERSION


def test_users_reserve_blocks() -> None:
    found = price("gpt-oss-20b", "RTX 5090", users=3)
    one = reservation(load("gpt-oss-20b"), engine.Settings(32768))
    assert found.of("kv_cache") == 3 * one.bytes
    assert found.fits


def test_states_are_a_line_of_their_own() -> None:
    found, model = price("qwen3.5-35b-a3b", "RTX 5090", users=5), load("qwen3.5-35b-a3b")
    whole = 5 * reservation(model, engine.Settings(32768)).bytes
    assert found.of("recurrent_state") > 0
    assert found.of("kv_cache") + found.of("recurrent_state") == whole


def test_two_cards_share() -> None:
    found = price("gpt-oss-20b", "2x RTX 3090")
    assert found.settings["tensor_parallel"] == 2
    assert [a.device.kind for a in found.accounts] == ["gpu", "gpu", "host"]
    first, second, host = found.accounts
    assert first.of("weights") == second.of("weights")
    assert first.of("weights") < price("gpt-oss-20b", "RTX 5090").accounts[0].of("weights") * 0.55
    assert host.of("overhead") > 0


def test_what_does_not_fit_says_by_how_much() -> None:
    found = price("llama3.3-70b", "RTX 4090", quantization="none")
    assert not found.fits
    assert found.accounts[0].short_by > 100 * GIB


def test_the_share_is_the_limit() -> None:
    account = price("qwen3-8b", "RTX 3090").accounts[0]
    assert account.device.usable == pytest.approx(0.92 * 23.64 * GIB, rel=1e-3)
    low = price("qwen3-8b", "RTX 3090", gpu_memory_utilization=0.5).accounts[0]
    assert low.device.usable == pytest.approx(0.5 * 23.64 * GIB, rel=1e-3)


def test_a_busy_card_lowers_the_share_or_is_told() -> None:
    busy = Machine("busy", (Device("RTX 4090", "gpu", 24 * GIB, "cuda", reserved=8 * GIB),), None)
    model, asked = load("qwen3-8b", "BF16"), Load(1, 8192)
    chosen = engine.settings(model, asked, busy)
    assert chosen.gpu_memory_utilization == pytest.approx(0.67, abs=0.01)
    forced = engine.settings(model, asked, busy, gpu_memory_utilization=0.92)
    assert any("would not start" in str(n) for n in engine.ledger(model, asked, busy, forced).notes)


def test_notes_name_the_pool() -> None:
    found = price("gpt-oss-20b", "RTX 5090")
    assert str(found.notes[0]).startswith("The KV pool holds 529,912 tokens")
    assert any("a checkpoint of AWQ is counted" in str(n) for n in price("qwen3-8b", "RTX 5090").notes)


def test_one_memory_pays_for_the_process_too() -> None:
    found = price("gpt-oss-20b", "DGX Spark")
    assert len(found.accounts) == 1
    assert [line.kind for line in found.accounts[0].lines].count("overhead") == 2


def test_ranges_hold_the_best_figure() -> None:
    for account in price("qwen3.5-35b-a3b", "2x RTX 3090").accounts:
        for line in account.lines:
            assert line.least <= line.bytes <= line.greatest


def test_arrays_give_what_numbers_give() -> None:
    model, machine = load("qwen3.5-9b"), machines.parse("RTX 5090")
    many = Load(np.array([[1], [4]]), np.array([4096, 32768, 131072]))
    found = engine.ledger(model, many, machine, engine.settings(model, many, machine))
    for i, users in enumerate((1, 4)):
        for j, context in enumerate((4096, 32768, 131072)):
            one = price("qwen3.5-9b", "RTX 5090", users, context)
            assert found.accounts[0].total[i, j] == one.accounts[0].total
            assert bool(found.accounts[0].fits[i, j]) == one.fits or not one.accounts[0].fits


def test_pipelines_share_the_layers() -> None:
    found = price("qwen3-8b", "2x RTX 3090", pipeline_parallel=2, tensor_parallel=1)
    whole = price("qwen3-8b", "RTX 3090")
    assert found.of("kv_cache") == whole.of("kv_cache")


def test_bad_input() -> None:
    with pytest.raises(UnknownName, match="max_model_length"):
        price("qwen3-8b", "RTX 3090", max_model_length=1)
    with pytest.raises(BadSetting, match="has 1 GPUs"):
        price("qwen3-8b", "RTX 3090", tensor_parallel=2)
    model, none = load("qwen3-8b"), Machine("none", (), None)
    with pytest.raises(BadSetting, match="has 0 GPUs"):
        engine.ledger(model, Load(1, 1), none, engine.settings(model, Load(1, 1), none))


def test_copies_serve_their_share_of_the_users() -> None:
    copies = price("qwen3-8b", "4x RTX 4090", users=7, data_parallel=4)
    alone = price("qwen3-8b", "RTX 4090", users=2)
    assert copies.settings["tensor_parallel"] == 1
    assert [a.total for a in copies.accounts[:4]] == [alone.accounts[0].total] * 4
    pairs = price("qwen3-8b", "4x RTX 4090", users=7, data_parallel=2)
    assert pairs.settings["tensor_parallel"] == 2
    assert [a.total for a in pairs.accounts[:4]] == [price("qwen3-8b", "2x RTX 4090", users=4).accounts[0].total] * 4


def test_what_reads_images_is_shared_by_the_ranks_and_measured_at_start() -> None:
    """--mm-encoder-tp-mode weights, the default: each rank has its share; at most, each has all of it."""
    plain, seeing = (price("gemma3-27b", "2x RTX 4090", vision_bytes=size) for size in (0, 900_000_000))
    for without, with_images in zip(plain.accounts[:2], seeing.accounts[:2], strict=True):
        weights, buffer = (
            next(x for x in with_images.lines if x.part == p) for p in ("weights.projector", "compute.projector")
        )
        assert (weights.bytes, weights.least, weights.greatest) == (450_000_000, 450_000_000, 1_350_000_000)
        assert with_images.total - without.total == 450_000_000 + buffer.bytes
        assert buffer.least <= buffer.bytes <= buffer.greatest
    pools = [str(n) for ledger in (plain, seeing) for n in ledger.notes if "KV pool" in str(n)]
    assert len(set(pools)) == 2


def test_weights_in_ram_leave_more_for_the_pool() -> None:
    plain, moved = (price("qwen3-8b", "RTX 5090", cpu_offload=n << 30) for n in (0, 2))
    assert plain.accounts[0].of("weights") - moved.accounts[0].of("weights") == 2 << 30
    assert moved.accounts[-1].of("weights") == 2 << 30
    chosen = engine.settings(load("qwen3-8b"), Load(1, 8192), machines.parse("RTX 5090"), cpu_offload=2 << 30)
    argv = engine.command(load("qwen3-8b"), machines.parse("RTX 5090"), chosen).argv
    assert argv[argv.index("--cpu-offload-gb") + 1] == "2"


def test_a_cache_of_four_bits() -> None:
    half, small = (price("qwen3-8b", "RTX 5090", kv_cache_dtype=kind).of("kv_cache") for kind in ("auto", "nvfp4"))
    assert small / half == pytest.approx(0.5625 / 2, rel=1e-3)


def test_copies_are_named_where_every_gpu_keeps_every_token() -> None:
    """A latent cache is whole on each tensor-parallel GPU; attention by data parallel with spread experts keeps a token once."""
    whole = price("deepseek-v3.1", "8x H200", quantization="fp8")
    said = next(str(n) for n in whole.notes if "keeps every token" in str(n))
    copies = price(
        "deepseek-v3.1", "8x H200", quantization="fp8", tensor_parallel=1, data_parallel=8, expert_parallel=True
    )
    together = next(str(n) for n in copies.notes if "together they hold" in str(n))
    tokens = said.rpartition("holds ")[2].rstrip(".")
    assert tokens in together
    assert "32 of 256 experts" in " ".join(map(str, copies.notes))
    assert not any("keeps every token" in str(n) for n in price("qwen3-30b-a3b", "4x H100", quantization="fp8").notes)
