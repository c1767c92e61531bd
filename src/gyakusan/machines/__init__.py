"""Parse what people write for a computer. `machines.detect.detect` asks the computer itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import structs

from gyakusan.catalog.unified import by_rule
from gyakusan.core.machine import Device, Machine
from gyakusan.doors.scope import sees_computer
from gyakusan.errors import BadQuantity, BadSetting, UnknownName
from gyakusan.message import Message, quoted, say
from gyakusan.patterns import late
from gyakusan.units import GIB, format_bytes, parse_bytes

if TYPE_CHECKING:
    from gyakusan.machines.detect.system import GpuMemory

__all__ = ["MEASURED_HERE", "gpu_memory", "parse", "reading", "reserving", "this_computer", "this_computer_noted"]

MEASURED_HERE = "measured here"
"""Source of a bandwidth that was measured on this computer."""
MOST = 64
"""Devices in one machine: more is a typing error, or a question for a cluster."""

_RAM = late(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*(GiB|GB|G|TiB|TB|T)\s*(?:of\s+)?(?:RAM|DDR\d\w*)\s*", re.IGNORECASE)
_SIZE_AS_SOLD = late(r"\s*(\d{1,4})\s*GB?\s*", re.IGNORECASE)
_SOLD = {"gib": "GiB", "gb": "GiB", "g": "GiB", "tib": "TiB", "tb": "TiB", "t": "TiB"}
"""Unit as people write the size of RAM -> what is meant: RAM is sold in powers of two."""
_TIMES = late(r"\s*([+-]?\d{1,9})\s*(?:[xX×*]\s*(?![xX\d])|[xX×*]\s+)(.*)", re.DOTALL)


def parse(device: str | None = None, memory: str | None = None) -> Machine:
    """Return the Machine that "RTX 5090", "2x RTX 3090", "RTX 5090 + RTX 3090", "M4 Max 128GB" or "cpu" names.

    "RTX 3060 12GB + 64GB RAM" says how much RAM is beside the GPU, else it is not known.

    device: None and no memory = this computer
    memory: capacity such as "24GiB"; alone it is a CUDA GPU of that capacity, with a device the capacity of each device
        named, instead of the catalogue's: among several sizes as sold it chooses the nearest. A size as it is sold, "128GB"
        of what there is with 128 GB, means that product
    Where several sizes are sold and none is given, the error names them: memory is not guessed.
    Raises BadQuantity (no unit, a count outside 1 to 64), UnknownName (with the nearest names), BadSetting.
    """
    capacity = None if memory is None else _size("memory", memory)
    if device is None:
        return this_computer() if capacity is None else _anonymous(capacity)
    if device.strip().casefold() in {"cpu", "host", "none"}:
        return _this_cpu(capacity)
    names = _split(device)
    ram = [n for n in names if _RAM.fullmatch(n)]
    if len(ram) > 1 or len(ram) == len(names):
        raise BadSetting(
            "{name} names no device.", name=quoted(device, 80), mend="Write it as: RTX 3060 12GB + 64GB RAM"
        )
    parts = [m for name in names if name not in ram for m in _several(name, memory)]
    machine = parts[0] if len(parts) == 1 else _joined(parts)
    return with_ram(machine, ram[0]) if ram else machine


def with_ram(machine: Machine, text: str) -> Machine:
    """Return the machine with `text` of RAM beside its GPUs: "64GiB", "64GB" (as RAM is sold, the same) or "64GB RAM".

    What an operating system takes of it is reserved. Raises BadQuantity, or BadSetting where GPU and CPU share one memory.
    """
    if machine.host is None:
        raise BadSetting(
            "{name} has one memory for CPU and GPU, and no RAM beside it.",
            name=machine.name,
            mend="Leave out the RAM; --memory gives the size of the one memory.",
        )
    memory = ram_bytes(text)
    kept = by_rule("os", memory)
    host = structs.replace(machine.host, memory=memory, memory_basis="read", source="--ram")
    if kept is not None:
        host = structs.replace(host, reserved=kept.bytes, reserved_basis=kept.basis, reserved_reason=kept.reason)
    return structs.replace(machine, host=host)


def ram_bytes(text: str) -> int:
    """Return the RAM that people mean: "64GiB", "64GB" (as it is sold, the same), "64GB RAM". [B] Raises BadQuantity."""
    found = _RAM.fullmatch(text) or _RAM.fullmatch(f"{text} RAM")
    return _size("ram", found[1] + _SOLD[found[2].casefold()] if found else text)


def _size(key: str, text: str) -> int:
    """Return a size as it was typed [B]. Raises BadQuantity, which names the option that takes it."""
    try:
        return parse_bytes(text)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def with_reserved_memory(machine: Machine, text: str) -> Machine:
    """Return the machine with `text` ("8GiB", "0GiB") of every GPU reserved, or of its RAM if it has none.

    Raises BadQuantity for no size, or more than there is.
    """
    plain = "".join(text.split()).casefold()
    kept = 0 if plain in ("0", "0b", "0mib", "0gib", "0mb", "0gb") else _size("reserve", text)
    if machine.gpus:
        return structs.replace(machine, gpus=tuple(_kept(g, kept) for g in machine.gpus))
    return machine if machine.host is None else structs.replace(machine, host=_kept(machine.host, kept))


def with_ram_bandwidth(machine: Machine, text: str) -> Machine:
    """Return the machine with RAM of the bandwidth `text` ("80GB/s", "80": 10^9 B/s). Raises BadQuantity."""
    found = _BANDWIDTH.fullmatch(text)
    figure = float(found[1]) * 1e9 if found else 0.0
    if not 1e9 <= figure <= 1e13:
        raise BadQuantity(
            "{key}: {problem}", key="bandwidth", mend='Write GB/s, e.g. "80GB/s".',
            problem=say("A memory bandwidth was expected, not {text}.", text=quoted(text, 80)),
        )  # fmt: skip
    host = machine.host
    return (
        machine
        if host is None
        else structs.replace(machine, host=structs.replace(host, bandwidth=figure, source="--bandwidth"))
    )


_BANDWIDTH = late(r"\s*(\d{1,5}(?:\.\d+)?)\s*(?:GB/s)?\s*", re.IGNORECASE)


def _kept(device: Device, kept: int) -> Device:
    if device.memory is not None and kept >= device.memory:
        raise BadQuantity(
            "{name} has {memory}: {kept} cannot be reserved.",
            name=device.name,
            memory=format_bytes(device.memory),
            kept=format_bytes(kept),
            mend="Reserve less.",
        )
    reason = say("{kept} is reserved (--reserve).", kept=format_bytes(kept))
    return structs.replace(device, reserved=kept, reserved_basis="read", reserved_reason=reason)


def _split(text: str) -> list[str]:
    """Return the names in "RTX 5090 + RTX 3090". The plus of "Max+ 395" has no space before it."""
    parts = re.split(r"\s+\+\s*|,", text)
    if len(parts) > MOST or not all(p.strip() for p in parts):
        raise UnknownName(
            "A device name was expected, not {name}.", name=quoted(text, 80), mend='Write a name such as "RTX 5090".'
        )
    return parts


_CLOSE = late(r"\s*(\d{1,2})[xX×*](\d.*)", re.DOTALL)
"""A count right before a number: 2x5090. It is read so only if what follows is a device, and the whole is none."""


def _several(part: str, memory: str | None) -> list[Machine]:
    """Return two equal machines of one device each for "2x RTX 3090". memory: of each, as it was typed."""
    from gyakusan import catalog

    times = _TIMES.fullmatch(part)
    if times and int(times[1]) > MOST and catalog.knows_device(part):  # "7900 XTX" is no count
        times = None
    close = None if times or catalog.knows_device(part) else _CLOSE.fullmatch(part)
    times = close if close and catalog.knows_device(close[2]) else times
    count, name = (int(times[1]), times[2]) if times else (1, part)
    _counted(count)
    if memory is None:
        return [catalog.device(name.strip()).machine()] * count
    found, capacity = _SIZE_AS_SOLD.fullmatch(memory), _size("memory", memory)
    sold = int(found[1]) if found else None  # 128 GB of a Mac are 128 GiB
    match = catalog.device(name.strip(), capacity if sold is None else sold * GIB)
    return [match.machine(None if match.size == sold else capacity)] * count


def _counted(count: int) -> None:
    """Raise BadQuantity unless 1 <= count <= MOST."""
    if not 1 <= count <= MOST:
        raise BadQuantity(
            "{count} devices: the number is out of range.",
            count=count,
            most=MOST,
            mend="Give a number from 1 to {most}.",
        )


def _joined(parts: list[Machine]) -> Machine:
    """Return one machine with all devices. Raises BadSetting if one of them shares its memory with a CPU."""
    gpus = tuple(g for p in parts for g in p.gpus)
    _counted(len(gpus))
    hosts = [p.host for p in parts if not p.gpus and p.host is not None]
    shared = next((g for g in gpus if g.kind == "unified"), None)
    if shared is not None:
        raise BadSetting(
            "{name} is a whole computer and cannot be combined in one machine.",
            name=shared.name,
            mend="Plan for one of them. Several joined by a network: gyakusan fleet --nodes 2",
        )
    names = list(dict.fromkeys(g.name for g in gpus))
    counts = {n: sum(g.name == n for g in gpus) for n in names}
    title = " + ".join(n if counts[n] == 1 else f"{counts[n]}x {n}" for n in names)
    if hosts:
        title += f" + {hosts[0].name}"
    return Machine(title, gpus, hosts[0] if hosts else Device("CPU", "host", None, "cpu"))


def _anonymous(memory: int) -> Machine:
    """Return a CUDA GPU of which only the capacity is known. memory [B]."""
    gpu = Device(f"GPU {format_bytes(memory)}", "gpu", memory, "cuda", source="--memory", memory_basis="read")
    return Machine(gpu.name, (gpu,), Device("CPU", "host", None, "cpu"))


def this_computer() -> Machine:
    """Return the computer that we run on."""
    return this_computer_noted()[0]


def this_computer_noted() -> tuple[Machine, tuple[Message, ...]]:
    """Return the computer that we run on, with what was measured here, and notes on what could not be read.

    Raises BadSetting where it is not to be looked at.
    """
    _check_seen()
    from gyakusan.machines.detect import detect  # a named machine needs none of its probes

    found, notes = detect()
    if found.host is not None:
        found = structs.replace(found, host=_measured(found.host, found.processor))
    return found, notes


def gpu_memory() -> tuple[GpuMemory, ...]:
    """Return what the GPUs of this computer hold now. Raises BadSetting where it is not to be looked at."""
    _check_seen()
    from gyakusan.machines import detect

    return detect.gpu_memory()


def _check_seen() -> None:
    if not sees_computer():
        raise BadSetting(
            "This copy shows nothing of its computer.", mend="Name a device of the catalogue, e.g. RTX 4090."
        )


def _measured(host: Device, processor: str) -> Device:
    """Return the RAM with the bandwidth that was measured on this computer, if it was."""
    from gyakusan.learning.known import bandwidth

    found = bandwidth(processor or host.name) if host.bandwidth is None else None
    return host if found is None else structs.replace(host, bandwidth=found, source=MEASURED_HERE)


def _this_cpu(memory: int | None) -> Machine:
    """Return the computer that we run on without its GPUs, or with `memory` of RAM [B]. Raises BadSetting."""
    _check_seen()
    from gyakusan.machines.detect import cpu
    from gyakusan.machines.detect.system import System

    host = cpu.probe(System())
    own = _measured(host.device, host.device.name)
    if memory is None:
        return Machine(own.name, (), own, own.name, host.cores, simd=cpu.simd(System()))
    device = structs.replace(own, memory=memory, reserved=0, reserved_reason=None, source="--memory")
    return Machine("CPU", (), device, host.device.name, host.cores, simd=cpu.simd(System()))
