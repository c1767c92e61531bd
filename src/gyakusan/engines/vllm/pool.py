"""The pool: what is left for blocks after weights and profiling, and how many requests it holds.

Source: vLLM 0.32.0, v1/worker/utils.py (request_memory), v1/worker/gpu_worker.py (determine_available_memory),
v1/core/kv_cache_utils.py (get_kv_cache_capacity).
"""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum
from gyakusan.core.machine import Device
from gyakusan.core.model import Model
from gyakusan.engines.vllm import profile, vision
from gyakusan.engines.vllm.blocks import Reservation, reservation
from gyakusan.engines.vllm.profile import Range
from gyakusan.engines.vllm.settings import Settings, release
from gyakusan.engines.vllm.weights import Weights, prediction_layers, weights


class Pool(Struct, frozen=True):
    """The pool of blocks of one rank.

    requested: memory that the server takes [B]
    weights: weights of the rank
    available: memory for blocks, as a range [B]
    reservation: blocks of one request
    settings: how the server is started
    """

    requested: int
    weights: Weights
    available: Range
    reservation: Reservation
    settings: Settings

    def blocks(self, available: Number) -> Number:
        """Return the blocks in `memory` bytes. get_kv_cache_config_from_groups."""
        return maximum(available, 0) // self.reservation.block

    def requests(self, available: Number) -> Number:
        """Return the requests of full length that fit at once ("Maximum concurrency")."""
        return self.blocks(available) / self.reservation.blocks

    def tokens(self, available: Number) -> Number:
        """Return the cache size that the server prints [tokens].

        Until 0.20: blocks shared by the groups, of the smallest block's tokens; since: requests x their length.
        """
        if release(self.settings.version) <= (0, 20):
            tokens = self.reservation.tokens * self.settings.decode_context_parallel
            return self.blocks(available) // len(self.reservation.groups) * tokens
        return self.requests(available) * self.settings.max_model_len // 1


def requested(total: int, settings: Settings) -> int:
    """Return the memory that the server takes of `total` [B]. utils.request_memory: rounded up."""
    return -int(-total * settings.gpu_memory_utilization // 1)


def pool(model: Model, settings: Settings, device: Device, *, stage: int = 0, total: int = 0, loaded: int = 0) -> Pool:
    """Return the pool of one rank of pipeline stage `stage`.

    total: the device's memory as CUDA counts it, 0 = worked out [B]; loaded: weights as the server reported, 0 = priced [B].
    """
    share = requested(total or profile.visible(device), settings)
    loaded_weights = (
        Weights(loaded, loaded, loaded) if loaded else weights(model, settings, stage, backend=device.backend)
    )
    used = profile.activation(model, settings) + vision.compute(model, settings) + profile.base(device)
    used = used + profile.graphs(settings)
    drafted = 0 if loaded else prediction_layers(model, settings)
    if settings.memory_kept:
        free = Range(settings.memory_kept, settings.memory_kept, settings.memory_kept)
    else:
        left = share - settings.vision_bytes // settings.tensor_parallel - drafted
        parts = zip(loaded_weights.all_high_first, _descending(used), strict=True)
        free = Range(*(maximum(left - max(0, w - settings.cpu_offload) - u, 0) for w, u in parts))
    return Pool(share, loaded_weights, free, reservation(model, settings, stage=stage), settings)


def _descending(used: Range) -> tuple[Number, Number, Number]:
    return used.high, used.best, used.low


def fewest(pools: tuple[Pool, ...]) -> Number:
    """Return the blocks that every rank has: the smallest pool decides (get_kv_cache_configs)."""
    return minimum(*(p.blocks(p.available.best) for p in pools))
