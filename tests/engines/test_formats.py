"""Formats as people name them, under each engine."""

from __future__ import annotations

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.formats import find_format
from gyakusan.errors import BadSetting, UnknownName

H100, MAC = "H100 80GB SXM", "M4 Max 128GB"


@pytest.mark.parametrize(
    ("engine", "typed", "name", "base"),
    [
        ("llama.cpp", "ud-q4_k_xl", "UD-Q4_K_XL", "UD-Q4_K_XL"),
        ("llama.cpp", "iq3_xxs", "IQ3_XXS", "IQ3_XXS"),
        ("llama.cpp", "Q4_K_L", "Q4_K_L", "Q4_K_L"),
        ("ollama", "fp16", "F16", "F16"),
        ("llama.cpp", "bf16", "BF16", "BF16"),
        ("llama.cpp", "mxfp4", "MXFP4_MOE", "MXFP4_MOE"),
        ("vllm", "fp8", "FP8", "Q8_0"),
        ("vllm", "FP8-dynamic", "FP8", "Q8_0"),
        ("vllm", "GPTQ-Int4", "GPTQ", "Q4_K_M"),
        ("vllm", "W4A16", "INT4", "Q4_K_M"),
        ("vllm", "AWQ-8bit", "INT8", "Q8_0"),
        ("vllm", "nvfp4", "NVFP4", "Q4_K_M"),
        ("vllm", "bnb-4bit", "BNB", "Q4_K_M"),
        ("mlx", "4-bit", "4bit", "Q4_K_M"),
        ("mlx", "8BIT", "8bit", "Q8_0"),
        ("mlx", "4bit-DWQ", "4bit", "Q4_K_M"),
        ("mlx", "mlx-6bit", "6bit", "Q6_K"),
        ("mlx", "mxfp4-q8", "mxfp4-q8", "Q4_K_M"),
    ],
)
def test_names(engine: str, typed: str, name: str, base: str) -> None:
    found = find_format(typed, engine)
    assert (found.name, found.base) == (name, base)


@pytest.mark.parametrize(
    ("engine", "typed", "other"),
    [
        ("llama.cpp", "AWQ", "vLLM: add --engine vllm"),
        ("ollama", "NVFP4", "vLLM: add --engine vllm"),
        ("llama.cpp", "6bit", "MLX-LM: add --engine mlx-lm"),
        ("mlx", "FP8", "vLLM: add --engine vllm"),
        ("vllm", "4bit", "MLX-LM: add --engine mlx-lm"),
    ],
)
def test_the_error_names_the_engine_that_reads_it(engine: str, typed: str, other: str) -> None:
    with pytest.raises(BadSetting, match=other) as raised:
        find_format(typed, engine)
    assert "4bit" in str(raised.value) if engine == "mlx" else "For " in str(raised.value)


def test_an_unknown_format() -> None:
    with pytest.raises(UnknownName, match="IQ4_XS"):
        find_format("IQ4_XZ", "llama.cpp")


def test_mxfp4_is_for_experts() -> None:
    for engine, device in (("llama.cpp", "RTX 5090"), ("vllm", H100)):
        with pytest.raises(BadSetting, match="no files in MXFP4"):
            api.deployment("qwen3-8b", quantization="MXFP4", load=Load(1, 8192), device=device, server=engine)
        found = api.deployment("gpt-oss-20b", quantization="MXFP4", load=Load(1, 8192), device=device, server=engine)
        assert found.ledger.fits


@pytest.mark.parametrize(
    ("engine", "device", "names"),
    [
        ("vllm", H100, ("NVFP4", "FP8", "BF16")),
        ("vllm", H100, ("AWQ", "INT8", "BF16")),
        ("mlx", MAC, ("4bit", "6bit", "8bit", "bf16")),
        ("llama.cpp", H100, ("UD-Q4_K_XL", "Q6_K", "BF16")),
    ],
)
def test_memory_and_speed_follow_the_format(engine: str, device: str, names: tuple[str, ...]) -> None:
    sizes, steps = [], []
    for name in names:
        asked = api.deployment("qwen3-8b", quantization=name, load=Load(1, 8192), device=device, server=engine)
        judged = api.assess(asked)
        assert judged.speed is not None
        sizes.append(asked.ledger.of("weights"))
        steps.append(judged.speed.tpot.value)
    assert sizes == sorted(sizes)
    assert steps == sorted(steps)
    assert sizes[-1] > 1.8 * sizes[0]
    assert steps[-1] > 1.3 * steps[0]
