"""Bytes of each device when a model is split over several GPUs, or partly stays in RAM. Exact.

Source: llama.cpp b11434, src/llama-model.cpp (load_tensors), src/llama-model-loader.cpp (create_tensor),
src/llama-kv-cache.cpp and src/llama-memory-recurrent.cpp (constructors: the cache lives where its layer lives).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Memory, Model, Tensor
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.weights import (
    EMBEDDING_TABLE,
    block_number,
    loaded,
    loaded_blocks,
    stays_in_ram,
    stored,
)
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, override_device
from gyakusan.engines.llamacpp.settings import Settings


class BytesPerDevice(Struct, frozen=True):
    """Bytes of each device.

    gpus: of each GPU of the machine [B]
    host: in RAM [B]
    """

    gpus: tuple[Number, ...]
    host: Number

    def on(self, device: int) -> Number:
        """Return the bytes of one GPU, or of HOST [B]."""
        return self.host if device == HOST else self.gpus[device]


_WEIGHTS = Memo[BytesPerDevice](maxsize=64)


def weights(model: Model, settings: Settings, placement: Placement) -> BytesPerDevice:
    """Return the bytes of the model's weights on each device. [B] Each placement of a model is computed once."""
    rules = (settings.overrides, settings.n_cpu_moe, settings.n_cpu_ffn, settings.driver)
    key = placement.units, placement.cards, rules
    return _WEIGHTS.get(model, key, lambda: _weights(model, settings, placement))


def _weights(model: Model, settings: Settings, placement: Placement) -> BytesPerDevice:
    totals = dict.fromkeys(placement.devices, 0)
    for tensor, device in homes(model, settings, placement):
        totals[device] += stored(tensor, "cpu" if device == HOST else settings.driver)
    return BytesPerDevice(tuple(totals[gpu] for gpu in range(placement.cards)), totals[HOST])


def homes(model: Model, settings: Settings, placement: Placement) -> Iterator[tuple[Tensor, int]]:
    """Return every copy of every tensor that is loaded, with its device."""
    stays = stays_in_ram(model)
    for tensor in loaded(model):
        for device in homes_of(tensor, model, settings, placement, stays):
            yield tensor, device


def homes_of(
    tensor: Tensor, model: Model, settings: Settings, placement: Placement, stays: Callable[[Tensor], bool]
) -> Iterator[int]:
    """Return the device of every copy of one tensor that is loaded. stays: see `stays_in_ram`."""
    for device in _copies(model, tensor, placement):
        override = override_device(tensor.name, settings)
        if override is None:
            override = HOST if stays(tensor) and tensor.name not in model.tables else device
        yield override


def _copies(model: Model, tensor: Tensor, placement: Placement) -> tuple[int, ...]:
    """Return the device of each copy of a tensor, before the rules.

    Rows of tables are looked up in RAM; a tied output on a GPU is a copy of its own.
    """
    number = block_number(tensor.name)
    if number >= 0:
        return (placement.units[number],)
    if tensor.name in model.tables:
        copied = tensor.name == EMBEDDING_TABLE and model.tied and (placement.output != HOST or model.output_first)
        return (HOST, placement.output) if copied else (HOST,)
    if tensor.name.startswith("rope_"):
        return tuple(dict.fromkeys(placement.units[i] for i in _blocks_with_rope_factors(model)))
    return (placement.output,)


def _blocks_with_rope_factors(model: Model) -> tuple[int, ...]:
    """Return the loaded blocks that own frequency factors: each device gets one copy. Gemma 4: those without a window."""
    blocks = range(loaded_blocks(model))
    if model.architecture != "gemma4":
        return tuple(blocks)
    full = {i for m in model.memory if isinstance(m, Attention) and m.window is None for i in (*m.layers, *m.shared)}
    return tuple(i for i in blocks if i in full)


def context(model: Model, settings: Settings, placement: Placement) -> BytesPerDevice:
    """Return the bytes of caches and states on each device [B]."""
    parts = tuple(groups(model, settings, placement))
    gpus = tuple(sum(p.on(g) for p in parts) for g in range(placement.cards))
    return BytesPerDevice(gpus, sum(p.on(HOST) for p in parts))


class CacheGroupOnDevices(Struct, frozen=True):
    """One group of the model's memory, shared out over devices.

    group: the whole group as a GPU stores it
    in_ram: the whole group as the host stores it
    homes: device of each layer
    """

    group: CacheGroup
    in_ram: CacheGroup
    homes: tuple[int, ...]

    @property
    def memory(self) -> Memory:
        """Return the layers, and what they keep."""
        return self.group.memory

    def on(self, device: int) -> Number:
        """Return the bytes on one device [B]."""
        whole = (self.in_ram if device == HOST else self.group).bytes
        return whole * self.homes.count(device) // max(1, len(self.homes))

    def part(self, device: int) -> CacheGroup | None:
        """Return the layers that are on one device, with their bytes; None if there are none."""
        layers = tuple(i for i, home in zip(self.memory.layers, self.homes, strict=True) if home == device)
        return (
            structs.replace(self.group, memory=structs.replace(self.memory, layers=layers), bytes=self.on(device))
            if layers
            else None
        )


def groups(model: Model, settings: Settings, placement: Placement) -> Iterator[CacheGroupOnDevices]:
    """Return each group of the model's memory with the devices of its layers. Raises BadSetting."""
    on_gpu = kv_cache.groups(model, replace(settings, backend="cuda"))
    in_ram = kv_cache.groups(model, replace(settings, backend="cpu"))
    for gpu, host in zip(on_gpu, in_ram, strict=True):
        devices = (placement.units[i] if settings.offload_kv else HOST for i in gpu.memory.layers)
        yield CacheGroupOnDevices(gpu, host, tuple(devices))
