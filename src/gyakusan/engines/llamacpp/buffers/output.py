"""The output buffer: logits of one token for each slot, in RAM.

Source: llama.cpp b11434, src/llama-context.cpp, llama_context::output_reserve.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.settings import Settings

F32 = 4
"""Bytes of one value."""


def output(model: Model, settings: Settings) -> Number:
    """Logits of one token for each slot. [B]"""
    return settings.slots * model.vocabulary * F32
