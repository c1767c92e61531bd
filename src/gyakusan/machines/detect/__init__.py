"""Detect the machine that we run on. Each probe asks one maker's interface; what it cannot read is a note, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from msgspec import structs

from gyakusan.core.machine import Device, Machine
from gyakusan.machines.detect import amd, apple, cpu, intel, nvidia
from gyakusan.machines.detect.system import GpuMemory, Ram, Seen, System
from gyakusan.message import Message, say

PROBES: tuple[tuple[str, Callable[[System, Ram], Seen]], ...] = (
    ("NVIDIA", nvidia.probe),
    ("AMD", amd.probe),
    ("Apple", apple.probe),
    ("Intel", intel.probe),
)


def detect(system: System | None = None) -> tuple[Machine, tuple[Message, ...]]:
    """Return the computer, and notes on what could not be read. system: a recorded computer instead of this one.

    Where a GPU shares the computer's memory the machine has no host: the same bytes would count twice.
    """
    system = system or System()
    host = cpu.probe(system)
    seen = [_guarded(maker, ask, system, host.ram) for maker, ask in PROBES]
    gpus = tuple(structs.replace(d, source=d.source or "detected") for s in seen for d in s.devices)
    beside = None if any(g.kind == "unified" for g in gpus) else host.device
    machine = Machine(_title(gpus, host.device), gpus, beside, host.device.name, host.cores, simd=cpu.simd(system))
    return machine, (*host.notes, *(n for s in seen for n in s.notes))


def gpu_memory(system: System | None = None) -> tuple[GpuMemory, ...]:
    """Return what GPUs with memory of their own hold now, none where no driver tells. system: as for `detect`."""
    system = system or System()
    found: list[GpuMemory] = []
    for maker in (nvidia, amd):
        with suppress(Exception):  # what drivers print: `detect` says what is wrong
            found += maker.memory(system)
    return tuple(found)


def _guarded(maker: str, ask: Callable[[System, Ram], Seen], system: System, ram: Ram) -> Seen:
    """Return the devices of one probe; any error becomes a note."""
    try:
        return ask(system, ram)
    except Exception as error:  # noqa: BLE001 - a probe reads what drivers print: none of their faults may stop the answer
        why = f"{type(error).__name__}: {error}"[:160]
        return Seen((), (say("{maker} GPUs could not be detected ({why}).", maker=maker, why=why),))


def _title(gpus: tuple[Device, ...], host: Device) -> str:
    """Return "2x NVIDIA GeForce RTX 3090", or the name of the CPU."""
    names = [g.name for g in gpus]
    counted = [n if names.count(n) == 1 else f"{names.count(n)}x {n}" for n in dict.fromkeys(names)]
    return " + ".join(counted) or host.name
