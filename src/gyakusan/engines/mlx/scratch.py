"""Working memory of MLX-LM besides weights and caches. No formula is exact here: ranges, and their reasons.

Source: mlx-lm 0.32.2, mlx_lm/generate.py (PromptProcessingBatch.prompt, GenerationBatch.next); mlx 0.32.4 on a CPU.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum
from gyakusan.core.ledger import Line
from gyakusan.core.model import Attention, Experts, Latent, Model
from gyakusan.engines.mlx import families, fused_attention
from gyakusan.engines.mlx.cache import BF16, F32, Held
from gyakusan.engines.mlx.settings import Settings
from gyakusan.message import say
from gyakusan.units import GIB, MIB

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
    """Return the attention scores of a chunk, where no fused kernel avoids them [B]. The widest layer decides."""
    layers = [m for m in families.memory(model) if isinstance(m, Attention | Latent)]
    batch = minimum(running, s.prompt_concurrency)
    quantised = s.kv_bits is not None
    written = [m for m in layers if quantised or not fused_attention.is_fused(m, s.mlx)]
    if not written:
        return ()
    size = maximum(*(_scores_of(m, s) for m in written)) * batch
    widest = max(written, key=lambda m: m.heads)
    formula = f"{widest.heads} heads x chunk x context x {BF16} B"
    if quantised:
        reason = say("attention scores of a chunk: a quantised cache has no fused kernel")
        return (Line("compute.scores", size, "derived", reason, formula),)
    width = _width(widest)
    if any(fused_attention.may_be_fused(m, s) for m in written):
        sure = bool(s.mlx) and all(fused_attention.may_be_fused(m, s) for m in written)
        reason = say("attention scores of a chunk: from MLX {since} on M5 and later chips avoid them for heads of {width}",
                     since=fused_attention.since(width), width=width)  # fmt: skip
        return (Line("compute.scores", 0 if sure else size, "assumed", reason, formula, low=0, high=size),)
    reason = say("attention scores of a chunk: MLX has no fused kernel for heads of {width}", width=width)
    return (Line("compute.scores", size, "derived", reason, formula),)


def _width(memory: Attention | Latent) -> int:
    return memory.key_head if isinstance(memory, Attention) else memory.nope + memory.rope


def _scores_of(memory: Attention | Latent, s: Settings) -> Number:
    """Return the scores of one layer for one prompt; latent keys and values are multiplied out for it as well [B].

    The scores of a latent layer's rotated part are the mask of the rest, which has scores of its own unless it is fused.
    Source: mlx/fast.cpp (the fallback of scaled_dot_product_attention: matmul, where, softmax, each in place of the one
    before it); mlx_lm/models/deepseek_v3.py (pe_scores, embed_q, unembed_out).
    """
    chunk = minimum(s.context, s.prefill_step_size)
    window = getattr(memory, "window", None)
    keys = s.context if window is None else minimum(s.context, window - 1 + chunk)
    once = memory.heads * chunk * keys * BF16
    if isinstance(memory, Attention):
        return once
    spared = memory.nope == memory.value_head and memory.nope in fused_attention.WIDTHS
    expanded = memory.heads * keys * (memory.nope + memory.value_head) * BF16
    return once * (1 if spared else 2) + expanded


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
