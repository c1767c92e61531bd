"""Our figures under the names that the server prints, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gyakusan.core.model import Model, Recurrent
from gyakusan.engines.llamacpp.buffers.cpu_repack import in_ram
from gyakusan.engines.llamacpp.buffers.kv_cache import kv_cache, recurrent_state
from gyakusan.engines.llamacpp.buffers.output import output
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings

Printed = Literal["weights", "kv_cache", "recurrent_state", "scratch", "output"]


def buffers(model: Model, settings: Settings) -> tuple[tuple[Printed, str, int], ...]:
    """(kind, "gpu0", "gpu1" ... or "host", bytes) for each buffer that the server allocates. [B] Scalars only.

    The number of GPUs is that of tensor_split, where a split over several says it.
    """
    if settings.plain:
        return _alone(model, settings)
    placement = place(model.blocks, settings, (1,) * max(1, len(settings.tensor_split), settings.main_gpu + 1))
    held, made = (
        bytes_per_device.weights(model, settings, placement),
        compute_buffers.scratch(model, settings, placement),
    )
    found: list[tuple[Printed, str, int]] = []
    for device in (*placement.used, HOST):
        name = "host" if device == HOST else f"gpu{device}"
        found += [("weights", name, int(held.on(device))), ("scratch", name, int(made.on(device).bytes))]
        for group in bytes_per_device.groups(model, settings, placement):
            kind: Printed = "recurrent_state" if isinstance(group.memory, Recurrent) else "kv_cache"
            found.append((kind, name, int(group.on(device))))
    return _summed([*found, ("output", "host", int(output(model, settings)))])


def _summed(found: Iterable[tuple[Printed, str, int]]) -> tuple[tuple[Printed, str, int], ...]:
    sums: dict[tuple[Printed, str], int] = {}
    for kind, name, size in found:
        sums[kind, name] = sums.get((kind, name), 0) + size
    return tuple((*key, size) for key, size in sums.items() if size)


def _alone(model: Model, settings: Settings) -> tuple[tuple[Printed, str, int], ...]:
    """Everything on one GPU, or on the CPU."""
    where = "host" if settings.backend == "cpu" else "gpu0"
    held, made = weights(model, settings), compute_buffer(model, settings)
    found: list[tuple[Printed, str, int]] = [
        ("weights", "gpu0", held.gpu),
        ("weights", "host", in_ram(model, settings) if settings.backend == "cpu" else held.host),
        ("kv_cache", where, int(kv_cache(model, settings))),
        ("recurrent_state", where, int(recurrent_state(model, settings))),
        ("scratch", "gpu0", int(made.gpu)),
        ("scratch", "host", int(made.host)),
        ("output", "host", int(output(model, settings))),
    ]
    return tuple(entry for entry in found if entry[2])
