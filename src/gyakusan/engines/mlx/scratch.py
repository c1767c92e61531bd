"""Working memory of MLX-LM besides weights and caches. No formula is exact here: ranges, and their reasons.

Source: mlx-lm 0.32.2, mlx_lm/generate.py (PromptProcessingBatch.prompt, GenerationBatch.next); mlx 0.32.4 on a CPU.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum
from gyakusan.core.ledger import Line
from gyakusan.core.model import Attention, Experts, Latent, Model
from gyakusan.engines.mlx import families
from gyakusan.engines.mlx.cache import BF16, F32, Held
from gyakusan.engines.mlx.settings import Settings
from gyakusan.message import say
from gyakusan.units import GIB, MIB

FUSED = frozenset({64, 80, 128})
"""Widths of heads with a Metal kernel that never writes the scores of a prompt. scaled_dot_product_attention.cpp"""
PROCESS = (200 * MIB, 400 * MIB, GIB)
"""Python, libraries, Metal's kernels: guessed, no Mac was asked [B]."""


def lines(model: Model, settings: Settings, running: Number, caches: tuple[Held, ...]) -> tuple[Line, ...]:
    """Return activations, scores, logits, growth and the process. running: requests served together."""
    return (
        _activations(model, settings, running),
        *_scores(model, settings, running),
        _logits(model, running),
        _growth(running, caches),
        _process(),
    )


def _activations(model: Model, s: Settings, running: Number) -> Line:
    """Return one block's vectors for every token of a chunk [B]."""
    tokens = minimum(s.context, s.prefill_step_size) * minimum(running, s.prompt_concurrency)
    wide = maximum(*(f.used * f.width + f.shared if isinstance(f, Experts) else f.width for f in model.feed_forward), 0)
    size = tokens * (4 * model.embedding + 3 * wide) * BF16
    reason = say("one block of a prompt, a rule of thumb")
    formula = f"tokens x (4 x {model.embedding:,} + 3 x {wide:,}) x {BF16} B"
    return Line("compute", size, "assumed", reason, formula, low=size // 2, high=size * 3)


def _scores(model: Model, s: Settings, running: Number) -> tuple[Line, ...]:
    """Return the attention scores of a chunk against all tokens, where no fused kernel avoids them [B]."""
    wide = [m for m in families.memory(model) if isinstance(m, Attention | Latent)]
    if not wide:
        return ()
    quantised = s.kv_bits is not None
    spared = all(isinstance(m, Attention) and m.key_head == m.value_head and m.key_head in FUSED for m in wide)
    if spared and not quantised:
        return ()
    heads = max(m.heads for m in wide)
    tokens = minimum(s.context, s.prefill_step_size) * minimum(running, s.prompt_concurrency)
    size = heads * tokens * s.context * BF16
    formula = f"{heads} heads x chunk x context x {BF16} B"
    if quantised:
        return (
            Line(
                "compute.scores",
                size,
                "derived",
                say("attention scores of a chunk: a quantised cache has no fused kernel"),
                formula,
            ),
        )
    reason = say("attention scores of a chunk, if MLX has no fused kernel for this head width")
    return (Line("compute.scores", 0, "assumed", reason, formula, low=0, high=size),)


def _logits(model: Model, running: Number) -> Line:
    """Return the logits of one token for each request, in bf16 and as probabilities in f32 [B]."""
    size = running * model.vocabulary * (BF16 + 2 * F32)
    return Line("output", size, "derived", say("logits of one token for each user"), f"{model.vocabulary:,} x 10 B")


def _growth(running: Number, caches: tuple[Held, ...]) -> Line:
    """Return the old copy of a cache that grows; MLX does not free it at once [B].

    Measured on mlx 0.32.4 (CPU): the peak is one layer's cache above the total, and the freed buffers of all layers stay in
    MLX's own cache until it is cleared.
    """
    one = maximum(*(h.one for h in caches), 0) * running
    every = sum(h.answer for h in caches) * running
    reason = say("of one layer; MLX may keep all layers'")
    return Line("kv.copy", one, "derived", reason, low=one, high=maximum(one, every))


def _process() -> Line:
    low, best, high = PROCESS
    return Line("overhead.process", best, "assumed", say("Python, libraries, Metal's kernels"), low=low, high=high)
