"""Context bytes (keys, values, indexers, states) of every recorded row, and the rules behind them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.models import recorded

from gyakusan.core.model import Attention, Recurrent
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting

FILES = ("llamacpp_b11434.jsonl.gz", "llamacpp_archs.jsonl.gz")
FLASH = {-1: "auto", 0: "off", 1: "on"}


def settings_of(row: dict[str, Any]) -> Settings:
    """The settings that a row was recorded with; absent keys are defaults."""
    return Settings(
        context=row["n_ctx"],
        slots=row.get("n_seq", 1),
        unified=row.get("kv_unified", False),
        batch=row.get("n_batch", 2048),
        ubatch=row.get("n_ubatch", 512),
        flash_attention=FLASH[row.get("fa", -1)],  # type: ignore[arg-type]
        key_type=row.get("k", "f16"),
        value_type=row.get("v", "f16"),
        swa_full=row.get("swa_full", False),
        backend="cpu" if row["backend"] == "cpu" else "cuda",
    )


@pytest.mark.parametrize("file", FILES)
def test_context_of_every_row(file: str) -> None:
    wrong: dict[str, list[Any]] = defaultdict(list)
    for row in recorded.rows(file):
        model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
        off = kv_cache.kv_cache(model, settings) + kv_cache.recurrent_state(model, settings) - row["context"]
        if off:
            wrong[row["model"]].append((off, settings))
    assert not wrong


@pytest.mark.parametrize(
    "name", ["gpt-oss-20b", "qwen3-next-80b", "deepseek-v4-flash", "kimi-linear-48b", "minimax-m3"]
)
@pytest.mark.parametrize("unified", [False, True])
def test_arrays_give_what_scalars_give(name: str, unified: bool) -> None:
    model = recorded.model(name, next(iter(recorded.files()[name]["types"])))
    contexts, slots = np.array([[512], [4096], [65536]]), np.array([[1, 2, 7]])
    grid = Settings(context=contexts, slots=slots, unified=unified)
    kv, state = kv_cache.kv_cache(model, grid), kv_cache.recurrent_state(model, grid)
    for i, context in enumerate(contexts[:, 0]):
        for j, count in enumerate(slots[0]):
            one = Settings(context=int(context), slots=int(count), unified=unified)
            assert np.broadcast_to(kv, (3, 3))[i, j] == kv_cache.kv_cache(model, one)
            assert np.broadcast_to(state, (3, 3))[i, j] == kv_cache.recurrent_state(model, one)


def test_groups_add_up() -> None:
    model = recorded.model("qwen3-next-80b", "Q4_K_M")
    settings = Settings(context=8192, slots=2)
    groups = kv_cache.groups(model, settings)
    assert [type(g.memory) for g in groups] == [Attention, Recurrent]
    assert [(g.cells, g.streams) for g in groups] == [(4096, 2), (1, 2)]
    assert groups[0].bytes == kv_cache.kv_cache(model, settings)
    assert groups[1].bytes == kv_cache.recurrent_state(model, settings)


def test_values_are_padded_to_the_widest_without_flash_attention() -> None:
    model = recorded.model("mimo-v2-flash", "Q4_K_M")
    flash = kv_cache.kv_cache(model, Settings(context=4096))
    plain = kv_cache.kv_cache(model, Settings(context=4096, flash_attention="off"))
    assert plain - flash == 9 * 4096 * (8 - 4) * 128 * 2


def test_gpt_oss_at_its_longest() -> None:
    model = recorded.model("gpt-oss-20b", "MXFP4_MOE")
    full, window = kv_cache.groups(model, Settings(context=131072))
    assert full.bytes == 3 * 2**30
    assert window.bytes == 12 * 768 * 2 * 512 * 2


def test_heads_that_hold_no_whole_blocks() -> None:
    model = recorded.model("plamo-2-1b", "Q4_K_M")
    assert kv_cache.kv_cache(model, Settings(context=4096, key_type="q8_0")) > 0
    narrow = recorded.model("mamba-2.8b", "F16")
    assert kv_cache.kv_cache(narrow, Settings(context=4096, key_type="q8_0")) == 0
    odd = recorded.model("gemma3-4b", "F16")
    broken = replace(odd, memory=(Attention((0,), 1, 72, 72, 72, 72),))
    with pytest.raises(BadSetting, match="multiple of 32"):
        kv_cache.groups(broken, Settings(context=4096, value_type="q4_0"))
