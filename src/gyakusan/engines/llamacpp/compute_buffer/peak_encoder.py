"""What an encoder's graph needs besides a decoder's: masks of a whole input, and without flash attention all its scores.

There is no cache, so that keys are the tokens of the batch itself. Source: llama.cpp b11434, src/llama-graph.cpp
(build_attn_inp_no_cache, build_attn_mha); checked with dry runs of b11549 for nine models (tests/truth/encoders.jsonl.gz).
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.backends import F16, F32
from gyakusan.engines.llamacpp.settings import Settings

SEPARATE, FUSED = 7, 9
"""Vectors of the embedding's width that live while scores are computed: read off dry runs, one less for EmbeddingGemma."""


def masks(model: Model, settings: Settings) -> Number:
    """Return the bytes of the masks of one batch, one for each reach; flash attention takes them in f16 [B]."""
    tokens = settings.effective_ubatch
    return model.graph.masks * tokens * tokens * (F16 if settings.flash else F32)


def with_masks_and_scores(model: Model, settings: Settings, size: Number) -> Number:
    """Return the whole buffer. [B] size: base and largest of the other peaks [B]."""
    if settings.flash:
        return size + masks(model, settings)
    tokens = settings.effective_ubatch
    vectors = FUSED if model.graph.query == "fused" else SEPARATE
    scores = model.graph.encoder * tokens * tokens * F32 + vectors * tokens * model.embedding * F32
    return maximum(size, scores) + masks(model, settings)
