"""The simulated graph of a whole model: shapes that nobody fitted, arrays, and a model that lacks a tensor.

tests/truth/graph_shapes.jsonl.gz: made-up models of 26 architectures (width, heads, their widths, networks, experts, latent
ranks by chance), on a CPU and on a stand-in CUDA device (compute capability 8.9), dry runs of llama.cpp b11549. Of latent
attention most rows are those that the closed forms missed, by up to 20 %.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.models import recorded

from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer, range_factors, simulates
from gyakusan.engines.llamacpp.ggml_simulation.model_graph import can_simulate, simulate
from gyakusan.engines.llamacpp.placement.layer_assignment import place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import Malformed
from gyakusan.models.families import convert, unquantized

BENCH = Settings(context=4096, backend="cpu", outputs="bench")


def _shapes() -> list[dict[str, Any]]:
    with gzip.open(recorded.TRUTH / "graph_shapes.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_every_shape_that_nobody_fitted_is_exact() -> None:
    wrong, architectures = [], set()
    for row in _shapes():
        model = unquantized(convert(row["config"]))
        settings = Settings(**row["settings"], backend=row["backend"], mmap=False)
        held, made = weights(model, settings), compute_buffer(model, settings)
        caches = sum(int(group.bytes) for group in kv_cache.groups(model, settings))
        found = {"weights": held.gpu + held.host, "caches": caches, "gpu": made.gpu, "host": made.host}
        if any(found[part] != row[part] for part in found):
            wrong.append((row, found))
        assert simulates(model, settings)
        assert range_factors(model, settings) == (1.0, 1.0)
        architectures.add(model.architecture)
    assert not wrong
    assert architectures >= {"deepseek2", "qwen35", "qwen3moe", "gemma4", "phi3", "glm4moe"}


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
