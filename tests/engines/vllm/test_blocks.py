"""Pages, groups and reservations against every recorded row, and the properties behind them."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from tests.engines.vllm import recorded

from gyakusan.engines.vllm.blocks import groups, reservation, stages
from gyakusan.engines.vllm.pages import Page, pages
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.models import load

KINDS = {
    "window": "SlidingWindowSpec",
    "chunk": "ChunkedLocalAttentionSpec",
    "full": "FullAttentionSpec",
    "latent": "MLAAttentionSpec",
    "state": "MambaSpec",
}


@pytest.mark.parametrize("name", recorded.names())
def test_every_row_is_exact(name: str) -> None:
    rows = [r for r in recorded.rows() if r["model"] == name]
    assert rows
    for row in rows:
        found = reservation(recorded.model(name), recorded.settings(row), readers=True)
        assert (found.bytes, found.block) == (row["per_req_bytes"], row["bytes_per_block"]), row
        assert int(row["num_blocks"] / found.blocks * row["max_model_len"]) == row["kv_tokens"]


@pytest.mark.parametrize("name", recorded.names())
def test_groups_are_those_of_vllm(name: str) -> None:
    row = next(r for r in recorded.rows() if r["model"] == name)
    found = reservation(recorded.model(name), recorded.settings(row), readers=True)
    assert sorted(sum(len(p.layers) for p in g.parts) for g in found.groups) == sorted(g[1] for g in row["groups"])
    kinds = {g[0] for g in row["groups"]}
    if "UniformTypeKVCacheSpecs" not in kinds:
        assert {KINDS[p.kind] for g in found.groups for p in g.parts} == kinds


def test_arrays_give_what_numbers_give() -> None:
    lengths = np.array([100, 8192, 32768, 131072])
    for name in ("gpt-oss-20b", "qwen3.5-27b", "deepseek-v4-flash", "llama4-scout", "minimax-m3-nv"):
        model = recorded.model(name)
        many = reservation(model, Settings(lengths, max_num_batched_tokens=np.array([2048, 2048, 8192, 8192])))
        for i, length in enumerate(lengths):
            one = reservation(model, Settings(int(length), max_num_batched_tokens=2048 if i < 2 else 8192))
            assert np.broadcast_to(many.bytes, lengths.shape)[i] == one.bytes


def test_layers_that_read_another_cache_take_nothing() -> None:
    """Gemma 4 E4B: 42 layers, 18 of them read. vLLM's runners leave these out; the recording did not."""
    model, asked = recorded.model("gemma4-e4b"), Settings(32768)
    assert sum(len(p.layers) for p in pages(model, asked)) == 24
    assert reservation(model, asked).bytes < reservation(model, asked, readers=True).bytes


def test_one_batch_in_flight_until_0_20() -> None:
    """gpt-oss-20b at 32,768 tokens: a log of 0.12 reserves 859.3 MB, 0.32 does 909.5 MB."""
    model = recorded.model("gpt-oss-20b")
    assert reservation(model, Settings(32768, version="0.12.0")).bytes == pytest.approx(859.3e6, rel=2e-4)
    assert reservation(model, Settings(32768, version="0.32.0")).bytes == 909_508_608


@pytest.mark.parametrize(
    ("name", "asked", "megabytes"),
    [
        ("qwen3.6-35b-a3b", Settings(131072, enable_prefix_caching=False, version="0.19.2rc1"), 2768.8),
        ("qwen3-next-80b", Settings(16384, enable_prefix_caching=False, tensor_parallel=2, version="0.13"), 227.5),
        ("gemma4-26b-a4b", Settings(8192, max_num_batched_tokens=4096, version="0.20.0"), 1219.7),
        ("gemma3-27b", Settings(28900, tensor_parallel=2, version="0.13"), 1947.2),
    ],
)
def test_requests_of_real_servers(name: str, asked: Settings, megabytes: float) -> None:
    """Available memory / maximum concurrency of public logs, as far as their two decimals tell."""
    assert reservation(recorded.model(name), asked).bytes == pytest.approx(megabytes * 1e6, rel=2.5e-3)


def test_heads_that_cannot_be_shared_are_refused() -> None:
    for name in ("phi4-14b", "falcon-h1-34b"):
        with pytest.raises(BadSetting, match=r"cannot be split.* over 4 GPUs"):
            pages(recorded.model(name), Settings(8192, tensor_parallel=4))


def test_block_size_of_the_user_counts() -> None:
    model = recorded.model("qwen3-8b")
    usual, large = (reservation(model, Settings(8200, block_size=b)) for b in (0, 64))
    assert usual.block * 4 == large.block
    assert large.bytes == -(-8200 // 64) * large.block


def test_drafted_tokens_lengthen_states() -> None:
    model = recorded.model("qwen3.5-9b")
    plain, drafted = (pages(model, Settings(8192, speculative_tokens=n)) for n in (0, 3))
    assert [p.states for p in drafted if p.kind == "state"] == [p.states + 3 for p in plain if p.kind == "state"]


def test_a_model_without_attention_keeps_one_state() -> None:
    found = reservation(load("codestral-mamba-7b"), Settings(8192))
    assert found.blocks == 1
    assert found.bytes == reservation(load("codestral-mamba-7b"), Settings(65536)).bytes


def test_stages_share_out_layers() -> None:
    assert stages(10, 4) == (range(2), range(2, 5), range(5, 8), range(8, 10))
    assert stages(61, 1) == (range(61),)


@pytest.mark.parametrize("name", ["llama3.1-8b", "qwen3.5-27b", "gemma3-27b"])
def test_stages_split_the_block(name: str) -> None:
    model = recorded.model(name)
    whole = reservation(model, Settings(8192))
    parts = [reservation(model, Settings(8192, pipeline_parallel=2), stage=i) for i in (0, 1)]
    assert all(p.blocks == whole.blocks for p in parts if name != "gemma3-27b")
    assert whole.block <= sum(p.block for p in parts) <= whole.block * 1.25


def test_small_pages_hold_more_tokens_and_odd_ones_are_padded() -> None:
    big, small = Page("full", (0, 2), 16, 4096), Page("window", (1, 3), 16, 1024, window=128)
    found = groups((big, small))
    assert [(g.parts[0].block, g.parts[0].bytes) for g in found] == [(16, 4096), (64, 4096)]
    odd = groups((big, structs.replace(small, bytes=1000)))
    assert [(g.parts[0].block, g.parts[0].bytes) for g in odd] == [(16, 4096), (16, 4096)]


def test_nearly_equal_kinds_are_padded_not_split() -> None:
    full, slides = Page("full", tuple(range(12)), 16, 64), Page("window", tuple(range(12, 25)), 16, 64, window=8)
    assert [len(g.parts[0].layers) for g in groups((full, slides))] == [12, 13]
