"""Defaults by GPU, versions, and what is refused."""

from __future__ import annotations

import pytest

from gyakusan.core.machine import Device, Machine
from gyakusan.engines.vllm.settings import Batch, Settings, batch_defaults, check, release
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.units import GIB


def machine(name: str, gib: int) -> Machine:
    return Machine(name, (Device(name, "gpu", gib * GIB, "cuda"),), None)


def test_batched_tokens_by_gpu() -> None:
    assert batch_defaults(machine("RTX 5090", 32)) == Batch(2048, 256)
    assert batch_defaults(machine("H100", 80)) == Batch(8192, 1024)
    assert batch_defaults(machine("NVIDIA A100-SXM4-80GB", 80)) == Batch(2048, 256)
    assert batch_defaults(machine("B200", 180)) == Batch(16384, 1024)
    assert batch_defaults(Machine("none", (), None)) == Batch(2048, 256)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.20.1rc2.dev3", (0, 20)),
        ("v0.32.0", (0, 32)),
        ("1.0", (1, 0)),
        ("0.1.dev1+g1", (1 << 30, 0)),
        ("x", (1 << 30, 0)),
    ],
)
def test_versions(text: str, found: tuple[int, int]) -> None:
    assert release(text) == found


def test_tokens_in_flight() -> None:
    assert Settings(1, version="0.20.0").in_flight == 2048
    assert Settings(1).in_flight == 4096
    assert Settings(1, pipeline_parallel=2).in_flight == 3 * 2048


@pytest.mark.parametrize(
    "changes",
    [
        {"max_model_len": 0},
        {"max_num_seqs": 0},
        {"tensor_parallel": 0},
        {"gpu_memory_utilization": 0.0},
        {"gpu_memory_utilization": 1.5},
        {"block_size": 17},
    ],
)
def test_bad_numbers_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        check(Settings(**{"max_model_len": 8192, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["kv_cache_dtype", "state_dtype", "quantization"])
def test_unknown_types_are_refused(field: str) -> None:
    with pytest.raises(UnknownName):
        check(Settings(8192, **{field: "q4_0"}))  # type: ignore[arg-type]
