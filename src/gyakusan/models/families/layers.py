"""Groups of layers by what they store and compute, for families to build on. Families import this, never each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from msgspec import structs

from gyakusan.core.model import Attention, Dense, Experts, FeedForward, Indexer, Latent, Memory, Recurrent
from gyakusan.models.families.metadata import WIDE, Metadata

Kind = Literal["mamba", "mamba2", "gated_delta"]


def loaded(m: Metadata) -> int:
    """Return the number of blocks that the engine loads: without multi-token-prediction blocks at the end."""
    extra = m.number("nextn_predict_layers", 0)
    if extra >= m.blocks:
        raise m.bad("nextn_predict_layers", extra)
    return m.blocks - extra


def heads(m: Metadata) -> tuple[int, ...]:
    """Return the query heads of each block."""
    return m.series("attention.head_count", 0)


def kv_heads(m: Metadata) -> tuple[int, ...]:
    """Return the key-value heads of each block, 0 where a block has no attention."""
    return heads(m) if m.get("attention.head_count_kv") is None else m.series("attention.head_count_kv")


def head_width(m: Metadata, kind: str) -> int:
    """Return the width of one head's key or value: stated, else embedding / heads. kind: key or value [values]."""
    if m.get(f"attention.{kind}_length") is not None:
        return m.positive(f"attention.{kind}_length")
    count = next((h for h in heads(m) if h), 0)
    width, rest = divmod(m.positive("embedding_length"), count or 1)
    if not count or rest or not width:
        raise m.bad("attention.head_count", count)
    return width


def attention(
    m: Metadata, layers: Iterable[int], window: int | None = None, *, swa: bool = False
) -> tuple[Attention, ...]:
    """Return attention groups over `layers`, blocks of equal widths together. swa: use the widths of windowed layers."""
    key, value = head_width(m, "key"), head_width(m, "value")
    if swa:
        key = m.positive("attention.key_length_swa", key)
        value = m.positive("attention.value_length_swa", value)
    queries, kvs = heads(m), kv_heads(m)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in layers:
        groups[queries[i], kvs[i]].append(i)
    _sound(m, groups, key + value)
    return tuple(
        Attention(tuple(ls), q, kv * key, kv * value, key, value, window) for (q, kv), ls in groups.items() if kv
    )


def _sound(m: Metadata, groups: Collection[tuple[int, int]], width: int) -> None:
    """Raise Malformed for impossible heads. groups: query and key-value heads of some blocks."""
    for q, kv in groups:
        if (kv and q % kv) or bool(q) < bool(kv):
            raise m.bad("attention.head_count_kv", kv)
        if q * width >= WIDE:
            raise m.bad("attention.head_count", q)
    if groups and not any(kv for _, kv in groups):
        raise m.bad("attention.head_count_kv" if any(q for q, _ in groups) else "attention.head_count", 0)


def pattern(m: Metadata, period: int | None, *, dense_first: bool = False) -> tuple[bool, ...]:
    """Return for each block if it has a sliding window: from the file, else all but each `period`-th (or first of a period).

    period: None if the file must say. Source: llama-model.cpp, load_swa_pattern; llama-hparams.cpp, set_swa_pattern.
    """
    key = "attention.sliding_window_pattern"
    found = m.flags(key)
    if found is not None:
        return found
    period = m.number(key, period)
    full = 0 if dense_first else period - 1
    count = loaded(m)
    return (*(period == 0 or i % period != full for i in range(count)), *(False,) * (m.blocks - count))


def windowed(
    m: Metadata, swa: Sequence[bool], window: int, layers: Iterable[int] | None = None
) -> tuple[Attention, ...]:
    """Return attention groups of the loaded blocks (or of `layers`); those marked in `swa` have a sliding window."""
    chosen = range(loaded(m)) if layers is None else tuple(layers)
    full = attention(m, (i for i in chosen if not swa[i]))
    return (*full, *attention(m, (i for i in chosen if swa[i]), window, swa=True))


def sharing(groups: tuple[Attention, ...], swa: Sequence[bool], readers: Sequence[int]) -> tuple[Attention, ...]:
    """Return the groups with `readers` added: a windowed layer reads the caches of the last windowed group."""
    last = {g.window is not None: g for g in groups}
    reads = {kind: tuple(i for i in readers if swa[i] == kind) for kind in last}
    return tuple(structs.replace(g, shared=reads[k]) if g is last[k := g.window is not None] else g for g in groups)


def periodic(m: Metadata, period: int | None, *, default: int = 0, dense_first: bool = False) -> tuple[Memory, ...]:
    """Return attention with sliding windows by the pattern; full attention without a window in the file (or `default`)."""
    window = m.number("attention.sliding_window", default)
    if not window:
        return attention(m, range(loaded(m)))
    return windowed(m, pattern(m, period, dense_first=dense_first), window)


def latent(m: Metadata, layers: Iterable[int]) -> Latent:
    """Return multi-head latent attention over `layers`. Source: llama-kv-cache.cpp (no V when hparams.is_mla())."""
    rank = m.positive("attention.kv_lora_rank")
    rope = m.positive("rope.dimension_count")
    if m.number("attention.key_length", rank + rope) != rank + rope:
        raise m.bad("attention.key_length", m.get("attention.key_length"))
    nope = m.positive("attention.key_length_mla") - rope
    if nope <= 0:
        raise m.bad("attention.key_length_mla", nope + rope)
    count = next((h for h in heads(m) if h), 0)
    if not count:
        raise m.bad("attention.head_count", count)
    return Latent(tuple(layers), count, rank, rope, nope, m.positive("attention.value_length_mla"))


def has_latent(m: Metadata) -> bool:
    """Return True if the file has absorbed latent attention."""
    return bool(m.number("attention.key_length_mla", 0) and m.number("attention.value_length_mla", 0))


def latent_or_full(m: Metadata, layers: Iterable[int]) -> tuple[Memory, ...]:
    """Return latent attention, or full attention where an old conversion expanded it (no *_length_mla keys)."""
    return (latent(m, layers),) if has_latent(m) else attention(m, layers)


def indexer(m: Metadata, layers: Iterable[int], value: int = 0) -> tuple[Indexer, ...]:
    """Return the indexer cache over `layers`, if the file has an indexer."""
    key = m.number("attention.indexer.key_length", 0)
    return (Indexer(tuple(layers), key, value),) if key else ()


def recurrent(m: Metadata, layers: Iterable[int], kind: Kind) -> Recurrent:
    """Return state space or delta-rule layers.

    The convolution runs over inner + 2 * groups * state_size values; the state is inner x state_size.
    Source: llama-hparams.cpp, n_embd_r and n_embd_s.
    """
    kernel, inner, state = m.positive("ssm.conv_kernel"), m.positive("ssm.inner_size"), m.positive("ssm.state_size")
    groups, rank = m.number("ssm.group_count", 0), m.number("ssm.time_step_rank", 0)
    if max(state * inner, kernel * (inner + 2 * groups * state)) >= WIDE:
        raise m.bad("ssm.inner_size", inner)
    return Recurrent(
        layers=tuple(layers),
        kind=kind,
        convolution=(kernel - 1) * (inner + 2 * groups * state),
        state=state * inner,
        inner=inner,
        groups=groups,
        state_size=state,
        rank=rank,
        kernel=kernel,
    )


def kda(m: Metadata, layers: Iterable[int]) -> Recurrent:
    """Return Kimi delta attention: three convolutions, and a head x head state for each head. Source: as `recurrent`."""
    kernel, head, count = m.positive("ssm.conv_kernel"), m.positive("kda.head_dim"), max(heads(m))
    if not 0 < head * head * count * kernel < WIDE:
        raise m.bad("kda.head_dim", head)
    return Recurrent(
        layers=tuple(layers),
        kind="kda",
        convolution=3 * (kernel - 1) * count * head,
        state=head * head * count,
        inner=count * head,
        groups=count,
        state_size=head,
        kernel=kernel,
    )


def shortconv(m: Metadata, layers: Iterable[int]) -> Recurrent:
    """Return short convolutions over the embedding. Source: as `recurrent`."""
    kernel, width = m.positive("shortconv.l_cache"), m.positive("embedding_length")
    return Recurrent(tuple(layers), "shortconv", width * (kernel - 1), 0, inner=width, kernel=kernel)


def split(marks: Sequence[object], count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first `count` blocks in two parts: those marked, and the others."""
    yes = tuple(i for i in range(count) if marks[i])
    return yes, tuple(i for i in range(count) if not marks[i])


def hybrid(m: Metadata, kind: Kind) -> tuple[Memory, ...]:
    """Return attention where a block has key-value heads, and `kind` of recurrent layer where it has none."""
    with_kv, without = split(kv_heads(m), loaded(m))
    states = (recurrent(m, without, kind),) if without else ()
    return (*attention(m, with_kv), *states)


def by_width(widths: Sequence[int], layers: Iterable[int], gated: bool = True) -> tuple[Dense, ...]:
    """Return dense groups over `layers`, blocks of equal width together."""
    groups: dict[int, list[int]] = defaultdict(list)
    for i in layers:
        groups[widths[i]].append(i)
    return tuple(Dense(tuple(ls), w, gated) for w, ls in groups.items() if w)


def widths(m: Metadata) -> tuple[int, ...]:
    """Return the width of the dense feed-forward network of each block, 0 where it has none [values]."""
    return m.series("feed_forward_length", 0)


def experts(m: Metadata, layers: Iterable[int], gated: bool = True) -> Experts:
    """Return one group of experts over `layers`."""
    width = m.number("expert_feed_forward_length", 0) or m.positive("feed_forward_length")
    shared = m.number("expert_shared_feed_forward_length", 0) or width * m.number("expert_shared_count", 0)
    count, used = m.positive("expert_count"), m.positive("expert_used_count")
    if used > count:
        raise m.bad("expert_used_count", used)
    return Experts(tuple(layers), count, used, width, shared, gated)


def mixture(m: Metadata, sparse: Sequence[bool], gated: bool = True) -> tuple[FeedForward, ...]:
    """Return experts in the loaded blocks marked `sparse`, and a dense network in the others."""
    with_experts, without = split(sparse, loaded(m))
    dense = by_width(widths(m), without, gated) if without else ()
    return (*dense, experts(m, with_experts, gated)) if with_experts else dense
