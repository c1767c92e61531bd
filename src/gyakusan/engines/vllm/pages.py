"""Pages: the size of one block in one layer of each kind.

Source: vLLM 0.32.0, v1/kv_cache_interface.py (the KVCacheSpec classes), platforms/interface.py
(_align_hybrid_block_size), model_executor/layers/mamba/mamba_utils.py (MambaStateShapeCalculator).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, minimum, round_up
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Layers, Model, Recurrent
from gyakusan.engines.vllm.config import memory
from gyakusan.engines.vllm.drafting import with_drafting_layers
from gyakusan.engines.vllm.settings import CACHE_BYTES, STATE_BYTES, Settings
from gyakusan.errors import BadSetting

Kind = Literal["full", "latent", "window", "chunk", "state"]
BLOCK = 16
"""Tokens of a block where a backend wants no other (CacheConfig.DEFAULT_BLOCK_SIZE) [tokens]."""
HYBRID_LATENT = 128
"""Latent attention beside recurrent layers: blocks are a multiple of this (_align_hybrid_block_size) [tokens]."""


class Page(Struct, frozen=True):
    """What one block takes in each of some layers.

    kind: what the layers store
    layers: block numbers of the layers
    block: tokens in one block [tokens]
    bytes: size of one layer's page [B]
    window: tokens that stay visible, 0 = all [tokens]
    states: blocks that a request holds whatever its length, for kind "state"
    """

    kind: Kind
    layers: Layers
    block: int
    bytes: int
    window: int = 0
    states: int = 0

    def blocks(self, settings: Settings) -> Number:
        """Return the blocks that one request of full length reserves. Source: each spec's max_memory_usage_bytes."""
        length, flying = settings.max_model_len, settings.in_flight
        match self.kind:
            case "state":
                return self.states
            case "window":
                return ceil_div(minimum(self.window - 1 + flying, length), self.block) + 1
            case "chunk":
                return ceil_div(minimum(self.window + flying, length), self.block)
            case _:
                return ceil_div(ceil_div(length, settings.decode_context_parallel), self.block)


def pages(model: Model, settings: Settings, *, readers: bool = False) -> tuple[Page, ...]:
    """Return the pages of a model on one rank. Raises BadSetting if the ranks cannot share the heads.

    readers: also count layers that read another layer's cache. vLLM leaves them out (v1/worker/gpu_model_runner.py,
    get_kv_cache_spec); asking each layer for its own specification, as a recording may, counts them.
    """
    model = with_drafting_layers(model, settings)
    if settings.decode_context_parallel > 1:
        _check_context_parallel(model, settings)
    if any(isinstance(g, Compressed) for g in model.memory):
        return _compressed(model, settings)
    attention = _attention(model, settings, readers)
    states = [_state(model, g, settings) for g in model.memory if isinstance(g, Recurrent)]
    return (*_aligned(attention, states, settings),) if states else attention


def _check_context_parallel(model: Model, settings: Settings) -> None:
    """Raise BadSetting for caches whose tokens the GPUs cannot share.

    Windows and states have no rule for it (SlidingWindowSpec: "DCP not support sliding window"; KVCacheCoordinator: one
    group of full attention); key-value heads must lie on several GPUs each (config/model.py, verify_with_parallel_config).
    """
    ranks, parts = settings.tensor_parallel, settings.decode_context_parallel
    full = all(isinstance(g, (Latent, Indexer, Attention)) and not getattr(g, "window", None) for g in model.memory)
    if not full:
        raise BadSetting(
            "{name} keeps windows or states, whose tokens GPUs cannot share.", name=model.name,
            mend="Leave out decode_context_parallel.",
        )  # fmt: skip
    for group in (g for g in model.memory if isinstance(g, Attention)):
        _check_heads_for_context_parallel(group, settings)
    if ranks % parts:
        raise BadSetting(
            "{parts} GPUs cannot share the tokens of a cache on {ranks} GPUs.", parts=parts, ranks=ranks,
            mend="decode_context_parallel must divide tensor_parallel.",
        )  # fmt: skip


def _check_heads_for_context_parallel(group: Attention, settings: Settings) -> None:
    """Raise BadSetting for heads of one width on too few GPUs. config/model.py, verify_with_parallel_config."""
    ranks, parts = settings.tensor_parallel, settings.decode_context_parallel
    kv_heads = group.key // group.key_head
    queries_per_kv_head = group.heads // kv_heads
    if ranks // kv_heads < parts:
        raise BadSetting(
            "{parts} GPUs cannot share the tokens of {heads} KV heads on {ranks} GPUs.", parts=parts, heads=kv_heads,
            ranks=ranks, mend="decode_context_parallel is at most tensor_parallel divided by the KV heads.",
        )  # fmt: skip
    if queries_per_kv_head % parts:
        raise BadSetting(
            "{parts} GPUs cannot share the tokens of a KV head that {queries} query heads read.", parts=parts,
            queries=queries_per_kv_head, mend="decode_context_parallel must divide the query heads of each KV head.",
        )  # fmt: skip


def cache_bytes(model: Model, settings: Settings) -> float:
    """Return the bytes of one number of a key or value. "auto" follows the checkpoint (utils/torch_utils.py) [B]."""
    declared = model.checkpoint.cache if model.checkpoint else ""
    name = declared if settings.kv_cache_dtype == "auto" and declared else settings.kv_cache_dtype
    return CACHE_BYTES[name]


def _attention(model: Model, settings: Settings, readers: bool) -> tuple[Page, ...]:
    block, size = _block(model, settings), cache_bytes(model, settings)
    every = []
    for group in memory(model):
        match group:
            case Attention():
                layers = group.layers + (group.shared if readers else ())
                width = _kv_heads(group, settings) * (group.key_head + group.value_head)
                kind: Kind = "full" if not group.window else "chunk" if group.chunked else "window"
                every.append(Page(kind, layers, block, round(width * block * size), group.window or 0))
            case Latent():
                _shared_out(group.heads, settings.tensor_parallel)
                token = _latent_bytes(model, group, size)
                kind = "window" if group.window else "latent"
                every.append(Page(kind, group.layers, block, token * block, group.window or 0))
            case Indexer():
                every.append(Page("latent", group.layers, block, _index_bytes(model, group) * block))
            case _:
                pass
    return tuple(every)


def _kv_heads(group: Attention, settings: Settings) -> int:
    """Return the key-value heads on one rank: replicated where there are fewer than ranks. ModelConfig.get_num_kv_heads."""
    heads, ranks = group.key // group.key_head, settings.tensor_parallel
    if (heads % ranks if heads >= ranks else ranks % heads) or group.heads % ranks:
        raise BadSetting(
            "{heads} heads with {kv} KV heads cannot be split evenly over {ranks} GPUs.",
            heads=group.heads,
            kv=heads,
            ranks=ranks,
            mend="Choose a tensor_parallel that divides both numbers.",
        )
    return max(1, heads // ranks)


def _shared_out(heads: int, ranks: int) -> None:
    """Raise BadSetting if the ranks cannot share query heads evenly. ModelConfig.verify_with_parallel_config."""
    if heads % ranks:
        raise BadSetting(
            "{heads} heads cannot be split evenly over {ranks} GPUs.",
            heads=heads,
            ranks=ranks,
            mend="Choose a tensor_parallel that divides their number.",
        )


def _sparse(model: Model) -> bool:
    """Return True if an indexer chooses among latent vectors (DeepSeek-V3.2, GLM-5)."""
    return any(isinstance(g, Indexer) for g in model.memory) and any(isinstance(g, Latent) for g in model.memory)


def _latent_bytes(model: Model, group: Latent, size: float) -> int:
    """Return the bytes of one token's latent vector [B].

    Sparse attention at 8 bits packs rank values, 4 scales of 4 B and the rotated part in 16 bits: 656 B where the rank is
    512 ("fp8_ds_mla", mla_attention.py).
    """
    if size == 1 and _sparse(model):
        return group.rank + group.rank // 128 * 4 + 2 * group.rope
    return round(group.key * size)


def _index_bytes(model: Model, group: Indexer) -> int:
    """Return the bytes of one token's indexer key [B].

    8 bits and an f32 scale for 128 values with latent vectors, else 16 bits.
    """
    return group.key + group.key // 128 * 4 if _sparse(model) else 2 * group.key


def _block(model: Model, settings: Settings) -> int:
    """Return the tokens of a block before recurrent layers raise it [tokens].

    Source: get_supported_kernel_block_sizes of the backends: sparse latent attention and its 8-bit dense form 64
    (v1/attention/backends/mla), MiniMax-M3's block-sparse attention 128 (models/minimax_m3).
    """
    if settings.block_size:
        return settings.block_size
    latent = any(isinstance(g, Latent) for g in model.memory)
    if any(isinstance(g, Indexer) for g in model.memory):
        return 64 if latent else 128
    return 64 if latent and cache_bytes(model, settings) == 1 else BLOCK


def _state(model: Model, group: Recurrent, settings: Settings) -> Page:
    """Return the state of one recurrent layer; its block is set when it is aligned."""
    ranks, more = settings.tensor_parallel, settings.speculative_tokens
    if group.rank % ranks or group.inner % ranks:
        raise BadSetting(
            "A recurrent layer of width {width} cannot be split over {ranks} GPUs.",
            width=group.inner,
            ranks=ranks,
            mend="Choose a smaller tensor_parallel.",
        )
    convolution = _convolved(group, ranks) * (group.kernel - 1 + more) if group.kernel else group.convolution
    size = (convolution * 2 + group.state * state_bytes(model, group, settings)) // ranks
    reused = settings.enable_prefix_caching and _has_attention(model)
    blocks = 2 + _checkpoints(model, group) if reused else 1
    return Page("state", group.layers, 0, size, states=blocks + more)


def _has_attention(model: Model) -> bool:
    """Return True if prefixes are cached: for models with attention only (ModelConfig.is_prefix_caching_supported)."""
    return any(isinstance(g, (Attention, Latent)) for g in model.memory)


def _convolved(group: Recurrent, ranks: int) -> int:
    """Return the width of the convolution over all ranks [values]. Mamba 2 repeats groups that ranks cannot share."""
    if not group.groups or group.kind == "kda":
        return group.convolution // max(1, group.kernel - 1)
    groups = group.groups
    if group.kind == "mamba2" and groups % ranks:
        if groups != 1:
            raise BadSetting(
                "{groups} groups of a Mamba layer cannot be split over {ranks} GPUs.",
                groups=groups,
                ranks=ranks,
                mend="Choose a tensor_parallel that divides them.",
            )
        groups = ranks
    return group.inner + 2 * groups * group.state_size


def state_bytes(model: Model, group: Recurrent, settings: Settings) -> int:
    """Return the bytes of one number of a recurrent state [B]. The convolution's part is always in the model's type.

    Source: mamba_utils.py (kda_state_dtype: f32), models/config.py (NemotronH: f32 unless mamba_ssm_cache_dtype says
    otherwise; Qwen3.5: mamba_ssm_dtype, which every published config sets to float32); else the model's type.
    """
    declared = model.checkpoint.state if model.checkpoint else ""
    wide = group.kind == "kda" or model.architecture.startswith("nemotron_h")
    if model.checkpoint is None:
        wide = wide or model.architecture in ("qwen35", "qwen35moe")
    usual = "float32" if wide else "bfloat16"
    name = settings.state_dtype if settings.state_dtype != "auto" else declared or usual
    return STATE_BYTES.get(name) or 2


def _checkpoints(model: Model, group: Recurrent) -> int:
    """Return the blocks for a state saved within a prompt, with prefix caching.

    Source: mamba_mixer2.py, models/kimi_k3/nvidia/kda.py.
    """
    return int(group.kind == "mamba2" or model.architecture == "kimi-k3")


def _aligned(attention: tuple[Page, ...], states: list[Page], settings: Settings) -> tuple[Page, ...]:
    """Return attention blocks raised until a page holds a state, and states padded to it (_align_hybrid_block_size)."""
    state = max(p.bytes for p in states)
    if not attention:
        return tuple(structs.replace(p, block=1) for p in states)
    first = next((p for p in attention if p.kind in ("full", "latent")), attention[0])
    token = first.bytes // first.block
    step = max(first.block, HYBRID_LATENT if first.kind == "latent" else 0)
    block = max(first.block, step * -(-state // (step * token)))
    raised = tuple(structs.replace(p, block=block, bytes=p.bytes // p.block * block) for p in attention)
    return (*raised, *(structs.replace(p, block=block, bytes=block * token) for p in states))


PACKED = 584
"""One token or compressed key of DeepSeek-V4: 448 B, 64 rotated values in 16 bits, 8 B of scales (fp8_ds_mla) [B]."""
ALIGN = 576
"""Its pages are a multiple of this [B]."""
SCALED = 132
"""An indexer's key: 128 values in 8 bits and a scale [B]."""


def _compressed(model: Model, settings: Settings) -> tuple[Page, ...]:
    """Return the pages of DeepSeek-V4, always in 8 bits: windows in blocks of 64 tokens, compressed keys of 256.

    Source: models/deepseek_v4/attention.py, compressor.py; v1/attention/backends/mla/sparse_swa.py.
    """
    groups = [g for g in model.memory if isinstance(g, Compressed)]
    _shared_out(groups[0].heads, settings.tensor_parallel)
    every = tuple(sorted(i for g in groups for i in g.layers))
    found = [Page("window", every, 64, _padded(64 * PACKED), groups[0].window)]
    for group in groups:
        if not group.ratio:
            continue
        overlap, block = (2, 4) if group.ratio == 4 else (1, 8)
        found.append(Page("latent", group.layers, 256, _padded(256 // group.ratio * PACKED)))
        visible = overlap * group.ratio
        found.append(Page("window", group.layers, block, _padded(block * 8 * overlap * group.key), visible))
        if group.indexer:
            found.append(Page("latent", group.layers, 256, _padded(256 // group.ratio * SCALED)))
            found.append(Page("window", group.layers, block, _padded(block * 8 * overlap * group.indexer), visible))
    return tuple(found)


def _padded(size: int) -> int:
    return int(round_up(size, ALIGN))
