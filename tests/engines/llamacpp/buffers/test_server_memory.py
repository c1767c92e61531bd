"""Snapshots of what cannot be rolled back: which models have them, and how large one is."""

from __future__ import annotations

from tests.models import recorded

from gyakusan.engines.llamacpp.buffers import server_memory
from gyakusan.engines.llamacpp.settings import Settings

PLAIN = Settings(context=32768)


def test_none_where_every_token_is_kept() -> None:
    assert server_memory.checkpoints(recorded.model("llama3.1-8b", "Q4_K_M"), PLAIN) == ()
    assert server_memory.checkpoint(recorded.model("llama3.1-8b", "Q4_K_M"), PLAIN) == 0


def test_the_windows_of_gemma() -> None:
    """52 layers x 1024 tokens x (2048 keys + 2048 values) x 2 B: 416 MiB, which users see in the server's log."""
    model = recorded.model("gemma3-27b", "Q4_K_M")
    assert server_memory.checkpoint(model, PLAIN) == 52 * 1024 * 4096 * 2
    assert server_memory.checkpoint(model, Settings(context=512)) == 52 * 512 * 4096 * 2
    (line,) = server_memory.checkpoints(model, Settings(context=65536, slots=2))
    assert (line.bytes, line.high) == (0, 2 * 32 * 52 * 1024 * 4096 * 2)


def test_whole_windows_need_none() -> None:
    assert (
        server_memory.checkpoints(recorded.model("gemma3-27b", "Q4_K_M"), Settings(context=32768, swa_full=True)) == ()
    )


def test_states_of_a_hybrid() -> None:
    model = recorded.model("qwen3.5-35b-a3b", "Q4_K_M")
    assert server_memory.checkpoint(model, PLAIN) == 30 * (24576 + 524288) * 4
