"""Speculative decoding: what a draft model needs, or the prediction blocks (MTP, nextn) of the model's own file.

Source: llama.cpp b11434, common/speculative.cpp (common_base_params_to_speculative, common_speculative_init_result,
common_speculative_get_output_limits), common/common.h (need_n_rs_seq), src/llama-model.cpp (create_memory, filters of
LLAMA_CONTEXT_TYPE_MTP), src/llama-memory-recurrent.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.ledger import Account, Line, draft_part
from gyakusan.core.machine import Machine
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp import ledger_lines
from gyakusan.engines.llamacpp.backends import F32
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import loaded_blocks, weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.extras.projector_lora import DeviceLine
from gyakusan.engines.llamacpp.multi_gpu.ledger import placed
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, SourceError
from gyakusan.message import say

MAX_VOCABULARY_GAP = 128
"""Tokens by which the vocabularies of both models may differ. SPEC_VOCAB_MAX_SIZE_DIFFERENCE. [tokens]"""
SECOND_CONTEXT_SHARES = (0.6, 0.8, 1.0)
"""Compute buffer of the second context over that of the same layers by our rules: low end, usual, high end.

It was 0.67 to 0.93 in 24 dry runs of four models (qwen35, qwen35moe, glm4moe, deepseek2) on a CPU, llama.cpp b11549."""
ROLLS_BACK = (
    "qwen35", "qwen35moe", "deepseek4", "nemotron_h", "nemotron_h_moe", "lfm2", "lfm2moe", "bailingmoe3",
)  # fmt: skip
"""Architectures whose states are kept once more for each drafted token. llm_arch_supports_rs_rollback."""
_WITH_PREDICTION_BLOCKS = Memo[Model](maxsize=1)
_SECOND_CONTEXT = Memo[Model | None](maxsize=1)


def _load(reference: str) -> Model:
    from gyakusan.doors import files

    return _loaded(reference, files.stamp(reference))


@lru_cache(maxsize=8)
def _loaded(reference: str, stamp: tuple[int, int] | None) -> Model:
    """Return the draft model. stamp: see files.stamp; a file that was written again is read again."""
    from gyakusan.models import load

    try:
        return load(reference, offline=True)
    except SourceError:
        raise BadSetting(
            "The draft model {name} is not on this computer.",
            name=reference,
            mend="Download it first, and give its file.",
        ) from None


def draft_model(model: Model, settings: Settings) -> tuple[Model, Settings]:
    """Return the draft model and its settings: the same context and batches, an f16 cache, everything on the GPUs.

    Raises BadSetting for a vocabulary that does not match, and what reading a model raises.
    """
    draft = _load(settings.draft)
    if abs(draft.vocabulary - model.vocabulary) > MAX_VOCABULARY_GAP:
        raise BadSetting(
            (
                "The vocabularies differ: {draft} has {theirs} tokens, {name} has {ours}. It cannot be the "
                "draft model."
            ),
            draft=draft.name, theirs=f"{draft.vocabulary:,}", name=model.name, ours=f"{model.vocabulary:,}",
            mend="Take a small model of the same family.",
        )  # fmt: skip
    alone = replace(settings, draft="", mtp=False, projector=None, lora=(), fit=False)
    alone = replace(alone, key_type=settings.draft_key_type, value_type=settings.draft_value_type)
    return draft, replace(alone, gpu_layers=-1, overrides=(), n_cpu_moe=0, n_cpu_ffn=0)


def with_draft(accounts: tuple[Account, ...], draft: tuple[Account, ...], name: str) -> tuple[Account, ...]:
    """Return `accounts` with the lines of a draft model, except for what the process has once."""
    out = []
    for account, other in zip(accounts, draft, strict=True):
        lines = (
            structs.replace(
                x, part=draft_part(x.part), reason=say("draft model {name}: {what}", name=name, what=x.reason)
            )
            for x in other.lines
            if x.kind != "overhead"
        )
        out.append(structs.replace(account, lines=(*account.lines, *lines)))
    return tuple(out)


def drafted_logits(model: Model, settings: Settings) -> Iterator[DeviceLine]:
    """Return the line of the logits of drafted tokens, which the model checks at once."""
    if settings.draft or settings.mtp:
        size = settings.slots * settings.draft_tokens * model.vocabulary * F32
        formula = f"{settings.slots} x {settings.draft_tokens} x {model.vocabulary:,} x {F32} B"
        yield HOST, Line("output.draft", size, "derived", say("logits of drafted tokens"), formula)


def prediction_block_lines(model: Model, settings: Settings, machine: Machine) -> Iterator[DeviceLine]:
    """Return the lines of prediction blocks: weights, a second context with its compute buffer, states to roll back to.

    Raises BadSetting if the file has none.
    """
    if not settings.mtp:
        return
    first = loaded_blocks(model)
    if first >= model.blocks:
        raise BadSetting(
            "{name} has no prediction blocks (MTP).", name=model.name,
            mend="Take a file that was converted with them, or a small draft model: draft=NAME.",
        )  # fmt: skip
    placement = _placement(model, settings, machine)
    reason = say("{n} prediction blocks (MTP), loaded for speculative decoding", n=model.blocks - first)
    for device, size in _weights(model, settings, placement).items():
        if size:
            yield device, Line("draft.weights", size, "derived", reason)
    yield from _second_context(model, settings, placement, range(first, model.blocks))
    yield from _rollback_states(model, settings, placement)


def _placement(model: Model, settings: Settings, machine: Machine) -> Placement | None:
    """Return the placement, None if one device holds everything."""
    if settings.backend == "cpu" or (len(machine.gpus) == 1 and settings.on_one_device):
        return None
    return placed(model, settings, machine)


def _weights(model: Model, settings: Settings, placement: Placement | None) -> dict[int, int]:
    """Return what loading the prediction blocks adds to each device [B]."""
    whole = _WITH_PREDICTION_BLOCKS.get(model, None, lambda: replace(model, loaded=-1))
    if placement is None:
        with_blocks, without = weights(whole, settings), weights(model, settings)
        return {0: with_blocks.gpu - without.gpu, HOST: with_blocks.host - without.host}
    more = bytes_per_device.weights(whole, settings, placement)
    fewer = bytes_per_device.weights(model, settings, placement)
    return {d: int(more.on(d) - fewer.on(d)) for d in placement.devices}


def second_context_model(model: Model, layers: range) -> Model | None:
    """Return the model of the second context: these layers alone keep every token, like the model's full layers.

    None if the model has no such layers. It has no tensors: they are those of all blocks, of which its graph has none.
    """
    full = [m for m in model.memory if isinstance(m, (Attention, Latent)) and m.window is None]
    return replace(model, memory=(structs.replace(full[-1], layers=tuple(layers)),), tensors=()) if full else None


def _second_context(model: Model, s: Settings, placement: Placement | None, layers: range) -> Iterator[DeviceLine]:
    """Return the lines of its cache and its compute buffer."""
    other = _SECOND_CONTEXT.get(model, layers, lambda: second_context_model(model, layers))
    if other is None:
        return
    device = placement.units[layers[-1]] if placement else HOST if s.backend == "cpu" else 0
    here = replace(
        s, key_type=s.draft_key_type, value_type=s.draft_value_type, backend="cpu" if device == HOST else s.backend
    )
    for line in ledger_lines.context(kv_cache.groups(other, here), here):
        reason = say("second context, for the prediction blocks: {what}", what=line.reason)
        yield device, structs.replace(line, part="draft.kv", reason=reason)
    alone = replace(here, gpu_layers=-1, split_mode="none", overrides=(), n_cpu_moe=0, n_cpu_ffn=0, offload_kv=True)
    buffers = compute_buffer(other, alone)
    size = buffers.host if device == HOST else buffers.gpu
    low, best, high = (size * share for share in SECOND_CONTEXT_SHARES)
    reason = say("compute buffer of the second context, by dry runs of four models")
    yield device, Line("draft.compute", best, "measured", reason, low=low, high=high)


def _rollback_states(model: Model, s: Settings, placement: Placement | None) -> Iterator[DeviceLine]:
    """Return the lines of recurrent states once more for each drafted token, and of one layer's in the graph."""
    layers = [m for m in model.memory if isinstance(m, Recurrent)]
    if model.architecture not in ROLLS_BACK or not layers:
        return
    sizes: dict[int, Number] = {}
    if placement is None:
        sizes[HOST if s.backend == "cpu" else 0] = kv_cache.recurrent_state(model, s)
    else:
        groups = [g for g in bytes_per_device.groups(model, s, placement) if isinstance(g.memory, Recurrent)]
        sizes = {d: sum(g.on(d) for g in groups) for d in placement.devices}
    reason = say("states to return to, one for each of {n} drafted tokens", n=s.draft_tokens)
    one_layer = max(F32 * (m.convolution + m.state) for m in layers)
    most = s.slots * s.draft_tokens * (one_layer + F32 * model.vocabulary)
    for device, size in sizes.items():
        if not isinstance(size, int) or size > 0:
            yield device, Line("state.rollback", size * s.draft_tokens, "derived", reason)
            in_graph = say("the same for one layer inside the graph")
            yield device, Line("compute.rollback", most // 2, "assumed", in_graph, low=0, high=most)
