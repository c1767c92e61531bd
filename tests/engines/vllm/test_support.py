"""Each refusal with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gyakusan import machines
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Stored
from gyakusan.engines.vllm import engine
from gyakusan.engines.vllm.capability import capability
from gyakusan.models import load
from gyakusan.units import GIB

LOAD = Load(2, 8192)


def card(name: str, gib: int = 24, backend: str = "cuda", kind: str = "gpu") -> Machine:
    return Machine(name, (Device(name, kind, gib * GIB, backend),), None)  # type: ignore[arg-type]


def why(name: str, machine: Machine, **changes: object) -> str:
    model = load(name)
    found = engine.settings(model, LOAD, machine, **changes)
    return " | ".join(str(m) for m in engine.refusals(model, machine, found))


def test_a_usual_card_runs_it() -> None:
    assert why("gpt-oss-20b", card("NVIDIA GeForce RTX 5090", 32)) == ""
    assert why("qwen3-8b", machines.parse("DGX Spark")) == ""


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (machines.parse("M4 Max 128GB"), "macOS"),
        (Machine("box", (), None), "needs a CUDA or ROCm GPU"),
        (machines.parse("AMD Ryzen AI Max+ 395 128GB"), "integrated GPU"),
        (card("Intel Arc B580", 12, "sycl"), "not for Intel Arc"),
        (card("NVIDIA GeForce GTX 1080 Ti", 11), "compute capability 6.1"),
        (card("Tesla V100-SXM2-32GB V100", 32), "compute capability 7.0"),
    ],
)
def test_platforms(machine: Machine, reason: str) -> None:
    assert reason in why("qwen3-8b", machine)


def test_quantisations() -> None:
    gguf = replace(load("qwen3-8b"), source="/models/qwen3-8b-Q4_K_M.gguf")
    found = engine.settings(gguf, LOAD, card("RTX 4090"))
    reasons = " | ".join(str(m) for m in engine.refusals(gguf, card("RTX 4090"), found))
    assert "does not read GGUF files" in reasons
    assert "does not load Q4_K_M" in reasons
    assert "mxfp4 needs compute capability 8.0" in why("gpt-oss-20b", card("NVIDIA T4", 16))
    mlx = replace(load("qwen3-8b", "BF16"), stored=Stored("mlx", 1))
    assert "MLX" in str(engine.refusals(mlx, card("RTX 4090"), engine.settings(mlx, LOAD, card("RTX 4090")))[0])


def test_architectures() -> None:
    odd = replace(load("qwen3-8b", "BF16"), inferred=True, architecture="brandnew")
    found = engine.settings(odd, LOAD, card("RTX 4090"))
    assert "brandnew" in str(engine.refusals(odd, card("RTX 4090"), found)[0])
    assert "Hopper" in why("deepseek-v3.2", card("RTX 4090"))
    assert "Hopper" not in why("deepseek-v3.2", card("NVIDIA H200", 141))


def test_heads_lengths_and_counts() -> None:
    four = Machine("4x", (Device("RTX 4090", "gpu", 24 * GIB, "cuda"),) * 4, None)
    assert "cannot be split evenly over 4 GPUs" in why("phi4-14b", four, tensor_parallel=4)
    assert "VLLM_ALLOW_LONG_MAX_MODEL_LEN" in why("qwen3-8b", card("RTX 4090"), max_model_len=1 << 20)
    assert "2 GPUs were requested" in why("qwen3-8b", card("RTX 4090"), tensor_parallel=2)
    assert "block_size cannot be 17" in why("qwen3-8b", card("RTX 4090"), block_size=17)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA GeForce RTX 5090", 12.0),
        ("NVIDIA GB10", 12.0),
        ("NVIDIA RTX 5000 Ada Generation", 8.9),
        ("NVIDIA H100 80GB HBM3", 9.0),
        ("NVIDIA B200", 10.0),
        ("NVIDIA L40S", 8.9),
        ("NVIDIA GeForce RTX 3090", 8.6),
        ("NVIDIA A100-SXM4-80GB", 8.0),
        ("NVIDIA Jetson AGX Orin 64GB", 8.7),
        ("Tesla T4", 7.5),
        ("GPU 24.0 GiB", None),
    ],
)
def test_capability_by_name(name: str, found: float | None) -> None:
    assert capability(Device(name, "gpu", None, "cuda")) == found


@pytest.mark.parametrize(
    ("device", "runs", "refused"),
    [
        ("RX 7900 XTX", ("BF16", "MXFP4"), ("AWQ", "GPTQ", "INT4", "INT8", "NVFP4", "FP8")),
        ("R9700", ("BF16", "FP8"), ("AWQ", "GPTQ", "INT4", "INT8", "NVFP4")),
        ("MI300X", ("BF16", "FP8"), ("AWQ", "GPTQ", "INT4", "INT8", "NVFP4")),
        ("RTX 4090", ("BF16", "FP8", "AWQ", "GPTQ", "INT4", "INT8", "MXFP4"), ("NVFP4",)),
        ("RTX 2080 Ti", ("BF16", "FP8", "AWQ"), ("MXFP4",)),
    ],
)
def test_formats_by_the_servers_own_table(device: str, runs: tuple[str, ...], refused: tuple[str, ...]) -> None:
    machine = machines.parse(device)
    assert [n for n in runs if engine.format_refusal(n, machine)] == []
    assert [n for n in refused if engine.format_refusal(n, machine) is None] == []


def test_a_deployment_is_refused_as_its_format_is() -> None:
    amd = machines.parse("2x R9700")
    assert "no AMD GPU for AWQ" in why("qwen3-8b", amd, quantization="awq")
    assert "no AMD GPU for INT8" in why("qwen3-8b", amd, quantization="int8")
    assert why("qwen3-8b", amd, quantization="fp8") == ""
    assert "RX 7900 XTX is neither" in why("qwen3-8b", machines.parse("RX 7900 XTX"), quantization="fp8")


def test_copies_need_gpus_and_experts_of_their_own() -> None:
    box = machines.parse("4x RTX 4090")
    assert why("qwen3-8b", box, data_parallel=2) == ""
    assert "8 GPUs were requested" in why("qwen3-8b", box, data_parallel=4, tensor_parallel=2)
    assert why("qwen3-30b-a3b", box, data_parallel=2, quantization="fp8") == ""
    assert "no experts to spread" in why("qwen3-8b", box, expert_parallel=True)
    odd = machines.parse("5x RTX 4090")
    assert "cannot be divided over 5 GPUs" in why("qwen3-30b-a3b", odd, data_parallel=5, quantization="fp8")
    assert why("qwen3-30b-a3b", odd, data_parallel=5, expert_parallel=True, quantization="fp8") == ""


def test_nvfp4_is_planned_with_on_blackwell_only() -> None:
    for name, planned in (("RTX 5090", True), ("DGX Spark", True), ("RTX 4090", False), ("H100 80GB SXM", False)):
        assert (engine.format_refusal("NVFP4", machines.parse(name)) is None) is planned, name
