"""Compute buffers by simulating ggml's scheduler and allocator on the graph of the whole model.

For the architectures in WIRING. Others, and settings without flash attention, have closed forms (compute_buffer) and
ranges (multi_gpu.compute_buffers).
Source: llama.cpp b11434, src/models/*.cpp, src/llama-context.cpp (sched_reserve, graph_reserve).
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.backends import ALIGNMENT, F32, I32, I64
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.weights import EMBEDDING_TABLE, loaded_blocks
from gyakusan.engines.llamacpp.ggml_simulation.gated_delta_net import gated_attention, gated_delta_net
from gyakusan.engines.llamacpp.ggml_simulation.gemma4 import gemma4_block
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, leaf, like, matmul, set_rows, view
from gyakusan.engines.llamacpp.ggml_simulation.mamba2 import mamba2
from gyakusan.engines.llamacpp.ggml_simulation.mla import mla
from gyakusan.engines.llamacpp.ggml_simulation.repeated_blocks import without_repeats
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import MAX_COPIES, Scheduler
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import (
    Builder,
    Wiring,
    attention,
    experts,
    experts_of,
    network,
)
from gyakusan.engines.llamacpp.placement.bytes_per_device import BytesPerDevice
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings

PINNED_BELOW = 32
"""Batches of fewer tokens have their norms computed on their block's device wherever that is. graph_get_cb. [tokens]"""
MAX_RESULTS = 256
"""Results that are kept for each model: a search asks for the same again."""
_GEMMA = Wiring(
    keys_before_values=True, scaled_queries=True, after_attention="post_attention_norm", after_network="post_ffw_norm"
)
_QWEN35 = Wiring(late="norm", before_network="post_attention_norm", split=True)
_PLAIN = Wiring(split=True)
WIRING = {
    "llama": _PLAIN,
    "qwen2": _PLAIN,
    "qwen3": _PLAIN,
    "qwen3moe": _PLAIN,
    "gemma3": structs.replace(_GEMMA, split=True),
    "gpt-oss": Wiring(
        keys_before_values=True, softmax_weights=True, late="rows", before_network="post_attention_norm", split=True
    ),
    "glm4moe": Wiring(before_network="post_attention_norm", split=True),
    "deepseek2": Wiring(normed_weights=False, split=True),
    "qwen3next": structs.replace(_QWEN35, split=False),
    "qwen35": _QWEN35,
    "qwen35moe": _QWEN35,
    "dots1": Wiring(),
    "ernie4_5-moe": Wiring(),
    "gemma2": _GEMMA,
    "gemma4": Wiring(keys_before_values=True, late="norm"),
    "glm4": Wiring(after_attention="post_attention_norm", after_network="post_ffw_norm"),
    "granite": Wiring(),
    "hunyuan-moe": Wiring(),
    "laguna": Wiring(keys_before_values=True),
    "mimo2": Wiring(keys_before_values=True),
    "minimax-m2": Wiring(),
    "mistral3": Wiring(),
    "mistral4": Wiring(),
    "phi3": Wiring(scaled_queries=True, residual_first=True),
    "seed_oss": Wiring(before_network="post_attention_norm"),
    "smollm3": Wiring(unrotated=4),
    "nemotron_h": Wiring(late="norm"),
    "nemotron_h_moe": Wiring(late="norm"),
    "granitehybrid": Wiring(),
}
"""Architectures whose graph is known: each was checked to the byte against recorded rows, on a GPU and on a CPU."""
ONE_PART = ("nemotron_h", "nemotron_h_moe")
"""Architectures whose blocks are one thing each: a mixer, or a network. nemotron-h.cpp."""


def can_simulate(model: Model, settings: Settings) -> bool:
    """Return True if this model's graph is known. Logits of all tokens are known on the CPU only."""
    outputs = settings.outputs == "server" or settings.backend == "cpu"
    plain = outputs and settings.flash and "F32" not in settings.cache_types and not model.graph.encoder
    shared = any(getattr(m, "shared", ()) for m in model.memory) or model.graph.per_layer
    return plain and model.architecture in WIRING and not shared and all(_is_known(m) for m in model.memory)


def _is_known(memory: object) -> bool:
    return isinstance(memory, (Attention, Latent)) or (
        isinstance(memory, Recurrent) and memory.kind in ("gated_delta", "mamba2")
    )


def splits_are_recorded(model: Model) -> bool:
    """Return True if splits of this architecture were simulated to the byte, not only whole models on one device."""
    return WIRING[model.architecture].split


_RESULTS = Memo[BytesPerDevice](maxsize=MAX_RESULTS)


def simulate(model: Model, settings: Settings, placement: Placement, *, dry_run: bool = False) -> BytesPerDevice:
    """Return the compute buffer of each GPU of the machine and of the host. [B] Arrays are simulated one by one.

    dry_run: as llama.cpp's own dry run counts (--fit, llama-fit-params, no_alloc), see is_pinned.
    Raises Malformed for a model that lacks a tensor of its architecture.
    """
    names = ("context", "slots", "batch", "ubatch")
    values = [getattr(settings, name) for name in names]
    if not is_array(*values):
        return _RESULTS.get(
            model, (settings, placement, dry_run), lambda: _simulate(model, settings, placement, dry_run)
        )
    import numpy as np

    arrays = np.broadcast_arrays(*values)
    combinations = np.stack([a.ravel() for a in arrays], axis=1)
    distinct, which = np.unique(combinations, axis=0, return_inverse=True)
    scalars = (replace(settings, context=int(c), slots=int(n), batch=int(b), ubatch=int(u)) for c, n, b, u in distinct)
    results = [simulate(model, scalar, placement, dry_run=dry_run) for scalar in scalars]

    def spread(sizes: list[Number]) -> Number:
        return np.asarray(sizes, dtype=np.int64)[which.ravel()].reshape(arrays[0].shape)

    gpus = tuple(spread([r.gpus[g] for r in results]) for g in range(placement.cards))
    return BytesPerDevice(gpus, spread([r.host for r in results]))


def is_pinned(settings: Settings, placement: Placement, *, dry_run: bool) -> bool:
    """Return True if each norm is computed on its block's device, so that a device fetches one vector from the one before.

    The device before would compute it else, and both the vector and its norm would be copied, four times each where batches
    are pipelined. llama.cpp asks for it where every unit is on a GPU, and for small batches (graph_get_cb). A load keeps
    that, its dry run forgets it: ggml_backend_sched_reserve_size resets the scheduler first, ggml_backend_sched_reserve not.
    """
    return not dry_run and (HOST not in placement.units or int(settings.graph_tokens) < PINNED_BELOW)


def _simulate(model: Model, settings: Settings, placement: Placement, dry_run: bool) -> BytesPerDevice:
    builder = _graph(model, settings, placement, dry_run)
    gpus = len(placement.used)
    scheduler = Scheduler(gpus, copies=MAX_COPIES if placement.pipeline else 1, offload=settings.op_offload)
    sizes = scheduler.buffers(builder.tape, (ALIGNMENT["cuda"],) * gpus + (ALIGNMENT["cpu"],))
    on = dict(zip(placement.used, sizes, strict=False))
    return BytesPerDevice(tuple(on.get(g, 0) for g in range(placement.cards)), sizes[-1])


def _graph(model: Model, settings: Settings, placement: Placement, dry_run: bool) -> Builder:
    pinned = is_pinned(settings, placement, dry_run=dry_run)
    b = Builder(model, settings, placement, WIRING[model.architecture], pinned=pinned)
    residual = _embedding(b)
    rows = add_inputs(b)
    groups = cache_groups(model, settings)
    blocks = loaded_blocks(model)
    for block in (
        without_repeats(model, blocks, groups, b.wiring.unrotated or 1)
        if _alone(settings, placement)
        else range(blocks)
    ):
        last = block == blocks - 1 and not b.wiring.late
        residual = add_block(b, residual, block, groups, rows if last else None)
    if b.wiring.late == "rows":
        residual = _get_rows(residual, rows)
    out = b.norm(residual, "output_norm", None)
    if b.wiring.late == "norm":
        out = _get_rows(out, rows)
    add_logits(b, out)
    return b


def _alone(settings: Settings, placement: Placement) -> bool:
    """Return True if one device holds and computes everything: a GPU that helps the host gets other weights each time."""
    whole = len(set(placement.units)) == 1 and not settings.overridden and settings.offload_kv
    return whole and (HOST not in placement.units or not placement.used)


def add_inputs(b: Builder) -> Node:
    """Make the leaves of positions, states and temperature; return the rows whose logits are computed."""
    b.positions = leaf(I32 * b.tokens * b.model.graph.positions)
    b.states = leaf(I32 * b.slots)
    b.own_states = view("VIEW", b.states, (b.slots,))
    b.other_states = view("VIEW", b.states, (b.slots - 1,))
    b.temperature = leaf(F32 * b.tokens)
    return leaf(I32 * b.outputs)


def add_logits(b: Builder, out: Node) -> None:
    """Append the product with the output matrix, or with the embedding table where it is tied."""
    b.tape.expand(matmul(b.weight("output") or b.copies(EMBEDDING_TABLE)[-1], out))


def cache_groups(model: Model, settings: Settings) -> dict[int, CacheGroup]:
    """Return the cache group of each block as a GPU stores it."""
    return {i: g for g in kv_cache.groups(model, replace(settings, backend="cuda")) for i in g.memory.layers}


def _get_rows(x: Node, ids: Node) -> Node:
    return Node("GET_ROWS", (x.shape[0], ids.size // I32), (x, ids))


def _embedding(b: Builder) -> Node:
    """Return the first residual vectors. Looked up, given and mixed ones are built, the first are used. build_inp_embd."""
    e, t, table = b.model.embedding, b.tokens, b.copies(EMBEDDING_TABLE)[0]
    looked_up = Node("GET_ROWS", (e, t), (table, leaf(I32 * t)))
    b.tape.expand(looked_up)
    b.tape.expand(leaf(F32 * e * t, shape=(e, t)))
    if b.model.graph.mixed:
        given = leaf(F32 * e * t, shape=(e, t))
        rows = Node("GET_ROWS", (e, t), (table, leaf(I32 * t)))
        b.tape.expand(set_rows(like("DUP", given), rows, leaf(I64 * t)))
    return like("MUL", looked_up, leaf(F32 * t)) if b.model.graph.scaled else looked_up


def add_block(b: Builder, residual: Node, block: int, groups: dict[int, CacheGroup], rows: Node | None) -> Node:
    """Return the residual vectors after one block: attention or its replacement, then the network, each added.

    rows: tokens whose logits are computed if this block is to choose them, else None.
    """
    w = b.wiring
    if b.model.architecture == "gemma4" and isinstance(memory := groups[block].memory, Attention):
        return gemma4_block(b, residual, block, memory, groups[block])
    normed = b.norm(residual, "attn_norm", block)
    if b.model.architecture in ONE_PART:
        return like(
            "ADD", _mixer(b, normed, block, groups) if block in groups else _network(b, normed, block), residual
        )
    out = _mixer(b, normed, block, groups)
    if rows is not None:
        out, residual = _get_rows(out, rows), _get_rows(residual, rows)
    if w.after_attention:
        out = b.norm(out, w.after_attention, block)
    middle = like("ADD", out, residual)
    fed = _network(b, b.norm(middle, w.before_network, block), block)
    if w.after_network:
        fed = b.norm(fed, w.after_network, block)
    return like("ADD", middle, fed) if w.residual_first else like("ADD", fed, middle)


def _mixer(b: Builder, normed: Node, block: int, groups: dict[int, CacheGroup]) -> Node:
    """Return attention of one block, or what it has instead."""
    memory = groups[block].memory
    if isinstance(memory, Latent):
        return mla(b, normed, block, memory, groups[block])
    if isinstance(memory, Recurrent) and memory.kind == "mamba2":
        return mamba2(b, normed, block, memory)
    if isinstance(memory, Recurrent):
        b.tape.expand(normed)
        return gated_delta_net(b, normed, block, memory)
    assert isinstance(memory, Attention), "can_simulate() admits no other memory"
    if b.model.graph.query == "gated":
        b.tape.expand(normed)
        return gated_attention(b, normed, block, memory, groups[block])
    return attention(b, normed, block, memory, groups[block])


def _network(b: Builder, x: Node, block: int) -> Node:
    """Return the feed-forward network of one block: dense, or experts with their shared ones."""
    mixture = experts_of(b.model, block)
    if mixture is None:
        return network(b, x, block)
    low = b.weight("ffn_latent_down", block)
    if low is None:
        out = experts(b, x, block, mixture)
    else:
        scores = matmul(b.need("ffn_gate_inp", block), x)
        out = matmul(b.need("ffn_latent_up", block), experts(b, matmul(low, x), block, mixture, scores))
    if not b.weight("ffn_up_shexp", block):
        return out
    shared = network(b, x, block, "_shexp")
    gate = b.weight("ffn_gate_inp_shexp", block)
    if gate is not None:
        shared = like("MUL", shared, like("UNARY", matmul(gate, x)))
    return like("ADD", out, shared)
