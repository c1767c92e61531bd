"""Which compute buffers are exact, and that recorded rows agree."""

from __future__ import annotations

import pytest
from tests.engines.llamacpp.compute_buffer.test_one_device import ARCHS, MAIN, settings_of
from tests.models import recorded

from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer, simulates
from gyakusan.engines.llamacpp.compute_methods import ComputeMethods, compute_methods


@pytest.mark.parametrize(
    ("architecture", "methods"),
    [
        ("llama", ComputeMethods("simulated", "simulated", "simulated")),
        ("qwen35moe", ComputeMethods("simulated", "simulated", "simulated")),
        ("olmo2", ComputeMethods("closed form", "range", "range")),
        ("nemotron_h_moe", ComputeMethods("simulated", "range", "simulated")),
        ("glm4", ComputeMethods("simulated", "range", "simulated")),
        ("jamba", ComputeMethods("range", "range", "range")),
    ],
)
def test_the_method_of_an_architecture(architecture: str, methods: ComputeMethods) -> None:
    name = next(n for n in recorded.files() if recorded.architecture(n) == architecture)
    quantization = next(iter(recorded.files()[name]["types"]))
    assert compute_methods(recorded.model(name, quantization)) == methods


def test_what_is_simulated_on_one_device_is_exact_to_the_byte() -> None:
    wrong, seen = [], set()
    for file in (MAIN, ARCHS):
        for row in recorded.rows(file):
            model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
            if simulates(model, settings):
                seen.add(model.architecture)
                buffers = compute_buffer(model, settings)
                if buffers.gpu + buffers.host != row["compute"]:
                    wrong.append(model.architecture)
    assert seen >= {"llama", "qwen2", "qwen3", "gemma3", "gemma4", "glm4", "dots1", "smollm3", "deepseek2", "gpt-oss"}
    assert seen >= {"nemotron_h", "nemotron_h_moe", "qwen35", "qwen35moe", "mistral4"}
    assert wrong == ["qwen35moe"]  # llama-bench: its range holds this row
