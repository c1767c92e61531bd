"""Which expert tensors come back to a GPU that has memory left, and the rules that keep the others in RAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.weights import block_number, loaded_blocks, stored
from gyakusan.engines.llamacpp.settings import Settings

NEAR_BLOCKS = 5
"""Blocks before the first whole one whose single expert tensors may come to a GPU."""
BlockExperts = Mapping[str, int]
"""Names of the expert tensors of one block -> their bytes on a GPU. [B]"""


def is_expert(name: str) -> bool:
    """Return True if a tensor holds experts."""
    return "_exps." in name


def expert_tensors(model: Model, driver: str) -> dict[int, BlockExperts]:
    """Return the expert tensors of each loaded block and what a GPU needs for them [B]."""
    tensors: dict[int, dict[str, int]] = {}
    for tensor in model.tensors:
        number = block_number(tensor.name)
        if is_expert(tensor.name) and tensor.name.endswith("weight") and 0 <= number < loaded_blocks(model):
            tensors.setdefault(number, {})[tensor.name] = stored(tensor, driver)
    return {**tensors}


def experts_left_in_ram(blocks: Sequence[BlockExperts], left: int) -> list[str]:
    """Return the names of expert tensors that stay in RAM: of the first blocks, or of the last where that wastes less.

    blocks: of one GPU, in order; left: memory for experts on that GPU [B].
    """
    ways = (_experts_back(blocks, left), _experts_back(blocks[::-1], left))
    return max(ways, key=lambda way: way[0])[1]


def _experts_back(blocks: Sequence[BlockExperts], left: int) -> tuple[int, list[str]]:
    """Return the bytes that come back to the GPU, and the names left in RAM.

    Whole blocks from the end come back, then single tensors of the next blocks that fill the remaining memory best (exact
    subset sum). left: memory for experts [B].
    """
    sums = list(accumulate((sum(b.values()) for b in reversed(blocks)), initial=0))
    whole = max(i for i, s in enumerate(sums) if s <= left)
    if whole == len(blocks):
        return sums[-1], []
    whole = max(0, whole - 1)
    rest = blocks[: len(blocks) - whole]
    sizes = {name: size for b in rest for name, size in b.items()}
    near = [item for b in reversed(rest[max(0, len(rest) - NEAR_BLOCKS) :]) for item in b.items()]
    back = set(_fullest_subset(near, left - sums[whole]))
    return sums[whole] + sum(sizes[n] for n in back), [name for name in sizes if name not in back]


def _fullest_subset(items: Sequence[tuple[str, int]], left: int) -> list[str]:
    """Return the names whose sizes sum to most without passing `left`, the first of equal sizes first [B]."""
    by_size: dict[int, list[str]] = {}
    for name, size in items:
        by_size.setdefault(size, []).append(name)
    sizes = sorted(by_size, reverse=True)
    best, best_counts = -1, [0] * len(sizes)

    def descend(i: int, counts: list[int], total: int) -> None:
        nonlocal best, best_counts
        if i == len(sizes):
            if total > best:
                best, best_counts = total, counts
            return
        most = max(0, min(len(by_size[sizes[i]]), (left - total) // sizes[i]))
        fewest = most if i == len(sizes) - 1 else 0
        for count in range(most, fewest - 1, -1):
            descend(i + 1, [*counts, count], total + count * sizes[i])

    descend(0, [], 0)
    return [name for size, count in zip(sizes, best_counts, strict=True) for name in by_size[size][:count]]


def with_experts_in_ram(settings: Settings, in_ram: Sequence[str], experts: Mapping[int, BlockExperts]) -> Settings:
    """Return settings that keep these tensors in RAM: --n-cpu-moe where they are the first blocks, else patterns.

    in_ram: names of tensors; experts: of each block.
    """
    names = set(in_ram)
    whole = [i for i in sorted(experts) if set(experts[i]) <= names]
    single = sorted(n for n in names if block_number(n) not in whole)
    first = [i for i in sorted(experts) if i <= max(whole, default=-1)]
    rules = tuple((name.replace(".", r"\."), "CPU") for name in single)
    if whole == first:
        return replace(settings, n_cpu_moe=whole[-1] + 1 if whole else 0, overrides=rules)
    listed = "|".join(str(i) for i in whole)
    return replace(settings, overrides=((rf"blk\.({listed})\.ffn_(up|down|gate_up|gate)_(ch|)exps", "CPU"), *rules))
