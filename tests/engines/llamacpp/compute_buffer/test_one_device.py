"""Compute buffers of every recorded row, judged by kind; peaks, arrays, and rows of models that no rule was fitted on."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from tests.models import recorded

from gyakusan.core.model import Model, Recurrent
from gyakusan.engines.llamacpp.compute_buffer.one_device import (
    PEAKS,
    ComputeBuffers,
    compute_buffer,
    largest_peak,
    range_factors,
)
from gyakusan.engines.llamacpp.settings import Settings

MAIN, ARCHS = "llamacpp_b11434.jsonl.gz", "llamacpp_archs.jsonl.gz"


def settings_of(row: dict[str, Any]) -> Settings:
    """The settings that a row was recorded with; absent keys are defaults."""
    return Settings(
        context=row["n_ctx"],
        slots=row.get("n_seq") or 1,
        unified=bool(row.get("kv_unified")),
        batch=row.get("n_batch") or 2048,
        ubatch=row.get("n_ubatch") or 512,
        flash_attention="off" if row.get("fa") == 0 else "auto",
        key_type=(row.get("k") or "f16").upper(),
        value_type=(row.get("v") or "f16").upper(),
        swa_full=bool(row.get("swa_full")),
        outputs="server" if row["mode"] == "server" else "bench",
        backend="cpu" if row["backend"] == "cpu" else "cuda",
    )


def kind(row: dict[str, Any], model: Model) -> str:
    """f16, quantised, off (no flash attention), or hybrid (recurrent layers, whatever the cache)."""
    if row.get("fa") == 0:
        return "off"
    if any(isinstance(m, Recurrent) for m in model.memory):
        return "hybrid"
    return "f16" if (row.get("k") or "f16") == (row.get("v") or "f16") == "f16" else "quantised"


def errors(file: str) -> dict[str, list[float]]:
    """Relative errors of all devices' sum, by kind, sorted; and under "share" as a share of weights, context and scratch."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in recorded.rows(file):
        model = recorded.model(row["model"], row["quant"])
        size = compute_buffer(model, settings_of(row))
        off = abs(size.gpu + size.host - row["compute"])
        found[kind(row, model)].append(off / row["compute"])
        found["share"].append(off / row["total"])
    return {k: sorted(v) for k, v in found.items()}


def at(sorted_errors: list[float], share: float) -> float:
    """The error that `share` of the rows does not pass."""
    return sorted_errors[min(len(sorted_errors) - 1, int(share * len(sorted_errors)))]


def test_every_row_of_the_first_models() -> None:
    off = errors(MAIN)
    assert off["f16"][-1] <= 1e-6
    assert at(off["quantised"], 0.95) <= 1e-6
    assert off["quantised"][-1] < 0.04
    assert at(off["hybrid"], 0.95) <= 0.03
    assert at(off["off"], 0.95) <= 0.01
    assert off["off"][-1] < 0.03
    assert off["share"][-1] <= 0.005


def test_every_row_of_44_architectures() -> None:
    off = errors(ARCHS)
    assert all(at(off[k], 0.5) <= 1e-5 for k in ("f16", "quantised", "hybrid", "off"))
    assert at(off["f16"], 0.95) <= 0.005
    assert at(off["quantised"], 0.95) <= 0.02
    assert at(off["hybrid"], 0.95) <= 0.03
    assert at(off["off"], 0.95) <= 0.01
    assert at(off["share"], 0.99) <= 0.005


def test_devices_of_a_gpu_are_told_apart() -> None:
    wrong = []
    for row in recorded.rows(MAIN):
        if row["backend"] == "cpu":
            continue
        size = compute_buffer(recorded.model(row["model"], row["quant"]), settings_of(row))
        if abs(size.host - row["dev"]["host"]["compute"]) > 32:
            wrong.append((row["model"], size.host, row["dev"]["host"]["compute"]))
    assert not wrong


def test_spread_holds_what_was_recorded() -> None:
    """All but a few in a hundred lie inside; where the spread is (1, 1), the formula is within a percent."""
    outside: dict[str, list[bool]] = defaultdict(list)
    for file in (MAIN, ARCHS):
        for row in recorded.rows(file):
            model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
            low, high = range_factors(model, settings)
            size = compute_buffer(model, settings)
            total = size.gpu + size.host
            outside[file].append(not low * total - 0.002 * total <= row["compute"] <= high * total + 0.002 * total)
    assert all(sum(v) / len(v) <= 0.02 for v in outside.values())


FRESH = (
    ("qwen2.5-7b", {"context": 10000, "slots": 16, "ubatch": 256, "key_type": "Q4_0", "value_type": "Q4_0"}),
    ("gemma3-27b", {"context": 16384, "slots": 2, "swa_full": True, "ubatch": 1024}),
    ("deepseek-v2-lite", {"context": 65536, "slots": 3, "unified": True, "flash_attention": "off"}),
    ("qwen3-next-80b", {"context": 32768, "slots": 8, "ubatch": 128}),
    ("minimax-m3", {"context": 16384, "slots": 2, "unified": True}),
    ("deepseek-v4-flash", {"context": 16384, "slots": 2, "key_type": "Q8_0", "value_type": "Q8_0"}),
    ("llama3.2-1b", {"context": 4096, "slots": 3, "outputs": "bench"}),
)


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
@pytest.mark.parametrize(("name", "changes"), FRESH)
def test_arrays_give_what_scalars_give(name: str, changes: dict[str, Any], backend: Any) -> None:
    model = recorded.model(name, next(iter(recorded.files()[name]["types"])))
    contexts, slots = np.array([[512], [4096], [65536]]), np.array([[1, 2, 7]])
    grid = compute_buffer(model, Settings(**{**changes, "context": contexts, "slots": slots, "backend": backend}))
    for i, context in enumerate(contexts[:, 0]):
        for j, count in enumerate(slots[0]):
            one = Settings(**{**changes, "context": int(context), "slots": int(count), "backend": backend})
            alone = compute_buffer(model, one)
            for got, expected in ((grid.gpu, alone.gpu), (grid.host, alone.host)):
                assert np.broadcast_to(got, (3, 3))[i, j] == expected


@pytest.mark.parametrize(
    ("name", "changes", "peak"),
    [
        ("llama3.1-8b", {}, "feed_forward"),
        ("llama3.1-8b", {"flash_attention": "off", "context": 131072}, "attention"),
        ("llama3.1-8b", {"key_type": "Q8_0", "value_type": "Q8_0", "context": 131072}, "attention"),
        ("llama3.1-8b", {"outputs": "bench"}, "logits"),
        ("qwen3-30b-a3b", {}, "experts"),
        ("codestral-mamba-7b", {}, "recurrent"),
        ("deepseek-v3.2", {"context": 131072}, "latent"),
        ("deepseek-v4-flash", {}, "compressed"),
        ("minimax-m3", {"context": 131072}, "blocks"),
    ],
)
def test_the_peak_that_binds_is_named(name: str, changes: dict[str, Any], peak: str) -> None:
    model = recorded.model(name, next(iter(recorded.files()[name]["types"])))
    assert largest_peak(model, Settings(**{"context": 8192, **changes}))[0] == peak
    assert peak in PEAKS


def test_a_batch_is_never_more_than_the_context_that_was_asked_for() -> None:
    """Fresh from the real allocator: 1000 tokens for 8 slots reserve graphs of 1000 tokens, not of the padded 2048."""
    model = recorded.model("llm-jp-4-8b", "Q4_K_M")
    asked = Settings(context=1000, slots=8, ubatch=2048, backend="cpu")
    assert compute_buffer(model, asked) == ComputeBuffers(gpu=0, host=254500032)


def test_a_quantised_cache_costs_a_copy_on_a_gpu_only() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    plain, small = ({"key_type": t, "value_type": t} for t in ("F16", "Q8_0"))
    sizes = {
        (b, n): compute_buffer(model, Settings(context=131072, backend=b, **s))  # type: ignore[arg-type]
        for b in ("cpu", "cuda")
        for n, s in (("plain", plain), ("small", small))
    }
    assert sizes["cuda", "small"].gpu - sizes["cuda", "plain"].gpu > 400 << 20
    assert sizes["cpu", "small"].host - sizes["cpu", "plain"].host < 1 << 20
