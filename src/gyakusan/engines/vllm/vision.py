"""What vLLM measures at start of the part that reads images: the largest images that fit one batch, and their vectors.

Source: vLLM 0.32.0, v1/worker/gpu_model_runner.py (profile_run), v1/core/encoder_cache_manager.py (compute_mm_encoder_budget),
multimodal/profiling.py; sizes of images: each family's processor.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum
from gyakusan.core.model import Model
from gyakusan.engines.vllm.profile import NOTHING, Range, activation
from gyakusan.engines.vllm.settings import Settings

HALF = 2
"""Bytes of a value [B]."""
COPIES = (8.0, 20.0, 28.0)
"""Vectors of an encoder's patch that are alive together: low end, best, high end.

Qwen3-VL-30B on vLLM 0.20 fits 20 (memory left for the cache: 33.59 GiB), Gemma-3-27B on 0.11 and 0.13 as well (14.58, 14.71).
"""


class Tower(Struct, frozen=True):
    """How a family turns images into tokens.

    tokens: of the largest image [tokens]
    patches: of the encoder for one token
    width: of the encoder's vectors [values]
    outputs: vectors of the language part's width that are kept for a token: more than one where inner layers are read too
    """

    tokens: int = 4096
    patches: int = 4
    width: int = 1152
    outputs: int = 1


PIXTRAL = Tower(3025, 4, 1024)
"""1,540 pixels to a side, patches of 14, two by two to a token."""
QWEN = Tower(16384, 4, 1152, 4)
"""16,777,216 pixels, patches of 16, two by two to a token; Qwen3-VL's deepstack reads three inner layers."""
TOWERS: Mapping[str, Tower] = {
    "gemma3": Tower(256, 16, 1152),
    "gemma4": Tower(280, 9, 1152),
    "llama4": Tower(2448, 4, 1408),
    "llama": PIXTRAL,
    "mistral3": PIXTRAL,
    "mistral4": PIXTRAL,
    "qwen2": Tower(16384, 4, 1280),
    "qwen2vl": Tower(16384, 4, 1280),
    "qwen3": QWEN,
    "qwen3moe": QWEN,
    "qwen3vl": QWEN,
    "qwen3vlmoe": QWEN,
    "qwen35": Tower(16384, 4, 1152),
    "qwen35moe": Tower(16384, 4, 1152),
}
"""Architecture of the language part -> its encoder, as published with it."""
UNKNOWN = Tower()
"""An encoder of another family: 2,048 pixels to a side, as wide as SigLIP."""


def sees(model: Model, settings: Settings) -> bool:
    """Return True if the server loads what reads images."""
    form = model.checkpoint
    return bool(settings.vision_bytes) or (form is not None and bool(form.encoders))


def compute(model: Model, settings: Settings) -> Range:
    """Return what reading the largest images takes above the largest batch of text, and the vectors that are kept [B]."""
    if not sees(model, settings):
        return NOTHING
    tower = TOWERS.get(model.architecture, UNKNOWN)
    tokens = _tokens(tower, settings)
    kept = tokens * model.embedding * HALF * tower.outputs
    text, patches = activation(model, settings), tokens * tower.patches * tower.width * HALF
    low, best, high = (
        maximum(patches * copies - size, 0) + kept
        for copies, size in zip(COPIES, (text.low, text.best, text.high), strict=True)
    )
    return Range(minimum(low, best), best, maximum(high, best))


def _tokens(tower: Tower, settings: Settings) -> Number:
    """Return the tokens of the images that are read together: as many of the largest as a batch takes, at least one."""
    images = maximum(1, minimum(settings.max_num_batched_tokens // tower.tokens, settings.max_num_seqs))
    return images * tower.tokens
