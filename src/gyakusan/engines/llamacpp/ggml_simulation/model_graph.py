"""Scratch of llama.cpp by replaying its own scheduler and allocator on the graph of the whole model: bytes of each device.

For the architectures in WIRING. Others, and settings without flash attention, have closed forms and ranges (scratch_roles).
Source: llama.cpp b11434, src/models/*.cpp, src/llama-context.cpp (sched_reserve, graph_reserve).
"""

from __future__ import annotations

from dataclasses import replace

from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Experts, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.compute_buffer.inputs import ALIGN, I32, I64
from gyakusan.engines.llamacpp.ggml_simulation.gated_delta_net import delta, gated
from gyakusan.engines.llamacpp.ggml_simulation.gemma4 import block4
from gyakusan.engines.llamacpp.ggml_simulation.graph import F32, Node, leaf, like, matmul, set_rows
from gyakusan.engines.llamacpp.ggml_simulation.mla import latent
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import COPIES, Scheduler
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import (
    Builder,
    Wiring,
    attention,
    experts,
    memory_of,
    network,
)
from gyakusan.engines.llamacpp.placement.bytes_per_device import Split
from gyakusan.engines.llamacpp.placement.layer_assignment import Placement
from gyakusan.engines.llamacpp.settings import Settings

KEPT = 256
"""Answers that a model keeps: a search asks the same again."""
GEMMA = Wiring(swapped=True, scaled=True, after_attention="post_attention_norm", after_network="post_ffw_norm")
LATER = Wiring(late="norm", before_network="post_attention_norm", split=True)
PLAIN = Wiring(split=True)
WIRING = {
    "llama": PLAIN,
    "qwen2": PLAIN,
    "qwen3": PLAIN,
    "qwen3moe": PLAIN,
    "gemma3": replace(GEMMA, split=True),
    "gpt-oss": Wiring(swapped=True, soft=True, late="rows", before_network="post_attention_norm", split=True),
    "glm4moe": Wiring(before_network="post_attention_norm", split=True),
    "deepseek2": Wiring(normed=False, split=True),
    "qwen3next": replace(LATER, split=False),
    "qwen35": LATER,
    "qwen35moe": LATER,
    "dots1": Wiring(),
    "ernie4_5-moe": Wiring(),
    "gemma2": GEMMA,
    "gemma4": Wiring(swapped=True, late="norm"),
    "glm4": Wiring(after_attention="post_attention_norm", after_network="post_ffw_norm"),
    "granite": Wiring(),
    "hunyuan-moe": Wiring(),
    "laguna": Wiring(swapped=True),
    "mimo2": Wiring(swapped=True),
    "minimax-m2": Wiring(),
    "mistral3": Wiring(),
    "phi3": Wiring(scaled=True),
    "seed_oss": Wiring(before_network="post_attention_norm"),
    "smollm3": Wiring(unrotated=4),
}
"""Architectures that the replay can follow: each was checked to the byte against recorded rows, on a GPU and on a CPU."""


def follows(model: Model, settings: Settings) -> bool:
    """True if the replay knows this model's graph."""
    plain = settings.flash and settings.outputs == "server" and "F32" not in (settings.key_type, settings.value_type)
    shared = any(getattr(m, "shared", ()) for m in model.memory) or model.graph.per_layer
    return plain and model.architecture in WIRING and not shared and all(_known(m) for m in model.memory)


def _known(memory: object) -> bool:
    return isinstance(memory, Attention | Latent) or (isinstance(memory, Recurrent) and memory.kind == "gated_delta")


def checked(model: Model) -> bool:
    """True if splits of this architecture were replayed to the byte, not only whole models on one device."""
    return WIRING[model.architecture].split


_REPLAYS = Memo[Split](maxsize=KEPT)


def replayed(model: Model, settings: Settings, placement: Placement) -> Split:
    """Compute buffers of each GPU of the machine and of the host. [B] Scalars only. The last answers are kept."""
    return _REPLAYS.get(model, (settings, placement), lambda: _replayed(model, settings, placement))


def _replayed(model: Model, settings: Settings, placement: Placement) -> Split:
    tape = _graph(model, settings, placement)
    gpus = len(placement.used)
    scheduler = Scheduler(gpus, copies=COPIES if placement.pipeline else 1, offload=settings.op_offload)
    sizes = scheduler.buffers(tape.tape, (ALIGN["cuda"],) * gpus + (ALIGN["cpu"],))
    on = dict(zip(placement.used, sizes, strict=False))
    return Split(tuple(on.get(g, 0) for g in range(placement.cards)), sizes[-1])


def _graph(model: Model, settings: Settings, placement: Placement) -> Builder:
    b = Builder(model, settings, placement, WIRING[model.architecture])
    b.load()
    stream = _entry(b)
    b.positions = leaf(I32 * b.tokens * model.graph.positions)
    b.states = leaf(I32 * int(settings.slots))
    b.temperature = leaf(F32 * b.tokens)
    rows = leaf(I32 * b.wanted)
    groups = _groups(model, settings)
    blocks = model.loaded if model.loaded >= 0 else model.blocks
    for block in range(blocks):
        last = block == blocks - 1 and not b.wiring.late
        stream = add_block(b, stream, block, groups, rows if last else None)
    if b.wiring.late == "rows":
        stream = _rows(stream, rows)
    out = b.norm(stream, "output_norm", None)
    if b.wiring.late == "norm":
        out = _rows(out, rows)
    table = b.weight("output") or b.weights["token_embd.weight"][-1]
    b.tape.expand(matmul(table, out))
    return b


def _groups(model: Model, settings: Settings) -> dict[int, CacheGroup]:
    found = kv_cache.groups(model, replace(settings, backend="cuda"))
    return {i: g for g in found for i in g.memory.layers}


def _rows(x: Node, ids: Node) -> Node:
    return Node("GET_ROWS", (x.shape[0], ids.size // I32), (x, ids))


def _entry(b: Builder) -> Node:
    """Token vectors, given vectors, and both mixed: all three are built, the first is used. build_inp_embd."""
    e, t, table = b.model.embedding, b.tokens, b.weights["token_embd.weight"][0]
    looked = Node("GET_ROWS", (e, t), (table, leaf(I32 * t)))
    b.tape.expand(looked)
    b.tape.expand(leaf(F32 * e * t, shape=(e, t)))
    given = leaf(F32 * e * t, shape=(e, t))
    again = Node("GET_ROWS", (e, t), (table, leaf(I32 * t)))
    b.tape.expand(set_rows(like("DUP", given), again, leaf(I64 * t)))
    return like("MUL", looked, leaf(F32 * t)) if b.model.graph.scaled else looked


def add_block(b: Builder, stream: Node, block: int, groups: dict[int, CacheGroup], rows: Node | None) -> Node:
    """One block: attention or its replacement, then the feed-forward network, each added to the stream."""
    w, memory = b.wiring, memory_of(b.model)[block]
    if b.model.architecture == "gemma4" and isinstance(memory, Attention):
        return block4(b, stream, block, memory, groups[block])
    normed = b.norm(stream, "attn_norm", block)
    match memory:
        case Recurrent():
            b.tape.expand(normed)
            out = delta(b, normed, block, memory)
        case Latent():
            out = latent(b, normed, block, memory, groups[block])
        case Attention() if b.model.graph.query == "gated":
            b.tape.expand(normed)
            out = gated(b, normed, block, memory, groups[block])
        case Attention():
            out = attention(b, normed, block, memory, groups[block])
        case _:
            raise LookupError(block)
    if rows is not None:
        out, stream = _rows(out, rows), _rows(stream, rows)
    if w.after_attention:
        out = b.norm(out, w.after_attention, block)
    middle = like("ADD", out, stream)
    made = _network(b, b.norm(middle, w.before_network, block), block)
    if w.after_network:
        made = b.norm(made, w.after_network, block)
    return like("ADD", made, middle)


def _network(b: Builder, x: Node, block: int) -> Node:
    mixed = next((f for f in b.model.feed_forward if isinstance(f, Experts) and block in f.layers), None)
    if mixed is None:
        return network(b, x, block)
    out = experts(b, x, block, mixed.count, mixed.used)
    if not b.weight("ffn_up_shexp", block):
        return out
    shared = network(b, x, block, "_shexp")
    gate = b.weight("ffn_gate_inp_shexp", block)
    if gate is not None:
        shared = like("MUL", shared, like("UNARY", matmul(gate, x)))
    return like("ADD", out, shared)
