"""Bytes of weights of every recorded row, on the GPU and on the host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.models import recorded

from gyakusan.core.model import Tensor
from gyakusan.engines.llamacpp.buffers.weights import Weights, loaded, stored, weights
from gyakusan.engines.llamacpp.settings import Settings

FILES = ("llamacpp_b11434.jsonl.gz", "llamacpp_archs.jsonl.gz")


def measured(row: dict[str, Any]) -> Weights:
    """What llama.cpp reported. Everything is on the host on the CPU backend."""
    gpu = sum(d["model"] for name, d in row["dev"].items() if name != "host")
    return Weights(gpu, row["weights"] - gpu)


@pytest.mark.parametrize("file", FILES)
def test_weights_of_every_row(file: str) -> None:
    distinct = {(r["model"], r["quant"], r["backend"]): r for r in recorded.rows(file)}
    wrong = []
    for (name, quantization, backend), row in distinct.items():
        settings = Settings(context=4096, backend="cpu" if backend == "cpu" else "cuda")
        actual = weights(recorded.model(name, quantization), settings)
        if actual != measured(row):
            wrong.append((name, quantization, backend, actual, measured(row)))
    assert not wrong


def test_all_rows_of_a_model_weigh_the_same() -> None:
    """So that one row of each stands for all."""
    for file in FILES:
        seen: dict[Any, Weights] = {}
        for row in recorded.rows(file):
            assert seen.setdefault((row["model"], row["quant"], row["backend"]), measured(row)) == measured(row)


def test_a_tied_table_is_on_both() -> None:
    model = recorded.model("llama3.2-1b", "Q4_K_M")
    table = next(t for t in model.tensors if t.name == "token_embd.weight")
    here = weights(model, Settings(context=4096))
    assert here.host == stored(table, "cpu")
    assert here.gpu > stored(table, "cuda")


def test_rows_are_padded_to_512_columns() -> None:
    tensor = Tensor("blk.0.ffn_down.weight", (896, 10), "Q8_0")
    plain = 896 // 32 * 34 * 10
    assert stored(tensor, "cpu") == plain + 16
    assert stored(tensor, "cuda") == plain + 128 // 32 * 34 + 72


def test_prediction_blocks_stay_in_the_file() -> None:
    model = recorded.model("glm-4.5-air", "Q4_K_M")
    assert not any(t.name.startswith("blk.46.") for t in loaded(model))


def test_some_prediction_tensors_are_loaded() -> None:
    model = recorded.model("glm-5", "Q4_K_M")
    kept = [t.name for t in loaded(model) if t.name.startswith("blk.78.")]
    assert sorted(kept) == ["blk.78.indexer.k_norm.bias", "blk.78.indexer.k_norm.weight"]


def test_step_loads_part_of_its_prediction_block() -> None:
    model = recorded.model("step-3.5-flash", "Q4_K_M")
    names = {t.name for t in loaded(replace(model, loaded=44)) if t.name.startswith("blk.44.")}
    assert "blk.44.attn_gate.weight" in names
    assert "blk.44.attn_q.weight" not in names
    assert "blk.44.ffn_norm.weight" not in names


def test_a_decay_that_the_gpu_cannot_use_stays_on_the_host() -> None:
    model = recorded.model("plamo-2-1b", "Q4_K_M")
    table = next(t for t in model.tensors if t.name == "token_embd.weight")
    assert weights(model, Settings(context=4096)).host == stored(table, "cpu") + 8 * 128


def test_priced_once() -> None:
    model = recorded.model("qwen3-8b", "Q4_K_M")
    assert weights(model, Settings(context=4096)) is weights(model, Settings(context=8192))
