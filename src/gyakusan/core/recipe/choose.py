"""Choose the types of all tensors of a model: order them as the quantiser does, count them, and apply the rules.

Source: llama.cpp b11434, src/llama-quant.cpp (llama_model_quantize_impl, init_quantize_state_counters),
src/llama-model-loader.h (weight_name_comparer), src/llama-hparams.cpp (n_gqa), src/models/*.cpp (LLM_TYPE_70B).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from gyakusan.core.dtypes import DTYPES
from gyakusan.core.model import Attention, Compressed, Experts, Latent, Model, Recurrent, Tensor
from gyakusan.core.recipe import kinds
from gyakusan.core.recipe.mixes import find_mix, mixed
from gyakusan.core.recipe.names import DEFAULT, canonical
from gyakusan.core.recipe.rules import Facts, fitted, wanted

# Architectures that llama.cpp classes as 70B models by their number of layers; llama only with grouped queries.
_SEVENTY = {"llama": 80, "llama-embed": 80, "qwen2": 80, "deci": 80, "olmo": 80, "jais2": 68}
PUBLISHED_MXFP4, _EXPERTS = "gpt-oss", "_exps.weight"
"""Its makers publish the experts in MXFP4, and the converter repacks them: a file of 16 bits holds them so, too.

Source: llama.cpp convert_hf_to_gguf.py (GptOssModel.repack_mxfp4).
"""
_FEED_FORWARD = ("up", "gate", "down")


def types(
    quantization: str,
    architecture: str,
    tensors: Sequence[Tensor],
    *,
    layers: int,
    experts: int,
    heads: int,
    kv_heads: int,
    matrix: bool = False,
) -> tuple[str, ...]:
    """Return the element type of each tensor in a file of this quantisation, in the order of `tensors`.

    layers: blocks, with those for multi-token prediction; experts: of one layer, 0 if dense
    heads, kv_heads: of the first block, 0 without attention
    matrix: an importance matrix is used (changes IQ3_XXS, IQ4_XS, IQ4_NL, Q4_0, Q5_0)
    Tensors that the quantiser skips keep their type, or get the converter's if quantised. Raises UnknownName, BadSetting.
    """
    name = canonical(quantization)
    split = [kinds.split(t.name) for t in tensors]
    free = [kinds.quantizable(n, t.shape, architecture) for (_, n), t in zip(split, tensors, strict=True)]
    out = [DEFAULT[name] if f else _kept(t, architecture) for t, f in zip(tensors, free, strict=True)]
    if not DTYPES[DEFAULT[name]].quantized:
        return tuple(out)
    kind_of = [kinds.kind(n) for _, n in split]
    facts = Facts(
        quantization=name,
        architecture=architecture,
        layers=max([layers, *(block + 1 for block, _ in split)]),
        experts=experts,
        gqa=heads // kv_heads if kv_heads else 0,
        values=kind_of.count("value"),
        seventy=_seventy(architecture, layers, experts, heads, kv_heads),
        tied="output" not in kind_of,
        matrix=matrix,
    )
    seats: defaultdict[str, count[int]] = defaultdict(count)  # some rules count, in the quantiser's order
    for block, _, at in sorted((split[i][0], tensors[i].name, i) for i, f in enumerate(free) if f):
        out[at] = _one(facts, tensors[at], kind_of[at], block, next(seats[kind_of[at]]))
    return tuple(out)


def _one(facts: Facts, tensor: Tensor, kind: kinds.Kind, block: int, seat: int) -> str:
    """Return the type of one tensor. With experts the feed-forward rules count blocks, else tensors of the kind (`seat`)."""
    layer = block if facts.experts > 1 and kind in _FEED_FORWARD and block >= 0 else seat
    return fitted(wanted(facts, kind, tensor.name, tensor.shape, seat, layer), tensor.shape[0])


def _kept(tensor: Tensor, architecture: str) -> str:
    known = DTYPES.get(tensor.type)
    if known is not None and known.code >= 0 and not known.quantized:
        return tensor.type
    return kinds.converted(tensor.name, tensor.shape, architecture)


def _seventy(architecture: str, layers: int, experts: int, heads: int, kv_heads: int) -> bool:
    if _SEVENTY.get(architecture) != layers:
        return False
    return not architecture.startswith("llama") or (experts != 8 and heads != kv_heads)


def apply(quantization: str, model: Model, *, matrix: bool = False) -> Model:
    """Return the model at another quantisation, or as a mix that publishers make of it. Raises UnknownName, BadSetting.

    matrix: with an importance matrix
    """
    mix = find_mix(quantization)
    if mix is not None:
        return mixed(mix, apply(mix.recipe, model, matrix=matrix))
    heads, kv_heads = _heads(model)
    chosen = types(
        quantization,
        model.architecture,
        model.tensors,
        layers=model.blocks,
        experts=max((f.count for f in model.feed_forward if isinstance(f, Experts)), default=0),
        heads=heads,
        kv_heads=kv_heads,
        matrix=matrix,
    )
    name = canonical(quantization)
    if model.architecture == PUBLISHED_MXFP4 and not DTYPES[DEFAULT[name]].quantized:
        chosen = tuple("MXFP4" if _EXPERTS in t.name else c for t, c in zip(model.tensors, chosen, strict=True))
    tensors = tuple(t if t.type == c else t.stored_as(c) for t, c in zip(model.tensors, chosen, strict=True))
    return replace(model, tensors=tensors, quantization=name)


def _heads(model: Model) -> tuple[int, int]:
    """Return query and KV heads of the first block, as the key-values of a GGUF file count them.

    One KV head under a latent cache. Where the first block is recurrent, files that list the heads of each block say 0;
    the Qwen hybrids (gated delta rule) say one number for all blocks, so that their attention layers decide.
    """
    shared = any(isinstance(m, Recurrent) and m.kind == "gated_delta" for m in model.memory)
    for memory in model.memory:
        if isinstance(memory, Attention) and (shared or 0 in memory.layers):
            return memory.heads, memory.key // memory.key_head if memory.key_head else 0
        if isinstance(memory, (Latent, Compressed)) and 0 in memory.layers:
            return memory.heads, 1
    return 0, 0
