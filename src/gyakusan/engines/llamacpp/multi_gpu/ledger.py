"""Accounts of a model that is split over several GPUs, or of which a part stays in RAM: one for each GPU, one for the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gyakusan.core.broadcast import is_array
from gyakusan.core.ledger import Account, Line, Part
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model, Tensor
from gyakusan.engines.llamacpp import ledger_lines
from gyakusan.engines.llamacpp.buffers import context_checkpoints, overhead
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.weights import block, lazily, stored
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.multi_gpu.compute_buffers import Made
from gyakusan.engines.llamacpp.multi_gpu.fit import NO_PIPELINE
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import Message, say


def free(gpus: Sequence[Device]) -> tuple[int, ...]:
    """What each GPU offers. [B] Equal parts where nobody knows."""
    known = [gpu.usable for gpu in gpus]
    return tuple(1 if None in known else int(k or 0) for k in known)


def placed(model: Model, settings: Settings, machine: Machine) -> Placement:
    """Where the units go on a machine. Raises BadSetting."""
    return place(model.blocks, settings, free(machine.gpus))


def accounts(model: Model, settings: Settings, machine: Machine, host: Device) -> tuple[Account, ...]:
    """One account for each GPU, then the host's; unified memory holds both. Raises BadSetting."""
    placement = placed(model, settings, machine)
    made = compute_buffers.scratch(model, settings, placement)
    on_host = _host_lines(model, settings, placement, made.host)
    found = [
        Account(gpu, _gpu_lines(model, settings, placement, i, made.gpus[i])) for i, gpu in enumerate(machine.gpus)
    ]
    if machine.host is None and found and found[0].device.kind == "unified":
        found[0] = replace(found[0], lines=found[0].lines + on_host)
        return tuple(found)
    return (*found, Account(host, on_host))


def notes(model: Model, settings: Settings, machine: Machine) -> tuple[Message, ...]:
    """What pipelining costs, and where the units are."""
    placement = placed(model, settings, machine)
    found = [
        say("{units} units on {name}: {what}.", units=len(u), name=n, what=w) for n, u, w in _where(placement, machine)
    ]
    if placement.pipeline and not is_array(settings.context, settings.slots, settings.ubatch):
        found.append(_pipelining(model, settings, machine))
    return tuple(found)


def _where(placement: Placement, machine: Machine) -> list[tuple[str, list[int], str]]:
    """Each device with its units, as numbers of blocks; the output is the last."""
    out = []
    for device in (*range(placement.cards), HOST):
        units = [i for i, d in enumerate(placement.units) if d == device]
        if units:
            name = "RAM" if device == HOST else f"GPU {device} ({machine.gpus[device].name})"
            last = "output" if units[-1] == len(placement.units) - 1 else str(units[-1])
            out.append((name, units, f"{units[0]}-{last}" if len(units) > 1 else last))
    return out


def _pipelining(model: Model, settings: Settings, machine: Machine) -> Message:
    from gyakusan.units import format_bytes

    def total(chosen: Settings) -> int:
        made = compute_buffers.scratch(model, chosen, placed(model, chosen, machine))
        return int(sum(m.bytes for m in made.gpus))

    extra = total(settings) - total(replace(settings, overrides=NO_PIPELINE))
    return say(
        "The GPUs work on several batches at once; that takes {extra} of scratch. --override-tensor '{rule}=CPU' turns it off.",
        extra=format_bytes(extra),
        rule=NO_PIPELINE[0][0],
    )


def _gpu_lines(model: Model, settings: Settings, placement: Placement, gpu: int, made: Made) -> tuple[Line, ...]:
    if gpu not in placement.used:
        return ()
    here = [t for t, d in bytes_per_device.homes(model, settings, placement) if d == gpu]
    held = bytes_per_device.weights(model, settings, placement).gpus[gpu]
    return (
        *((ledger_lines.weights(held, model, here),) if here else ()),
        *ledger_lines.context(_groups(model, settings, placement, gpu), settings),
        scratch_line(made),
        overhead.driver(settings.driver),
    )


def scratch_line(made: Made, part: Part = "compute") -> Line:
    """Scratch of one device by its role."""
    return Line(part, made.bytes, "derived", made.reason, low=made.least, high=made.greatest)


def _host_lines(model: Model, settings: Settings, placement: Placement, made: Made) -> tuple[Line, ...]:
    """The embedding table, what the GPUs have no room for, the graph's inputs, logits, the process."""
    here = [t for t, d in bytes_per_device.homes(model, settings, placement) if d == HOST]
    tables = [t for t in here if block(t.name) < 0]
    return (
        *ledger_lines.tables(sum(stored(t, "cpu") for t in tables), lazily(model, settings)),
        *_kept([t for t in here if block(t.name) >= 0], model),
        *ledger_lines.context(_groups(model, settings, placement, HOST), settings),
        scratch_line(made, "compute.host"),
        ledger_lines.logits(model, settings),
        overhead.process(),
        overhead.prompt_cache(),
        *context_checkpoints.lines(model, settings),
    )


def _kept(tensors: Sequence[Tensor], model: Model) -> tuple[Line, ...]:
    if not tensors:
        return ()
    line = ledger_lines.weights(sum(stored(t, "cpu") for t in tensors), model, tensors)
    blocks = len({block(t.name) for t in tensors})
    return (
        replace(
            line,
            part="weights.blocks",
            reason=say("{n} tensors of {blocks} blocks stay in RAM", n=len(tensors), blocks=blocks),
        ),
    )


def _groups(model: Model, settings: Settings, placement: Placement, device: int) -> list[CacheGroup]:
    """The layers of each group that live on one device, with their bytes there."""
    found = []
    for held in bytes_per_device.groups(model, settings, placement):
        layers = held.on_device(device)
        if layers:
            memory = replace(held.memory, layers=layers)
            found.append(CacheGroup(memory, held.group.cells, held.group.streams, held.on(device)))
    return found
