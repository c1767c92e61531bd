"""Ollama's rules (v0.33.0-rc2) on top of llama.cpp's bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gyakusan import machines, models
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.llamacpp import engine as llamacpp
from gyakusan.engines.ollama import engine as ollama
from gyakusan.engines.ollama.settings import (
    Settings,
    allowed,
    batch,
    check,
    default_context,
    kv_heads_of,
    placed,
    predicted,
)
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.units import GIB, MIB

CARD = machines.parse("RTX 5090")
QWEN = models.load("qwen3-8b", "Q4_K_M")


def gpus(*sizes: float) -> Machine:
    cards = tuple(Device(f"GPU {i}", "gpu", int(s * GIB), "cuda") for i, s in enumerate(sizes))
    return Machine("cards", cards, None)


def test_it_is_found() -> None:
    assert engine("ollama") is ollama


@pytest.mark.parametrize(
    ("sizes", "context"),
    [
        ((8,), 4096),
        ((22.9,), 4096),
        ((23,), 32768),
        ((24,), 32768),
        ((24, 24), 262144),
        ((46.9,), 32768),
        ((80,), 262144),
    ],
)
def test_default_context_by_memory(sizes: tuple[float, ...], context: int) -> None:
    assert default_context(gpus(*sizes)) == context


def test_overhead_lowers_the_default_context() -> None:
    assert default_context(gpus(24), 2 * GIB) == 4096


@pytest.mark.parametrize(("tokens", "wanted"), [(4096, 512), (4097, 1024), (32768, 1024), (32769, 2048)])
def test_batch_by_context_where_there_is_room(tokens: int, wanted: int) -> None:
    assert batch(QWEN, gpus(80), tokens, True) == wanted


def test_batch_is_lowered_when_memory_is_short() -> None:
    """predicted 5.03 GB + 147,456 B for each token; 2 GiB are put aside for 2048, 768 MiB for 1024."""
    size = predicted(QWEN, 40960)
    assert size == QWEN.bytes + 2 * 36 * 8 * 128 * 40960 * 2
    for share, wanted in ((0.95, 512), (0.74, 1024), (0.55, 2048)):
        assert batch(QWEN, gpus(size / share / GIB), 40960, True) == wanted


def test_batch_without_flash_attention() -> None:
    assert batch(QWEN, gpus(24), 40960, False) == 512
    assert batch(QWEN, gpus(8), 40960, False) == 256
    assert batch(QWEN, gpus(8), 4096, False) == 512


def test_batch_of_arrays() -> None:
    tokens = np.array([2048, 8192, 65536])
    assert list(batch(QWEN, gpus(80), tokens, True)) == [512, 1024, 2048]


@pytest.mark.parametrize(("name", "parallel"), [("qwen3-8b", 4), ("qwen3-next-80b-a3b", 1), ("lfm2-8b-a1b", 1)])
def test_some_architectures_are_served_alone(name: str, parallel: int) -> None:
    m, load = models.load(name), Load(4, 4096)
    chosen = ollama.settings(m, load, CARD)
    assert chosen.num_parallel == parallel
    notes = [str(n) for n in ollama.ledger(m, load, CARD, chosen).notes]
    assert any("1 of 4" in n for n in notes) is (parallel == 1)


def test_context_is_cut_to_what_was_trained() -> None:
    load = Load(1, 1 << 20)
    chosen = ollama.settings(QWEN, load, CARD)
    assert chosen.context_length == QWEN.trained_context
    assert any("cuts the context" in str(n) for n in ollama.ledger(QWEN, load, CARD, chosen).notes)


def test_bytes_are_llamacpps_under_these_settings() -> None:
    """Not unified, one batch size for both, and a margin of 1 GiB."""
    load = Load(2, 8192)
    chosen = ollama.settings(QWEN, load, CARD, kv_cache_type="q8_0")
    theirs = llamacpp.settings(
        QWEN, load, CARD, unified=False, batch=1024, ubatch=1024, key_type="Q8_0", value_type="Q8_0", build="b10488"
    )
    found, want = ollama.ledger(QWEN, load, CARD, chosen), llamacpp.ledger(QWEN, load, CARD, theirs)
    assert chosen.num_batch == 1024
    for kind in ("weights", "kv_cache", "scratch"):
        assert found.of(kind) == want.of(kind)  # type: ignore[arg-type]
    assert found.of("overhead") - want.of("overhead") == 1024 * MIB
    assert (found.engine.name, found.settings["kv_cache_type"]) == ("Ollama", "q8_0")


def test_one_gpu_if_it_is_enough() -> None:
    chosen = Settings(8192, 1)
    assert len(placed(QWEN, gpus(24, 32), chosen).gpus) == 1
    assert placed(QWEN, gpus(24, 32), chosen).gpus[0].memory == 32 * GIB
    assert len(placed(QWEN, gpus(24, 32), replace(chosen, sched_spread=True)).gpus) == 2
    assert len(placed(QWEN, gpus(6, 6), chosen).gpus) == 2


def test_integrated_gpus() -> None:
    amd = Device("AMD Radeon 780M", "unified", 32 * GIB, "vulkan")
    assert not allowed(amd, Settings(1))
    assert allowed(amd, Settings(1, igpu_enable="on"))
    for name in ("M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395 128GB"):
        assert allowed(machines.parse(name).gpus[0], Settings(1))
    machine = Machine("laptop", (amd,), None)
    (told,) = ollama.refusals(QWEN, machine, ollama.settings(QWEN, Load(1, 4096), machine))
    assert "OLLAMA_IGPU_ENABLE=1" in str(told)


def test_more_slots_than_users_may_be_asked_for() -> None:
    chosen = ollama.settings(QWEN, Load(1, 4096), CARD, num_parallel=3, context_length=2048)
    assert (chosen.num_parallel, chosen.context_length, chosen.num_batch) == (3, 2048, 1024)


def test_command_and_variables() -> None:
    chosen = ollama.settings(QWEN, Load(2, 8192), CARD, flash_attention="on", gpu_overhead=5, kv_cache_type="q8_0")
    made = ollama.command(QWEN, CARD, chosen)
    assert made.argv == ("ollama", "serve")
    assert dict(made.environment) == {
        "OLLAMA_CONTEXT_LENGTH": "8192",
        "OLLAMA_NUM_PARALLEL": "2",
        "OLLAMA_KV_CACHE_TYPE": "q8_0",
        "OLLAMA_KEEP_ALIVE": "5m",
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_GPU_OVERHEAD": "5",
    }


def test_bad_settings() -> None:
    with pytest.raises(UnknownName):
        ollama.settings(QWEN, Load(1, 4096), CARD, parallel=2)
    with pytest.raises(UnknownName):
        ollama.ledger(QWEN, Load(1, 4096), CARD, ollama.settings(QWEN, Load(1, 4096), CARD, kv_cache_type="q9"))


def test_log_passes_through() -> None:
    told = ollama.read(
        [
            'time=2026-08-01T10:00:00 level=INFO source=sched.go:1 msg="gpu memory"',
            "load_tensors:        CUDA0 model buffer size =   852.89 MiB",
            "llama_kv_cache:      CUDA0 KV buffer size =  1920.00 MiB",
        ]
    )
    assert told.of("weights") == pytest.approx(852.89 * MIB)
    assert told.of("kv_cache") == 1920 * MIB


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("qwen3.8-27b", 4),
        ("qwen3.6:27b", 1),
        ("qwen3.5-9b", 4),
        ("qwen3-8b", 8),
        ("gpt-oss-20b", 8),
        ("llama3.1-8b", 8),
        ("nemotron-3-nano-30b", 1),
    ],
)
def test_the_estimate_takes_the_heads_that_the_file_names(name: str, heads: int) -> None:
    """Files of llama.cpp's converter say one number for Qwen's hybrids; Ollama's library lists them, with zeros."""
    assert kv_heads_of(models.load(name)) == heads


def test_a_hybrid_from_the_hub_is_spread_as_it_was_seen() -> None:
    """Qwen3.8-27B Q8_0 at 262,144 tokens with 75 GiB free on each GPU (0.32.14): two GPUs with batch 2,048, one with 512."""
    model, load = models.load("qwen3.8-27b", "Q8_0"), Load(1, 262144)
    assert predicted(model, 262144) / GIB == pytest.approx(79.5, abs=2)
    two, one = gpus(75, 75), gpus(75)
    assert [ollama.settings(model, load, m).num_batch for m in (two, one)] == [2048, 512]
    assert len(placed(model, two, Settings(262144)).gpus) == 2
    assert len(placed(model, two, Settings(262144, kv_heads=1)).gpus) == 1


def test_what_does_not_fit_is_split_as_fit_does() -> None:
    """qwen3.6:27b at 32,768 tokens on 16 GB: 68 % was seen on the GPU, at 6 tokens/s."""
    machine, model = machines.parse("RTX 4080"), models.load("qwen3.6:27b")
    chosen = ollama.settings(model, Load(1, 32768), machine)
    assert chosen.split
    found = ollama.ledger(model, Load(1, 32768), machine, chosen)
    assert found.accounts[0].fits
    gpu = sum(x.bytes for x in found.accounts[0].lines if x.kind != "overhead")
    ram = sum(x.bytes for x in found.accounts[1].lines if x.part in ("weights.blocks", "kv.full", "state"))
    assert gpu / (gpu + ram) == pytest.approx(0.68, abs=0.12)
    assert any("leaves a part in RAM" in str(n) for n in found.notes)
    assert ollama.compute_settings(machine, chosen).part_in_ram
    assert not ollama.settings(models.load("qwen3-8b"), Load(1, 8192), machine).split


def test_versions_have_their_llamacpp() -> None:
    assert [Settings(1, version=v).build for v in ("0.33.0-rc2", "0.32.14", "0.12.6")] == [
        "b10488",
        "b10434",
        "unknown",
    ]
    with pytest.raises(BadSetting, match="version cannot be"):
        check(Settings(1, version="newest"))


def test_what_is_kept_free_lies_within_its_interval() -> None:
    """Where the card is full, no more is left than beside the others' most."""
    machine, load = machines.parse("RTX 4090"), Load(64, 8192)
    model = models.load("gpt-oss-20b")
    chosen = ollama.settings(model, load, machine)
    (line,) = (x for x in ollama.ledger(model, load, machine, chosen).accounts[0].lines if x.part == "overhead.margin")
    assert chosen.split
    assert 0 <= line.bytes <= line.greatest < chosen.fit_target
