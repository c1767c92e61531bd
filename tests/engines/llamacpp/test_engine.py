"""The smallest part of a model in RAM: one block less does not fit the GPU at the high end."""

from __future__ import annotations

from typing import Any

import pytest

from gyakusan import machines
from gyakusan.core.load import Load
from gyakusan.engines.base import PartiallyInRam
from gyakusan.engines.llamacpp import engine
from gyakusan.models import load

CARD = machines.parse("RTX 3060 12GB + 64GB RAM")
LOAD = Load(1, 32768)


def high(name: str, quant: str, changes: dict[str, Any]) -> float:
    """What the GPU takes at the high end, less what is usable [B]."""
    model = load(name, quant)
    gpu = engine.accounts(model, LOAD, CARD, engine.settings(model, LOAD, CARD, **changes))[0]
    return float(gpu.high - (gpu.device.usable or 0))


def part(name: str, quant: str, device: str = "RTX 3060 12GB + 64GB RAM", **changes: object) -> PartiallyInRam | None:
    return engine.part_in_ram(load(name, quant), LOAD, machines.parse(device), changes)


@pytest.mark.parametrize(
    ("name", "quant", "what", "setting"),
    [
        ("qwen3.6-35b-a3b", "Q4_K_M", "experts", "n_cpu_moe"),
        ("gpt-oss-120b", "MXFP4_MOE", "experts", "n_cpu_moe"),
        ("glm-4.5-air", "Q4_K_M", "experts", "n_cpu_moe"),
        ("gemma4-31b", "Q4_K_M", "layers", "gpu_layers"),
        ("qwen3-32b", "Q4_K_M", "layers", "gpu_layers"),
    ],
)
def test_one_block_less_does_not_fit(name: str, quant: str, what: str, setting: str) -> None:
    found = part(name, quant)
    assert found is not None
    assert (found.part, list(found.settings)) == (what, [setting])
    blocks = load(name, quant).blocks
    value = found.blocks_in_ram if what == "experts" else blocks + 1 - found.blocks_in_ram
    assert found.settings[setting] == value
    assert high(name, quant, dict(found.settings)) <= 0
    less = {setting: value - 1 if what == "experts" else value + 1}
    assert high(name, quant, less) > 0


def test_ram_has_to_hold_the_rest() -> None:
    assert part("qwen3.6-35b-a3b", "Q4_K_M", "RTX 3060 12GB + 8GB RAM") is None
    assert part("qwen3.6-35b-a3b", "Q4_K_M", "RTX 3060 12GB + 32GB RAM") is not None


def test_further_settings_count() -> None:
    plain, images = part("qwen3.6-35b-a3b", "Q4_K_M"), part("qwen3.6-35b-a3b", "Q4_K_M", projector_bytes=903_000_000)
    assert plain is not None
    assert images is not None
    assert images.blocks_in_ram > plain.blocks_in_ram


@pytest.mark.parametrize(("name", "quant"), [("gpt-oss-120b", "MXFP4_MOE"), ("llama3.3-70b", "Q8_0")])
def test_several_cards_share_what_is_left(name: str, quant: str) -> None:
    model, machine = load(name, quant), machines.parse("2x RTX 3090 + 128GB RAM")
    found = engine.part_in_ram(model, LOAD, machine, {})
    assert found is not None

    def over(changes: dict[str, Any]) -> float:
        charged = engine.accounts(model, LOAD, machine, engine.settings(model, LOAD, machine, **changes))
        return max(float(a.high - (a.device.usable or 0)) for a in charged[:2])

    assert over(dict(found.settings)) <= 0
    if "n_cpu_moe" in found.settings:
        assert found.settings["n_cpu_moe"] == found.blocks_in_ram < 36
        assert over({"n_cpu_moe": found.blocks_in_ram}) > 0  # shared out by units, the second card would be too full
    else:
        assert over({"gpu_layers": model.blocks + 2 - found.blocks_in_ram}) > 0


@pytest.mark.parametrize("device", ["M4 Max 128GB", "cpu"])
def test_only_beside_gpus_with_their_own_memory(device: str) -> None:
    assert part("qwen3.6-35b-a3b", "Q8_0", device) is None


def test_what_is_in_ram_decides_the_speed() -> None:
    model, settings = load("qwen3-32b", "Q4_K_M"), engine.settings
    for changes, in_ram in (
        ({}, False),
        ({"gpu_layers": 40}, True),
        ({"n_cpu_moe": 3}, True),
        ({"backend": "cpu"}, False),
    ):
        assert engine.compute_settings(CARD, settings(model, LOAD, CARD, **changes)).part_in_ram is in_ram
