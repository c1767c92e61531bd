"""Apple silicon: sysctl gives memory, chip and the GPU's limit; system_profiler names the GPU where sysctl does not."""

from __future__ import annotations

import json

from msgspec import structs

from gyakusan import catalog
from gyakusan.catalog import unified
from gyakusan.core.machine import Device
from gyakusan.errors import DetectError
from gyakusan.machines.detect.system import Ram, Seen, System
from gyakusan.message import Message, say
from gyakusan.units import MIB


def probe(system: System, ram: Ram) -> Seen:
    """Return the one GPU of an Apple silicon Mac. Intel Macs get a note: no engine here uses their GPUs."""
    if system.platform != "darwin":
        return Seen()
    notes: list[Message] = []
    chip = _answer(system, "sysctl", "-n", "machdep.cpu.brand_string")
    if not chip.startswith("Apple"):
        chip = _profiled(system, notes)
    if not chip.startswith("Apple"):
        return Seen((), (*notes, say("This Mac has no Apple silicon: its CPU is used.")))
    if not ram.total:
        return Seen((Device(chip, "unified", None, "metal", "Apple"),), tuple(notes))
    return Seen((_device(chip, ram.total, _wired(system)),), tuple(notes))


def _device(chip: str, memory: int, wired: int) -> Device:
    known = catalog.match_device(chip, memory) or Device(chip, "unified", None, "metal", "Apple")
    kept = unified.apple(memory, wired)
    return structs.replace(
        known,
        memory=memory,
        memory_basis="read",
        reserved=kept.bytes,
        reserved_basis=kept.basis,
        reserved_reason=kept.reason,
    )


def _wired(system: System) -> int:
    """Return iogpu.wired_limit_mb, 0 where it is not set or the system does not know it [B]."""
    text = _answer(system, "sysctl", "-n", "iogpu.wired_limit_mb")
    return int(text) * MIB if text.isdigit() and len(text) < 12 else 0


def _profiled(system: System, notes: list[Message]) -> str:
    """Return the name of the GPU by system_profiler, "" if it does not answer."""
    try:
        found = json.loads(system.run("system_profiler", "SPDisplaysDataType", "-json"))
        return str(found["SPDisplaysDataType"][0]["sppci_model"])
    except (DetectError, ValueError, LookupError, TypeError, RecursionError) as error:
        notes.append(say("The GPU could not be detected (system_profiler: {why}).", why=str(error)[:120]))
        return ""


def _answer(system: System, *argv: str) -> str:
    try:
        return system.run(*argv).strip()
    except DetectError:
        return ""
