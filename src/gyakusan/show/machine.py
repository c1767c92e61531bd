"""A machine, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.core.machine import Device, Machine
from gyakusan.message import Message, say
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import format_bytes


def document(machine: Machine, notes: Sequence[Message], language: Language) -> dict[str, Any]:
    """The machine as plain values. memory, reserved, usable [B]; bandwidth [B/s]."""
    return {
        "name": machine.name,
        "processor": machine.processor,
        "cores": machine.cores,
        "devices": [_device(d) for d in machine.devices],
        "notes": [tell(n, language) for n in notes],
    }


def _device(d: Device) -> dict[str, Any]:
    return {
        "name": d.name,
        "kind": d.kind,
        "backend": d.backend,
        "memory": d.memory,
        "reserved": d.reserved,
        "reserved_basis": d.reserved_basis,
        "usable": d.usable,
        "bandwidth": d.bandwidth,
        "source": d.source,
    }


def table(machine: Machine, notes: Sequence[Message], language: Language) -> RenderableType:
    """One row for each device."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("device", "kind", "memory", "usable", "bandwidth", "driven by"):
        out.add_column(tell(_HEAD_TEXTS[name], language), justify="right" if name in _NUMBERS else "left")
    for d in machine.devices:
        speed = "?" if d.bandwidth is None else f"{d.bandwidth / 1e9:,.0f} GB/s"
        out.add_row(d.name, tell(d.kind, language), format_bytes(d.memory), format_bytes(d.usable), speed, d.backend)
    title = say("{processor}, {cores} cores", processor=machine.processor, cores=machine.cores)
    return Group(Text(tell(title, language), style="bold"), out, *(Text(tell(n, language), style="dim") for n in notes))


_NUMBERS = ("memory", "usable", "bandwidth")
_HEAD_TEXTS = {
    "device": "device",
    "kind": "kind",
    "memory": "memory",
    "usable": "usable",
    "bandwidth": "bandwidth",
    "driven by": "driven by",
}
KIND_TEXTS = ("gpu", "host", "unified")
