"""Blocks of the pool: which layers share it, the size of a block, and the blocks that a request reserves.

Source: vLLM 0.32.0, v1/core/kv_cache_utils.py; each function names its own there.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model
from gyakusan.engines.vllm.pages import Page, pages
from gyakusan.engines.vllm.settings import Settings

CROWDED = 1.5
"""Kinds whose layers number less than this many times the fewest are padded to the most instead of split."""


class Group(Struct, frozen=True):
    """Layers with one block table.

    parts: pages of its layers; a block of the group is one page in each of them
    """

    parts: tuple[Page, ...]

    @property
    def bytes(self) -> int:
        """Return the size of one block [B]."""
        return sum(p.bytes * len(p.layers) for p in self.parts)

    def blocks(self, settings: Settings) -> Number:
        """Return the blocks that one request of full length reserves. UniformTypeKVCacheSpecs.max_memory_usage_pages."""
        return (
            maximum(*(p.blocks(settings) for p in self.parts))
            if len(self.parts) > 1
            else self.parts[0].blocks(settings)
        )

    def within(self, layers: range) -> Group:
        """Return the group on a rank that holds only `layers` (_project_kv_cache_groups_to_worker)."""
        return Group(tuple(structs.replace(p, layers=tuple(i for i in p.layers if i in layers)) for p in self.parts))


class Reservation(Struct, frozen=True):
    """The blocks that one request of full length reserves on one rank.

    groups: groups of layers that share the pool
    block: size of one block [B]
    blocks: number of blocks
    """

    groups: tuple[Group, ...]
    block: int
    blocks: Number

    @property
    def bytes(self) -> Number:
        """Return the bytes that one request reserves [B]. _max_memory_usage_bytes_from_groups."""
        return self.blocks * self.block

    @property
    def tokens(self) -> int:
        """Return the tokens of the smallest block [tokens]."""
        return min((p.block for g in self.groups for p in g.parts if p.kind != "state"), default=1)


_GROUPS = Memo[tuple[Group, ...]](maxsize=64)


def reservation(model: Model, settings: Settings, *, stage: int = 0, readers: bool = False) -> Reservation:
    """Return the blocks of one request on the ranks of pipeline stage `stage`. Raises BadSetting. readers: see `pages`."""
    shared = _GROUPS.get(model, _key(settings, readers), lambda: groups(pages(model, settings, readers=readers)))
    blocks = sum(g.blocks(settings) for g in shared)
    layers = stages(model.blocks if model.loaded < 0 else model.loaded, settings.pipeline_parallel)[stage]
    here = shared if settings.pipeline_parallel == 1 else tuple(g.within(layers) for g in shared)
    return Reservation(here, max((g.bytes for g in here), default=0), blocks)


def _key(s: Settings, readers: bool) -> tuple[Hashable, ...]:
    """Return everything in the settings that `pages` depends on."""
    cache = s.kv_cache_dtype, s.state_dtype, s.speculative_method
    ranks = s.tensor_parallel, s.decode_context_parallel
    return s.block_size, s.speculative_tokens, *ranks, s.enable_prefix_caching, *cache, readers


def stages(layers: int, count: int) -> tuple[range, ...]:
    """Return the layers of each pipeline stage: equal shares, the rest goes to the stages before the last.

    Source: distributed/utils.py, get_pp_indices.
    """
    sizes = [layers // count] * count
    for i in range(layers % count):
        sizes[-2 - i if count > 1 else -1] += 1
    ends = [sum(sizes[: i + 1]) for i in range(count)]
    return tuple(range(end - size, end) for size, end in zip(sizes, ends, strict=True))


def groups(every: tuple[Page, ...]) -> tuple[Group, ...]:
    """Return the groups of layers that share blocks. Source: get_kv_cache_groups."""
    kinds = _merged(every)
    if not kinds:
        return ()
    if len(kinds) == 1 or _alike(kinds):
        return (Group(tuple(kinds)),)
    if _packable(kinds):
        return _packed(kinds)
    return _split(_merged(_unified(kinds)))


def _merged(every: Sequence[Page]) -> list[Page]:
    """Return layers with equal pages together, in the order of the model."""
    kinds: dict[Page, list[int]] = {}
    for page in sorted(every, key=lambda p: min(p.layers, default=0)):
        if page.layers:
            kinds.setdefault(structs.replace(page, layers=()), []).extend(page.layers)
    return [structs.replace(page, layers=tuple(sorted(layers))) for page, layers in kinds.items()]


def _alike(kinds: Sequence[Page]) -> bool:
    """Return True if all need equally many blocks: full attention of any width, or windows of one size (is_uniform_type)."""
    first = kinds[0]
    if any(p.block != first.block for p in kinds):
        return False
    if first.kind in ("full", "latent"):
        return all(p.kind in ("full", "latent") for p in kinds)
    return all((p.kind, p.window, p.states) == (first.kind, first.window, first.states) for p in kinds) and (
        first.kind != "state" or all(p.bytes == first.bytes for p in kinds)
    )


def _unified(kinds: Sequence[Page]) -> list[Page]:
    """Return pages of one size: smaller ones hold more tokens, or are padded (unify_kv_cache_spec_page_size)."""
    size = max(p.bytes for p in kinds)
    return [
        structs.replace(
            p, bytes=size, block=p.block if p.kind == "state" or size % p.bytes else p.block * (size // p.bytes)
        )
        for p in kinds
    ]


def _split(kinds: Sequence[Page]) -> tuple[Group, ...]:
    """Return groups with the number of layers of the smallest kind (_get_kv_cache_groups_uniform_page_size)."""
    counts = [len(p.layers) for p in kinds]
    size = max(counts) if max(counts) < min(counts) * CROWDED else min(counts)
    return tuple(Group((part,)) for p in kinds for part in _shares(p, -(-len(p.layers) // size)))


def _shares(page: Page, count: int) -> list[Page]:
    return [structs.replace(page, layers=page.layers[i::count]) for i in range(count)]


def _packable(kinds: Sequence[Page]) -> bool:
    """Return True for DeepSeek-V4: pages of several sizes are next to each other in a block (layout BLHNC)."""
    return len({p.bytes for p in kinds}) > 1 and any(p.kind == "latent" and p.block == 256 for p in kinds)


def _packed(kinds: Sequence[Page]) -> tuple[Group, ...]:
    """Return groups whose pages of several sizes share blocks (_get_packed_kv_cache_groups)."""
    buckets: list[list[Page]] = []
    for page in kinds:
        home = next((b for b in buckets if _alike([*b, page])), None)
        buckets.append([page]) if home is None else home.append(page)
    even = [b for b in buckets if len({len(p.layers) for p in b}) == 1]
    floor = max((len(b[0].layers) for b in even if len(b) > 1), default=0)
    repeats = _repeats([len(b[0].layers) for b in even], floor) if floor else 0
    packed = []
    for bucket in buckets:
        count = -(-len(bucket[0].layers) // repeats) if repeats and bucket in even else 1
        columns = zip(*(_shares(p, count) for p in bucket), strict=True)
        packed += [Group(tuple(parts)) for parts in columns]
    return tuple(packed)


def _repeats(counts: Sequence[int], floor: int) -> int:
    """Return the number of layers that wastes the fewest places, the larger of equals (_approximate_gcd)."""
    return min(range(max(1, floor), max(counts) + 1), key=lambda d: (sum(-c % d for c in counts), -d))
