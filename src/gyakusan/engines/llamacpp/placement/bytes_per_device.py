"""Bytes of each device when a model is split over several GPUs, or partly stays in RAM. Exact.

Source: llama.cpp b11434, src/llama-model.cpp (load_tensors), src/llama-model-loader.cpp (create_tensor),
src/llama-kv-cache.cpp and src/llama-memory-recurrent.cpp (constructors: the cache lives where its layer lives).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gyakusan.core.arrays import Number
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Memory, Model, Tensor
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import TABLE, block, on_host, resident, stored
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, kept
from gyakusan.engines.llamacpp.settings import Settings


@dataclass(frozen=True, slots=True)
class Split:
    """Bytes of each GPU of the machine, and of the host. [B]"""

    gpus: tuple[Number, ...]
    host: Number

    def on(self, device: int) -> Number:
        """Bytes of one GPU, or of HOST. [B]"""
        return self.host if device == HOST else self.gpus[device]


_WEIGHTS = Memo[Split](maxsize=64)


def weights(model: Model, settings: Settings, placement: Placement) -> Split:
    """Bytes of the model's weights on each device. [B] Each placement of a model is reckoned once."""
    rules = (settings.overrides, settings.n_cpu_moe, settings.n_cpu_ffn, settings.driver)
    key = placement.units, placement.cards, rules
    return _WEIGHTS.get(model, key, lambda: _weights(model, settings, placement))


def _weights(model: Model, settings: Settings, placement: Placement) -> Split:
    totals = dict.fromkeys(range(HOST, placement.cards), 0)
    for tensor, device in homes(model, settings, placement):
        totals[device] += stored(tensor, "cpu" if device == HOST else settings.driver)
    return Split(tuple(totals[gpu] for gpu in range(placement.cards)), totals[HOST])


def homes(model: Model, settings: Settings, placement: Placement) -> Iterator[tuple[Tensor, int]]:
    """Every copy of every tensor that is loaded, with its device."""
    stays = on_host(model)
    for tensor in resident(model):
        for device in _homes(model, tensor, placement):
            ruled = kept(tensor.name, settings)
            yield (
                tensor,
                (HOST if stays(tensor) and tensor.name not in model.tables else device) if ruled is None else ruled,
            )


def _homes(model: Model, tensor: Tensor, placement: Placement) -> tuple[int, ...]:
    """Devices of one tensor, the rules aside. Tables are looked up in RAM; a tied output is a copy of its own on a GPU."""
    number = block(tensor.name)
    if number >= 0:
        return (placement.units[number],)
    if tensor.name in model.tables:
        copied = tensor.name == TABLE and model.tied and (placement.output != HOST or model.output_first)
        return (HOST, placement.output) if copied else (HOST,)
    if tensor.name.startswith("rope_"):
        return tuple(dict.fromkeys(placement.units[i] for i in _rotated(model)))
    return (placement.output,)


def _rotated(model: Model) -> tuple[int, ...]:
    """Loaded blocks that own frequency factors: each device gets one copy. Gemma 4: only those without a window."""
    loaded = range(model.loaded if model.loaded >= 0 else model.blocks)
    if model.architecture != "gemma4":
        return tuple(loaded)
    full = {i for m in model.memory if isinstance(m, Attention) and m.window is None for i in (*m.layers, *m.shared)}
    return tuple(i for i in loaded if i in full)


def context(model: Model, settings: Settings, placement: Placement) -> Split:
    """Caches and states of each device. [B]"""
    parts = tuple(groups(model, settings, placement))
    return Split(tuple(sum(p.on(g) for p in parts) for g in range(placement.cards)), sum(p.on(HOST) for p in parts))


@dataclass(frozen=True, slots=True)
class Held:
    """One group of the model's memory. group, on_host: as a GPU and as the host store it; homes: device of each layer."""

    group: kv_cache.CacheGroup
    on_host: kv_cache.CacheGroup
    homes: tuple[int, ...]

    @property
    def memory(self) -> Memory:
        """The layers and what they keep."""
        return self.group.memory

    def on(self, device: int) -> Number:
        """Bytes on one device. [B]"""
        whole = (self.on_host if device == HOST else self.group).bytes
        return whole * self.homes.count(device) // max(1, len(self.homes))

    def on_device(self, device: int) -> tuple[int, ...]:
        """The layers that one device holds."""
        return tuple(i for i, home in zip(self.memory.layers, self.homes, strict=True) if home == device)


def groups(model: Model, settings: Settings, placement: Placement) -> Iterator[Held]:
    """Each group of the model's memory with the devices of its layers."""
    gpu = kv_cache.groups(model, replace(settings, backend="cuda"))
    host = kv_cache.groups(model, replace(settings, backend="cpu"))
    for here, there in zip(gpu, host, strict=True):
        homes = (placement.units[i] if settings.offload_kv else HOST for i in here.memory.layers)
        yield Held(here, there, tuple(homes))
