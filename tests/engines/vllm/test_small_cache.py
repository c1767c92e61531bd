"""An fp8 cache is kept where an attention backend of vLLM has kernels for it, and its published costs are told."""

from __future__ import annotations

import pytest

from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.vllm import engine
from gyakusan.engines.vllm.small_cache import FP8, cache_refusal
from gyakusan.models import load
from gyakusan.units import GIB


def card(name: str, backend: str = "cuda") -> Machine:
    return Machine(name, (Device(name, "gpu", 80 * GIB, backend),), None)  # type: ignore[arg-type]


ADA, AMPERE, TURING = (card(f"NVIDIA {n}") for n in ("GeForce RTX 4090", "GeForce RTX 3090", "T4"))
RDNA3, RDNA4 = card("AMD Radeon RX 7900 XTX", "rocm"), card("AMD Radeon AI PRO R9700", "rocm")


@pytest.mark.parametrize(
    ("machine", "model", "kept"),
    [
        (ADA, "qwen3-8b", True),
        (ADA, "gpt-oss-20b", True),
        (card("NVIDIA H100 80GB HBM3"), "deepseek-v2-lite", True),
        (AMPERE, "qwen3-8b", True),  # heads of 128: FlashInfer
        (AMPERE, "gpt-oss-20b", False),  # sinks: only Triton, which needs 8.9
        (AMPERE, "deepseek-v2-lite", False),  # latent attention: only Triton
        (TURING, "qwen3-8b", False),
        (RDNA3, "qwen3-8b", False),
        (RDNA4, "qwen3-8b", True),
    ],
)
def test_it_is_kept_where_a_backend_has_kernels(machine: Machine, model: str, kept: bool) -> None:
    found = load(model)
    assert (cache_refusal(found, machine) is None) is kept
    settings = engine.settings(found, Load(1, 4096), machine, kv_cache_dtype="fp8")
    said = [m for m in engine.refusals(found, machine, settings) if "KV cache in 8 bits" in m.template]
    assert bool(said) is not kept
    (memory,) = engine.load_memory((found,), Load(1, 4096), machine, "Q8_0", 1)
    assert (memory is not None) is kept
    assert next(iter(engine.load_memory((found,), Load(1, 4096), machine, "F16", 1))) is not None


def test_machines_that_differ_in_it_are_no_class() -> None:
    ada, ampere = (engine.memory_class(m, "Q8_0").key for m in (ADA, AMPERE))
    assert ada != ampere
    assert engine.memory_class(ADA, "F16").key == engine.memory_class(AMPERE, "F16").key


def test_plans_leave_out_models_whose_answers_it_spoils() -> None:
    found = load("qwen2.5-7b")
    assert next(iter(engine.load_memory((found,), Load(1, 4096), ADA, "Q8_0", 1))) is None
    settings = engine.settings(found, Load(1, 4096), ADA, kv_cache_dtype="fp8")
    assert not engine.refusals(found, ADA, settings)  # the server starts
    notes = engine.ledger(found, Load(1, 4096), ADA, settings).notes
    assert any("spoils" in m.template for m in notes)


def test_what_was_measured_is_told() -> None:
    hopper = card("NVIDIA H100 80GB HBM3")
    assert [
        len(FP8.costs(load(n), m)) for n, m in (("qwen3-8b", hopper), ("qwen3.6-27b", hopper), ("qwen3.6-27b", ADA))
    ] == [1, 2, 1]
    assert "7,000" in str(FP8.costs(load("qwen3-8b"), ADA)[0])
