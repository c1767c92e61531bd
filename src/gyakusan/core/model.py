"""What a model is, as far as memory and time are concerned: layers that keep something, widths, tensors.

A family (models/families) builds a Model from metadata; an engine prices it. Nothing here knows a file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Literal

from gyakusan.core.dtypes import dtype

Layers = tuple[int, ...]
"""Block numbers, in order."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Layers that keep a key and a value for each token.

    heads: query heads; key, value: width of one token's keys and values over all KV heads [values];
    key_head, value_head: width of one head [values]; window: tokens kept, None = all [tokens];
    chunked: a token sees the chunk of `window` tokens that it is in, not the last ones;
    shared: further layers, that read the caches of these and keep none.
    """

    layers: Layers
    heads: int
    key: int
    value: int
    key_head: int
    value_head: int
    window: int | None = None
    chunked: bool = False
    shared: Layers = ()


@dataclass(frozen=True, slots=True)
class Latent:
    """Layers with multi-head latent attention: one vector of rank + rope values per token.

    heads: query heads; rank: kv_lora_rank; rope, nope: rotated and other part of a head's key; value_head [values].
    """

    layers: Layers
    heads: int
    rank: int
    rope: int
    nope: int
    value_head: int
    window: int | None = None

    @property
    def key(self) -> int:
        """Width of one token's entry. [values]"""
        return self.rank + self.rope

    @property
    def value(self) -> int:
        """No values are kept. [values]"""
        return 0


@dataclass(frozen=True, slots=True)
class Indexer:
    """Layers with a second small cache of `key` (and unused `value`) values per token, to choose what to attend to."""

    layers: Layers
    key: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Recurrent:
    """Layers that keep a state per conversation, whatever its length, in f32.

    convolution, state: values of the two states per layer and conversation [values]; kind: what computes it;
    inner, groups, state_size, rank, kernel: widths of the layer (0 where the kind has none).
    """

    layers: Layers
    kind: Literal["mamba", "mamba2", "gated_delta", "kda", "lightning", "shortconv", "compressor"]
    convolution: int
    state: int
    inner: int = 0
    groups: int = 0
    state_size: int = 0
    rank: int = 0
    kernel: int = 0


@dataclass(frozen=True, slots=True)
class Compressed:
    """DeepSeek-V4 layers: a windowed key-only cache, and keys of `ratio` tokens compressed into one (0: none).

    key: width of a key [values]; indexer: width of the indexer's key, kept at the compressed cells, 0 = none [values].
    """

    layers: Layers
    heads: int
    key: int
    window: int
    ratio: int = 0
    indexer: int = 0


Memory = Attention | Latent | Indexer | Recurrent | Compressed


@dataclass(frozen=True, slots=True)
class Dense:
    """Layers with one feed-forward network. width [values]; gated: two matrices up (SwiGLU) instead of one."""

    layers: Layers
    width: int
    gated: bool = True


@dataclass(frozen=True, slots=True)
class Experts:
    """Layers with a mixture of experts: `used` of `count` for each token. width: of one; shared: of the shared ones."""

    layers: Layers
    count: int
    used: int
    width: int
    shared: int = 0
    gated: bool = True


FeedForward = Dense | Experts


@dataclass(frozen=True, slots=True)
class Graph:
    """How the blocks are wired, as far as an engine's working memory depends on it. The default is the plain transformer.

    positions: position numbers for each token, 0 without rotary embedding, 4 for M-RoPE;
    query: how queries are made: by their "separate" matrix; "fused" with keys and values; "normed" over all heads at once;
    "gated": twice as wide, one half gates the output;
    parallel: attention and feed-forward network read the same input; lifted: a gate or a norm after attention keeps the
    block's input so long that its output needs a place of its own; unrotated: some layers have no rotary embedding;
    scaled: the embedding is scaled; temperature: queries are scaled by position;
    weigh_first: experts' input is weighed, not their output; per_layer: width of the per-layer embeddings of all layers
    [values]; streams: parallel residual streams; mixed: a batch may mix tokens and embeddings; wide_down: experts' down
    projection sums in f32; selected: tokens that sparse attention looks at, 0 = all [tokens]; encoder: query heads of a
    model that reads a whole input at once, keeps nothing and has no output matrix, 0 = it answers token by token;
    masks: of attention with different reach in an encoder.
    """

    positions: int = 1
    query: Literal["separate", "fused", "normed", "gated"] = "separate"
    parallel: bool = False
    lifted: bool = False
    unrotated: bool = False
    scaled: bool = False
    temperature: bool = False
    weigh_first: bool = False
    per_layer: int = 0
    streams: int = 1
    mixed: bool = True
    wide_down: bool = False
    selected: int = 0
    encoder: int = 0
    masks: int = 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """name as in GGUF; shape with ne0, the contiguous dimension, first; type: a name in core.dtypes."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def values(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes as stored, without padding. [B]"""
        return dtype(self.type).row(self.values)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a Hugging Face checkpoint says about how its numbers are stored.

    dtype: element type of what is not quantised; method: quant_method, "" = not quantised; bits, group: of a quantised
    weight, group = values that share a scale, 0 = a whole row, -1 = a whole matrix; scale: bytes of one scale [B];
    symmetric: no zero points; kept: names (or regular expressions after "re:") of modules that are not quantised;
    cache: type that the checkpoint wants its keys and values kept in, "" = none; state: the same for the states of
    recurrent layers; expert_group: values that share a scale where experts alone are stored in 4 bits, 0 = like the rest;
    beside: parameters of the parts that see or hear, estimated from their config [values];
    tensors: as stored, name in the checkpoint and type of safetensors, if the headers were read.
    """

    dtype: str = "BF16"
    method: str = ""
    bits: float = 16
    group: int = 0
    scale: int = 2
    symmetric: bool = True
    kept: tuple[str, ...] = ()
    cache: str = ""
    state: str = ""
    expert_group: int = 0
    beside: int = 0
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Extra:
    """A part of a model that its text layers don't need. projector: what turns images or sound into embeddings;

    adapter: a LoRA. bytes: as stored [B]; source: path or address, "" where it lies in the same file as the weights.
    """

    kind: Literal["projector", "adapter"]
    bytes: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The files as published. Tensors of a Hugging Face checkpoint are in `Model.checkpoint`.

    bytes: of all files with weights, extras in files of their own excepted [B]; config: the config.json, as written;
    extras: parts beside the text layers.
    """

    format: Literal["gguf", "safetensors", "mlx"]
    bytes: int
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extras: tuple[Extra, ...] = ()


@dataclass(frozen=True)
class Model:
    """One model as one file or directory describes it.

    blocks: transformer blocks in the file, with those an engine does not load; loaded: those it does (the first);
    embedding: width of the residual stream; vocabulary [tokens]; trained_context [tokens];
    memory, feed_forward: groups of equal layers; tensors: as stored; source: where it was read.
    kept: regular expression of the tensors that are loaded although their block is not, "" for none;
    tables: tensors of which single rows are looked up; output_first: a CPU holds a tied embedding table twice;
    inferred: no family knows the architecture, its tensors alone were read; graph: how the blocks are wired;
    checkpoint: how the Hugging Face files store it, None for a GGUF file or a catalogue record;
    metadata: the key-values that all this was read from, under GGUF names;
    stored: the publisher's files, None if nobody looked at them.
    """

    name: str
    architecture: str
    blocks: int
    embedding: int
    vocabulary: int
    trained_context: int
    memory: tuple[Memory, ...]
    feed_forward: tuple[FeedForward, ...]
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)
    quantization: str = "unknown"
    source: str = ""
    loaded: int = -1
    kept: str = ""
    tables: tuple[str, ...] = ("token_embd.weight",)
    output_first: bool = False
    inferred: bool = False
    graph: Graph = Graph()
    checkpoint: Checkpoint | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    stored: Stored | None = field(default=None, repr=False)

    @cached_property
    def parameters(self) -> int:
        """All weights. [values]"""
        return sum(t.values for t in self.tensors)

    @cached_property
    def active_parameters(self) -> int:
        """Weights that one token touches: experts count by the share used, the embedding table as one row. [values]

        Blocks that only predict ahead (multi-token prediction) don't count.
        """
        share = {i: (f.used, f.count) for f in self.feed_forward if isinstance(f, Experts) for i in f.layers}
        whole = self.loaded if self.loaded >= 0 else self.blocks
        used = (t for t in self.tensors if t.name != "token_embd.weight" or self.tied)
        return sum(_active(t, share) for t in used if _block(t.name) < whole)

    @cached_property
    def tied(self) -> bool:
        """True if the output matrix is the embedding table."""
        return all(t.name != "output.weight" for t in self.tensors)

    @cached_property
    def bytes(self) -> int:
        """Sum of the tensors as stored. [B]"""
        return sum(t.bytes for t in self.tensors)


def _block(name: str) -> int:
    """The block that a tensor is in, -1 for none."""
    return int(name.split(".", 2)[1]) if name.startswith("blk.") else -1


def _active(tensor: Tensor, share: dict[int, tuple[int, int]]) -> int:
    if "_exps" not in tensor.name:
        return tensor.values
    used, count = share.get(int(tensor.name.split(".")[1]), (1, 1))
    return tensor.values * used // count
