"""Hybrids with Mamba-2, of shapes that no rule was fitted on, against llama.cpp's own allocator.

tests/truth/hybrid_shapes.jsonl.gz: 21 made-up models of the Nemotron-H and Granite 4 families (width, heads, groups, state
size, experts, used experts, latent experts, order of blocks by chance), each on a CPU and on a stand-in CUDA device (compute
capability 8.9), dry runs of llama.cpp b11549.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from tests.models import recorded

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer, range_factors
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models.families import convert, unquantized

NAMES = ("hidden_size", "mamba_num_heads", "mamba_n_heads", "mamba_head_dim", "ssm_state_size", "mamba_d_state")


def _rows() -> list[dict[str, Any]]:
    with gzip.open(recorded.TRUTH / "hybrid_shapes.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _model(config: dict[str, Any]) -> Model:
    metadata = convert(config)
    if metadata.architecture == "nemotron_h_moe":
        metadata.values["nemotron_h_moe.expert_weights_norm"] = True  # type: ignore[index]
    return unquantized(metadata)


@pytest.mark.parametrize("row", _rows(), ids=lambda r: "-".join(str(r["config"][n]) for n in NAMES if n in r["config"]))
def test_a_shape_that_nobody_fitted_is_exact(row: dict[str, Any]) -> None:
    model, settings = _model(row["config"]), Settings(**row["settings"], backend=row["backend"], mmap=False)
    held, made = weights(model, settings), compute_buffer(model, settings)
    caches = sum(int(group.bytes) for group in kv_cache.groups(model, settings))
    assert (held.gpu + held.host, caches) == (row["weights"], row["caches"])
    assert (made.gpu, made.host) == (row["gpu"], row["host"])
    assert range_factors(model, settings) == (1.0, 1.0)


def test_scans_without_a_cuda_kernel_run_on_the_host() -> None:
    states = {row["config"].get("ssm_state_size", row["config"].get("mamba_d_state")) for row in _rows()}
    assert states >= {64, 128, 256}, "64 has no kernel: input and output of the scan cross over"
