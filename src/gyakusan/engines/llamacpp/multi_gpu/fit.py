"""The best placement of a model on given GPUs: as much as possible in their memory, with a margin left free on each.

llama.cpp's own --fit is the yardstick (common/fit.cpp, b11434). Ours counts bytes instead of units, tells blocks of
multi-token prediction from others (--fit leaves block 0 of such models on the CPU), gives up pipelining before it gives up
layers, and uses the memory that is left for single expert tensors. The answer is settings that llama-server can be given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.weights import block_number, stored
from gyakusan.engines.llamacpp.multi_gpu.compute_buffers import compute_buffers
from gyakusan.engines.llamacpp.multi_gpu.expert_tensors import (
    expert_tensors,
    experts_left_in_ram,
    is_expert,
    with_experts_in_ram,
)
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.units import MIB

MARGIN = 1024 * MIB
"""What --fit leaves free on each GPU (--fit-target). [B]"""
NO_PIPELINE = (("^$", "CPU"),)
"""A rule that matches no tensor: its presence alone switches pipelining off, and the copies that it needs."""
MAX_ROUNDS = 6
"""Rounds in which the compute buffers of one choice of experts decide about the next."""


def fit(model: Model, settings: Settings, free: Sequence[int], margin: int = MARGIN) -> Settings:
    """Return `settings` with the placement that puts most on the GPUs. Whatever is left stays in RAM.

    free: free memory of each GPU [B]; margin: left free on each [B]. Placement fields of `settings` are replaced.
    """
    one = len(free) == 1
    start = replace(settings, gpu_layers=-1, tensor_split=(), overrides=(), n_cpu_moe=0, n_cpu_ffn=0, main_gpu=0)
    start = replace(start, split_mode="none" if one else "layer")
    problem = _Problem(model, tuple(free), margin)
    fitted = problem.all_units(start) or (None if one else problem.all_units(replace(start, overrides=NO_PIPELINE)))
    if fitted is None and problem.has_experts:
        fitted = problem.some_experts(start)
    if fitted is None:
        fitted = problem.last_units(replace(start, n_cpu_moe=model.blocks if problem.has_experts else 0))
    return fitted


def balanced(model: Model, settings: Settings, free: Sequence[int]) -> Settings:
    """Return `settings` with units shared out by bytes if the server's own way is too much for one GPU, and that helps.

    free: what each GPU may hold [B]; no margin is left.
    """
    return _Problem(model, tuple(free), 0).all_units(settings) or settings


@dataclass(frozen=True, slots=True)
class _Problem:
    """A model and the memory that it may use. free: of each GPU; margin: left free on each [B]."""

    model: Model
    free: tuple[int, ...]
    margin: int

    @property
    def has_experts(self) -> bool:
        return any(is_expert(t.name) for t in self.model.tensors)

    def placed(self, settings: Settings) -> Placement:
        return place(self.model.blocks, settings, self.free)

    def spare(self, settings: Settings) -> tuple[int, ...]:
        """Return the bytes left on each GPU beyond the margin, less than zero where it does not fit [B]."""
        placement = self.placed(settings)
        weights = bytes_per_device.weights(self.model, settings, placement).gpus
        caches = bytes_per_device.context(self.model, settings, placement).gpus
        buffers = compute_buffers(self.model, settings, placement).gpus
        used = (int(w + c + b.greatest) for w, c, b in zip(weights, caches, buffers, strict=True))
        return tuple(f - self.margin - u for f, u in zip(self.free, used, strict=True))

    def capacity(self, settings: Settings) -> tuple[int, ...]:
        """Return what units may take on each GPU: free memory without margin and compute buffer [B]."""
        buffers = compute_buffers(self.model, settings, self.placed(settings)).gpus
        return tuple(int(f - self.margin - b.greatest) for f, b in zip(self.free, buffers, strict=True))

    def unit_sizes(self, settings: Settings) -> tuple[int, ...]:
        """Return the bytes of each unit on a GPU: its weights that no rule keeps in RAM, and its cache [B]."""
        everything = replace(settings, gpu_layers=-1, split_mode="none", tensor_split=())
        one_gpu = place(self.model.blocks, everything, (1,))
        sizes = [0] * (self.model.blocks + 1)
        for tensor, device in bytes_per_device.homes(self.model, everything, one_gpu):
            if device != HOST:
                number = block_number(tensor.name)
                sizes[min(number, self.model.blocks) if number >= 0 else -1] += stored(tensor, settings.driver)
        for group in bytes_per_device.groups(self.model, everything, one_gpu):
            for layer in group.memory.layers if settings.offload_kv else ():
                sizes[layer] += int(group.group.bytes) // len(group.memory.layers)
        return tuple(sizes)

    def all_units(self, settings: Settings) -> Settings | None:
        """Put every unit on a GPU: as the server would share them out, else balanced by bytes. None if it does not fit."""
        if min(self.spare(settings)) >= 0:
            return settings
        if len(self.free) == 1:
            return None
        sizes, capacity = self.unit_sizes(settings), self.capacity(settings)
        if sum(sizes) > sum(capacity):
            return None
        by_bytes = replace(settings, tensor_split=evenly_filled(sizes, capacity))
        return by_bytes if min(self.spare(by_bytes)) >= 0 else self._with_units_moved(by_bytes)

    def _with_units_moved(self, settings: Settings) -> Settings | None:
        """Move single units from a GPU that is too full to the one with most memory left. None if that does not help."""
        for _ in range(2 * len(self.free)):
            spare, units = self.spare(settings), list(settings.tensor_split)
            if min(spare) >= 0:
                return settings
            units[spare.index(min(spare))] -= 1
            units[spare.index(max(spare))] += 1
            if min(units) < 0:
                return None
            settings = replace(settings, tensor_split=tuple(units))
        return None

    def last_units(self, settings: Settings) -> Settings:
        """Put the last units on GPUs, as many as fit, filled from the last GPU to the first."""
        everything = self.model.blocks + 1
        sizes = self.unit_sizes(settings)
        capacity = self.capacity(replace(settings, gpu_layers=everything // 2))
        count = int(sum(filled_from_last(sizes, capacity)))
        best = None
        while 0 < count <= everything and best is None:
            best = self._with_units(settings, sizes, capacity, count)
            count -= best is None
        while best is not None and count < everything:
            more = self._with_units(settings, sizes, self.capacity(best), count + 1)
            if more is None:
                break
            best, count = more, count + 1
        return best or replace(settings, gpu_layers=0, n_cpu_moe=0)

    def _with_units(
        self, settings: Settings, sizes: Sequence[int], capacity: Sequence[int], count: int
    ) -> Settings | None:
        """Put `count` units on GPUs, if that fits in one of a few ways to share them out; else None."""
        last = sizes[-count:]
        if len(self.free) == 1:
            ways: list[tuple[float, ...]] = [()]
        else:
            ways = [filled_from_last(last, capacity), evenly_filled(last, capacity)]
        for counts in ways:
            if counts and sum(counts) < count:
                counts = (counts[0] + count - sum(counts), *counts[1:])
            tried = replace(settings, gpu_layers=count, tensor_split=counts)
            if min(self.spare(tried)) >= 0:
                return tried
        return None

    def some_experts(self, settings: Settings) -> Settings | None:
        """Put every unit on a GPU, but experts only as far as they fit. None if not even the rest fits."""
        bare = replace(settings, n_cpu_moe=self.model.blocks)
        full, lean, capacity = self.unit_sizes(settings), self.unit_sizes(bare), self.capacity(bare)
        if sum(lean) > sum(capacity):
            return None
        fitted = (self._with_experts_back(bare, counts) for counts in _divisions(full, lean, capacity))
        return next((f for f in fitted if f is not None), None)

    def _with_experts_back(self, bare: Settings, counts: tuple[float, ...]) -> Settings | None:
        """Return experts of each GPU's last blocks to it, then single tensors of the blocks before."""
        base = replace(bare, tensor_split=counts)
        spare = self.spare(base)
        if min(spare) < 0:
            return None
        placement, experts = self.placed(base), expert_tensors(self.model, base.driver)
        lean = tuple(r - s for r, s in zip(self.capacity(base), spare, strict=True))
        best = base
        tried: set[tuple[int, ...]] = set()
        while spare not in tried and len(tried) < MAX_ROUNDS:
            tried.add(spare)
            in_ram: list[str] = []
            for gpu, left in enumerate(spare):
                blocks = [experts[i] for i in placement.blocks(gpu) if i in experts]
                in_ram += experts_left_in_ram(blocks, max(0, left))
            candidate = with_experts_in_ram(replace(base, n_cpu_moe=0), in_ram, experts)
            if min(self.spare(candidate)) >= 0:
                best = max(best, candidate, key=self.on_gpus)
            spare = tuple(r - b for r, b in zip(self.capacity(candidate), lean, strict=True))
        return best

    def on_gpus(self, settings: Settings) -> int:
        """Return the bytes of weights and caches on all GPUs [B]."""
        placement = self.placed(settings)
        weights = bytes_per_device.weights(self.model, settings, placement).gpus
        return int(sum(weights) + sum(bytes_per_device.context(self.model, settings, placement).gpus))


def evenly_filled(sizes: Sequence[int], capacity: Sequence[int]) -> tuple[float, ...]:
    """Return the units of each GPU, in order, so that all are filled to the same degree. [units] sizes, capacity [B]."""
    low, high = 0.0, 4.0 * max(1, sum(sizes)) / max(1, min(max(1, r) for r in capacity))
    for _ in range(60):
        middle = (low + high) / 2
        counts = _filled_in_order(sizes, [middle * max(0, r) for r in capacity])
        low, high = (low, middle) if sum(counts) == len(sizes) else (middle, high)
    return tuple(float(c) for c in _filled_in_order(sizes, [high * max(0, r) for r in capacity]))


def filled_from_last(sizes: Sequence[int], capacity: Sequence[int]) -> tuple[float, ...]:
    """Return the units of each GPU if the last is filled first, from the last unit on. [units] sizes, capacity [B]."""
    return tuple(float(c) for c in reversed(_filled_in_order(sizes[::-1], capacity[::-1])))


def _filled_in_order(sizes: Sequence[int], capacity: Sequence[float]) -> list[int]:
    """Return the units that each GPU takes, in order, until it is full [units]."""
    counts, unit = [0] * len(capacity), 0
    for gpu, left in enumerate(capacity):
        while unit < len(sizes) and sizes[unit] <= left:
            left -= sizes[unit]
            counts[gpu] += 1
            unit += 1
    return counts


def _divisions(full: Sequence[int], lean: Sequence[int], capacity: Sequence[int]) -> Iterator[tuple[float, ...]]:
    """Return ways to share out all units: by their whole size, so that every GPU can be filled; by what must be there."""
    yield from ((),) if len(capacity) == 1 else (evenly_filled(full, capacity), evenly_filled(lean, capacity))
