"""The best placement of a model on given GPUs: as much as possible in their memory, with a margin left free on each.

llama.cpp's own --fit is the yardstick (common/fit.cpp, b11434). Ours counts bytes instead of units, tells blocks of
multi-token prediction from others (--fit leaves block 0 of such models on the CPU), gives up pipelining before it gives up
layers, and uses the room that is left for single expert tensors. The answer is settings that llama-server can be given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.weights import block, stored
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.units import MIB

MARGIN = 1024 * MIB
"""What --fit leaves free on each GPU (--fit-target). [B]"""
NO_PIPELINE = (("^$", "CPU"),)
"""A rule that matches no tensor: its presence alone switches pipelining off, and the copies that it needs."""
EXPERTS = "_exps."
TRIES = 6
"""Rounds in which the scratch of one choice of experts decides about the next."""
NEAR = 5
"""Blocks before the first whole one whose single expert tensors may come to a GPU."""


def fit(model: Model, settings: Settings, free: Sequence[int], margin: int = MARGIN) -> Settings:
    """`settings` with the placement that puts most on the GPUs. Whatever is left stays in RAM.

    free: free memory of each GPU [B]; margin: left free on each [B]. Placement fields of `settings` are replaced.
    """
    one = len(free) == 1
    start = replace(settings, gpu_layers=-1, tensor_split=(), overrides=(), n_cpu_moe=0, n_cpu_ffn=0, main_gpu=0)
    start = replace(start, split_mode="none" if one else "layer")
    asked = _Question(model, tuple(free), margin)
    found = asked.whole(start) or (None if one else asked.whole(replace(start, overrides=NO_PIPELINE)))
    if found is None and asked.mixed:
        found = asked.experts(start)
    if found is None:
        found = asked.partial(replace(start, n_cpu_moe=model.blocks if asked.mixed else 0))
    return found


def balanced(model: Model, settings: Settings, free: Sequence[int]) -> Settings:
    """`settings` with units shared out by bytes where the server's own way is too much for one GPU, and that helps.

    free: what each GPU may hold [B]; no margin is kept.
    """
    return _Question(model, tuple(free), 0).whole(settings) or settings


@dataclass(frozen=True, slots=True)
class _Question:
    """A model and the memory that it may use."""

    model: Model
    free: tuple[int, ...]
    margin: int

    @property
    def mixed(self) -> bool:
        """True if some blocks have experts."""
        return any(EXPERTS in t.name for t in self.model.tensors)

    def placed(self, settings: Settings) -> Placement:
        """Where the units go."""
        return place(self.model.blocks, settings, self.free)

    def spare(self, settings: Settings) -> tuple[int, ...]:
        """Bytes left on each GPU beyond the margin, less than zero where it does not fit. [B]"""
        placement = self.placed(settings)
        held = bytes_per_device.weights(self.model, settings, placement)
        kept = bytes_per_device.context(self.model, settings, placement)
        made = compute_buffers.scratch(self.model, settings, placement)
        used = (int(held.gpus[g] + kept.gpus[g] + made.gpus[g].greatest) for g in range(len(self.free)))
        return tuple(f - self.margin - u for f, u in zip(self.free, used, strict=True))

    def room(self, settings: Settings) -> tuple[int, ...]:
        """What units may take on each GPU: free memory without margin and scratch. [B]"""
        made = compute_buffers.scratch(self.model, settings, self.placed(settings))
        return tuple(int(f - self.margin - m.greatest) for f, m in zip(self.free, made.gpus, strict=True))

    def units(self, settings: Settings) -> tuple[int, ...]:
        """Bytes of each unit, were it on a GPU: its weights that no rule keeps in RAM, and its cache. [B]"""
        everything = replace(settings, gpu_layers=-1, split_mode="none", tensor_split=())
        alone = place(self.model.blocks, everything, (1,))
        sizes = [0] * (self.model.blocks + 1)
        for tensor, device in bytes_per_device.homes(self.model, everything, alone):
            if device != HOST:
                unit = min(block(tensor.name), self.model.blocks) if block(tensor.name) >= 0 else -1
                sizes[unit] += stored(tensor, settings.driver)
        for held in bytes_per_device.groups(self.model, everything, alone):
            for layer in held.memory.layers if settings.offload_kv else ():
                sizes[layer] += int(held.group.bytes) // len(held.memory.layers)
        return tuple(sizes)

    def whole(self, settings: Settings) -> Settings | None:
        """Every unit on a GPU: as the server would share them out, else balanced by bytes. None if it does not fit."""
        if min(self.spare(settings)) >= 0:
            return settings
        if len(self.free) == 1:
            return None
        sizes, room = self.units(settings), self.room(settings)
        if sum(sizes) > sum(room):
            return None
        balanced = replace(settings, tensor_split=shared(sizes, room))
        return balanced if min(self.spare(balanced)) >= 0 else self._nudged(balanced)

    def _nudged(self, settings: Settings) -> Settings | None:
        """A split with one unit moved from a GPU that is too full to one that is not."""
        for _ in range(2 * len(self.free)):
            spare, split_ = self.spare(settings), list(settings.tensor_split)
            if min(spare) >= 0:
                return settings
            split_[spare.index(min(spare))] -= 1
            split_[spare.index(max(spare))] += 1
            if min(split_) < 0:
                return None
            settings = replace(settings, tensor_split=tuple(split_))
        return None

    def partial(self, settings: Settings) -> Settings:
        """The last units on GPUs, as many as fit, filled from the last GPU to the first."""
        everything = self.model.blocks + 1
        sizes = self.units(settings)
        room = self.room(replace(settings, gpu_layers=everything // 2))
        count = int(sum(filled(sizes, room)))
        best = None
        while 0 < count <= everything and best is None:
            best = self._tried(settings, sizes, room, count)
            count -= best is None
        while best is not None and count < everything:
            more = self._tried(settings, sizes, self.room(best), count + 1)
            if more is None:
                break
            best, count = more, count + 1
        return best or replace(settings, gpu_layers=0, n_cpu_moe=0)

    def _tried(self, settings: Settings, sizes: Sequence[int], room: Sequence[int], count: int) -> Settings | None:
        """`count` units on GPUs, if that fits in one of a few ways to share them out."""
        last = sizes[-count:]
        splits: list[tuple[float, ...]] = [filled(last, room)] if len(self.free) > 1 else [(count,)]
        if len(self.free) > 1:
            splits.append(shared(last, room))
        for counts in splits:
            if sum(counts) < count:
                counts = (counts[0] + count - sum(counts), *counts[1:])
            tensor_split = tuple(float(c) for c in counts) if len(self.free) > 1 else ()
            tried = replace(settings, gpu_layers=count, tensor_split=tensor_split)
            if min(self.spare(tried)) >= 0:
                return tried
        return None

    def experts(self, settings: Settings) -> Settings | None:
        """Every unit on a GPU, but experts only as far as there is room. None if not even the rest fits."""
        bare = replace(settings, n_cpu_moe=self.model.blocks)
        full, lean, room = self.units(settings), self.units(bare), self.room(bare)
        if sum(lean) > sum(room):
            return None
        tried = (self._filled(bare, counts) for counts in _divisions(full, lean, room))
        return next((t for t in tried if t is not None), None)

    def _filled(self, bare: Settings, counts: tuple[int, ...]) -> Settings | None:
        """Experts of the last blocks of each GPU back on it, then single tensors of the next block."""
        tensor_split = tuple(float(c) for c in counts) if len(self.free) > 1 else ()
        base = replace(bare, tensor_split=tensor_split)
        spare = self.spare(base)
        if min(spare) < 0:
            return None
        placement, pieces = self.placed(base), _pieces(self.model, base.driver)
        lean = tuple(r - s for r, s in zip(self.room(base), spare, strict=True))
        best = base
        tried: set[tuple[int, ...]] = set()
        while spare not in tried and len(tried) < TRIES:
            tried.add(spare)
            in_ram: list[str] = []
            for gpu, left in enumerate(spare):
                in_ram += _left_over([pieces[i] for i in placement.blocks(gpu) if i in pieces], max(0, left))
            found = _ruled(replace(base, n_cpu_moe=0), in_ram, pieces)
            if min(self.spare(found)) >= 0:
                best = max(best, found, key=self.on_gpus)
            spare = tuple(r - b for r, b in zip(self.room(found), lean, strict=True))
        return best

    def on_gpus(self, settings: Settings) -> int:
        """Bytes of weights and caches on all GPUs. [B]"""
        placement = self.placed(settings)
        held, kept = (
            bytes_per_device.weights(self.model, settings, placement),
            bytes_per_device.context(self.model, settings, placement),
        )
        return int(sum(held.gpus) + sum(kept.gpus))


def shared(sizes: Sequence[int], room: Sequence[int]) -> tuple[float, ...]:
    """Units for each GPU, in order, so that all are filled to the same degree. room [B]"""
    low, high = 0.0, 4.0 * max(1, sum(sizes)) / max(1, min(max(1, r) for r in room))
    for _ in range(60):
        middle = (low + high) / 2
        counts = _greedy(sizes, [middle * max(0, r) for r in room])
        low, high = (low, middle) if sum(counts) == len(sizes) else (middle, high)
    counts = _greedy(sizes, [high * max(0, r) for r in room])
    return tuple(float(c) for c in counts)


def _greedy(sizes: Sequence[int], room: Sequence[float]) -> list[int]:
    """Units that each GPU takes, in order, until it is full. [units]"""
    counts, k = [0] * len(room), 0
    for gpu, left in enumerate(room):
        while k < len(sizes) and sizes[k] <= left:
            left -= sizes[k]
            counts[gpu] += 1
            k += 1
    return counts


def filled(sizes: Sequence[int], room: Sequence[int]) -> tuple[float, ...]:
    """Units for each GPU when the last is filled first, from the last unit on. [units]"""
    return tuple(float(c) for c in reversed(_greedy(sizes[::-1], room[::-1])))


def _divisions(full: Sequence[int], lean: Sequence[int], room: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Ways to share out all units: by their whole size, so that every GPU can be filled; by what must be there."""
    if len(room) == 1:
        yield (len(full),)
        return
    yield tuple(int(c) for c in shared(full, room))
    yield tuple(int(c) for c in shared(lean, room))


def _pieces(model: Model, driver: str) -> dict[int, dict[str, int]]:
    """Expert tensors of each block and what a GPU needs for them. [B]"""
    found: dict[int, dict[str, int]] = {}
    last = model.loaded if model.loaded >= 0 else model.blocks
    for tensor in model.tensors:
        if EXPERTS in tensor.name and tensor.name.endswith("weight") and 0 <= block(tensor.name) < last:
            found.setdefault(block(tensor.name), {})[tensor.name] = stored(tensor, driver)
    return found


def _left_over(blocks: Sequence[dict[str, int]], left: int) -> list[str]:
    """Names of expert tensors that stay in RAM: those of the first blocks, or of the last where that wastes less.

    left: room for experts [B].
    """
    ways = (_way(blocks, left), _way(blocks[::-1], left))
    return max(ways, key=lambda way: way[0])[1]


def _way(blocks: Sequence[dict[str, int]], left: int) -> tuple[int, list[str]]:
    """Bytes that come back, and the names that stay: the last blocks come back whole, but for one; of the few blocks
    before them the tensors that fill the rest best."""
    sums = list(accumulate((sum(b.values()) for b in reversed(blocks)), initial=0))
    whole = max(i for i, s in enumerate(sums) if s <= left)
    if whole == len(blocks):
        return sums[-1], []
    whole = max(0, whole - 1)
    stay = blocks[: len(blocks) - whole]
    sizes = {name: size for b in stay for name, size in b.items()}
    items = [(n, s) for b in reversed(stay[max(0, len(stay) - NEAR) :]) for n, s in b.items()]
    back = set(_fullest(items, left - sums[whole]))
    return sums[whole] + sum(sizes[n] for n in back), [name for name in sizes if name not in back]


def _fullest(items: Sequence[tuple[str, int]], left: int) -> list[str]:
    """The names whose sizes sum to most without passing `left`, the first of equal sizes first. [B]"""
    by_size: dict[int, list[str]] = {}
    for name, size in items:
        by_size.setdefault(size, []).append(name)
    sizes = sorted(by_size, reverse=True)
    best, chosen = -1, [0] * len(sizes)

    def descend(i: int, taken: list[int], total: int) -> None:
        nonlocal best, chosen
        if i == len(sizes):
            if total > best:
                best, chosen = total, taken
            return
        most = min(len(by_size[sizes[i]]), (left - total) // sizes[i])
        lowest = max(0, most) if i == len(sizes) - 1 else 0
        for count in range(max(0, most), lowest - 1, -1):
            descend(i + 1, [*taken, count], total + count * sizes[i])

    descend(0, [], 0)
    return [name for size, count in zip(sizes, chosen, strict=True) for name in by_size[size][:count]]


def _ruled(settings: Settings, in_ram: Sequence[str], pieces: dict[int, dict[str, int]]) -> Settings:
    """Rules that keep these tensors in RAM: --n-cpu-moe where they are the first blocks, else patterns."""
    names = set(in_ram)
    whole = [i for i in sorted(pieces) if set(pieces[i]) <= names]
    rest = sorted(n for n in names if block(n) not in whole)
    first = [i for i in sorted(pieces) if i <= max(whole, default=-1)]
    rules = tuple((_exactly(n), "CPU") for n in rest)
    if whole == first:
        return replace(settings, n_cpu_moe=whole[-1] + 1 if whole else 0, overrides=rules)
    listed = "|".join(str(i) for i in whole)
    return replace(settings, overrides=((rf"blk\.({listed})\.ffn_(up|down|gate_up|gate)_(ch|)exps", "CPU"), *rules))


def _exactly(name: str) -> str:
    return name.replace(".", r"\.")
