"""Equal blocks in a row: the middle of a repetition is left out, and the buffers stay the same to the byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.models import recorded

from gyakusan.engines.llamacpp.ggml_simulation import model_graph
from gyakusan.engines.llamacpp.ggml_simulation.repeated_blocks import without_repeats
from gyakusan.engines.llamacpp.placement.layer_assignment import place
from gyakusan.engines.llamacpp.settings import Settings

ROOM = 2**50
CPU = Settings(context=8192, backend="cpu")
GPU = Settings(context=32768, slots=4, ubatch=1024, split_mode="none")


def _model(name: str) -> Any:
    return recorded.model(name, next(iter(recorded.files()[name]["types"])))


def _kept(name: str) -> list[int]:
    model = _model(name)
    return list(without_repeats(model, model.blocks, model_graph.cache_groups(model, GPU), 1))


def test_equal_blocks_are_left_out() -> None:
    assert _kept("llama3.1-8b") == [0, 1, 2, 3, 28, 29, 30, 31]


def test_a_pattern_keeps_its_order_and_its_ends() -> None:
    kept = _kept("gemma3-27b")
    assert (kept[0], kept[-1]) == (0, 61)
    assert [i % 6 for i in kept] == [i % 6 for i in range(len(kept))]


def test_blocks_before_the_repetition_stay() -> None:
    assert _kept("deepseek-v2-lite")[:2] == [0, 1], "the first is dense"


@pytest.mark.parametrize(
    "name",
    [
        "llama3.1-8b",
        "gemma3-27b",
        "gpt-oss-20b",
        "qwen3-next-80b",
        "smollm3-3b",
        "deepseek-v2-lite",
        "nemotron-nano-9b-v2",
    ],
)
@pytest.mark.parametrize(
    "settings", [CPU, GPU, replace(GPU, key_type="Q8_0", value_type="Q8_0")], ids=["cpu", "gpu", "q8_0"]
)
def test_no_buffer_changes(name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(name)
    placement = place(model.blocks, settings, () if settings.backend == "cpu" else (ROOM,))
    fewer = model_graph._simulate(model, settings, placement, False)
    monkeypatch.setattr(model_graph, "without_repeats", lambda _m, blocks, _g, _u: range(blocks))
    assert model_graph._simulate(model, settings, placement, False) == fewer


def test_a_gpu_that_helps_the_host_simulates_every_block() -> None:
    model, settings = _model("llama3.1-8b"), replace(GPU, gpu_layers=0)
    assert not model_graph._alone(settings, place(model.blocks, settings, (ROOM,)))
    assert not model_graph._alone(replace(GPU, offload_kv=False), place(model.blocks, GPU, (ROOM,)))
    assert model_graph._alone(GPU, place(model.blocks, GPU, (ROOM,)))
    assert model_graph._alone(CPU, place(model.blocks, CPU, ()))
