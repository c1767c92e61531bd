"""The model as memory and speed see it: groups of layers with a cache or a state, widths, tensors.

A family (models/families) builds a Model from metadata; an engine prices it. Nothing here knows a file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import Any, Literal

from msgspec import Struct

from gyakusan.core.dtypes import stored_bytes

Layers = tuple[int, ...]
"""Block numbers, in order."""


class Attention(Struct, frozen=True):
    """Attention layers that store a key and a value for each token.

    layers: block numbers of the layers that have a cache
    heads: query heads
    key: width of one token's keys over all KV heads [values]
    value: width of one token's values over all KV heads [values]
    key_head: width of one head's key [values]
    value_head: width of one head's value [values]
    window: tokens stored, None = all [tokens]
    chunked: True if a token sees the chunk of `window` tokens that it is in, not the last `window` tokens
    shared: further layers, which read the caches of `layers` and have none
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


class Latent(Struct, frozen=True):
    """Layers with multi-head latent attention: one vector of rank + rope values for each token.

    layers: block numbers
    heads: query heads
    rank: width of the latent vector, kv_lora_rank [values]
    rope: rotated part of a head's key [values]
    nope: part of a head's key that is not rotated [values]
    value_head: width of one head's value [values]
    window: tokens stored, None = all [tokens]
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
        """Return the width of one token's entry [values]."""
        return self.rank + self.rope

    @property
    def value(self) -> int:
        """Return 0: the latent vector holds the values, too [values]."""
        return 0


class Indexer(Struct, frozen=True):
    """Layers with a second, small cache, by which sparse attention selects tokens.

    layers: block numbers
    key: width of one token's key [values]
    value: width of one token's value, allocated and never used [values]
    """

    layers: Layers
    key: int
    value: int = 0


class Recurrent(Struct, frozen=True):
    """Layers with a state in f32 for each conversation, whatever its length.

    layers: block numbers
    kind: the operation that computes the state
    convolution: values of the convolution's state, for each layer and conversation [values]
    state: values of the recurrent state, for each layer and conversation [values]
    inner: inner width of the layer, 0 if the kind has none [values]
    groups: groups of the state space, 0 if the kind has none
    state_size: width of one state, 0 if the kind has none [values]
    rank: rank of the time step's projection, 0 if the kind has none [values]
    kernel: length of the convolution's kernel, 0 if the kind has none [tokens]
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


class Compressed(Struct, frozen=True):
    """DeepSeek-V4 layers: a sliding window of keys without values, and one compressed key for `ratio` tokens.

    layers: block numbers
    heads: query heads
    key: width of a key [values]
    window: tokens of the sliding window [tokens]
    ratio: tokens that are compressed into one key, 0 = no compressed keys [tokens]
    indexer: width of the indexer's key at each compressed key, 0 = no indexer [values]
    """

    layers: Layers
    heads: int
    key: int
    window: int
    ratio: int = 0
    indexer: int = 0


Memory = Attention | Latent | Indexer | Recurrent | Compressed
"""A group of equal layers with a cache or a state."""


class Dense(Struct, frozen=True):
    """Layers with one feed-forward network.

    layers: block numbers
    width: inner width [values]
    gated: True if there are two matrices up (SwiGLU) instead of one
    """

    layers: Layers
    width: int
    gated: bool = True


class Experts(Struct, frozen=True):
    """Layers with a mixture of experts.

    layers: block numbers
    count: experts of one layer
    used: experts that each token uses
    width: inner width of one expert [values]
    shared: inner width of the shared experts together [values]
    gated: True if there are two matrices up (SwiGLU) instead of one
    """

    layers: Layers
    count: int
    used: int
    width: int
    shared: int = 0
    gated: bool = True


FeedForward = Dense | Experts
"""A group of equal layers with a feed-forward network."""


class Graph(Struct, frozen=True):
    """The wiring of the blocks, as far as an engine's compute buffer depends on it. The default is the plain transformer.

    positions: position numbers for each token: 1, 4 for M-RoPE, 0 without rotary embedding
    query: how queries are computed: by a "separate" matrix; "fused" with keys and values in one; "normed" over all heads at
        once; "gated": twice as wide, one half gates attention's output
    parallel: True if attention and feed-forward network read the same input
    lifted: True if a gate or a norm after attention needs the block's input, so that attention's output gets a block of its own
    unrotated: True if some layers have no rotary embedding
    scaled: True if the embedding is scaled
    temperature: True if queries are scaled by their position
    weigh_first: True if the experts' input is weighted, not their output
    per_layer: width of the per-layer embeddings of all layers [values]
    streams: parallel residual streams
    mixed: True if a batch may mix tokens and embeddings
    wide_down: True if the experts' down projection sums in f32
    selected: tokens that sparse attention reads, 0 = all [tokens]
    encoder: query heads of an encoder, which reads its whole input at once and stores nothing; 0 = a decoder
    masks: attention masks of an encoder, one for each reach of its attention
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


PLAIN = Graph()
"""The plain transformer."""


class Tensor(Struct, frozen=True):
    """One tensor of a model file.

    name: as in GGUF
    shape: dimensions, with ne0, the contiguous one, first
    type: name of the element type in core.dtypes
    """

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def values(self) -> int:
        """Return the number of values [values]."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Return the bytes as stored, without padding [B]."""
        return stored_bytes(self.type, self.shape)

    def stored_as(self, type: str) -> Tensor:  # noqa: A002
        """Return the tensor with elements of another type."""
        return Tensor(self.name, self.shape, type)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How a Hugging Face checkpoint stores its numbers.

    dtype: element type of the weights that are not quantised
    method: quant_method of the config, "" = not quantised
    bits: bits of a quantised weight, without scales
    group: values that share a scale, 0 = a whole row, -1 = a whole matrix [values]
    scale: size of one scale [B]
    symmetric: True if there are no zero points
    unquantized: names of modules that are not quantised, or regular expressions after "re:"
    cache: element type that the checkpoint names for its keys and values, "" = none
    state: element type that the checkpoint names for recurrent states, "" = none
    expert_group: values that share a scale where only the experts have 4 bits, 0 = as in `group` [values]
    encoders: parameters of the image and sound encoders, estimated from their config [values]
    tensors: as stored, with the checkpoint's names and the types of safetensors; () if no header was read
    """

    dtype: str = "BF16"
    method: str = ""
    bits: float = 16
    group: int = 0
    scale: int = 2
    symmetric: bool = True
    unquantized: tuple[str, ...] = ()
    cache: str = ""
    state: str = ""
    expert_group: int = 0
    encoders: int = 0
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)


class Extra(Struct, frozen=True):
    """A part of a model that its text layers do not need.

    kind: "projector" turns images or sound into embeddings; "adapter" is a LoRA
    bytes: size as stored [B]
    source: path or address, "" if it is in the same file as the weights
    """

    kind: Literal["projector", "adapter"]
    bytes: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The published files of a model. The tensors of a Hugging Face checkpoint are in `Model.checkpoint`.

    format: the format of the files with weights
    bytes: size of all files with weights, without extras in files of their own [B]
    config: the config.json, as written
    extras: projectors and adapters
    repository: by which a server fetches them from Hugging Face, owner/name:TAG or owner/name; "" = nobody knows
    """

    format: Literal["gguf", "safetensors", "mlx"]
    bytes: int
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extras: tuple[Extra, ...] = ()
    repository: str = ""


CATALOGUE = "catalog:"
"""How the source of a model begins that is a record of the catalogue."""


@dataclass(frozen=True)
class Model:
    """One model, as one file or directory describes it.

    name: as the file or the catalogue calls it
    architecture: the family's name, as in GGUF's general.architecture
    blocks: transformer blocks in the file, with those that an engine does not load
    embedding: width of the residual stream [values]
    vocabulary: size of the vocabulary [tokens]
    trained_context: longest context it was trained for, 0 if unknown [tokens]
    memory: groups of equal layers with a cache or a state
    feed_forward: groups of equal layers with a feed-forward network
    tensors: as stored
    quantization: name of the quantisation, "unknown" if none is given
    source: path, address or record it was read from
    loaded: blocks that an engine loads (the first ones), -1 = all
    extra_loaded: regular expression of tensors that are loaded although their block is not, "" = none
    tables: names of tensors of which only single rows are read
    output_first: True if a CPU holds a tied embedding table twice
    inferred: True if no family knows the architecture and the model was inferred from its tensors
    graph: wiring of the blocks
    checkpoint: how Hugging Face files store it, None for a GGUF file or a catalogue record
    metadata: key-values that all this was read from, under GGUF names
    stored: the published files, None if nobody looked at them
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
    extra_loaded: str = ""
    tables: tuple[str, ...] = ("token_embd.weight",)
    output_first: bool = False
    inferred: bool = False
    graph: Graph = PLAIN
    checkpoint: Checkpoint | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    stored: Stored | None = field(default=None, repr=False)

    @property
    def catalogue_name(self) -> str:
        """Return the name of the catalogue's record that this was made of, "" for a file, a directory or a repository."""
        return self.source.removeprefix(CATALOGUE) if self.source.startswith(CATALOGUE) else ""

    @cached_property
    def parameters(self) -> int:
        """Return the number of weights [values]."""
        return sum(t.values for t in self.tensors)

    @cached_property
    def active_parameters(self) -> int:
        """Return the number of weights that one token uses [values].

        Experts count by the share used, tables as one row. Blocks for multi-token prediction do not count.
        """
        share = {i: (f.used, f.count) for f in self.feed_forward if isinstance(f, Experts) for i in f.layers}
        whole = self.loaded if self.loaded >= 0 else self.blocks
        used = (t for t in self.tensors if t.name not in self.tables or (t.name == "token_embd.weight" and self.tied))
        return sum(_active(t, share) for t in used if block_of(t.name) < whole)

    @cached_property
    def tied(self) -> bool:
        """Return True if the output matrix is the embedding table."""
        return all(t.name != "output.weight" for t in self.tensors)

    @cached_property
    def bytes(self) -> int:
        """Return the bytes of all tensors as stored [B]."""
        return sum(stored_bytes(t.type, t.shape) for t in self.tensors)


@lru_cache(maxsize=32768)
def block_of(name: str) -> int:
    """Return the number of the block that a tensor is in, -1 for none and for a name that only looks as if."""
    number = name.split(".", 2)[1] if name.startswith("blk.") else ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else -1


def _active(tensor: Tensor, share: dict[int, tuple[int, int]]) -> int:
    used, count = share.get(block_of(tensor.name), (1, 1)) if "_exps" in tensor.name else (1, 1)
    return tensor.values * used // count
