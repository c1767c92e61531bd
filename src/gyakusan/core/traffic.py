"""What a model moves and computes for each token: weights, keys and values, states; bytes and operations.

Bytes are exact for each tensor: the table of input embeddings is never read as a whole, a tied one is read as the output
matrix, blocks that an engine does not load don't count, and routed experts count by the share that a batch touches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import minimum, where
from gyakusan.core.dtypes import dtype, stored_bytes
from gyakusan.core.model import (
    Attention,
    Compressed,
    Experts,
    Indexer,
    Latent,
    Memory,
    Model,
    Recurrent,
    Tensor,
    block_of,
)
from gyakusan.patterns import late

F32 = 4
"""Bytes of one value of a recurrent state [B]."""


class RoleBits(Struct, frozen=True):
    """Bits of each weight by its role, for a checkpoint whose tensors are not listed.

    What is left (norms, routers, convolutions) has 16 bits.

    attention: matrices of attention and of recurrent layers [bits]
    linear: matrices of dense feed-forward networks [bits]
    experts: routed experts [bits]
    output: the output matrix [bits]
    """

    attention: float = 16
    linear: float = 16
    experts: float = 16
    output: float = 16


class ModelShape(Struct, frozen=True):
    """What decides the time of a model, whatever it is stored as; the fields may be arrays.

    experts: routed experts of one layer, 1 without
    experts_used: experts that one token takes, 1 without
    layers: attention or recurrence and feed-forward network together count as one
    moe_share: share of the layers that have routed experts
    recurrent_share: share of the layers that have a recurrent state
    width: of the residual stream [values]
    matrices: weights that every token multiplies, without output matrix and experts [values]
    output_matrix: weights of the output matrix [values]
    expert_matrices: weights of all routed experts [values]
    """

    experts: Number
    experts_used: Number
    layers: Number
    moe_share: Number
    recurrent_share: Number
    width: Number
    matrices: Number
    output_matrix: Number
    expert_matrices: Number

    @property
    def active(self) -> Number:
        """Weights that one token multiplies [values]."""
        return self.matrices + self.output_matrix + self.expert_matrices * self.experts_used / self.experts


class Traffic(Struct, frozen=True):
    """What one model reads and computes, for any load.

    shape: layers, experts and matrices
    dense_bytes: weights that every step reads [B]
    expert_bytes: all routed experts [B]
    memory: what each layer keeps of a conversation
    """

    shape: ModelShape
    dense_bytes: float
    expert_bytes: float
    memory: tuple[Memory, ...]

    @property
    def bytes_per_token(self) -> Number:
        """Weights that one token reads [B]."""
        return self.dense_bytes + self.expert_bytes * self.shape.experts_used / self.shape.experts

    @property
    def state(self) -> int:
        """Recurrent state of one conversation, all layers [B]."""
        return sum(len(m.layers) * m.state * F32 for m in self.memory if isinstance(m, Recurrent))

    def cache(self, context: Number, value_bytes: Number = 2) -> Number:
        """Return the keys and values that one step reads for a conversation of `context` tokens [B].

        value_bytes: of one cached value [B]
        """
        read = sum(_width(m) * _readers(m) * _visible(m, context) for m in self.memory if not isinstance(m, Recurrent))
        return read * value_bytes

    def attention(self, prompt: Number, depth: Number = 0, absorbed: bool = True) -> Number:
        """Return the operations of attention for `prompt` new tokens after `depth` others [FLOP].

        absorbed: latent attention works on the latent vector (llama.cpp), not on the heads' keys and values (vLLM).
        """
        seen = depth + prompt / 2
        return sum(2 * _heads(m, absorbed) * _readers(m) * prompt * _visible(m, seen) for m in self.memory)


def expected_distinct_expert_share(rows: Number, experts: Number, used: Number, overlap: Number = 0.86) -> Number:
    """Return the expected share of a layer's experts that `rows` tokens choose: 1 - (1 - used / experts)^(rows^overlap).

    With overlap 1 every token chooses at random and independently (the occupancy problem: Feller 1968, An Introduction to
    Probability Theory, chapter IV). Below 1 the tokens of one batch choose alike; fitted: overlap in speed_constants.json.
    """
    return where(experts <= used, 1.0, 1 - (1 - used / experts) ** (rows**overlap))


def from_model(model: Model, stored: RoleBits | None = None) -> Traffic:
    """Return the traffic of a model. stored: bits by role, None = as the tensors themselves are stored."""
    routed, dense, output = list[Tensor](), list[Tensor](), list[Tensor]()
    tables, last = model.tables, "token_embd.weight" if model.tied else "output.weight"
    for tensor in _loaded(model):
        name = tensor.name
        if "_exps" in name:
            routed.append(tensor)
        elif name not in tables:
            dense.append(tensor)
        if name == last:
            output.append(tensor)
    groups = [f for f in model.feed_forward if isinstance(f, Experts)]
    mixers = sum(len(m.layers) + len(getattr(m, "shared", ())) for m in model.memory if not isinstance(m, Indexer))
    layers = (mixers + sum(len(f.layers) for f in model.feed_forward)) / 2 or model.blocks
    shape = ModelShape(
        experts=groups[0].count if groups else 1,
        experts_used=groups[0].used if groups else 1,
        layers=layers,
        moe_share=min(1.0, sum(len(f.layers) for f in groups) / layers),
        recurrent_share=min(1.0, sum(len(m.layers) for m in model.memory if isinstance(m, Recurrent)) / layers),
        width=model.embedding,
        matrices=sum(t.values for t in dense if len(t.shape) > 1 and _multiplied(t) and t.name != "output.weight"),
        output_matrix=sum(t.values for t in output),
        expert_matrices=sum(t.values for t in routed),
    )
    dense_bytes = _sum(dense, stored) + (_sum(output, stored) if model.tied else 0)
    return Traffic(shape, dense_bytes, _sum(routed, stored), model.memory)


def _sum(tensors: Iterable[Tensor], stored: RoleBits | None) -> float:
    """Bytes as stored, or by role [B]."""
    if stored is None:
        return sum(stored_bytes(t.type, t.shape) for t in tensors)
    return sum(t.values * _bits(t, stored) / 8 for t in tensors)


def _loaded(model: Model) -> Iterator[Tensor]:
    """Tensors that an engine loads: blocks beyond `loaded` predict ahead and stay out, unless they are kept."""
    extra = re.compile(model.extra_loaded) if model.extra_loaded else None
    limit = model.loaded if model.loaded >= 0 else model.blocks
    for tensor in model.tensors:
        block = block_of(tensor.name)
        if block < limit or (extra is not None and extra.search(tensor.name)):
            yield tensor


_SMALL = late(r"norm|_inp\b|conv|ssm_a|ssm_d|ssm_dt|bias|sinks|exp_probs|rope_freqs")
_MIXER = late(r"attn|ssm_|shortconv|indexer|time_mix")


def _multiplied(tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and "conv" not in tensor.name and not tensor.name.endswith("token_embd.weight")


def _bits(tensor: Tensor, stored: RoleBits) -> float:
    """Bits of one weight, by the role that its name tells [bits]."""
    if "_exps" in tensor.name:
        return stored.experts if tensor.name.endswith("weight") else 16
    if tensor.name in ("output.weight", "token_embd.weight"):
        return stored.output
    if len(tensor.shape) < 2 or _SMALL.search(tensor.name):
        return 16
    return stored.attention if _MIXER.search(tensor.name) else stored.linear


def scaled(traffic: Traffic, factor: float) -> Traffic:
    """Return the traffic of a file `factor` times as large: its recipe mixes types otherwise than ours does."""
    return structs.replace(
        traffic, dense_bytes=traffic.dense_bytes * factor, expert_bytes=traffic.expert_bytes * factor
    )


_CACHES = (("fp8", 1.0), ("int8", 1.0), ("8bit", 1.0), ("4bit", 0.53), ("int4", 0.53), ("k3v4", 0.47), ("3bit", 0.41))
"""Bytes of a value for vLLM's and its plug-ins' cache types, scales included [B]."""


def cache_value_bytes(name: str) -> float:
    """Return the bytes of one value of a cache type: ggml's names, vLLM's (auto, fp8, fp8_e4m3, int8...) [B]."""
    plain = name.casefold().split("/")[0]
    if plain in ("", "auto", "none", "bfloat16", "float16", "fp16"):
        return 2
    for word, size in _CACHES:
        if word in plain:
            return size
    return dtype(plain).bits / 8


def _width(group: Memory) -> int:
    """Values of one token that attention reads in one layer [values]."""
    match group:
        case Attention() | Latent():
            return group.key + group.value
        case Indexer():
            return group.key
        case Compressed():
            return group.key + (group.indexer // group.ratio if group.ratio else 0)
        case Recurrent():
            return 0


def _readers(group: Memory) -> int:
    """Layers that read this group's caches, those that share them included."""
    return len(group.layers) + len(getattr(group, "shared", ()))


def _visible(group: Memory, context: Number) -> Number:
    """Tokens that one query sees. [tokens] A chunk is half full on average."""
    if isinstance(group, Compressed):
        return minimum(context, group.window) + (context / group.ratio if group.ratio else 0)
    window = getattr(group, "window", None)
    if not window:
        return context
    return minimum(context, window / 2 if getattr(group, "chunked", False) else window)


def _heads(group: Memory, absorbed: bool) -> int:
    """Multiplications of one query with one key and value, all heads of one layer."""
    match group:
        case Attention():
            return group.heads * (group.key_head + group.value_head)
        case Latent():
            wide = 2 * group.rank + group.rope
            return group.heads * (wide if absorbed else group.nope + group.rope + group.value_head)
        case Compressed():
            return group.heads * 2 * group.key
        case Indexer():
            return group.key
        case Recurrent():
            return 0
