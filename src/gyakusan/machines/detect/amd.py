"""AMD GPUs by sysfs: amdgpu shows the memory of a GPU (VRAM) and the RAM that it may use (GTT)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import structs

from gyakusan import catalog
from gyakusan.core.machine import Device
from gyakusan.errors import DetectError
from gyakusan.machines.detect.system import GpuMemory, Ram, Seen, System
from gyakusan.message import say
from gyakusan.units import GIB, format_bytes

VENDOR = "0x1002"

STRIX_HALO = 0x1586

NAMES = {
    (0x744C, 0xC8): "AMD Radeon RX 7900 XTX",
    (0x744C, 0xCC): "AMD Radeon RX 7900 XT",
    (0x7550, 0xC0): "AMD Radeon RX 9070 XT",
    (0x7550, 0xC3): "AMD Radeon RX 9070",
}
"""PCI device and revision -> name, as libdrm's amdgpu.ids has it."""

INTEGRATED = 4 * GIB
"""A GPU with less memory of its own than it may borrow, and less than this, is integrated graphics. [B]"""


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU as sysfs shows it.

    device: PCI number of the device
    revision: PCI revision
    product: its name, "" if sysfs has none
    vram: own memory [B]
    vram_used: own memory in use [B]
    gtt: RAM that it may use [B]
    gtt_used: RAM that it uses [B]
    """

    device: int
    revision: int
    product: str
    vram: int
    vram_used: int
    gtt: int
    gtt_used: int

    @property
    def name(self) -> str:
        """Return its name as sold, or its numbers."""
        known = NAMES.get((self.device, self.revision)) or self.product
        return known or f"AMD GPU {self.device:#06x} rev {self.revision:#04x}"


def probe(system: System, ram: Ram) -> Seen:
    """Return every AMD GPU with memory worth using. Integrated graphics other than Strix Halo are named in a note."""
    devices, notes = [], []
    for folder in system.list("/sys/class/drm/card[0-9]*/device"):
        if not re.fullmatch(r"/sys/class/drm/card\d+/device", folder) or _text(system, f"{folder}/vendor") != VENDOR:
            continue
        card = _card(system, folder)
        if card is None:
            notes.append(
                say("An AMD GPU reports no memory in {folder}: check that the driver amdgpu is loaded.", folder=folder)
            )
        elif card.device == STRIX_HALO:
            devices.append(_strix(card, ram))
        elif card.vram < min(card.gtt, INTEGRATED):
            notes.append(say("The integrated graphics ({name}) are left out.", name=card.name))
        else:
            devices.append(_discrete(card))
    return Seen(tuple(devices), tuple(notes))


def memory(system: System) -> Iterator[GpuMemory]:
    """Yield the memory of each graphics card, as the driver's files tell it now."""
    for folder in system.list("/sys/class/drm/card[0-9]*/device"):
        if re.fullmatch(r"/sys/class/drm/card\d+/device", folder) and _text(system, f"{folder}/vendor") == VENDOR:
            card = _card(system, folder)
            if card is not None and card.device != STRIX_HALO and card.vram >= min(card.gtt, INTEGRATED):
                yield GpuMemory(card.name, card.vram_used, card.vram)


def _card(system: System, folder: str) -> Card | None:
    """Return one GPU, None if the driver shows no memory."""
    vram = _number(system, f"{folder}/mem_info_vram_total")
    if not vram:
        return None
    return Card(
        device=_number(system, f"{folder}/device", 16),
        revision=_number(system, f"{folder}/revision", 16),
        product=_text(system, f"{folder}/product_name")[:80],
        vram=vram,
        vram_used=min(vram, _number(system, f"{folder}/mem_info_vram_used")),
        gtt=_number(system, f"{folder}/mem_info_gtt_total"),
        gtt_used=_number(system, f"{folder}/mem_info_gtt_used"),
    )


def _discrete(card: Card) -> Device:
    known = catalog.match_device(card.name, card.vram) or Device(card.name, "gpu", None, "rocm", "AMD")
    return structs.replace(
        known,
        name=card.name,
        memory=card.vram,
        memory_basis="read",
        reserved=card.vram_used,
        reserved_basis="read",
        reserved_reason=say(
            "{kept} is in use now by the display and other programs.", kept=format_bytes(card.vram_used)
        ),
    )


def _strix(card: Card, ram: Ram) -> Device:
    """Return Strix Halo: capacity is RAM and carve-out together; usable is the larger pool, and never more than is free."""
    capacity = ram.total + card.vram
    carved = card.vram - card.vram_used
    borrowed = min(max(0, card.gtt - card.gtt_used), ram.available)
    usable = carved if card.vram >= card.gtt else borrowed
    reason = say(
        "The GPU may use {usable} of {capacity}: {gtt} GTT (ttm.pages_limit), {vram} carved out by the firmware.",
        usable=format_bytes(usable),
        capacity=format_bytes(capacity),
        gtt=format_bytes(card.gtt),
        vram=format_bytes(card.vram),
    )
    known = catalog.match_device("Strix Halo", capacity) or Device("AMD Strix Halo", "unified", None, "vulkan", "AMD")
    return structs.replace(
        known,
        memory=capacity,
        memory_basis="read",
        reserved=capacity - usable,
        reserved_basis="read",
        reserved_reason=reason,
    )


def _text(system: System, path: str) -> str:
    try:
        return system.read(path).strip()
    except DetectError:
        return ""


def _number(system: System, path: str, base: int = 10) -> int:
    """Return the number in a file, 0 if there is none or it is impossible."""
    try:
        value = int(_text(system, path)[:40], base)
    except ValueError:
        return 0
    return value if 0 <= value < 2**60 else 0
