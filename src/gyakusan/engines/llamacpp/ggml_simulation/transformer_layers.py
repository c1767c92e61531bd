"""Parts of a transformer as llama.cpp builds them: norms, attention, feed-forward networks, experts.

Source: llama.cpp b11434, src/llama-graph.cpp (build_norm, build_qkv, build_attn, build_attn_mha, build_ffn, build_moe_ffn).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Latent, Memory, Model, Tensor
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.weights import stored
from gyakusan.engines.llamacpp.compute_buffer.inputs import I64, cells, outputs, rotation, tokens
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import Work, copies
from gyakusan.engines.llamacpp.ggml_simulation.graph import (
    F32,
    Node,
    Tape,
    leaf,
    like,
    matmul,
    matmul_id,
    reshape,
    rope,
    set_rows,
    view,
)
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the tensors of an architecture do not show. swapped: keys are computed before values (iSWA); scaled: queries are
    scaled; normed: expert weights are normed to one; soft: chosen weights go through a softmax; late: rows that are wanted
    are chosen after the last block ("norm": after the output norm); unrotated: every so many blocks have no rotary
    embedding; then the names of the norms; split: True if recorded splits were replayed to the byte, else the graph was
    checked on one device only."""

    swapped: bool = False
    scaled: bool = False
    normed: bool = True
    soft: bool = False
    late: str = ""
    before_network: str = "ffn_norm"
    after_attention: str = ""
    after_network: str = ""
    unrotated: int = 0
    split: bool = False


@dataclass(slots=True)
class Cache:
    """Inputs of one cache: where tokens go, who sees whom, rotations."""

    keys: Node
    values: Node
    mask: Node
    key_turn: Node | None
    value_turn: Node | None


@dataclass(slots=True)
class Builder:
    """What all parts share while one graph is built. devices: our number of a device -> the scheduler's."""

    model: Model
    settings: Settings
    placement: Placement
    wiring: Wiring
    tape: Tape = field(default_factory=Tape)
    weights: dict[str, list[Node]] = field(default_factory=dict)
    caches: dict[int | None, Cache] = field(default_factory=dict)
    positions: Node = field(default_factory=lambda: leaf(0))
    states: Node = field(default_factory=lambda: leaf(0))
    temperature: Node = field(default_factory=lambda: leaf(0))

    @property
    def tokens(self) -> int:
        """Tokens of the graph."""
        return int(tokens(self.settings))

    @property
    def wanted(self) -> int:
        """Tokens whose logits are wanted."""
        return int(outputs(self.settings, self.tokens))

    def device(self, ours: int) -> int:
        """The scheduler's number of one of our devices: the host is last."""
        used = self.placement.used
        return len(used) if ours == HOST else used.index(ours)

    def load(self) -> None:
        """A leaf for every copy of every weight."""
        for tensor, home in bytes_per_device.homes(self.model, self.settings, self.placement):
            self.weights.setdefault(tensor.name, []).append(self._weight(tensor, self.device(home)))

    def _weight(self, tensor: Tensor, home: int) -> Node:
        size, padded = stored(tensor, "cpu"), stored(tensor, self.settings.driver)
        shape = (*tensor.shape, 1) if len(tensor.shape) == 1 else tensor.shape
        return leaf(size, home=home, weight=True, shape=shape, on_gpu=padded)

    def weight(self, name: str, block: int | None = None, kind: str = "weight") -> Node | None:
        """A weight, or None if the model has none of that name."""
        found = self.weights.get(f"blk.{block}.{name}.{kind}" if block is not None else f"{name}.{kind}")
        return found[-1] if found else None

    def factors(self, block: int) -> Node | None:
        """Frequency factors: the copy on the block's device."""
        home = self.device(self.placement.units[block])
        found = self.weights.get("rope_freqs.weight", ())
        return next((f for f in found if f.home == home), None)

    def need(self, name: str, block: int | None = None) -> Node:
        """A weight that must be there."""
        found = self.weight(name, block)
        if found is None:
            raise LookupError(name)
        return found

    def norm(self, x: Node, name: str, block: int | None) -> Node:
        """RMS norm and its weight. The wish to run it where its block is gets lost when graphs are reserved (sched_reset)."""
        weight = self.need(name, block)
        out = like("RMS_NORM", x)
        return like("MUL", out, weight)

    def biased(self, x: Node, name: str, block: int) -> Node:
        """`x` with a bias, if there is one."""
        bias = self.weight(name, block, "bias")
        return x if bias is None else like("ADD", x, bias)

    def project(self, x: Node, name: str, block: int) -> Node:
        """A matrix and its bias."""
        return self.biased(matmul(self.need(name, block), x), name, block)


def cache_of(b: Builder, memory: Attention | Latent) -> Cache:
    """Inputs of the cache that a layer looks at: one for all layers without a window, one for those with it."""
    if memory.window not in b.caches:
        s, t = b.settings, b.tokens
        mask = leaf(int((2 if s.flash else 4) * t * cells(memory, s)))
        key, value = rotation((memory,), s)
        turns = [leaf(F32 * w * w, shape=(w, w)) if w else None for w in (key, value)]
        b.caches[memory.window] = Cache(leaf(I64 * t), leaf(I64 * t), mask, *turns)
    return b.caches[memory.window]


def turned(x: Node, turn: Node | None) -> Node:
    """Rotated by a Hadamard matrix, for quantised caches. llama_mul_mat_hadamard."""
    if turn is None:
        return x
    width = turn.shape[0]
    count = x.size // F32 // width
    flat = reshape(x, width, count)
    return reshape(matmul(turn, flat), *x.shape)


def kept(b: Builder, group: CacheGroup, block: int, width: int, kind: str) -> Node:
    """The keys or the values of one block, where the cache lives."""
    home = b.device(b.placement.units[block] if b.settings.offload_kv else HOST)
    element = dtype(kind)
    rows = int(group.cells * group.streams)
    return leaf(int(element.row(width)) * rows, home=home, shape=(width, rows))


def read(b: Builder, cache: Node, head: int, kind: str, size: int | None = None) -> Node:
    """The view of a cache that attention reads, permuted. A copy of it on another device takes as much. [B]"""
    element = dtype(kind)
    looked = view("VIEW", cache, cache.shape)
    out = view("PERMUTE", looked, cache.shape)
    for node in (looked, out):
        node.size = node.on_gpu = cache.size if size is None else size
        if element.quantized and head % 512:
            node.on_gpu += int(element.row(512 - head % 512))
    return out


def attention(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """Attention with separate queries, keys and values: its output before the residual sum."""
    inputs = cache_of(b, m)
    query, key, value = _projected(b, x, block, m)
    if b.weight("attn_q_norm", block):
        query, key = b.norm(query, "attn_q_norm", block), b.norm(key, "attn_k_norm", block)
    if not b.wiring.unrotated or (block + 1) % b.wiring.unrotated:
        factor = b.factors(block)
        query, key = rope(query, b.positions, factor), rope(key, b.positions, factor)
    if b.model.graph.temperature:
        query = like("MUL", query, b.temperature)
    if b.wiring.scaled:
        query = like("SCALE", query)
    out = attend(b, query, key, value, block, m, group, inputs)
    return b.project(out, "attn_output", block)


def _projected(b: Builder, x: Node, block: int, m: Attention) -> tuple[Node, Node, Node]:
    """Queries, keys and values, [head, heads, tokens]: each by its matrix, or all three by one. build_qkv."""
    t, keys, values = b.tokens, m.key // m.key_head, m.value // m.value_head
    shapes = ((m.key_head, m.heads, t), (m.key_head, keys, t), (m.value_head, values, t))
    if b.weight("attn_qkv", block):
        whole = b.project(x, "attn_qkv", block)
        query, key, value = (view("VIEW", whole, shape, shape[0]) for shape in shapes)
        return query, key, value
    names = ("attn_q", "attn_k", "attn_v")
    query, key, value = (reshape(b.project(x, n, block), *s) for n, s in zip(names, shapes, strict=True))
    return query, key, value


def attend(
    b: Builder, query: Node, key: Node, value: Node, block: int, m: Attention, group: CacheGroup, inputs: Cache
) -> Node:
    """Store keys and values, look at the cache: [heads x value_head, tokens]. build_attn, build_attn_mha."""
    s, tape = b.settings, b.tape
    query, key = turned(query, inputs.key_turn), turned(key, inputs.key_turn)
    value = turned(value, inputs.value_turn)
    for node in (query, key, value) if b.wiring.swapped else (query, value, key):
        tape.expand(node)
    keys, values = kept(b, group, block, m.key, s.key_type), kept(b, group, block, m.value, s.value_type)
    for cache, made, ids in ((keys, key, inputs.keys), (values, value, inputs.values)):
        flat = view("VIEW", made, (cache.shape[0], b.tokens))
        tape.expand(set_rows(cache, flat, ids))
    sinks = b.weight("attn_sinks", block)
    looked = (read(b, keys, m.key_head, s.key_type), read(b, values, m.value_head, s.value_type))
    out = flash(b, query, looked, inputs.mask, m, m.heads * m.value_head, sinks)
    flat = reshape(out, m.heads * m.value_head, b.tokens)
    return turned(flat, inputs.value_turn)


def flash(
    b: Builder,
    query: Node,
    cache: tuple[Node, Node],
    mask: Node,
    m: Attention | Latent,
    width: int,
    sinks: Node | None = None,
) -> Node:
    """Flash attention; on a GPU with room for what its kernel keeps besides. [B]"""
    asked = view("PERMUTE", view("VIEW", query, query.shape), query.shape)
    asked.size = asked.on_gpu = asked.root.size if asked.root is not None else asked.size
    out = Node("FLASH_ATTN_EXT", (width, b.tokens), (asked, *cache, mask, *((sinks,) if sinks else ())))
    work = Work(b.model, b.settings, b.tokens, 0, 0)
    out.on_gpu = out.size + int(copies(work, m))
    if isinstance(m, Latent) and out.on_gpu > out.size:
        out.apart = 2 * int(cells(m, b.settings) * b.settings.streams) * m.rank
    return out


def network(b: Builder, x: Node, block: int, suffix: str = "") -> Node:
    """A dense network with a gate, of its own or in the upper half of one matrix. build_ffn."""
    up, down = matmul(b.need(f"ffn_up{suffix}", block), x), b.need(f"ffn_down{suffix}", block)
    if not b.weight(f"ffn_gate{suffix}", block):
        return matmul(down, Node("GLU", (up.shape[0] // 2, up.shape[1]), (up,)))
    gate = matmul(b.need(f"ffn_gate{suffix}", block), x)
    return matmul(down, Node("GLU", gate.shape, (gate, up)))


def experts(b: Builder, x: Node, block: int, count: int, used: int, scores: Node | None = None) -> Node:
    """The chosen experts, weighed and summed. scores: of the experts, None = from `x`. build_moe_ffn."""
    t, tape = x.shape[1], b.tape
    if scores is None:
        scores = b.biased(matmul(b.need("ffn_gate_inp", block), x), "ffn_gate_inp", block)
    weights, chosen = _chosen(b, scores, block, count, used)
    tape.expand(weights)
    entry = reshape(x, x.shape[0], 1, t)
    made = _expert_network(b, entry, block, chosen, used, t)
    made = like("MUL", made, weights)
    tape.expand(made)
    parts = [view("VIEW", made, (x.shape[0], t), used * x.shape[0]) for _ in range(used)]
    for part in parts:
        tape.expand(part)
    out = parts[0]
    for part in parts[1:]:
        out = like("ADD", out, part)
        tape.expand(out)
    return like("CONT", out) if used == 1 else out


def _chosen(b: Builder, scores: Node, block: int, count: int, used: int) -> tuple[Node, Node]:
    """Weights of the chosen experts [1, used, tokens] and their numbers."""
    t = scores.shape[1]
    shares = scores if b.wiring.soft else like("SOFT_MAX", scores)
    bias = b.weight("exp_probs_b", block, "bias")
    ranked = shares if bias is None else like("ADD", shares, bias)
    order = Node("ARGSORT", (count, t), (ranked,))
    chosen = view("VIEW", order, (used, t), count)
    weights = Node("GET_ROWS", (1, used, t), (reshape(shares, 1, count, t), chosen))
    if b.wiring.soft:
        weights = reshape(like("SOFT_MAX", reshape(weights, used, t)), 1, used, t)
    elif b.wiring.normed:
        flat = reshape(weights, used, t)
        total = like("CLAMP", Node("SUM_ROWS", (1, t), (flat,)))
        weights = reshape(like("DIV", flat, total), 1, used, t)
    return weights, chosen


def _expert_network(b: Builder, x: Node, block: int, chosen: Node, used: int, t: int) -> Node:
    def through(name: str, y: Node) -> Node:
        made = _scaled(b, matmul_id(b.need(name, block), y, chosen, used, t), name, block, chosen)
        bias = b.weight(name, block, "bias")
        return made if bias is None else like("ADD_ID", made, bias, chosen)

    if b.weight("ffn_gate_up_exps", block):
        both = through("ffn_gate_up_exps", x)
        half = (both.shape[0] // 2, used, t)
        gate, up = (view("VIEW", both, half, both.shape[0]) for _ in range(2))
    else:
        up = through("ffn_up_exps", x)
        gate = through("ffn_gate_exps", x)
    return through("ffn_down_exps", Node("GLU", (up.shape[0], used, t), (gate, up)))


def _scaled(b: Builder, x: Node, name: str, block: int, chosen: Node) -> Node:
    """Each expert's result by its own scale, if it has one. build_lora_mm_id."""
    scale = b.weight(name, block, "scale")
    if scale is None:
        return x
    count, (_, used, t) = scale.shape[0], x.shape
    repeated = Node("REPEAT", (1, count, t), (reshape(scale, 1, count, 1),))
    return like("MUL", x, Node("GET_ROWS", (1, used, t), (repeated, chosen)))


def memory_of(model: Model) -> Mapping[int, Memory]:
    """The memory of each block."""
    return {i: m for m in model.memory for i in m.layers}
