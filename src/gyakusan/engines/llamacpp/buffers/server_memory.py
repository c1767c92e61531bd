"""What llama-server keeps outside the model's own buffers: logits, context checkpoints, prompt cache, process, driver.

Source: llama.cpp b11434, src/llama-context.cpp (output_reserve), tools/server/server-context.cpp (create_checkpoint),
common/common.h (n_ctx_checkpoints), src/llama-kv-cache.cpp (state_write: cells inside the window only),
src/llama-kv-cache-iswa.cpp (PARTIAL_ONLY).
"""

from __future__ import annotations

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import minimum
from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Line
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.backends import F32, GpuBackend
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import say
from gyakusan.units import GIB, MIB

SEEN_CUDA = tuple(x * MIB for x in (73, 133, 154, 252, 325, 456))
"""CUDA context, cuBLAS and kernel pools, graphs: public load logs of boxes without a display, one card. [B]"""
SEEN_PROCESS = (20 * MIB, 40 * MIB, 150 * MIB)
"""Resident memory of llama-server beyond its buffers: least, usual, most seen with SmolLM2 and with vocabularies of 256k. [B]"""
PROMPT_CACHE = 8 * GIB
"""--cache-ram, the default: idle conversations are kept in RAM up to this (tools/server, 8192 MiB). [B]"""


def lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Return the lines of what llama-server itself keeps in RAM."""
    return (output_line(model, settings), process(), *prompt_cache(settings), *checkpoints(model, settings))


def output(model: Model, settings: Settings) -> Number:
    """Return the bytes of the output buffer: logits of one token for each slot, in RAM [B]."""
    return settings.slots * model.vocabulary * F32


def output_line(model: Model, settings: Settings) -> Line:
    """Return the line of the output buffer, in RAM."""
    formula = f"{settings.slots} x {model.vocabulary:,} x {F32} B"
    return Line("output", output(model, settings), "derived", say("logits of one token for each user"), formula)


def process() -> Line:
    """Return the line of the server process itself, in RAM."""
    low, best, high = SEEN_PROCESS
    return Line("overhead.process", best, "measured", say("server process and vocabulary"), low=low, high=high)


def prompt_cache(settings: Settings) -> tuple[Line, ...]:
    """Return the line of idle conversations kept in RAM: 0 at the start, grows up to --cache-ram; none with --cache-ram 0."""
    if not settings.cache_ram:
        return ()
    limit = PROMPT_CACHE if settings.cache_ram < 0 else settings.cache_ram * MIB
    reason = say("prompt cache: grows with use up to {limit} MiB (--cache-ram)", limit=limit // MIB)
    return (Line("overhead.prompt_cache", 0, "derived", reason, low=0, high=limit, grows=True),)


def driver(backend: GpuBackend) -> Line:
    """Return the line of the driver's and the libraries' share of one GPU. Only CUDA was measured: it stands for all."""
    low, best, high = SEEN_CUDA[0], sum(SEEN_CUDA[2:4]) // 2, SEEN_CUDA[-1]
    seen = {"n": len(SEEN_CUDA), "low": f"{low / GIB:.2f}", "high": f"{high / GIB:.2f}"}
    reason = say("seen on {n} computers, {low}-{high}", **seen)
    cuda = Line("overhead.driver", best, "measured", reason, low=low, high=high)
    if backend == "cuda":
        return cuda
    reason = say("as CUDA's, not measured here")
    return structs.replace(cuda, basis="assumed", reason=reason, low=0)


def checkpoint(model: Model, settings: Settings) -> Number:
    """Return the bytes of one context checkpoint of one slot whose windows are full [B].

    llama-server takes it of what cannot be rolled back: sliding windows and recurrent states. 0 for other models.
    """
    return sum(_layer_checkpoint(m, settings) * len(m.layers) for m in _forgetful(model, settings))


def checkpoints(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Return the line of context checkpoints: 0 at the start, grows up to 32 for each slot; none for other models."""
    if not settings.ctx_checkpoints or not _forgetful(model, settings):
        return ()
    reason = say(
        "context checkpoints: up to {most} for each user (--ctx-checkpoints), as they are used",
        most=settings.ctx_checkpoints,
    )
    limit = settings.ctx_checkpoints * settings.slots * checkpoint(model, settings)
    return (Line("overhead.checkpoints", 0, "derived", reason, low=0, high=limit, grows=True),)


def _forgetful(model: Model, s: Settings) -> tuple[Attention | Latent | Recurrent, ...]:
    """Return the groups of layers that do not keep every token."""
    kinds = (m for m in model.memory if isinstance(m, (Attention, Latent, Recurrent)))
    return tuple(m for m in kinds if isinstance(m, Recurrent) or (m.window is not None and not s.swa_full))


def _layer_checkpoint(m: Attention | Latent | Recurrent, s: Settings) -> Number:
    """Return the bytes of one layer in a checkpoint [B]."""
    if isinstance(m, Recurrent):
        return F32 * (m.convolution + m.state)
    row = dtype(s.key_type).row(m.key) + dtype(s.value_type).row(m.value)
    assert m.window is not None
    return minimum(m.window, s.cells) * row
