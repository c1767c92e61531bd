"""Accounts of a model that is split over several GPUs, or of which a part stays in RAM: one for each GPU and the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from gyakusan.core.broadcast import is_array
from gyakusan.core.ledger import Account, Line
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model, Tensor
from gyakusan.engines.llamacpp import ledger_lines
from gyakusan.engines.llamacpp.buffers import server_memory
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.weights import block_number, read_lazily, stored
from gyakusan.engines.llamacpp.multi_gpu.compute_buffers import DeviceBuffer, compute_buffers
from gyakusan.engines.llamacpp.multi_gpu.expert_tensors import is_expert
from gyakusan.engines.llamacpp.multi_gpu.fit import NO_PIPELINE
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import Listed, Message, say
from gyakusan.units import format_bytes


def free_memory(gpus: Sequence[Device]) -> tuple[int, ...]:
    """Return what each GPU offers, equal parts if a capacity is unknown [B]."""
    usable = [gpu.usable for gpu in gpus]
    return tuple(1 if None in usable else int(u or 0) for u in usable)


def placed(model: Model, settings: Settings, machine: Machine) -> Placement:
    """Return the device of each unit on a machine. Raises BadSetting."""
    return place(model.blocks, settings, free_memory(machine.gpus))


def accounts(model: Model, settings: Settings, machine: Machine, host: Device) -> tuple[Account, ...]:
    """Return one account for each GPU, then the host's; unified memory holds both. Raises BadSetting."""
    placement = placed(model, settings, machine)
    buffers = compute_buffers(model, settings, placement)
    in_ram = _host_lines(model, settings, placement, buffers.host)
    gpus = [
        Account(gpu, _gpu_lines(model, settings, placement, i, buffers.gpus[i])) for i, gpu in enumerate(machine.gpus)
    ]
    own = -1 if settings.rpc else 0  # devices of workers come first
    if machine.host is None and gpus and gpus[own].device.kind == "unified":
        gpus[own] = structs.replace(gpus[own], lines=gpus[own].lines + in_ram)
        return tuple(gpus)
    return (*gpus, Account(host, in_ram))


def notes(model: Model, settings: Settings, machine: Machine) -> tuple[Message, ...]:
    """Return where the units are, and what pipelining costs."""
    placement = placed(model, settings, machine)
    parts = tuple(say("{units} on {device}", units=u, device=d) for u, d in _units_of_devices(placement))
    notes = [_blocks(Listed(parts), model, settings, placement)]
    if placement.pipeline and not is_array(settings.context, settings.slots, settings.ubatch):
        notes.append(_pipelining(model, settings, machine))
    return tuple(notes)


def _blocks(parts: Listed, model: Model, settings: Settings, placement: Placement) -> Message:
    """Return where the blocks are, and of how many on GPUs a part is in RAM, by --n-cpu-moe, --n-cpu-ffn or overrides."""
    homes = bytes_per_device.homes(model, settings, placement) if settings.overridden else ()
    names = [t.name for t, d in homes if d == HOST and (n := block_number(t.name)) >= 0 and placement.units[n] != HOST]
    blocks = len({block_number(name) for name in names})
    if not blocks:
        return say("Blocks: {parts}.", parts=parts)
    if all(map(is_expert, names)):
        return say("Blocks: {parts}; the experts of {n} of them in RAM.", parts=parts, n=blocks)
    return say("Blocks: {parts}; a part of {n} of them in RAM.", parts=parts, n=blocks)


def _units_of_devices(placement: Placement) -> list[tuple[Message, str]]:
    """Return the blocks of each device; the output is one more, the last."""
    rows = []
    for device in placement.devices:
        units = [i for i, d in enumerate(placement.units) if d == device]
        if units:
            output = units[-1] == len(placement.units) - 1
            first, last = units[0], units[-1] - output
            blocks = str(first) if first == last else f"{first}-{last}"
            told = say("the output") if first > last else say("{blocks}", blocks=blocks)
            if output and first <= last:
                told = say("{blocks} and the output", blocks=blocks)
            rows.append((told, "RAM" if device == HOST else f"GPU {device}"))
    return rows


def _pipelining(model: Model, settings: Settings, machine: Machine) -> Message:
    def total(chosen: Settings) -> int:
        buffers = compute_buffers(model, chosen, placed(model, chosen, machine))
        return int(sum(b.bytes for b in buffers.gpus))

    extra = total(settings) - total(replace(settings, overrides=NO_PIPELINE))
    return say(
        "Parallel batches take {extra} of the compute buffers (--override-tensor '{rule}=CPU' saves it).",
        extra=format_bytes(extra),
        rule=NO_PIPELINE[0][0],
    )


def _gpu_lines(
    model: Model, settings: Settings, placement: Placement, gpu: int, buffer: DeviceBuffer
) -> tuple[Line, ...]:
    if gpu not in placement.used:
        return ()
    here = [t for t, d in bytes_per_device.homes(model, settings, placement) if d == gpu]
    size = bytes_per_device.weights(model, settings, placement).gpus[gpu]
    return (
        *((ledger_lines.weights(size, model, here),) if here else ()),
        *ledger_lines.context(_groups(model, settings, placement, gpu), settings),
        buffer.line("compute"),
        server_memory.driver(settings.driver),
    )


def _host_lines(model: Model, settings: Settings, placement: Placement, buffer: DeviceBuffer) -> tuple[Line, ...]:
    """Return the embedding table, what the GPUs have no room for, the graph's inputs, logits, the process."""
    here = [t for t, d in bytes_per_device.homes(model, settings, placement) if d == HOST]
    tables = [t for t in here if block_number(t.name) < 0]
    return (
        *ledger_lines.embedding_tables(sum(stored(t, "cpu") for t in tables), read_lazily(model, settings)),
        *_blocks_in_ram([t for t in here if block_number(t.name) >= 0], model),
        *ledger_lines.context(_groups(model, settings, placement, HOST), settings),
        buffer.line("compute.host"),
        *server_memory.lines(model, settings),
    )


def _blocks_in_ram(tensors: Sequence[Tensor], model: Model) -> tuple[Line, ...]:
    if not tensors:
        return ()
    line = ledger_lines.weights(sum(stored(t, "cpu") for t in tensors), model, tensors)
    blocks = len({block_number(t.name) for t in tensors})
    reason = say("{n} tensors of {blocks} blocks stay in RAM", n=len(tensors), blocks=blocks)
    return (structs.replace(line, part="weights.blocks", reason=reason),)


def _groups(model: Model, settings: Settings, placement: Placement, device: int) -> list[CacheGroup]:
    """Return the layers of each group that are on one device, with their bytes there."""
    parts = (group.part(device) for group in bytes_per_device.groups(model, settings, placement))
    return [part for part in parts if part is not None]
