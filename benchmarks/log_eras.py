"""Compute buffers of older llama.cpp builds: what changed since the build that our rules belong to, as data.

Build numbers are rare in public logs, so an era is known by the date of the log. Differences:

- Masks were filled as f32 on the host; flash attention cast them to f16 on the device. (Now they are filled as f16.)
- The host kept fewer token vectors: one in 2024 (looked up), two in 2026 (looked up, given). (Now four: both once more,
  for batches that mix tokens and vectors.)
- Logits of every token of a batch were planned for: n_outputs_max was n_batch. (Now it is the number of slots.)
- Rows that are wanted were chosen inside the last block, by the hybrids as well. (Now after the output norm.)
- Before set_rows (2025) there were no inputs that say which cells are written.

Source: public logs of those builds, and llama.cpp b11434, src/llama-graph.cpp, src/llama-context.cpp (sched_reserve).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec import structs

from gyakusan.core.model import Attention, Latent, Model
from gyakusan.engines.llamacpp.backends import ALIGNMENT, F32, I32, I64
from gyakusan.engines.llamacpp.buffers.kv_cache import hadamard_widths, stream_cells
from gyakusan.engines.llamacpp.buffers.weights import loaded_blocks
from gyakusan.engines.llamacpp.ggml_simulation import model_graph
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, leaf
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import MAX_COPIES, Scheduler
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder, CacheInputs
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings

MASK = 4
"""Bytes of a mask's value in both eras."""


@dataclass(frozen=True, slots=True)
class Era:
    """Builds between two changes. until: the first date that is no longer in it (ISO 8601, "" = ours); vectors: token
    vectors on the host; indices: cells are written by set_rows."""

    name: str
    until: str
    vectors: int = 4
    indices: bool = True


ERAS = (
    Era("2024: no set_rows, one token vector", "2025-07-01", vectors=1, indices=False),
    Era("first half of 2026: logits of a whole batch, f32 masks", "2026-10-01", vectors=2),
    Era("ours", ""),
)


def era(date: str) -> Era:
    """The era of a log of this date. [ISO 8601]"""
    return next(e for e in ERAS if not e.until or date < e.until)


def compute(
    model: Model, settings: Settings, placement: Placement, when: Era, *, backend: str, rotated: bool
) -> dict[int, int]:
    """Compute buffers of each device under the rules of an era, HOST for the host. [B]

    backend: what the log calls its GPU (CUDA, ROCm, Vulkan, MTL); rotated: quantised caches are rotated by matrices.
    """
    if not when.until:
        made = compute_buffers.compute_buffers(model, settings, placement)
        return {d: int(made.on(d).bytes) for d in (*placement.used, HOST)}
    if not when.indices:
        return _early(model, settings, placement)
    chosen = replace(settings, outputs="bench")
    if not model_graph.can_simulate(model, replace(chosen, outputs="server")):
        return _closed(model, chosen, placement)
    tape = _graph(model, chosen, placement, rotated)
    if backend != "CUDA":  # only CUDA keeps an f16 copy of a quantised cache beside the result
        for node in tape.tape.nodes:
            node.gpu_size = node.size if node.op == "FLASH_ATTN_EXT" else node.gpu_size
    sizes = Scheduler(len(placement.used)).buffers(
        tape.tape, (ALIGNMENT["cuda"],) * len(placement.used) + (ALIGNMENT["cpu"],)
    )
    return dict(zip((*placement.used, HOST), sizes, strict=True))


def _early(model: Model, s: Settings, placement: Placement) -> dict[int, int]:
    """2024, without flash attention: scores of all heads, the mask, four vectors. Pipelining copied mask and vectors. [B]"""
    t = int(s.graph_tokens)
    vector, mask = F32 * t * model.embedding, MASK * t * int(s.cells)
    heads = max(m.heads for m in model.memory if isinstance(m, Attention))
    small, copies = 3 * I32 * t, MAX_COPIES - 1 if placement.pipeline else 0
    gpu = F32 * t * heads * int(s.cells) + mask + 4 * vector + small + copies * (mask + small)
    crossing = (MAX_COPIES * vector) if placement.pipeline else 0
    host = mask + vector + small + copies * (mask + small)
    return {**dict.fromkeys(placement.used, gpu + crossing), HOST: host}


def _closed(model: Model, s: Settings, placement: Placement) -> dict[int, int]:
    """2026, where the graph cannot be simulated: today's figure less two vectors; the host as in every other case. [B]"""
    t = int(s.graph_tokens)
    vector = F32 * t * model.embedding
    made = compute_buffers.compute_buffers(model, s, placement)
    gpus = {d: int(made.on(d).bytes) - 2 * vector for d in placement.used}
    return {**gpus, HOST: MASK * t * int(s.cells) + 2 * vector + 2 * I64 * t + 4 * I32 * t}


def _graph(model: Model, s: Settings, placement: Placement, rotated: bool) -> Builder:
    """The graph of the whole model as the builds of early 2026 made it."""
    b = Builder(model, s, placement, structs.replace(model_graph.WIRING[model.architecture], late=""))
    for memory in model.memory:
        if isinstance(memory, Attention | Latent) and memory.window not in b.caches:
            b.caches[memory.window] = _inputs(b, memory, rotated)
    stream = _entry(b)
    rows = model_graph.add_inputs(b)
    groups = model_graph.cache_groups(model, s)
    blocks = loaded_blocks(model)
    for block in range(blocks):
        stream = model_graph.add_block(b, stream, block, groups, rows if block == blocks - 1 else None)
    model_graph.add_logits(b, b.norm(stream, "output_norm", None))
    return b


def _inputs(b: Builder, memory: Attention | Latent, rotated: bool) -> CacheInputs:
    """The mask is filled as f32 and cast to f16 on the device."""
    filled = leaf(MASK * b.tokens * int(stream_cells(memory, b.settings)))
    mask = Node("CAST", filled.shape, (filled,))
    mask.size = mask.gpu_size = filled.size // 2
    widths = hadamard_widths((memory,), b.settings) if rotated else (0, 0)
    turns = [leaf(F32 * w * w, shape=(w, w)) if w else None for w in widths]
    return CacheInputs(leaf(I64 * b.tokens), leaf(I64 * b.tokens), mask, *turns)


def _entry(b: Builder) -> Node:
    """Token vectors looked up, and vectors given: no mixed batches yet."""
    e, t = b.model.embedding, b.tokens
    looked = Node("GET_ROWS", (e, t), (b.copies("token_embd.weight")[0], leaf(I32 * t)))
    b.tape.expand(looked)
    b.tape.expand(leaf(F32 * e * t, shape=(e, t)))
    return looked
