"""Where MLX has a fused kernel for reading a prompt, so that attention scores are never written: by head width, version, chip.

Source: mlx, mlx/backend/metal/scaled_dot_product_attention.cpp (use_fallback, has_fused_kernel): 72 and 96 came with 0.32.1
(PR 4330, 3943); 192 and 256 have kernels since 0.32.2 that only `force_fused` reaches (PR 4185); GPUs with neural
accelerators (NAX: M5 and later, macOS 26.2) fuse 256 since 0.32.2 (PR 3842) and 512 in 0.32.4 (names of kernels in
mlx-metal's own wheel), for chunks of at least 1,024 tokens.
"""

from __future__ import annotations

import re

from gyakusan.core.model import Attention, Latent
from gyakusan.engines.mlx.settings import Settings

Version = tuple[int, ...]
FIRST: Version = (0, 0, 0)
FUSED: dict[int, Version] = {64: FIRST, 80: FIRST, 128: FIRST, 72: (0, 32, 1), 96: (0, 32, 1)}
"""Width of a head -> the mlx that fuses it on every chip."""
WIDTHS = frozenset(FUSED)
"""Widths that the newest mlx fuses on every chip."""
NAX: dict[int, Version] = {256: (0, 32, 2), 512: (0, 32, 4)}
"""Width of a head -> the mlx that fuses it on chips with neural accelerators."""
NAX_CHUNK = 1024
"""Tokens of a chunk from which those kernels are taken [tokens]."""


def since(width: int) -> str:
    """Return the first mlx that fuses this width on chips with neural accelerators, as people write it."""
    return ".".join(map(str, NAX.get(width, min(NAX.values()))))


def parsed(version: str) -> Version | None:
    """Return (0, 32, 1) for "0.32.1", None for what is no version."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+.a-z].*)?", version.strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def is_fused(memory: Attention | Latent, mlx: str) -> bool:
    """Return True if every chip fuses this attention. mlx: its version, "" = not known: the one that MLX-LM asks for."""
    if not isinstance(memory, Attention) or memory.key_head != memory.value_head:
        return False
    first = FUSED.get(memory.key_head)
    have = parsed(mlx) if mlx else None
    return first is not None and (have is None or have >= first)


def may_be_fused(memory: Attention | Latent, s: Settings) -> bool:
    """Return True if a chip with neural accelerators may fuse this attention; which mlx runs may be unknown."""
    if not s.nax or not isinstance(memory, Attention) or memory.key_head != memory.value_head:
        return False
    first, have = NAX.get(memory.key_head), parsed(s.mlx) if s.mlx else None
    return first is not None and s.prefill_step_size >= NAX_CHUNK and (have is None or have >= first)
