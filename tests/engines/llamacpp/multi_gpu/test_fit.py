"""Our placement beside llama.cpp's own --fit on the same cards, and its parts."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.memory_accuracy import rows
from benchmarks.placement_accuracy import TRUTH
from tests.models import recorded

from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.multi_gpu.fit import MARGIN, evenly_filled, filled_from_last, fit
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.units import GIB, MIB

ROWS = [r for r in rows(TRUTH / "llamacpp_fit.jsonl.gz") if "dev" in r]
EVERY = 6
"""Every so many rows of the cards that are not large enough for everything."""


def asked(row: dict[str, Any]) -> Settings:
    return Settings(
        context=row["n_ctx"],
        slots=row["n_seq"],
        unified=bool(row.get("kv_unified")),
        key_type=row.get("k", "f16").upper(),
        value_type=row.get("v", "f16").upper(),
        mmap=False,
    )


def taken(row: dict[str, Any], settings: Settings) -> tuple[Placement, list[int], list[int]]:
    """The placement, weights and context of each GPU, and everything on each GPU. [B]"""
    model, free = recorded.model(row["model"], row["quant"]), [int(g * GIB) for g in row["mem"]]
    placement = place(model.blocks, settings, free)
    held, kept = (
        bytes_per_device.weights(model, settings, placement),
        bytes_per_device.context(model, settings, placement),
    )
    made = compute_buffers.compute_buffers(model, settings, placement)
    stored = [held.gpus[g] + kept.gpus[g] for g in range(len(free))]
    return placement, stored, [s + m.greatest for s, m in zip(stored, made.gpus, strict=True)]


def theirs(row: dict[str, Any]) -> int:
    return sum(d["model"] + d["context"] for name, d in row["dev"].items() if name != "host")


@pytest.mark.parametrize("name", sorted({r["model"] for r in ROWS}))
def test_never_less_on_the_gpus_and_the_margin_is_kept(name: str) -> None:
    tight = [r for r in ROWS if r["model"] == name and (r["ngl"] >= 0 or r["overrides"])]
    loose = [r for r in ROWS if r["model"] == name and r not in tight]
    for row in tight[::EVERY] + loose[:: 4 * EVERY]:
        model = recorded.model(row["model"], row["quant"])
        found = fit(model, asked(row), [int(g * GIB) for g in row["mem"]])
        placement, stored, everything = taken(row, found)
        for used, memory in zip(everything, row["mem"], strict=True):
            assert memory * GIB - used >= MARGIN, row
        if sum(stored) < theirs(row):
            # A few MiB of experts more, bought with block 0: --fit leaves its attention and its cache in RAM.
            assert model.blocks != model.loaded
            assert placement.units.count(HOST) == 0
            assert row["ngl"] == model.blocks


def test_all_units_of_a_model_with_prediction_blocks() -> None:
    """--fit stops at -ngl 47 of 48 and leaves block 0 on the CPU."""
    row = next(r for r in ROWS if r["model"] == "glm-4.5-air" and r["mem"] == [24] and r["ngl"] == 47)
    found = fit(recorded.model("glm-4.5-air", "Q4_K_M"), asked(row), [24 * GIB])
    placement, stored, _ = taken(row, found)
    assert found.gpu_layers == -1
    assert HOST not in placement.units
    assert sum(stored) >= theirs(row)


def test_our_price_of_their_choice_is_theirs() -> None:
    """Rules, splits and layers that llama.cpp chose, priced by us as its dry run does: to the byte."""
    for row in ROWS[::9]:
        model = recorded.model(row["model"], row["quant"])
        chosen = Settings(
            **{f: getattr(asked(row), f) for f in ("context", "slots", "unified", "key_type", "value_type", "mmap")},
            split_mode="layer",
            gpu_layers=row["ngl"],
            tensor_split=tuple(row["tensor_split"] or ()),
            overrides=tuple((pattern, to) for pattern, to in row["overrides"]),
        )
        placement = place(model.blocks, chosen, [int(g * GIB) for g in row["mem"]])
        made = compute_buffers.compute_buffers(model, chosen, placement, dry_run=True)
        held = bytes_per_device.weights(model, chosen, placement)
        for d in range(HOST, placement.cards):
            said = row["dev"]["host" if d == HOST else f"gpu{d}"]
            assert (held.on(d), made.on(d).bytes) == (said["model"], said["compute"]), row["flags"]


def test_units_are_balanced_by_bytes() -> None:
    assert evenly_filled([10, 10, 10, 90], [100, 100]) == (3.0, 1.0)
    assert evenly_filled([10] * 9, [200, 100]) == (6.0, 3.0)


def test_the_last_gpu_is_filled_first() -> None:
    assert filled_from_last([10] * 9, [30, 40]) == (3.0, 4.0)


def test_nothing_fits() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    found = fit(model, Settings(context=8192), [600 * MIB])
    assert found.gpu_layers == 0
    assert not found.overridden


def test_pipelining_goes_before_layers() -> None:
    """Two cards on which the 8B fits without four copies of its inputs, not with them."""
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    settings = Settings(context=131072)
    found = [fit(model, settings, [size * MIB] * 2) for size in range(11_800, 12_800, 50)]
    kinds = [("^$", "CPU") in f.overrides for f in found]
    assert any(kinds)
    assert not kinds[-1]
    assert all(f.gpu_layers == -1 for f, k in zip(found, kinds, strict=True) if k)
