"""A machine, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gyakusan.core.machine import Device, Machine
from gyakusan.message import Message, say
from gyakusan.show.tree import Column, Table, Text, Title, Tree
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


def screen(machine: Machine, notes: Sequence[Message]) -> Tree:
    """Return one row for each device."""
    rows = tuple(
        (d.name, Message(d.kind), format_bytes(d.memory), format_bytes(d.usable), _bandwidth(d), d.backend)
        for d in machine.devices
    )
    title = say("{processor}, {cores} cores", processor=machine.processor, cores=machine.cores)
    return Title(title), Table(COLUMNS, rows), *(Text(n, "note") for n in notes)


def _bandwidth(d: Device) -> str:
    return "?" if d.bandwidth is None else f"{d.bandwidth / 1e9:,.0f} GB/s"


HEAD_TEXTS = ("device", "kind", "memory", "usable", "bandwidth", "driven by")
COLUMNS = tuple(Column(Message(h), "number" if h in ("memory", "usable", "bandwidth") else "name") for h in HEAD_TEXTS)
KIND_TEXTS = ("gpu", "host", "unified")
