"""Snapshots that llama-server keeps in RAM of what cannot be rolled back: sliding windows and recurrent states.

Source: llama.cpp b11434, tools/server/server-context.cpp (create_checkpoint), common/common.h (n_ctx_checkpoints),
src/llama-kv-cache.cpp (state_write: cells inside the window only), src/llama-kv-cache-iswa.cpp (PARTIAL_ONLY).
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import minimum
from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Line
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import say

MOST = 32
"""--ctx-checkpoints: for each slot."""
F32 = 4


def one(model: Model, settings: Settings) -> Number:
    """One snapshot of one slot whose window is full. [B] 0 for models that keep every token and no state."""
    return sum(_kept(m, settings) * len(m.layers) for m in _lost(model, settings))


def _lost(model: Model, s: Settings) -> tuple[Attention | Latent | Recurrent, ...]:
    """Groups of layers that forget."""
    kinds = (m for m in model.memory if isinstance(m, Attention | Latent | Recurrent))
    return tuple(m for m in kinds if isinstance(m, Recurrent) or (m.window is not None and not s.swa_full))


def _kept(m: Attention | Latent | Recurrent, s: Settings) -> Number:
    """What one layer adds. [B]"""
    if isinstance(m, Recurrent):
        return F32 * (m.convolution + m.state)
    row = dtype(s.key_type).row(m.key) + dtype(s.value_type).row(m.value)
    return minimum(m.window or 0, s.cells) * row


def lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Nothing at the start; a snapshot at user messages and near the end of a prompt, up to 32 for each slot. [B]"""
    if not _lost(model, settings):
        return ()
    reason = say(
        "snapshots of windows and states: grow with use up to --ctx-checkpoints {most} for each user", most=MOST
    )
    limit = MOST * settings.slots * one(model, settings)
    return (Line("overhead.checkpoints", 0, "derived", reason, low=0, high=limit, grows=True),)
