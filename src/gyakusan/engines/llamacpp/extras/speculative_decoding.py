"""Drafting: a second, smaller model, or the prediction blocks (MTP, nextn) of the model's own file, and what they need.

Source: llama.cpp b11434, common/speculative.cpp (common_base_params_to_speculative, common_speculative_init_result,
common_speculative_get_output_limits), common/common.h (need_n_rs_seq), src/llama-model.cpp (create_memory, filters of
LLAMA_CONTEXT_TYPE_MTP), src/llama-memory-recurrent.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from gyakusan.core.arrays import Number
from gyakusan.core.ledger import Account, Line, draft_part
from gyakusan.core.machine import Machine
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp import ledger_lines
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.extras.projector_lora import Placed
from gyakusan.engines.llamacpp.multi_gpu import ledger as split_accounts
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, SourceError
from gyakusan.message import say

F32 = 4
NEAR = 128
"""Vocabularies may differ by so many tokens. SPEC_VOCAB_MAX_SIZE_DIFFERENCE."""
SEEN = (0.6, 0.8, 1.0)
"""Compute buffer of the second context beside that of the same layers by our rules: 0.67 to 0.93 in 24 dry runs of four models
(qwen35, qwen35moe, glm4moe, deepseek2) on a CPU, llama.cpp b11549."""
ROLLS_BACK = (
    "qwen35", "qwen35moe", "deepseek4", "nemotron_h", "nemotron_h_moe", "lfm2", "lfm2moe", "bailingmoe3",
)  # fmt: skip
"""Whose states are kept once more for each drafted token. llm_arch_supports_rs_rollback."""


def _load(reference: str) -> Model:
    from gyakusan.models.sources import disk

    return _loaded(reference, disk.stamp(reference))


@lru_cache(maxsize=8)
def _loaded(reference: str, stamp: tuple[int, int] | None) -> Model:
    """The draft model. stamp: see disk.stamp; a file that was written again is read again."""
    from gyakusan.models import load

    try:
        return load(reference, offline=True)
    except SourceError:
        raise BadSetting(
            "The draft model {name} is not on this computer.", name=reference, mend="Fetch it first, and give its file."
        ) from None


def draft(model: Model, settings: Settings) -> tuple[Model, Settings]:
    """The draft model and what it is started with: the same context and batches, an f16 cache, everything on the GPUs.

    Raises BadSetting for a vocabulary that does not match, and what reading a model raises.
    """
    found = _load(settings.draft)
    if abs(found.vocabulary - model.vocabulary) > NEAR:
        raise BadSetting(
            "{draft} has {theirs} tokens in its vocabulary, {name} {ours}: it cannot draft for it.",
            draft=found.name, theirs=f"{found.vocabulary:,}", name=model.name, ours=f"{model.vocabulary:,}",
            mend="Take a small model of the same family.",
        )  # fmt: skip
    alone = replace(settings, draft="", mtp=False, projector=None, lora=(), key_type="F16", value_type="F16", fit=False)
    return found, replace(alone, gpu_layers=-1, overrides=(), n_cpu_moe=0, n_cpu_ffn=0)


def merged(accounts: tuple[Account, ...], drafting: tuple[Account, ...], name: str) -> tuple[Account, ...]:
    """`accounts` with the lines of a draft model, but for what the process has once."""
    out = []
    for mine, theirs in zip(accounts, drafting, strict=True):
        extra = [line for line in theirs.lines if line.kind != "overhead"]
        named = (
            replace(x, part=draft_part(x.part), reason=say("draft model {name}: {what}", name=name, what=x.reason))
            for x in extra
        )
        out.append(replace(mine, lines=(*mine.lines, *named)))
    return tuple(out)


def drafted(model: Model, settings: Settings) -> Iterator[Placed]:
    """Logits of drafted tokens, which the model checks at once."""
    if settings.draft or settings.mtp:
        size = settings.slots * settings.draft_tokens * model.vocabulary * F32
        formula = f"{settings.slots} x {settings.draft_tokens} x {model.vocabulary:,} x {F32} B"
        yield HOST, Line("output.draft", size, "derived", say("logits of drafted tokens"), formula)


def predicting(model: Model, settings: Settings, machine: Machine) -> Iterator[Placed]:
    """The prediction blocks: their weights, a second context with cache and compute buffer, states to roll back to.

    Raises BadSetting if the file has none.
    """
    if not settings.mtp:
        return
    last = model.loaded if model.loaded >= 0 else model.blocks
    if last >= model.blocks:
        raise BadSetting(
            "{name} has no prediction blocks (MTP).", name=model.name,
            mend="Take a file that was converted with them, or draft with a small model: draft=NAME.",
        )  # fmt: skip
    placement = _placement(model, settings, machine)
    count = model.blocks - last
    reason = say("{n} prediction blocks, loaded for drafting", n=count)
    yield from ((d, Line("draft.weights", size, "derived", reason)) for d, size in _weights(model, settings, placement))
    yield from _context(model, settings, placement, range(last, model.blocks))
    yield from _states(model, settings, placement)


def _placement(model: Model, settings: Settings, machine: Machine) -> Placement | None:
    """None where one device holds everything."""
    if settings.backend == "cpu" or (len(machine.gpus) == 1 and settings.plain):
        return None
    return split_accounts.placed(model, settings, machine)


_WHOLE = Memo[Model](maxsize=1)
_SECOND = Memo[Model | None](maxsize=1)


def _weights(model: Model, settings: Settings, placement: Placement | None) -> Iterator[tuple[int, int]]:
    """What loading the blocks adds to each device. [B]"""
    whole = _WHOLE.get(model, None, lambda: replace(model, loaded=-1))
    if placement is None:
        now, before = weights(whole, settings), weights(model, settings)
        found = {0: now.gpu - before.gpu, HOST: now.host - before.host}
    else:
        both = (
            bytes_per_device.weights(whole, settings, placement),
            bytes_per_device.weights(model, settings, placement),
        )
        found = {d: int(both[0].on(d) - both[1].on(d)) for d in (*range(placement.cards), HOST)}
    yield from ((device, size) for device, size in found.items() if size)


def second(model: Model, layers: range) -> Model | None:
    """The model of the second context: these layers alone keep something, each token, like the model's full layers."""
    kept = [m for m in model.memory if isinstance(m, Attention | Latent) and m.window is None]
    return replace(model, memory=(replace(kept[-1], layers=tuple(layers)),)) if kept else None


def _context(model: Model, s: Settings, placement: Placement | None, layers: range) -> Iterator[Placed]:
    other = _SECOND.get(model, layers, lambda: second(model, layers))
    if other is None:
        return
    device = placement.units[layers[-1]] if placement else HOST if s.backend == "cpu" else 0
    here = replace(s, key_type="F16", value_type="F16", backend="cpu" if device == HOST else s.backend)
    for line in ledger_lines.context(kv_cache.groups(other, here), here):
        yield (
            device,
            replace(
                line, part="draft.kv", reason=say("second context, of the prediction blocks: {what}", what=line.reason)
            ),
        )
    alone = replace(here, gpu_layers=-1, split_mode="none", overrides=(), n_cpu_moe=0, n_cpu_ffn=0, offload_kv=True)
    made = compute_buffer(other, alone)
    size = made.host if device == HOST else made.gpu
    low, best, high = (size * share for share in SEEN)
    reason = say("compute buffer of the second context, as dry runs of four models show")
    yield device, Line("draft.compute", best, "measured", reason, low=low, high=high)


def _states(model: Model, s: Settings, placement: Placement | None) -> Iterator[Placed]:
    """Recurrent states once more for each drafted token, and room for one layer's in the graph."""
    if model.architecture not in ROLLS_BACK or not any(isinstance(m, Recurrent) for m in model.memory):
        return
    sums: dict[int, Number] = {}
    if placement is None:
        sums[HOST if s.backend == "cpu" else 0] = kv_cache.recurrent_state(model, s)
    else:
        for held in bytes_per_device.groups(model, s, placement):
            if isinstance(held.memory, Recurrent):
                for d in (*range(placement.cards), HOST):
                    sums[d] = sums.get(d, 0) + held.on(d)
    reason = say("states to go back to, one for each of {n} drafted tokens", n=s.draft_tokens)
    layers = [m for m in model.memory if isinstance(m, Recurrent)]
    one = max(F32 * (m.convolution + m.state) for m in layers)
    room = s.slots * s.draft_tokens * (one + F32 * model.vocabulary)
    for device, size in sums.items():
        if is_some(size):
            yield device, Line("state.rollback", size * s.draft_tokens, "derived", reason)
            yield (
                device,
                Line(
                    "compute.rollback",
                    room // 2,
                    "assumed",
                    say("the same of one layer in the graph"),
                    low=0,
                    high=room,
                ),
            )


def is_some(size: Number) -> bool:
    """True unless it is a plain 0."""
    return not isinstance(size, int) or size > 0
