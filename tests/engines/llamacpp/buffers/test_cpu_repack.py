"""Weights on a CPU, against a real server: what stays mapped, and what is copied into another layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers import cpu_repack
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models import load
from gyakusan.serving.buffer_comparison import BufferComparison, compare_deployment
from gyakusan.serving.server import Server, ServerOptions

MIB = 2**20


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small llamas with weights of nothing, one for each quantisation."""
    folder = tmp_path_factory.mktemp("models")
    return {q: written(folder / f"{q}.gguf", q) for q in ("Q4_0", "Q4_K_M", "Q8_0", "IQ4_NL", "Q2_K")}


def written(path: Path, quantization: str) -> Path:
    """A GGUF that a real server loads: the tokenizer of SmolLM2 is too long to copy, so the vocabulary is bytes."""
    from tests.engines.llamacpp.tiny import write

    return write(path, quantization)


def rows(path: Path, **changes: object) -> tuple[BufferComparison, ...]:
    asked = api.deployment(str(path), load=Load(2, 512), device="cpu", settings=changes)
    with Server.of(asked, ServerOptions(threads=1)) as server:
        return compare_deployment(asked, server.report)


@pytest.mark.parametrize("quantization", ["Q4_0", "Q4_K_M", "Q8_0", "IQ4_NL", "Q2_K"])
def test_a_real_server_holds_what_we_say(small: dict[str, Path], quantization: str) -> None:
    found = {row.kind: row for row in rows(small[quantization])}
    assert found["weights"].exact, found["weights"]
    assert found["kv_cache"].exact


@pytest.mark.parametrize("changes", [{"repack": False}, {"mmap": False}, {"mmap": False, "repack": False}])
def test_the_settings_change_it(small: dict[str, Path], changes: dict[str, object]) -> None:
    found = {row.kind: row for row in rows(small["Q4_0"], **changes)}
    assert found["weights"].exact, found["weights"]


def test_a_copy_is_counted_beside_the_file() -> None:
    model = load("llama3.1-8b", "Q4_0")
    settings = Settings(4096, backend="cpu", simd="avx2")
    assert cpu_repack.in_ram(model, settings) > 1.8 * cpu_repack.in_ram(
        model, Settings(4096, backend="cpu", repack=False)
    )
    assert cpu_repack.repacked(model, "none") == 0


def test_tables_and_latent_matrices_are_not_repacked() -> None:
    def names(model: Model) -> set[str]:
        return {t.name.split(".")[-2] for t in model.tensors if cpu_repack.is_repacked(t, "avx2", model)}

    assert "token_embd" not in names(load("llama3.2-1b", "Q4_0"))
    deep = names(load("deepseek-v2-lite", "Q4_0"))
    assert "ffn_gate_exps" in deep
    assert not deep & {"attn_k_b", "attn_v_b"}


def test_arrays_of_loads_share_one_figure() -> None:
    model = load("llama3.2-1b", "Q4_0")
    settings = Settings(np.array([4096, 8192]), backend="cpu")
    assert isinstance(cpu_repack.in_ram(model, settings), int)
