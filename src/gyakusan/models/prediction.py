"""Prediction blocks (MTP) of models whose record was made of a file without them.

Most repositories publish a GGUF file without the blocks and another with them; the checkpoint always has them.
Source: config.json of each line (mtp_num_hidden_layers, num_nextn_predict_layers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gyakusan.core.memo import Memo
from gyakusan.core.model import Experts, Latent, Model, Recurrent, block_of
from gyakusan.errors import GyakusanError
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

BLOCKS: Mapping[str, int] = {
    "qwen35": 1,
    "qwen35moe": 1,
    "qwen3next": 1,
    "glm4moe": 1,
    "deepseek2": 1,
    "bailingmoe2": 1,
}
"""Architecture -> prediction blocks of its line, where a record may lack them. Others say their own number."""
LEFT_OUT = ("deepseek2", "qwen3next")
"""Lines whose GGUF files never hold them: the converter leaves them out, and only a checkpoint has them."""
PREDICTING_LATENT = (64, 256)
"""Numbers of experts of the lines with latent attention that predict: GLM-4.7-Flash, DeepSeek-V3. Kimi (384) and V2 do not."""
WITHOUT = ("solar-open-100b", "deepseek-v2-lite")
"""Records that have the shape of such a line and were published without."""

_EXTENDED = Memo[Model](maxsize=1)


def predicted_blocks(model: Model) -> int:
    """Return the number of prediction blocks in the model's file."""
    return 0 if model.loaded < 0 else model.blocks - model.loaded


def with_blocks(model: Model, *, checkpoint: bool = False) -> Model | None:
    """Return a model of the catalogue as the file with its prediction blocks has it, None if its line has none.

    checkpoint: as published by its makers, else as a GGUF file. A model that has them is returned as it is.
    """
    if predicted_blocks(model):
        return model
    count = BLOCKS.get(model.architecture, 0)
    left_out = model.architecture in LEFT_OUT and not checkpoint
    if not count or left_out or not model.catalogue_name or model.catalogue_name in WITHOUT or not _predicts(model):
        return None
    try:
        return _EXTENDED.get(model, None, lambda: _extended(model, count))
    except GyakusanError:
        return None


def _predicts(model: Model) -> bool:
    """Return True unless latent attention belongs to a line without prediction."""
    if not any(isinstance(m, Latent) for m in model.memory):
        return True
    modern = any("exp_probs_b" in t.name for t in model.tensors)
    most = max((f.count for f in model.feed_forward if isinstance(f, Experts)), default=0)
    return most in PREDICTING_LATENT and (modern or most > min(PREDICTING_LATENT))


def _extended(model: Model, count: int) -> Model:
    from gyakusan.core import recipe

    architecture = model.architecture
    wanted: dict[str, Any] = {k: _longer(v, model.blocks, count) for k, v in model.metadata.items()}
    if any(isinstance(m, Recurrent) for m in model.memory) and f"{architecture}.attention.recurrent_layers" in wanted:
        flags = model.metadata[f"{architecture}.attention.recurrent_layers"]
        wanted[f"{architecture}.attention.recurrent_layers"] = [*flags, *([False] * count)]
    wanted[f"{architecture}.block_count"] = model.blocks + count
    wanted[f"{architecture}.nextn_predict_layers"] = count
    whole = families.unquantized(Metadata(wanted), name=model.name, source=model.source)
    more = tuple(t for t in whole.tensors if block_of(t.name) >= model.blocks)
    stored = recipe.apply(model.quantization, replace(whole, loaded=-1)) if _known(model.quantization) else whole
    types = {t.name: t.type for t in stored.tensors}
    tensors = (*model.tensors, *(t.stored_as(types[t.name]) for t in more))
    return replace(model, blocks=whole.blocks, loaded=model.blocks, tensors=tensors, metadata=wanted)


def _known(quantization: str) -> bool:
    from gyakusan.core import recipe

    return quantization in recipe.QUANTIZATIONS or recipe.find_mix(quantization) is not None


def _longer(value: Any, blocks: int, count: int) -> Any:
    """Return a value for each block with `count` more that are as the last block that has one."""
    if not isinstance(value, list | tuple) or len(value) != blocks:
        return value
    return [*value, *([next((v for v in reversed(value) if v), value[-1])] * count)]
