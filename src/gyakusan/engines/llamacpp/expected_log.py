"""Our figures under the names that the server prints, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.model import Model, Recurrent
from gyakusan.engines.llamacpp.buffers.cpu_repack import in_ram
from gyakusan.engines.llamacpp.buffers.kv_cache import kv_cache, recurrent_state
from gyakusan.engines.llamacpp.buffers.server_memory import output
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.multi_gpu.compute_buffers import compute_buffers
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings

Printed = Literal["weights", "kv_cache", "recurrent_state", "scratch", "output"]
ExpectedBuffer = tuple[Printed, str, int]
"""Kind, "gpu0", "gpu1" ... or "host", and bytes. [B]"""


def buffers(model: Model, settings: Settings) -> tuple[ExpectedBuffer, ...]:
    """Return each buffer that the server allocates. Scalars only.

    The number of GPUs is that of tensor_split, if several share the model.
    """
    rows = _on_one_device(model, settings) if settings.on_one_device else _on_several_devices(model, settings)
    sums: dict[tuple[Printed, str], int] = {}
    for kind, device, size in (*rows, ("output", "host", output(model, settings))):
        sums[kind, device] = sums.get((kind, device), 0) + int(size)
    return tuple((*key, size) for key, size in sums.items() if size)


def _on_several_devices(model: Model, settings: Settings) -> Iterable[tuple[Printed, str, Number]]:
    placement = place(model.blocks, settings, (1,) * max(1, len(settings.tensor_split), settings.main_gpu + 1))
    loaded = bytes_per_device.weights(model, settings, placement)
    computing = compute_buffers(model, settings, placement)
    for device in (*placement.used, HOST):
        name = "host" if device == HOST else f"gpu{device}"
        yield "weights", name, loaded.on(device)
        yield "scratch", name, computing.on(device).bytes
        for group in bytes_per_device.groups(model, settings, placement):
            yield "recurrent_state" if isinstance(group.memory, Recurrent) else "kv_cache", name, group.on(device)


def _on_one_device(model: Model, settings: Settings) -> Iterable[tuple[Printed, str, Number]]:
    """Return the buffers of one GPU that holds everything, or of the CPU."""
    cpu = settings.backend == "cpu"
    device = "host" if cpu else "gpu0"
    loaded, computing = weights(model, settings), compute_buffer(model, settings)
    yield "weights", "gpu0", loaded.gpu
    yield "weights", "host", in_ram(model, settings) if cpu else loaded.host
    yield "kv_cache", device, kv_cache(model, settings)
    yield "recurrent_state", device, recurrent_state(model, settings)
    yield "scratch", "gpu0", computing.gpu
    yield "scratch", "host", computing.host
