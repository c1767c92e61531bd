"""quantization_config -> how the checkpoint is stored."""

from __future__ import annotations

from typing import Any

import pytest

from gyakusan.core.model import Checkpoint, Tensor
from gyakusan.models.formats.quantization import checkpoint
from gyakusan.models.formats.vision import parameters

INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": False}
CASES: list[tuple[dict[str, Any], Checkpoint]] = [
    ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, Checkpoint("BF16", "gptq", 4, 128)),
    ({"quant_method": "gptq", "bits": 8, "group_size": -1}, Checkpoint("BF16", "gptq", 8, 0)),
    ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}, Checkpoint("BF16", "awq", 4, 64, symmetric=False)),
    ({"quant_method": "fp8", "weight_block_size": [128, 128]}, Checkpoint("BF16", "fp8", 8, 128, 4)),
    ({"quant_method": "fp8"}, Checkpoint("BF16", "fp8", 8, -1, 4)),
    (
        {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
        Checkpoint("BF16", "mxfp4", 4, 32, 1, unquantized=("lm_head",)),
    ),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, Checkpoint("BF16", "bitsandbytes", 4, 64, 4)),
    ({"quant_method": "bitsandbytes", "load_in_8bit": True}, Checkpoint("BF16", "bitsandbytes", 8, 0, 4)),
    (
        {"quant_method": "modelopt", "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}},
        Checkpoint("BF16", "nvfp4", 4, 16, 1, cache="fp8"),
    ),
    (
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
        Checkpoint("BF16", "fp8", 8, -1, 4, expert_group=16),
    ),
    (
        {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": INT4}}, "ignore": ["lm_head"]},
        Checkpoint("BF16", "compressed-tensors", 4, 32, 2, symmetric=False, unquantized=("lm_head",)),
    ),
    (
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"g": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
            "kv_cache_scheme": {"num_bits": 8, "type": "float"},
        },
        Checkpoint("BF16", "compressed-tensors", 8, 0, 2, cache="fp8"),
    ),
    (
        {
            "quant_method": "compressed-tensors",
            "format": "mxfp4-pack-quantized",
            "config_groups": {"g": {"weights": {"num_bits": 4, "type": "float", "group_size": 32}}},
        },
        Checkpoint("BF16", "compressed-tensors", 4, 32, 1),
    ),
    ({"quant_method": "brandnew"}, Checkpoint("BF16", "brandnew")),
]


@pytest.mark.parametrize(("written", "found"), CASES)
def test_methods(written: dict[str, Any], found: Checkpoint) -> None:
    assert checkpoint({"dtype": "bfloat16", "quantization_config": written}) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [("float16", "F16"), ("torch.bfloat16", "BF16"), ("float32", "BF16"), (None, "BF16"), ("?", "BF16")],
)
def test_plain_types(written: str | None, found: str) -> None:
    assert checkpoint({"torch_dtype": written}) == Checkpoint(found)


def test_the_language_part_decides_and_tensors_are_kept() -> None:
    outer = {"dtype": "float16", "text_config": {"mamba_ssm_dtype": "float32"}}
    assert checkpoint(outer).state == "float32"
    stored = (Tensor("w", (8, 8), "BF16"),)
    assert checkpoint({}, stored).tensors == stored


@pytest.mark.parametrize(
    "written", [[], "fp8", {"quant_method": None}, {"quant_method": 5}, {"quant_method": "gptq", "bits": "x"}]
)
def test_odd_input_does_not_break_it(written: Any) -> None:
    assert isinstance(checkpoint({"quantization_config": written}), Checkpoint)


def test_vision_towers() -> None:
    siglip = {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "patch_size": 14,
        "image_size": 896,
    }
    found = parameters({"vision_config": siglip, "text_config": {"hidden_size": 5376}})
    assert found == pytest.approx(27_432_406_640 - 27_009_002_240, rel=0.01)
    assert parameters({}) == parameters({"vision_config": {"layers": "x"}}) == 0
