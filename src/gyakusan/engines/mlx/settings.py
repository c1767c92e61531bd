"""Settings of MLX-LM that change memory, with mlx_lm.server's own defaults. Numbers of the load may be arrays.

Source: mlx-lm 0.32.2, mlx_lm/server.py (main), mlx_lm/utils.py (quantize_model).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import quoted, say

CAVEAT = say("The authors of MLX-LM do not recommend its server for production.")
"""Source: mlx_lm/SERVER.md: it has only basic checks."""
VERSION = "0.32.2"
"""The mlx-lm whose source and own counts these rules come from (with mlx 0.32.4)."""

STEP = 256
"""Caches grow by so many tokens. models/cache.py, KVCache.step"""


class Format(Struct, frozen=True):
    """A format of quantised weights.

    bits: bits of one value, for most matrices
    group: values that share a scale [values]
    scale: size of scale and bias of one group [B]
    rest: format of what is not an expert, None where all matrices are alike
    """

    bits: int
    group: int
    scale: int
    rest: str | None = None


FORMATS = {
    "bf16": Format(16, 1, 0),
    **{f"{bits}bit": Format(bits, 64, 4) for bits in (2, 3, 4, 5, 6, 8)},
    "mxfp4": Format(4, 32, 1),
    "nvfp4": Format(4, 16, 1),
    "mxfp8": Format(8, 32, 1),
    "mxfp4-q8": Format(4, 32, 1, "8bit"),
    "mxfp4-q4": Format(4, 32, 1, "4bit"),
    "mxfp4-bf16": Format(4, 32, 1, "bf16"),
}
"""Names as mlx-community ends its repositories. utils.py, quantize_model: defaults_for_mode; affine scale and bias bf16."""


@dataclass(frozen=True)
class Settings:
    """How mlx_lm.server is started.

    context: tokens of one request, prompt and output [tokens]
    users: requests served together
    weights: format of the weights, a name of FORMATS
    kv_bits: 8 or 4 bits for keys and values, None = bf16; with bits, one request is served at a time
    kv_group_size: values of the cache that share a scale [values]
    quantized_kv_start: tokens before the cache is quantised [tokens]
    prefill_step_size: tokens of one prefill step [tokens]
    prompt_cache_size: finished conversations that stay in memory
    prompt_cache_bytes: limit of finished and running conversations together, None = none [B]
    decode_concurrency: requests that generate at once
    prompt_concurrency: requests whose prompts are read at once
    draft_model: path of a draft model, None = none; with one, one request is served at a time
    mlx: version of mlx, the library below; "" = not known
    nax: True if the GPU has neural accelerators (M5 and later)
    """

    context: Number
    users: Number = 1
    weights: str = "4bit"
    kv_bits: int | None = None
    kv_group_size: int = 64
    quantized_kv_start: int = 5000
    prefill_step_size: int = 2048
    prompt_cache_size: int = 10
    prompt_cache_bytes: int | None = None
    decode_concurrency: int = 32
    prompt_concurrency: int = 8
    draft_model: str | None = None
    mlx: str = ""
    nax: bool = False

    @property
    def format(self) -> Format:
        """Return the format of the weights."""
        return FORMATS[self.weights]


def format_of(quantization: str) -> str:
    """Return the MLX format that people use instead of a GGUF quantisation: as many bits, rounded to what MLX has."""
    name = quantization.upper()
    if name.lower() in FORMATS:
        return name.lower()
    if name.startswith("MXFP4"):
        return "mxfp4-q8"
    bits = next((int(c) for c in name if c.isdigit()), 4)
    if bits >= 16 or name in ("F16", "BF16", "F32"):
        return "bf16"
    return f"{min((2, 3, 4, 5, 6, 8), key=lambda b: abs(b - bits))}bit"


def check(settings: Settings) -> Settings:
    """Return `settings`. Raises UnknownName, BadSetting for what MLX-LM refuses. Only scalars are checked."""
    if settings.weights not in FORMATS:
        raise unknown(say("MLX format"), settings.weights, FORMATS, choices=True)
    if settings.kv_bits not in (None, 2, 3, 4, 5, 6, 8):
        raise BadSetting("kv_bits cannot be {bits}.", bits=settings.kv_bits, mend="Give 8 or 4, or leave it out.")
    if settings.kv_group_size not in (32, 64, 128):
        raise BadSetting("kv_group_size cannot be {n}.", n=settings.kv_group_size, mend="Give 32, 64 or 128.")
    if settings.mlx and not re.match(r"v?\d+\.\d+", settings.mlx):
        raise BadSetting(
            "{key} cannot be {value}.",
            key="mlx",
            value=quoted(settings.mlx, 40),
            mend="Give a version such as 0.32.4.",
        )
    for name in ("context", "users", "prefill_step_size", "decode_concurrency", "prompt_concurrency"):
        value = getattr(settings, name)
        if not is_array(value) and value < 1:
            raise BadSetting("{key} cannot be {value}.", key=name, value=value, mend="Give 1 or more.")
    return settings
