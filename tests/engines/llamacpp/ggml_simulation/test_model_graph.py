"""The simulated graph of a whole model: arrays, and a model that lacks a tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.models import recorded

from gyakusan.engines.llamacpp.ggml_simulation.model_graph import can_simulate, simulate
from gyakusan.engines.llamacpp.placement.layer_assignment import place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import Malformed

BENCH = Settings(context=4096, backend="cpu", outputs="bench")


def test_arrays_are_simulated_one_by_one() -> None:
    model = recorded.model("gemma3-27b", "Q4_K_M")
    nowhere = place(model.blocks, BENCH, ())
    contexts, batches = np.array([[512], [4096]]), np.array([128, 512, 128])
    sizes = simulate(model, replace(BENCH, context=contexts, batch=batches), nowhere).host
    assert not isinstance(sizes, int | float)
    assert sizes.shape == (2, 3)
    for (i, j), size in np.ndenumerate(sizes):
        one = replace(BENCH, context=int(contexts[i, 0]), batch=int(batches[j]))
        assert size == simulate(model, one, nowhere).host


def test_logits_of_all_tokens_are_known_on_the_cpu_only() -> None:
    model = recorded.model("gemma3-27b", "Q4_K_M")
    assert can_simulate(model, BENCH)
    assert not can_simulate(model, replace(BENCH, backend="cuda"))
    assert not can_simulate(model, replace(BENCH, key_type="f32"))


def test_a_missing_tensor_is_named() -> None:
    model = recorded.model("gemma3-27b", "Q4_K_M")
    without = replace(model, tensors=tuple(t for t in model.tensors if t.name != "blk.3.ffn_up.weight"))
    with pytest.raises(Malformed, match="has no tensor ffn_up"):
        simulate(without, BENCH, place(model.blocks, BENCH, ()))
