"""Parts of a transformer as llama.cpp builds them: norms, attention, feed-forward networks, experts.

Source: llama.cpp b11434, src/llama-graph.cpp (build_norm, build_qkv, build_attn, build_attn_mha, build_ffn, build_moe_ffn).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Experts, Latent, Model, Tensor
from gyakusan.engines.llamacpp.backends import F16, F32, I64
from gyakusan.engines.llamacpp.buffers.kernel_memory import attention_copies
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup, hadamard_widths, stream_cells
from gyakusan.engines.llamacpp.buffers.weights import loaded_by_name, stays_in_ram, stored
from gyakusan.engines.llamacpp.ggml_simulation.graph import (
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
from gyakusan.errors import Malformed


class Wiring(Struct, frozen=True):
    """What the tensors of an architecture do not show about its graph.

    keys_before_values: keys are computed before values (iSWA)
    scaled_queries: queries are scaled
    normed_weights: weights of the chosen experts are normed to a sum of one
    softmax_weights: weights of the chosen experts go through a softmax
    late: rows that are wanted are chosen after the last block ("rows") or after the output norm ("norm"), "" = inside it
    before_network: name of the norm before the feed-forward network
    after_attention: name of the norm after attention, "" = none
    after_network: name of the norm after the feed-forward network, "" = none
    unrotated: every so many blocks have no rotary embedding, 0 = all have one [blocks]
    residual_first: the network's output is added to the residual vector, not the reverse: the sum takes the other's place
    split: True if recorded splits were simulated to the byte; else the graph was checked on one device only
    """

    keys_before_values: bool = False
    scaled_queries: bool = False
    normed_weights: bool = True
    softmax_weights: bool = False
    late: str = ""
    before_network: str = "ffn_norm"
    after_attention: str = ""
    after_network: str = ""
    unrotated: int = 0
    residual_first: bool = False
    split: bool = False


class CacheInputs(Struct):
    """Inputs of one cache.

    keys: cells that new keys are written to
    values: cells that new values are written to
    mask: which token sees which cell
    key_hadamard: matrix that rotates keys and queries of a quantised cache, None = no rotation
    value_hadamard: matrix that rotates values, None = no rotation
    """

    keys: Node
    values: Node
    mask: Node
    key_hadamard: Node | None
    value_hadamard: Node | None


class Builder(Struct):
    """What all parts share while one graph is built.

    model: whose graph it is
    settings: how the server is started; scalars only
    placement: the device of each block
    wiring: what the tensors do not show
    tape: the graph so far
    weights: name of a tensor -> a leaf for each copy, as far as they were asked for
    caches: window -> inputs of the cache [tokens]
    positions: position numbers of the tokens
    states: numbers of the recurrent states
    own_states: those of the conversations of the batch, for a scan that reads them itself
    other_states: those of the other conversations
    temperature: scale of the queries by position
    pinned: True if norms are computed on their block's device, even behind a block of another one
    """

    model: Model
    settings: Settings
    placement: Placement
    wiring: Wiring
    tape: Tape = msgspec.field(default_factory=Tape)
    weights: dict[str, Sequence[Node]] = msgspec.field(default_factory=dict)
    caches: dict[int | None, CacheInputs] = msgspec.field(default_factory=dict)
    positions: Node = msgspec.field(default_factory=lambda: leaf(0))
    states: Node = msgspec.field(default_factory=lambda: leaf(0))
    own_states: Node = msgspec.field(default_factory=lambda: leaf(0))
    other_states: Node = msgspec.field(default_factory=lambda: leaf(0))
    temperature: Node = msgspec.field(default_factory=lambda: leaf(0))
    pinned: bool = False

    @property
    def tokens(self) -> int:
        """Return the tokens of the graph [tokens]."""
        return int(self.settings.graph_tokens)

    @property
    def outputs(self) -> int:
        """Return the tokens whose logits are computed [tokens]."""
        return int(self.settings.graph_outputs)

    @property
    def slots(self) -> int:
        """Return the number of slots."""
        return int(self.settings.slots)

    def device(self, number: int) -> int:
        """Return the scheduler's number of one of our devices: the host is last."""
        used = self.placement.used
        return len(used) if number == HOST else used.index(number)

    def cache_device(self, block: int) -> int:
        """Return the scheduler's number of the device that holds a block's cache."""
        return self.device(self.placement.units[block] if self.settings.offload_kv else HOST)

    def copies(self, name: str) -> Sequence[Node]:
        """Return a leaf for each copy of a weight, none if the model has none of that name.

        Made when they are asked for: a graph without its repeated blocks asks for a small part of them.
        """
        found = self.weights.get(name)
        if found is None:
            found = self.weights[name] = self._copies(name)
        return found

    def _copies(self, name: str) -> Sequence[Node]:
        tensor = loaded_by_name(self.model).get(name)
        if tensor is None:
            return ()
        homes = bytes_per_device.homes_of(tensor, self.model, self.settings, self.placement, stays_in_ram(self.model))
        return [self._weight_leaf(tensor, self.device(home)) for home in homes]

    def _weight_leaf(self, tensor: Tensor, home: int) -> Node:
        size, padded = stored(tensor, "cpu"), stored(tensor, self.settings.driver)
        shape = (*tensor.shape, 1) if len(tensor.shape) == 1 else tensor.shape
        return leaf(size, home=home, weight=True, shape=shape, gpu_size=padded)

    def weight(self, name: str, block: int | None = None, kind: str = "weight") -> Node | None:
        """Return a weight, None if the model has none of that name."""
        copies = self.copies(f"blk.{block}.{name}.{kind}" if block is not None else f"{name}.{kind}")
        return copies[-1] if copies else None

    def rope_factors(self, block: int) -> Node | None:
        """Return the frequency factors on the block's device, None if there are none."""
        home = self.device(self.placement.units[block])
        return next((f for f in self.copies("rope_freqs.weight") if f.home == home), None)

    def need(self, name: str, block: int | None = None, kind: str = "weight") -> Node:
        """Return a weight. Raises Malformed if the model lacks it; llama.cpp would not load it either."""
        weight = self.weight(name, block, kind)
        if weight is None:
            raise self.lacks(name)
        return weight

    def bare(self, name: str, block: int) -> Node:
        """Return a weight whose name has no ending (ssm_a, ssm_d). Raises Malformed if the model lacks it."""
        copies = self.copies(f"blk.{block}.{name}")
        if not copies:
            raise self.lacks(name)
        return copies[-1]

    def lacks(self, tensor: str) -> Malformed:
        """Return the error for a missing tensor: of a damaged file, or of a record that does not know the whole model."""
        name = self.model.name
        if self.model.catalogue_name:
            return Malformed(
                "The catalogue's record of {name} is incomplete: it has no tensor {tensor}.", name=name, tensor=tensor,
                mend="Inspect a GGUF file of the model, or its repository: hf:OWNER/NAME.",
            )  # fmt: skip
        return Malformed("{name} has no tensor {tensor}.", name=name, tensor=tensor, mend="Download the model again.")

    def norm(self, x: Node, name: str, block: int | None) -> Node:
        """Return the RMS norm of `x` and its weight. build_norm."""
        weight, normed = self.need(name, block), like("RMS_NORM", x)
        if self.pinned and block is not None:
            normed.device = self.device(self.placement.units[block])
        return like("MUL", normed, weight)

    def biased(self, x: Node, name: str, block: int) -> Node:
        """Return `x` with a bias, if there is one."""
        bias = self.weight(name, block, "bias")
        return x if bias is None else like("ADD", x, bias)

    def project(self, x: Node, name: str, block: int) -> Node:
        """Return `x` times a matrix, with its bias."""
        return self.biased(matmul(self.need(name, block), x), name, block)


def cache_inputs(b: Builder, memory: Attention | Latent) -> CacheInputs:
    """Return the inputs of the cache that a layer looks at: one for all layers without a window, one for those with it."""
    if memory.window not in b.caches:
        s, t = b.settings, b.tokens
        mask = leaf(int((F16 if s.flash else F32) * t * stream_cells(memory, s)))
        matrices = [leaf(F32 * w * w, shape=(w, w)) if w else None for w in hadamard_widths((memory,), s)]
        b.caches[memory.window] = CacheInputs(leaf(I64 * t), leaf(I64 * t), mask, *matrices)
    return b.caches[memory.window]


def hadamard_rotated(x: Node, matrix: Node | None) -> Node:
    """Return `x` rotated by a Hadamard matrix, for quantised caches. llama_mul_mat_hadamard."""
    if matrix is None:
        return x
    width = matrix.shape[0]
    flat = reshape(x, width, x.size // F32 // width)
    return reshape(matmul(matrix, flat), *x.shape)


def cache_tensor(b: Builder, group: CacheGroup, block: int, width: int, kind: str) -> Node:
    """Return the leaf of one block's keys or values. width: of a row [values]; kind: element type."""
    rows = int(group.cells * group.streams)
    return leaf(int(dtype(kind).row(width)) * rows, home=b.cache_device(block), shape=(width, rows))


def cache_view(cache: Node, head: int, kind: str) -> Node:
    """Return the permuted view of a cache that attention reads. A copy on another device takes its size [B].

    head: width of a head [values]; kind: element type.
    """
    element = dtype(kind)
    whole = view("VIEW", cache, cache.shape)
    permuted = view("PERMUTE", whole, cache.shape)
    for node in (whole, permuted):
        node.size = node.gpu_size = cache.size
        if element.quantized and head % 512:
            node.gpu_size += int(element.row(512 - head % 512))
    return permuted


def attention(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """Return attention with separate queries, keys and values: its output before the residual sum."""
    inputs = cache_inputs(b, m)
    query, key, value = _queries_keys_values(b, x, block, m)
    if b.weight("attn_q_norm", block):
        query, key = b.norm(query, "attn_q_norm", block), b.norm(key, "attn_k_norm", block)
    if b.model.graph.positions and (not b.wiring.unrotated or (block + 1) % b.wiring.unrotated):
        factors = b.rope_factors(block)
        query, key = rope(query, b.positions, factors), rope(key, b.positions, factors)
    if b.model.graph.temperature:
        query = like("MUL", query, b.temperature)
    if b.wiring.scaled_queries:
        query = like("SCALE", query)
    return b.project(attend(b, query, key, value, block, m, group, inputs), "attn_output", block)


def _queries_keys_values(b: Builder, x: Node, block: int, m: Attention) -> tuple[Node, Node, Node]:
    """Return queries, keys and values, [head, heads, tokens]: each by its matrix, or all three by one. build_qkv."""
    t, keys, values = b.tokens, m.key // m.key_head, m.value // m.value_head
    shapes = ((m.key_head, m.heads, t), (m.key_head, keys, t), (m.value_head, values, t))
    if b.weight("attn_qkv", block):
        fused = b.project(x, "attn_qkv", block)
        query, key, value = (view("VIEW", fused, shape, shape[0]) for shape in shapes)
        return query, key, value
    names = ("attn_q", "attn_k", "attn_v")
    query, key, value = (reshape(b.project(x, n, block), *s) for n, s in zip(names, shapes, strict=True))
    return query, key, value


def attend(
    b: Builder, query: Node, key: Node, value: Node, block: int, m: Attention, group: CacheGroup, inputs: CacheInputs
) -> Node:
    """Store keys and values and return attention's output, [heads x value_head, tokens]. build_attn, build_attn_mha."""
    s, tape = b.settings, b.tape
    query, key = hadamard_rotated(query, inputs.key_hadamard), hadamard_rotated(key, inputs.key_hadamard)
    value = hadamard_rotated(value, inputs.value_hadamard)
    for node in (query, key, value) if b.wiring.keys_before_values else (query, value, key):
        tape.expand(node)
    keys = cache_tensor(b, group, block, m.key, s.key_type)
    values = cache_tensor(b, group, block, m.value, s.value_type)
    for cache, new, cells in ((keys, key, inputs.keys), (values, value, inputs.values)):
        tape.expand(set_rows(cache, view("VIEW", new, (cache.shape[0], b.tokens)), cells))
    sinks = b.weight("attn_sinks", block)
    cached = (cache_view(keys, m.key_head, s.key_type), cache_view(values, m.value_head, s.value_type))
    out = flash(b, query, cached, inputs.mask, m, m.heads * m.value_head, sinks)
    tape.expand(out)
    return hadamard_rotated(reshape(out, m.heads * m.value_head, b.tokens), inputs.value_hadamard)


def flash(
    b: Builder,
    query: Node,
    cached: tuple[Node, Node],
    mask: Node,
    m: Attention | Latent,
    width: int,
    sinks: Node | None = None,
) -> Node:
    """Return flash attention, on a GPU with what its kernel keeps besides. width: of the output [values]."""
    permuted = view("PERMUTE", view("VIEW", query, query.shape), query.shape)
    permuted.size = permuted.gpu_size = permuted.root.size if permuted.root is not None else permuted.size
    out = Node("FLASH_ATTN_EXT", (width, b.tokens), (permuted, *cached, mask, *((sinks,) if sinks else ())))
    out.gpu_size = out.size + int(attention_copies(m, b.settings))
    if isinstance(m, Latent) and out.gpu_size > out.size:
        out.unmerged_extra = F16 * int(stream_cells(m, b.settings) * b.settings.streams) * m.rank
    return out


def network(b: Builder, x: Node, block: int, suffix: str = "") -> Node:
    """Return a dense network: its gate is of its own, the upper half of one matrix, or there is none. build_ffn."""
    up, down = matmul(b.need(f"ffn_up{suffix}", block), x), b.need(f"ffn_down{suffix}", block)
    if not b.weight(f"ffn_gate{suffix}", block):
        if up.shape[0] == down.shape[0]:
            return matmul(down, like("SQR", like("UNARY", up)))
        return matmul(down, Node("GLU", (up.shape[0] // 2, up.shape[1]), (up,)))
    gate = matmul(b.need(f"ffn_gate{suffix}", block), x)
    return matmul(down, Node("GLU", gate.shape, (gate, up)))


def experts_of(model: Model, block: int) -> Experts | None:
    """Return the experts of a block, None if it has none."""
    return next((f for f in model.feed_forward if isinstance(f, Experts) and block in f.layers), None)


def experts(b: Builder, x: Node, block: int, mixture: Experts, scores: Node | None = None) -> Node:
    """Return the chosen experts, weighed and summed. scores: of all experts, None = from `x`. build_moe_ffn."""
    t, used, tape = x.shape[1], mixture.used, b.tape
    if scores is None:
        scores = b.biased(matmul(b.need("ffn_gate_inp", block), x), "ffn_gate_inp", block)
    weights, chosen = _chosen_experts(b, scores, block, mixture)
    tape.expand(weights)
    weighed = like("MUL", _expert_network(b, reshape(x, x.shape[0], 1, t), block, chosen, used, t), weights)
    tape.expand(weighed)
    parts = [view("VIEW", weighed, (x.shape[0], t), used * x.shape[0]) for _ in range(used)]
    for part in parts:
        tape.expand(part)
    out = parts[0]
    for part in parts[1:]:
        out = like("ADD", out, part)
        tape.expand(out)
    return like("CONT", out) if used == 1 else out


def _chosen_experts(b: Builder, scores: Node, block: int, mixture: Experts) -> tuple[Node, Node]:
    """Return the weights of the chosen experts [1, used, tokens] and their numbers [used, tokens]."""
    t, count, used = scores.shape[1], mixture.count, mixture.used
    shares = scores if b.wiring.softmax_weights else like("SOFT_MAX", scores)
    bias = b.weight("exp_probs_b", block, "bias")
    ranked = shares if bias is None else like("ADD", shares, bias)
    order = Node("ARGSORT", (count, t), (ranked,))
    chosen = view("VIEW", order, (used, t), count)
    weights = Node("GET_ROWS", (1, used, t), (reshape(shares, 1, count, t), chosen))
    if b.wiring.softmax_weights:
        weights = reshape(like("SOFT_MAX", reshape(weights, used, t)), 1, used, t)
    elif b.wiring.normed_weights:
        flat = reshape(weights, used, t)
        total = like("CLAMP", Node("SUM_ROWS", (1, t), (flat,)))
        weights = reshape(like("DIV", flat, total), 1, used, t)
    return weights, chosen


def _expert_network(b: Builder, x: Node, block: int, chosen: Node, used: int, t: int) -> Node:
    def product(name: str, y: Node) -> Node:
        out = matmul_id(b.need(name, block), y, chosen, used, t)
        out.host_only = b.model.graph.wide_down and name == "ffn_down_exps"
        out = _scaled_by_expert(b, out, name, block, chosen)
        bias = b.weight(name, block, "bias")
        return out if bias is None else like("ADD_ID", out, bias, chosen)

    if b.weight("ffn_gate_up_exps", block):
        both = product("ffn_gate_up_exps", x)
        half = (both.shape[0] // 2, used, t)
        gate, up = (view("VIEW", both, half, both.shape[0]) for _ in range(2))
    else:
        up = product("ffn_up_exps", x)
        if not b.weight("ffn_gate_exps", block):
            return product("ffn_down_exps", like("SQR", like("UNARY", up)))
        gate = product("ffn_gate_exps", x)
    return product("ffn_down_exps", Node("GLU", (up.shape[0], used, t), (gate, up)))


def _scaled_by_expert(b: Builder, x: Node, name: str, block: int, chosen: Node) -> Node:
    """Return each expert's result times its own scale, if it has one. build_lora_mm_id."""
    scale = b.weight(name, block, "scale")
    if scale is None:
        return x
    count, (_, used, t) = scale.shape[0], x.shape
    repeated = Node("REPEAT", (1, count, t), (reshape(scale, 1, count, 1),))
    return like("MUL", x, Node("GET_ROWS", (1, used, t), (repeated, chosen)))
