"""What drives the GPUs: padding and scratch beside CUDA's, against public load logs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.log_accuracy import backend_of, model_of, settings_of

from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Attention, Model
from gyakusan.engines.llamacpp import backends, engine
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.cpu_repack import mapped
from gyakusan.engines.llamacpp.buffers.kernel_memory import attention_copies
from gyakusan.engines.llamacpp.buffers.weights import stored, weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models import load
from gyakusan.units import GIB, MIB

LOGS = json.loads((Path(__file__).parents[2] / "truth" / "llamacpp_logs.json").read_text("utf-8"))
NAMES: dict[str, backends.GpuBackend] = {"MTL": "metal", "Vulkan": "vulkan", "ROCm": "rocm"}
KNOWN = ("F16", "Q8_0", "Q4_0")
ROWS = [
    row
    for row in LOGS
    if row["engine"] == "llama.cpp" and row["clean"] and backend_of(row) in NAMES and row["type_k"].upper() in KNOWN
]
PRINTED = 0.0051
"""Half of the last digit of a log. [MiB]"""


def settings(row: dict[str, Any]) -> Settings:
    return replace(settings_of(row), driver=NAMES[backend_of(row)])


def label(row: dict[str, Any]) -> str:
    return f"{LOGS.index(row)}-{backend_of(row)}-{row['model']}"


def test_there_are_logs_of_three_other_drivers() -> None:
    assert {backend_of(row) for row in ROWS} == set(NAMES)
    assert len(ROWS) >= 18


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_caches_and_states_are_what_the_log_prints(row: dict[str, Any]) -> None:
    model, chosen = model_of(row), settings(row)
    assert int(kv_cache.kv_cache(model, chosen)) / MIB == pytest.approx(sum(row["kv_buf_mib"].values()), abs=PRINTED)
    assert int(kv_cache.recurrent_state(model, chosen)) / MIB == pytest.approx(
        sum(row["rs_buf_mib"].values()), abs=PRINTED
    )


@pytest.mark.parametrize("row", [row for row in ROWS if backend_of(row) == "MTL"], ids=label)
def test_metal_maps_the_file_from_its_first_tensor_to_its_last(row: dict[str, Any]) -> None:
    model = model_of(row)
    assert mapped(model, "none") / MIB == pytest.approx(row["model_buf_mib"]["MTL0_Mapped"], abs=PRINTED)
    assert weights(model, settings(row)).host / MIB == pytest.approx(row["model_buf_mib"]["CPU_Mapped"], abs=PRINTED)


@pytest.mark.parametrize("driver", ["rocm", "sycl"])
def test_drivers_made_from_cudas_source_pad_like_it(driver: Any) -> None:
    model, at = load("qwen2.5-7b"), Settings(context=32768, slots=2, key_type="Q8_0", value_type="Q8_0")
    other = replace(at, driver=driver)
    assert weights(model, other) == weights(model, at)
    assert kv_cache.kv_cache(model, other) == kv_cache.kv_cache(model, at)
    assert compute_buffer(model, other) == compute_buffer(model, at)


def test_cuda_alone_pads_quantised_rows() -> None:
    odd = next(t for t in load("gpt-oss-20b").tensors if t.type == "MXFP4" and t.shape[0] % 512)
    assert stored(odd, "cuda") - odd.bytes == stored(odd, "rocm") - odd.bytes >= 17
    assert stored(odd, "metal") - odd.bytes < 32
    assert stored(odd, "vulkan") - odd.bytes < 16


def test_vulkan_reads_a_quantised_cache_as_it_is() -> None:
    model, at = load("llama3.1-8b"), Settings(context=131072, key_type="Q8_0", value_type="Q8_0")
    cuda, vulkan = (compute_buffer(model, replace(at, driver=d)).gpu for d in ("cuda", "vulkan"))
    assert cuda - vulkan > 256 * MIB  # 2 x 131072 x 2048 B of copies


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
def test_metal_reserves_a_copy_of_any_cache(kind: str) -> None:
    model, at = load("llama3.1-8b"), Settings(context=131072, key_type=kind, value_type=kind, driver="metal")
    (layer,) = model.memory
    copy = 2 * 131072 * (1024 + 1024)
    assert isinstance(layer, Attention)
    room = int(attention_copies(layer, at))
    results = 4 * 32 * 32 * 32 * (128 + 2)
    stride = 2 * (1024 if kind == "F16" else 128)  # f16 copies of a quantised cache have their heads apart
    tile = 64 * (8 * 2 * stride + 2 * 512)
    assert room == copy + results + tile + 2048 * 64
    assert compute_buffer(model, at).gpu > copy


def apple(model: Model, **changes: Any) -> Any:
    mac = Machine("Mac", (Device("M4 Max", "unified", 128 * GIB, "metal"),), None)
    asked = Load(1, 8192)
    return engine.ledger(model, asked, mac, engine.settings(model, asked, mac, **changes))


def test_a_file_that_metal_maps_is_held_once() -> None:
    model = load("gemma3-27b")  # its output is the embedding table
    ((account,),) = (apple(model).accounts,)
    assert account.of("weights") == mapped(model, "none")
    read = apple(model, mmap=False).accounts[0].of("weights")
    assert read - account.of("weights") > 1 * GIB


def test_what_was_only_read_in_the_source_has_a_range() -> None:
    made = next(line for line in apple(load("llama3.1-8b"), context=131072).accounts[0].lines if line.kind == "scratch")
    assert made.least < made.bytes <= made.greatest
    assert not any("padding rules" in str(note) for note in apple(load("llama3.1-8b")).notes)


def test_the_drivers_own_memory_is_assumed_where_nobody_measured() -> None:
    lines = [line for line in apple(load("llama3.1-8b")).accounts[0].lines if line.part == "overhead.driver"]
    assert [(line.basis, line.least) for line in lines] == [("assumed", 0)]
