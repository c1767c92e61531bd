"""Blocks whose repetition changes no buffer: on one device, equal blocks in a row soon find and leave the same free blocks.

A model of 80 equal blocks has the compute buffer of one with 8: it is simulated ten times as fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gyakusan.core.memo import Memo
from gyakusan.core.model import Model, block_of
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup

LEAST_PERIODS, LEAST_BLOCKS = 3, 8
"""Periods, and blocks, of a repetition that are kept at least: a residual vector comes back to its place after one or two."""
MAX_PERIOD = 16
"""Longest repetition that is looked for. [blocks]"""
_KEPT = Memo[Sequence[int]](maxsize=4)


def without_repeats(model: Model, blocks: int, groups: Mapping[int, CacheGroup], unrotated: int) -> Sequence[int]:
    """Return the blocks to simulate: all but the middle of the longest repetition, in their order.

    blocks: number of blocks; groups: block -> its cache; unrotated: every so many blocks have no rotary embedding.
    """
    return _KEPT.get(model, (blocks, unrotated), lambda: _kept(_kinds(model, blocks, groups, unrotated)))


def _kinds(model: Model, blocks: int, groups: Mapping[int, CacheGroup], unrotated: int) -> list[int]:
    """Return a number for each block, the same for equal ones.

    Alike are tensors with their shapes, the cache, whether there is a rotary embedding.
    The type of a weight counts where it is copied to the host to be multiplied there: nowhere else is it in a buffer.
    """
    tensors: list[list[object]] = [[] for _ in range(blocks)]
    typed = model.graph.wide_down
    for tensor in model.tensors:
        name = tensor.name
        if 0 <= (block := block_of(name)) < blocks:
            tensors[block].append((name.split(".", 2)[2], tensor.shape, tensor.type if typed else ""))
    memory = [id(groups[i].memory) if i in groups else 0 for i in range(blocks)]
    numbers: dict[object, int] = {}  # equal blocks have one number: they are compared with each other many times
    kinds = ((tuple(tensors[i]), memory[i], (i + 1) % unrotated == 0) for i in range(blocks))
    return [numbers.setdefault(kind, len(numbers)) for kind in kinds]


def _kept(kinds: Sequence[object]) -> Sequence[int]:
    """Return the places that stay. A repetition starts anywhere; of equally long ones the shortest period counts."""
    count, dropped = len(kinds), range(0)
    for period in range(1, min(MAX_PERIOD, count // 2) + 1):
        start = 0
        for end in range(period, count + 1):
            if end < count and kinds[end] == kinds[end - period]:
                continue
            kept = -(-max(LEAST_PERIODS * period, LEAST_BLOCKS) // period) * period
            fewer = (end - start - kept) // period * period
            if fewer > len(dropped):
                dropped = range(start + kept // 2, start + kept // 2 + fewer)
            start = end - period + 1
    return [i for i in range(count) if i not in dropped]
