"""Intel discrete GPUs by sysfs, if the driver shows memory (xe: physical_vram_size_bytes, i915: lmem_total_bytes)."""

from __future__ import annotations

import re

from gyakusan.core.machine import Device
from gyakusan.errors import DetectError
from gyakusan.machines.detect.system import Ram, Seen, System

VENDOR = "0x8086"

NAMES = {
    0xE20B: "Intel Arc B580",
    0xE20C: "Intel Arc B570",
    0x56A0: "Intel Arc A770",
    0x56A1: "Intel Arc A750",
    0xE211: "Intel Arc Pro B60",
}
"""PCI device -> name, as in Linux include/drm/intel/pciids.h and Intel's lists."""


def probe(system: System, _ram: Ram) -> Seen:
    """Return the Intel GPUs with memory of their own. Integrated graphics are not counted: their memory is the host's."""
    devices = []
    for folder in system.list("/sys/class/drm/card[0-9]*/device"):
        if not re.fullmatch(r"/sys/class/drm/card\d+/device", folder) or _text(system, f"{folder}/vendor") != VENDOR:
            continue
        memory = _memory(system, folder)
        if memory:
            code = _text(system, f"{folder}/device")
            name = NAMES.get(int(code, 16)) if re.fullmatch(r"0x[0-9a-f]{4}", code) else None
            devices.append(
                Device(
                    name or f"Intel GPU {code}",
                    "gpu",
                    memory,
                    "vulkan",
                    "Intel",
                    source="detected",
                    memory_basis="read",
                )
            )
    return Seen(tuple(devices))


def _memory(system: System, folder: str) -> int:
    """Return the sum over tiles, 0 if the driver shows none [B]."""
    files = [
        *system.list(f"{folder}/tile*/physical_vram_size_bytes"),
        folder.removesuffix("/device") + "/lmem_total_bytes",
    ]
    sizes = [int(t, 0) for t in (_text(system, f) for f in files) if re.fullmatch(r"\d{1,18}|0x[0-9a-f]{1,15}", t)]
    return sum(sizes)


def _text(system: System, path: str) -> str:
    try:
        return system.read(path).strip()
    except DetectError:
        return ""
