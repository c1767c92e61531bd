"""Compute buffers of each device: simulated to the byte on recorded rows; elsewhere a range that holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.memory_accuracy import settings_of as one_device
from benchmarks.placement_accuracy import device, free_of, settings_of
from tests.models import recorded

from gyakusan.engines.llamacpp.ggml_simulation.model_graph import WIRING, can_simulate
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings

ROWS = tuple(r for r in recorded.rows("llamacpp_split.jsonl.gz") if "error" not in r)
EVERY = 11
"""One row of this many is simulated here: seconds. benchmarks/placement_accuracy.py simulates all of them."""


def buffers_of(row: dict[str, Any]) -> compute_buffers.DeviceBuffers:
    model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
    return compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, free_of(row)))


@pytest.mark.parametrize("name", sorted({r["model"] for r in ROWS}))
def test_simulated_to_the_byte(name: str) -> None:
    wrong = []
    for row in [r for r in ROWS if r["model"] == name][::EVERY]:
        buffers = buffers_of(row)
        pairs = ((d, buffers.on(d).bytes, device(row, d)["compute"]) for d in range(HOST, row["n_gpu"]))
        wrong += [pair for pair in pairs if pair[1] != pair[2]]
    assert not wrong


def test_without_simulation_the_range_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute_buffers, "can_simulate", lambda model, settings: False)
    outside = devices = 0
    for row in ROWS[::7]:
        buffers = buffers_of(row)
        for d in range(HOST, row["n_gpu"]):
            ours, recorded_size = buffers.on(d), device(row, d)["compute"]
            devices += 1
            outside += not ours.least <= recorded_size <= ours.greatest
    assert outside <= 0.03 * devices


def alone_rows() -> dict[str, list[tuple[dict[str, Any], Settings]]]:
    """Return the recorded rows of one device whose graph is known, by architecture."""
    found: dict[str, list[tuple[dict[str, Any], Settings]]] = {}
    for file in ("llamacpp_archs.jsonl.gz", "llamacpp_b11434.jsonl.gz"):
        for row in recorded.rows(file):
            if "error" in row or row.get("offload_kqv") is False or "n_cpu_moe" in row:
                continue
            settings = one_device(row)
            if can_simulate(recorded.model(row["model"], row["quant"]), settings):
                found.setdefault(recorded.architecture(row["model"]), []).append((row, settings))
    return found


ALONE = alone_rows()


@pytest.mark.parametrize("architecture", sorted(WIRING))
def test_on_one_device_the_simulation_is_the_record(architecture: str) -> None:
    rows = ALONE[architecture]
    assert len(rows) >= 20
    for row, settings in rows[:: max(1, len(rows) // 8)]:
        model, free = recorded.model(row["model"], row["quant"]), (1,) if settings.backend == "cuda" else ()
        found = compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, free))
        assert sum(m.bytes for m in found.gpus) + found.host.bytes == row["compute"], row


def test_splits_that_were_not_recorded_have_a_range() -> None:
    model = recorded.model("gemma4-12b", "Q4_K_M")
    settings = Settings(context=8192, split_mode="layer")
    found = compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, (1, 1)))
    assert all(m.least < m.bytes < m.greatest for m in found.gpus)


def test_arrays_are_answered_one_by_one() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    contexts = np.array([4096, 8192, 4096])

    def at(context: Any) -> compute_buffers.DeviceBuffers:
        settings = Settings(context=context, split_mode="layer")
        return compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, (1, 1)))

    together = at(contexts)
    for i, context in enumerate(contexts):
        one = at(int(context))
        assert [m.bytes[i] for m in together.gpus] == [m.bytes for m in one.gpus]
        assert together.host.bytes[i] == one.host.bytes


def test_roles_are_told() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    settings = Settings(context=4096, split_mode="layer", tensor_split=(0.0, 1.0), gpu_layers=16)
    found = compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, (1, 1)))
    assert [m.role for m in (*found.gpus, found.host)] == ["helper", "later", "inputs"]
    assert "weights in RAM" in str(found.gpus[0].line("compute").reason)
