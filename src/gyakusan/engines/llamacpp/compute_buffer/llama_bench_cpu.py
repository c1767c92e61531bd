"""Where a plain transformer's last vector lies in a CPU's compute buffer: the allocator's best fit, replayed over all layers.

Only llama-bench needs it (logits of every token, on a CPU): there the place of one vector of the residual width decides
whether the logits stack on top of it, and it wanders from layer to layer. Everything else has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.arrays import Array, Number
from gyakusan.core.broadcast import is_array
from gyakusan.core.model import Attention, Dense, Model
from gyakusan.engines.llamacpp.compute_buffer.inputs import ALIGN, F32, I32, I64, cells, outputs, rotations, tokens
from gyakusan.engines.llamacpp.settings import Settings

Block = tuple[int, int]
"""Start and size of a tensor in the buffer. [B]"""
ENDLESS = 1 << 62


class Buffer:
    """ggml_dyn_tallocr: the smallest free block that fits, else the end. Source: ggml/src/ggml-alloc.c."""

    def __init__(self, align: int) -> None:
        self.align = align
        self.free_blocks: list[Block] = [(0, ENDLESS)]
        self.largest = 0

    def take(self, size: int) -> Block:
        """A place for `size` bytes."""
        size = -(-size // self.align) * self.align
        fits = [b for b in self.free_blocks[:-1] if b[1] >= size]
        start, room = min(reversed(fits), key=lambda b: b[1]) if fits else self.free_blocks[-1]
        at = self.free_blocks.index((start, room))
        self.free_blocks[at : at + 1] = [(start + size, room - size)] if room > size else []
        self.largest = max(self.largest, start + size)
        return start, size

    def free(self, *blocks: Block) -> None:
        """Give places back; neighbours join."""
        merged: list[Block] = []
        for start, size in sorted([*self.free_blocks, *blocks]):
            if merged and merged[-1][0] + merged[-1][1] == start:
                start, size = merged[-1][0], merged.pop()[1] + size
            merged.append((start, size))
        self.free_blocks = merged


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed. layers: the attention group of each layer; inputs: sizes of each group's inputs, mask last [B];
    tokens of the graph, and those whose logits are wanted."""

    model: Model
    layers: tuple[Attention, ...]
    inputs: dict[int | None, tuple[int, ...]]
    tokens: int
    wanted: int

    def vector(self, tokens: int) -> int:
        """One residual vector for each token. [B]"""
        return F32 * tokens * self.model.embedding

    def is_last(self, layer: int) -> bool:
        """True if no later layer looks at the same cache."""
        window = self.layers[layer].window
        return all(m.window != window for m in self.layers[layer + 1 :])


def replays(model: Model, s: Settings) -> bool:
    """True if the replay is needed, and the model is one it can follow: attention and one gated network in each layer."""
    graph, network = model.graph, model.feed_forward
    attends = all(isinstance(m, Attention) for m in model.memory)
    gated = len(network) == 1 and isinstance(network[0], Dense) and network[0].gated
    simple = graph.query == "separate" and graph.positions == 1 and not (graph.parallel or graph.unrotated)
    wanted = s.backend == "cpu" and s.outputs == "bench" and s.flash
    return wanted and attends and gated and simple and not graph.per_layer and not graph.temperature


def replayed(model: Model, s: Settings) -> Number:
    """Size of the whole buffer. [B] An array of settings is replayed one by one."""
    layers = dict(sorted((i, m) for m in model.memory if isinstance(m, Attention) for i in m.layers))
    windows = {m.window: m for m in layers.values()}
    t = tokens(s)
    masks = [2 * t * cells(m, s) for m in windows.values()]
    turned = rotations(model.memory, s)

    def run(t: int, wanted: int, *masks: int) -> int:
        places = ((turned, I64 * t, I64 * t, int(mask)) if turned else (I64 * t, I64 * t, int(mask)) for mask in masks)
        return _replay(
            Plan(model, tuple(layers.values()), dict(zip(windows, places, strict=True)), int(t), int(wanted))
        )

    arguments = (t, outputs(s, t), *masks)
    if not is_array(*arguments):
        return run(*(int(a) for a in arguments))
    import numpy as np

    sizes: Array = np.vectorize(run, otypes=[np.int64])(*arguments)
    return sizes


def _replay(plan: Plan) -> int:
    buffer, t = Buffer(ALIGN["cpu"]), plan.tokens
    take, free, vector = buffer.take, buffer.free, plan.vector(plan.tokens)
    ids, _ = (take(I32 * t), take(I32 * t)), take(vector)
    slots, given = take(I64 * t), take(vector)
    scale = [take(F32 * t)] if plan.model.graph.scaled else []
    positions = take(I32 * t)
    inputs = {window: [take(size) for size in sizes] for window, sizes in plan.inputs.items()}
    rows, stream = take(I32 * plan.wanted), take(vector)
    free(ids[0])
    looked_up = take(vector)
    free(ids[1])
    take(vector)
    free(given, looked_up, slots, *scale)
    for layer, group in enumerate(plan.layers):
        last = layer == len(plan.layers) - 1
        done = inputs[group.window] if plan.is_last(layer) else []
        out = _attend(plan, buffer, group, done + [positions] * last)
        if last:
            chosen = take(plan.vector(plan.wanted))
            free(out)
            out, kept = chosen, take(plan.vector(plan.wanted))
            free(stream, rows)
            stream = kept
        free(stream)
        stream = _network(plan, buffer, out, plan.wanted if last else t)
    take(F32 * plan.wanted * plan.model.vocabulary)
    return buffer.largest


def _attend(plan: Plan, buffer: Buffer, m: Attention, done: list[Block]) -> Block:
    """Attention of one layer: where its output lies. done: inputs that nobody needs any more. llm_graph_context::build_attn."""
    take, free, f = buffer.take, buffer.free, F32 * plan.tokens
    normed, made = take(plan.vector(plan.tokens)), take(f * m.heads * m.key_head)
    query = take(f * m.heads * m.key_head)
    free(made)
    value = None if plan.model.graph.scaled else take(f * m.value)
    made = take(f * m.key)
    if value:
        free(normed)
    key = take(f * m.key)
    free(made)
    if not value:
        value = take(f * m.value)
        free(normed)
    free(key)
    free(value)
    result = take(f * m.heads * m.value_head)
    free(query, *done)
    out = take(plan.vector(plan.tokens))
    free(result)
    return out


def _network(plan: Plan, buffer: Buffer, stream: Block, tokens: int) -> Block:
    """Feed-forward network of one layer: where its sum with the stream lies. llm_graph_context::build_ffn."""
    network = plan.model.feed_forward[0]
    assert isinstance(network, Dense)
    take, free, wide = buffer.take, buffer.free, F32 * tokens * network.width
    normed, gate, up = take(plan.vector(tokens)), take(wide), take(wide)
    free(normed)
    product = take(wide)
    free(gate, up)
    down = take(plan.vector(tokens))
    free(product, stream)
    return down
