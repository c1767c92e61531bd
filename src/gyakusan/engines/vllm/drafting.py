"""Speculative decoding with a model's own prediction layers (MTP): their weights, and the keys and values that they keep.

Source: vLLM 0.32.0, config/speculative.py (method "mtp"), v1/spec_decode/eagle.py, model_executor/models/*_mtp.py. Their
attention joins the pool as one more layer; embedding and output are the model's own.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Indexer, Latent, Memory, Model, Tensor, block_of
from gyakusan.engines.vllm.settings import Settings

SHARED = ("nextn.embed_tokens.weight", "nextn.shared_head_head.weight")
"""Tensors of a prediction block that are the model's own."""
SIXTEEN_BITS = ("awq", "gptq", "nvfp4", "mxfp4", "compressed-tensors", "bitsandbytes")
"""Methods whose checkpoints leave prediction layers in 16 bits: cyankiwi/Qwen3.8-27B-AWQ-INT4 has 0.9 GB of them."""
_WHOLE = Memo[Model | None](maxsize=8)
_DRAFTED = Memo[Model](maxsize=8)


def predicting(model: Model, settings: Settings) -> Model | None:
    """Return the model with its prediction layers if they draft, else None."""
    if not settings.speculative_tokens or settings.speculative_method == "other":
        return None
    from gyakusan.models.prediction import with_blocks

    return _WHOLE.get(model, None, lambda: with_blocks(model, checkpoint=True))


def with_drafting_layers(model: Model, settings: Settings) -> Model:
    """Return the model whose full attention has the prediction layers as well; itself if nothing drafts with them."""
    whole = predicting(model, settings)
    if whole is None:
        return model
    return _DRAFTED.get(model, None, lambda: _longer(model, whole))


def _longer(model: Model, whole: Model) -> Model:
    """Return the model with one more layer of each kind that every token is kept in, for each prediction layer."""
    more = tuple(range(whole.loaded, whole.blocks))
    full = [m for m in model.memory if isinstance(m, (Attention, Latent)) and m.window is None]
    last = max(full, key=lambda m: max(m.layers, default=-1), default=None)
    return replace(model, memory=tuple(_with(m, more) if _joins(m, last) else m for m in model.memory))


def _joins(memory: Memory, last: Memory | None) -> bool:
    return memory is last or (isinstance(memory, Indexer) and isinstance(last, Latent))


def _with(memory: Memory, more: tuple[int, ...]) -> Memory:
    return (
        structs.replace(memory, layers=(*memory.layers, *more))
        if isinstance(memory, (Attention, Latent, Indexer))
        else memory
    )


def tensors_of(whole: Model) -> tuple[Tensor, ...]:
    """Return the tensors of the prediction layers, without an embedding or output of their own: the model's are used."""
    own = (t for t in whole.tensors if block_of(t.name) >= whole.loaded)
    return tuple(t for t in own if not t.name.endswith(SHARED))
