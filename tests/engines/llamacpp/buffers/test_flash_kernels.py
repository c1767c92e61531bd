"""Heads without a flash-attention kernel, against llama.cpp's own allocator.

tests/truth/attention_kernels.jsonl.gz: 58 made-up models whose heads no CUDA kernel knows, on a stand-in CUDA device (compute
capability 8.9), dry runs of llama.cpp b11549 with --flash-attn auto. The ranges were set on the first 103
rows and held all of the others. tests/truth/indexer_shapes.jsonl.gz: made-up models with indexers (DeepSeek V3.2, V4, GLM-5),
on a CPU and on that device. Ranges set on the first 144 rows held 97 % of the next ones; they were then widened to hold all.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.models import recorded

from gyakusan.core.load import Load
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.flash_kernels import has_kernel, is_on_host, note, resolved
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer, host_factors, range_factors
from gyakusan.engines.llamacpp.ledger import ledger
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.machines import parse
from gyakusan.models.families import convert, unquantized

EXACT = 0.8
"""Share of the buffers with unfused attention that are exact on the GPU, at least: 121 of 149."""


def _rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(recorded.TRUTH / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _case(row: dict[str, Any]) -> tuple[Model, Settings]:
    return unquantized(convert(row["config"])), Settings(**row["settings"], backend=row["backend"], mmap=False)


def test_every_buffer_without_a_kernel_lies_in_its_range() -> None:
    exact = unfused = 0
    for row in _rows("attention_kernels.jsonl.gz"):
        model, settings = _case(row)
        made, (low, high), (least, most) = (
            compute_buffer(model, settings), range_factors(model, settings), host_factors(model, settings),
        )  # fmt: skip
        assert made.gpu * low <= row["gpu"] <= made.gpu * high, row
        assert made.host * least <= row["host"] <= made.host * most, row
        assert sum(int(group.bytes) for group in kv_cache.groups(model, settings)) == row["caches"]
        if not is_on_host(model, settings):
            assert made.host == row["host"]
            unfused, exact = unfused + 1, exact + (made.gpu == row["gpu"])
    assert exact >= EXACT * unfused


def test_every_buffer_of_an_indexer_lies_in_its_range() -> None:
    for row in _rows("indexer_shapes.jsonl.gz"):
        model, settings = _case(row)
        made, (low, high), (least, most) = (
            compute_buffer(model, settings), range_factors(model, settings), host_factors(model, settings),
        )  # fmt: skip
        if row["backend"] == "cpu":
            least, most = low, high
        assert made.gpu * low <= row["gpu"] <= made.gpu * high, row
        assert made.host * least <= row["host"] <= made.host * most, row


def _model(head: int, heads: int = 16, kv: int = 4) -> Model:
    row = next(r for r in _rows("attention_kernels.jsonl.gz") if r["config"]["model_type"] == "qwen3")
    config = {**row["config"], "head_dim": head, "num_attention_heads": heads, "num_key_value_heads": kv}
    return unquantized(convert(config))


@pytest.mark.parametrize(
    ("head", "heads", "kv", "backend", "found"),
    [
        (128, 16, 4, "cuda", True),
        (32, 16, 4, "cuda", False),
        (32, 16, 4, "metal", True),
        (32, 16, 4, "vulkan", True),
        (160, 16, 4, "rocm", False),
        (160, 16, 4, "metal", False),
        (100, 16, 4, "vulkan", False),
        (512, 16, 4, "cuda", True),
        (512, 4, 4, "cuda", False),
        (192, 16, 2, "cuda", False),
        (160, 16, 4, "sycl", True),
    ],
)
def test_which_heads_have_a_kernel(head: int, heads: int, kv: int, backend: Any, found: bool) -> None:
    assert has_kernel(_model(head, heads, kv), Settings(4096, driver=backend)) is found


def test_types_without_a_kernel() -> None:
    plain = _model(128)
    assert not has_kernel(plain, Settings(4096, key_type="IQ4_NL", value_type="IQ4_NL"))
    assert not has_kernel(plain, Settings(4096, key_type="Q8_0", driver="metal"))
    assert has_kernel(plain, Settings(4096, key_type="Q8_0"))


def test_a_quantised_value_cache_keeps_flash_attention_on_the_cpu() -> None:
    model, settings = _model(32), Settings(4096, key_type="Q8_0", value_type="Q8_0")
    assert resolved(model, settings) is settings
    assert is_on_host(model, settings)
    told = note(model, settings)
    assert told is not None
    assert "the CPU computes attention" in str(told)


def test_auto_is_off_without_a_kernel_and_says_so() -> None:
    model, settings = _model(32), Settings(4096)
    decided = resolved(model, settings)
    assert not decided.flash
    assert not decided.transposed
    told = note(model, settings)
    assert told is not None
    assert "heads of width 32 with a f16 cache" in str(told)
    assert resolved(model, decided) is decided


def test_where_the_cpu_holds_all_blocks_its_kernel_is_used() -> None:
    model = _model(32)
    assert resolved(model, Settings(4096, gpu_layers=0)).flash
    assert resolved(model, Settings(4096, backend="cpu")).flash
    assert note(model, Settings(4096, gpu_layers=0)) is None
    assert replace(Settings(4096), flash_attention="off").transposed


def test_the_ledger_counts_the_scores_and_says_why() -> None:
    found = ledger(_model(32), Load(1, 8192), parse("RTX 4090"), Settings(8192))
    assert any("no flash-attention kernel" in str(n) for n in found.notes)
