"""A machine, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.machine import Device, Machine
from gyakusan.machines import MEASURED_HERE
from gyakusan.message import Message, say
from gyakusan.show.tree import Column, Table, Text, Title, Tree, Words
from gyakusan.units import format_bytes


def screen(machine: Machine, notes: Sequence[Message]) -> Tree:
    """Return one row for each device."""
    rows = tuple(
        (d.name, Message(d.kind), format_bytes(d.memory), format_bytes(d.usable), _bandwidth(d), d.backend)
        for d in machine.devices
    )
    title = say("{processor}, {cores} cores", processor=machine.processor, cores=machine.cores)
    return Title(title), Table(COLUMNS, rows), *(Text(n, "note") for n in notes)


def _bandwidth(d: Device) -> Words:
    if d.bandwidth is None:
        return "?"
    figure = f"{d.bandwidth / 1e9:,.0f} GB/s"
    return say("{bandwidth}, measured here", bandwidth=figure) if d.source == MEASURED_HERE else figure


HEAD_TEXTS = ("device", "kind", "memory", "usable", "bandwidth", "backend")
COLUMNS = tuple(Column(Message(h), "number" if h in ("memory", "usable", "bandwidth") else "name") for h in HEAD_TEXTS)
KIND_TEXTS = ("gpu", "host", "unified")
