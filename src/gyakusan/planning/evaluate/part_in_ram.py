"""Candidates that the GPUs have no room for, with a part in RAM: the experts of some blocks, or whole blocks.

How many blocks is an estimate from sums of bytes; the plan asks the engine, which counts with its own ledger.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.core.broadcast import distinct
from gyakusan.core.traffic import expected_distinct_expert_share
from gyakusan.planning.evaluate.device_batch import DeviceBatch, FeasibleBatch, SweepContext, take_last_axis
from gyakusan.planning.evaluate.engine_memory import weight_bytes
from gyakusan.planning.predict.speed_inputs import HostWeights, bus_bandwidth, host_bandwidth

MATRICES = 3
"""Matrices of one block's experts, or of its feed-forward network: a prompt has one of them at a time copied to the GPU."""


class _Movable(Struct, frozen=True):
    """What may move to RAM, for some rows; arrays (rows,).

    unit: weights of one block that move [B]
    blocks: blocks that can move
    first: blocks before them that move nothing, but are counted with them
    routed: True where only experts move
    """

    unit: FloatArray
    blocks: FloatArray
    first: FloatArray
    routed: BoolArray


def feasible(context: SweepContext, b: DeviceBatch, rows: IntArray, held: BoolArray) -> FeasibleBatch:
    """Return the rows that fit with a part in RAM, where nothing of their model fits without.

    held: True where something of a model does (counts, contexts, models). The first type of cache is taken.
    """
    host = b.machine.host
    assert host is not None
    room, table = float(host.usable or 0), b.table
    rows = rows[table.stored[rows] <= int(b.counts.max()) * b.usable + room]
    place, cards = table.model[rows], b.counts[:, None, None]
    memory = context.load_memory.of(b.name, context.question.cache_types[0], b.machine, (1,), distinct(place))
    weights = np.asarray(weight_bytes(b.name, table, rows, 1, b.machine), float)
    conversations, fixed = (take_last_axis(x, place) for x in (memory.conversations, memory.fixed))
    movable = _movable(context, b, rows, weights)
    scratch = cards * fixed + context.image_bytes(b.name, place) + movable.unit / MATRICES
    whole = weights + conversations + scratch
    caches = np.where(movable.routed, 0.0, conversations / movable.blocks)  # the cache of a block is where the block is
    with np.errstate(invalid="ignore"):  # what the engine refuses is infinite on both sides; `isfinite` drops it below
        moved = np.clip(np.ceil((whole - cards * b.usable) / (movable.unit + caches)), 1, None)
    in_ram = moved * movable.unit
    need = table.stored[rows] - weights + in_ram + moved * caches
    fits = np.isfinite(whole) & (moved <= movable.blocks) & (need <= room) & ~take_last_axis(held, place)
    kept = np.flatnonzero(fits.any(axis=(0, 1)))
    context.missed.note("short_by", place[kept], np.zeros(len(kept)))
    return FeasibleBatch(
        batch=b,
        kv=0,
        rows=rows[kept],
        fits=fits[..., kept],
        total=((whole - in_ram - moved * caches) / cards)[..., kept],
        user_bytes=conversations[..., kept] / context.question.users,
        ranks=1,
        blocks_in_ram=np.where(fits, moved + movable.first, 0)[..., kept].astype(np.int64),
        host=_host_weights(context, b, place[kept], in_ram[..., kept], movable.routed[kept]),
    )


def _movable(context: SweepContext, b: DeviceBatch, rows: IntArray, weights: FloatArray) -> _Movable:
    """Return what may move: of models with experts those alone, else whole blocks. The output counts as a block."""
    place, experts = b.table.model[rows], b.table.expert_bytes[rows]
    blocks = context.columns.blocks[place].astype(float)
    routed_blocks = np.maximum(1, np.round(blocks * np.asarray(context.columns.shapes.moe_share)[place]))
    routed = experts > 0
    unit = np.where(routed, experts / routed_blocks, weights / (blocks + 1))
    return _Movable(unit, np.where(routed, routed_blocks, blocks), np.where(routed, blocks - routed_blocks, 0), routed)


def _host_weights(
    context: SweepContext, b: DeviceBatch, place: IntArray, in_ram: FloatArray, routed: BoolArray
) -> HostWeights:
    """Return what a step reads in RAM: of experts those that any of the users' tokens chooses."""
    shapes = context.columns.shapes
    experts, used = (np.asarray(x)[place] for x in (shapes.experts, shapes.experts_used))
    share = np.where(routed, expected_distinct_expert_share(context.question.users, experts, used), 1.0)
    return HostWeights(
        read=in_ram * share, held=in_ram, bandwidth=host_bandwidth(b.machine), pcie=bus_bandwidth(b.machine)
    )
