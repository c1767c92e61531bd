"""The ledger: bytes by device and part, each with a basis and a reason; a sum that can explain itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

from gyakusan.core.arrays import Number, Truth
from gyakusan.core.load import Load
from gyakusan.core.machine import Device
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.message import Message

LineKind = Literal["weights", "kv_cache", "recurrent_state", "scratch", "overhead"]
"""What a line is by its size alone: the five words of the JSON document. scratch: compute buffers."""
Basis = Literal["read", "derived", "measured", "assumed"]
"""Where a figure comes from: a file or device, a formula that cites its source, a measurement, or an assumption."""
Fit = Literal["fits", "unsure", "short"]
"""Whether a load fits: at every end of the ranges, at some only, or at none. What grows with use is no doubt."""
KINDS: tuple[LineKind, ...] = get_args(LineKind)
"""Every kind of line, in the order in which screens list them."""

Part = Literal[
    "weights",
    "weights.embedding",
    "weights.per_layer",
    "weights.blocks",
    "weights.repacked",
    "weights.projector",
    "weights.adapter",
    "kv",
    "kv.full",
    "kv.window",
    "kv.latent",
    "kv.index",
    "kv.compressed",
    "kv.finished",
    "kv.copy",
    "state",
    "state.rollback",
    "compute",
    "compute.host",
    "compute.projector",
    "compute.scores",
    "compute.rollback",
    "compute.graphs",
    "output",
    "output.draft",
    "draft.weights",
    "draft.kv",
    "draft.state",
    "draft.compute",
    "draft.output",
    "overhead.driver",
    "overhead.process",
    "overhead.prompt_cache",
    "overhead.checkpoints",
    "overhead.margin",
]
"""What a line pays for, under a name that stays the same for programs. Lines of one account with the same part add up.

weights: the model's tensors, but for those that another line of the account names
weights.embedding: the embedding table, where it stays in RAM
weights.per_layer: per-layer embeddings, of which only the rows in use are read
weights.blocks: tensors of whole blocks that stay in RAM although a GPU computes
weights.repacked: copies of matrices in the layout that the CPU multiplies fastest
weights.projector: the projector of images or sound
weights.adapter: a LoRA adapter
kv: keys and values of layers of several kinds, in one pool
kv.full: keys and values of layers that keep every token
kv.window: keys and values of layers with a sliding window or chunks
kv.latent: latent vectors of multi-head latent attention
kv.index: keys that sparse attention chooses by
kv.compressed: windows and compressed keys of DeepSeek-V4
kv.finished: caches of finished conversations (MLX-LM)
kv.copy: the old copy of a cache that grows (MLX-LM)
state: states of recurrent layers
state.rollback: states to return to when drafted tokens are rejected
compute: the compute buffer or the activations of the largest batch
compute.host: inputs of a batch, pinned in RAM while a GPU computes
compute.projector: the projector's own compute buffer
compute.scores: attention scores, where no fused kernel avoids them
compute.rollback: one layer's states to return to, in the graph
compute.graphs: CUDA graphs
output: logits of the tokens that are sampled
output.draft: logits of drafted tokens
draft.weights: weights of the draft model or of the prediction blocks
draft.kv: their keys and values
draft.state: their recurrent states
draft.compute: their compute buffer
draft.output: their logits
overhead.driver: driver context, libraries, allocator and communication
overhead.process: the server's processes in RAM
overhead.prompt_cache: idle conversations that the server keeps in RAM
overhead.checkpoints: snapshots of windows and states that the server keeps in RAM
overhead.margin: memory that the engine leaves free
"""
PARTS: tuple[Part, ...] = get_args(Part)
"""Every part that a line may name."""
_KIND: Mapping[str, LineKind] = {
    "weights": "weights", "kv": "kv_cache", "state": "recurrent_state", "compute": "scratch", "output": "scratch",
    "overhead": "overhead",
}  # fmt: skip
_DRAFT: Mapping[str, Part] = {
    "weights": "draft.weights", "kv": "draft.kv", "state": "draft.state", "compute": "draft.compute",
    "output": "draft.output",
}  # fmt: skip


class Line(Struct, frozen=True):
    """One entry of a ledger.

    part: what it pays for, a name for programs
    bytes: the best figure, or an array of them [B]
    basis: where the figure comes from
    reason: the same as a sentence for people
    formula: the numbers behind the figure, as text
    low: low end of the range we stand for, None = bytes [B]
    high: high end of the range we stand for, None = bytes [B]
    grows: True if use moves the figure from low to high, up to a limit; False if the range is doubt
    """

    part: Part
    bytes: Number
    basis: Basis
    reason: Message
    formula: str = ""
    low: Number | None = None
    high: Number | None = None
    grows: bool = False

    @property
    def kind(self) -> LineKind:
        """Return the word of the JSON document for this part."""
        group, _, rest = self.part.partition(".")
        return _KIND[rest if group == "draft" else group]

    @property
    def least(self) -> Number:
        """Return the low end [B]."""
        return self.bytes if self.low is None else self.low

    @property
    def greatest(self) -> Number:
        """Return the high end [B]."""
        return self.bytes if self.high is None else self.high

    @property
    def cap(self) -> Number | None:
        """Return the limit of what grows with use, None for a line that does not grow [B]."""
        return self.greatest if self.grows else None


def draft_part(part: Part) -> Part:
    """Return the part of a draft model that `part` of any model is. Raises KeyError for overhead."""
    return _DRAFT[part.partition(".")[0]]


def memory_part(memory: Memory) -> Part:
    """Return the part that the cache or the states of a group of layers are."""
    match memory:
        case Recurrent():
            return "state"
        case Indexer():
            return "kv.index"
        case Compressed():
            return "kv.compressed"
        case Latent():
            return "kv.latent"
        case Attention():
            return "kv.full" if memory.window is None else "kv.window"


class Account(Struct, frozen=True):
    """One device and the lines charged to it.

    device: the GPU, the RAM or the unified memory
    lines: what is allocated there
    """

    device: Device
    lines: tuple[Line, ...]

    @property
    def total(self) -> Number:
        """Return the sum of the best figures [B]."""
        return sum(line.bytes for line in self.lines)

    @property
    def high(self) -> Number:
        """Return the sum of the high ends, with all that use may add: a limit, not the end of a range that is shown [B]."""
        return sum(line.greatest for line in self.lines)

    @property
    def at_least(self) -> Number:
        """Return the low end of every range that is shown: what grows with use counts at its best figure, as in `total` [B]."""
        return sum(line.bytes if line.grows else line.least for line in self.lines)

    @property
    def at_most(self) -> Number:
        """Return the high end of every range that is shown: what grows with use counts at its best figure, as in `total` [B]."""
        return sum(line.bytes if line.grows else line.greatest for line in self.lines)

    @property
    def spare(self) -> Number | None:
        """Return what is surely left of the usable memory, negative if the high end is over; None if it is unknown [B]."""
        return None if self.device.usable is None else self.device.usable - self.at_most

    @property
    def fit(self) -> Fit:
        """Return whether the device holds its share at every end of the ranges. Scalars only."""
        usable = self.device.usable
        if usable is None or self.at_most <= usable:
            return "fits"
        return "unsure" if self.at_least <= usable else "short"

    @property
    def fits(self) -> Truth:
        """Return True if the best figure is within what is usable. An unknown capacity is taken as enough: `notes` say so."""
        usable = self.device.usable
        return True if usable is None else self.total <= usable

    @property
    def short_by(self) -> Number:
        """Return the bytes missing, 0 if it fits [B]. Scalars only."""
        usable = self.device.usable
        return 0 if usable is None else max(0, self.total - usable)

    def of(self, kind: LineKind) -> Number:
        """Return the bytes of one kind [B]."""
        return sum(line.bytes for line in self.lines if line.kind == kind)


class Engine(Struct, frozen=True):
    """The engine whose rules were used.

    name: as its makers write it
    version: the release or build whose source was read
    """

    name: str
    version: str


class Ledger(Struct, frozen=True):
    """Memory of one model under one engine, on one machine.

    model: what is served
    engine: whose rules were used
    settings: every setting the engine would run with, by its field name
    load: users and context
    accounts: one for each device, GPUs first
    notes: what a reader has to know besides
    """

    model: Model
    engine: Engine
    settings: Mapping[str, Any]
    load: Load
    accounts: tuple[Account, ...]
    notes: tuple[Message, ...] = ()

    def __repr__(self) -> str:
        totals = ", ".join(f"{a.device.name}: {a.total} B" for a in self.accounts)
        return f"Ledger({self.model.name} {self.model.quantization}, {self.engine.name}; {totals})"

    @property
    def fits(self) -> bool:
        """Return True if every device holds its share."""
        return all(bool(a.fits) for a in self.accounts)

    @property
    def fit(self) -> Fit:
        """Return whether every device holds its share at every end of the ranges."""
        fits = {a.fit for a in self.accounts}
        return "short" if "short" in fits else "unsure" if "unsure" in fits else "fits"

    @property
    def surely_fits(self) -> bool:
        """Return True if every device holds its share at the high end of doubt."""
        return self.fit == "fits"

    def fits_like(self, other: Ledger) -> bool:
        """Return True if this fits as surely as another: at the high end of doubt, unless the other may not fit either."""
        return self.surely_fits or (self.fits and not other.surely_fits)

    @property
    def beyond_training(self) -> bool:
        """Return True if the context is longer than any that the model was trained for."""
        return 0 < self.model.trained_context < int(self.load.context)

    @property
    def tightest(self) -> Account:
        """Return the account with least to spare; one whose capacity is unknown only where no other is known."""
        return min(self.accounts, key=lambda a: float("inf") if a.spare is None else a.spare)

    def of(self, kind: LineKind) -> Number:
        """Return the bytes of one kind over all devices [B]."""
        return sum(a.of(kind) for a in self.accounts)
