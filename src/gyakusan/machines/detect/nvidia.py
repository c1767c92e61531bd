"""NVIDIA GPUs: NVML through pynvml where it can be imported, else nvidia-smi. GB10 and Jetson share the computer's RAM."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import structs

from gyakusan import catalog
from gyakusan.catalog import unified
from gyakusan.core.machine import Device
from gyakusan.errors import DetectError
from gyakusan.machines.detect.system import GpuMemory, Ram, Seen, System
from gyakusan.message import Message, quoted, say
from gyakusan.units import MIB, format_bytes

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")

_ROW = re.compile(r"(.{1,120}?),\s*([^,]{1,40}),\s*([^,]{1,40})")
_JETSON = re.compile(r"Jetson (?:AGX Orin|Orin NX|Orin Nano|AGX Xavier|Xavier NX|AGX Thor|Thor|Nano|TX2)")


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU as the driver reports it.

    name: its name
    total: memory, None if none is reported [B]
    free: free memory, None if none is reported [B]
    """

    name: str
    total: int | None
    free: int | None


def probe(system: System, ram: Ram) -> Seen:
    """Return every NVIDIA GPU that the driver shows, else the Jetson that the device tree names."""
    notes: list[Message] = []
    found = _cards(system, notes)
    cards = _visible(found, system.visible_gpus, notes)
    board = _board(system)
    if not found and board:
        cards = [Card(board, None, None)]
    return Seen(tuple(_device(c, board, ram) for c in cards), tuple(notes))


def memory(system: System) -> Iterator[GpuMemory]:
    """Yield the memory of each GPU that has one of its own, as NVML or nvidia-smi tells it now."""
    for card in _visible(_cards(system, []), system.visible_gpus, []):
        if card.total is not None and card.free is not None:
            yield GpuMemory(card.name, max(0, card.total - card.free), card.total)


def _visible(cards: list[Card], told: str | None, notes: list[Message]) -> list[Card]:
    """Return the cards that CUDA shows to this process, and so to the servers that it starts: Ray gives each replica its own.

    told: CUDA_VISIBLE_DEVICES: numbers or identifiers with commas; what follows a wrong one does not count. Source: NVIDIA,
    CUDA C++ Programming Guide, environment variables. Of several alike identifiers are only counted.
    """
    if told is None or not cards:
        return cards
    words = [word.strip() for word in told.split(",")]
    kept: list[Card] = []
    if words[0].startswith(("GPU-", "MIG-")):
        if len({(card.name, card.total) for card in cards}) > 1:
            notes.append(say("CUDA_VISIBLE_DEVICES names GPUs by identifiers: all of them are shown."))
            return cards
        kept = cards[: len(words)]
    else:
        for word in words:
            if not (word.isascii() and word.isdecimal() and int(word[:9]) < len(cards)):
                break
            kept.append(cards[int(word[:9])])
    if len(kept) < len(cards):
        notes.append(say("CUDA_VISIBLE_DEVICES shows {n} of {all} GPUs.", n=len(kept), all=len(cards)))
    return kept


def _cards(system: System, notes: list[Message]) -> list[Card]:
    """Return the GPUs by NVML, else by nvidia-smi. Errors become notes."""
    if system.is_this:
        try:
            return list(_nvml())
        except ImportError:
            pass
        except Exception as error:  # noqa: BLE001 - pynvml raises a class for each status, and OSError for a missing library
            if system.has("nvidia-smi"):
                notes.append(say("NVML does not answer ({why}); nvidia-smi is used.", why=str(error)[:120]))
    if not system.has("nvidia-smi"):
        return []
    try:
        return _smi(system.run(*QUERY), notes)
    except DetectError as error:
        notes.append(say("NVIDIA GPUs could not be detected ({what}: {why}).", **error.message.facts))
        return []


def _nvml() -> Iterator[Card]:
    import pynvml

    pynvml.nvmlInit()
    try:
        for i in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(i)
            name = pynvml.nvmlDeviceGetName(handle)
            total, free = _nvml_memory(pynvml, handle)
            yield Card(name.decode() if isinstance(name, bytes) else str(name), total, free)
    finally:
        pynvml.nvmlShutdown()


def _nvml_memory(pynvml: object, handle: object) -> tuple[int | None, int | None]:
    """Return total and free memory; None, None on a GPU without memory of its own [B]."""
    try:
        info = pynvml.nvmlDeviceGetMemoryInfo(handle)  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - NVMLError_NotSupported on GB10
        return None, None
    return (int(info.total), int(info.free)) if info.total else (None, None)


def _smi(text: str, notes: list[Message]) -> list[Card]:
    """Return the GPUs in nvidia-smi's CSV. A line that is no row becomes a note."""
    cards = []
    for line in text.strip().splitlines()[:256]:
        row = _ROW.fullmatch(line.strip())
        if row is None:
            notes.append(say("nvidia-smi printed a line that does not describe a GPU: {line}.", line=quoted(line, 80)))
            continue
        cards.append(Card(row[1].strip(), _mib(row[2]), _mib(row[3])))
    return cards


def _mib(text: str) -> int | None:
    """Return the bytes of "24564" [MiB]; None for "[N/A]", "[Not Supported]", 0 or nonsense [B]."""
    plain = text.strip()
    return int(plain) * MIB if plain.isdigit() and len(plain) < 10 and int(plain) else None


def _board(system: System) -> str:
    """Return the Jetson that the device tree names, e.g. "Jetson AGX Orin"; "" for any other computer."""
    try:
        model = system.read("/proc/device-tree/model")
    except DetectError:
        return ""
    found = _JETSON.search(model)
    return "" if found is None else found[0] + (" Super" if "Super" in model and "Nano" in found[0] else "")


def _device(card: Card, board: str, ram: Ram) -> Device:
    if card.total is None or card.name.endswith("(nvgpu)"):
        return _shared(card, board, ram)
    known = catalog.match_device(card.name, card.total) or Device(card.name, "gpu", None, "cuda", "NVIDIA")
    kept = max(0, card.total - (card.total if card.free is None else card.free))
    return structs.replace(
        known,
        name=card.name,
        memory=card.total,
        memory_basis="read",
        reserved=kept,
        reserved_basis="read",
        reserved_reason=say(
            "{kept} is in use now by the driver, the display and other programs.", kept=format_bytes(kept)
        ),
    )


def _shared(card: Card, board: str, ram: Ram) -> Device:
    """Return a GPU that uses the computer's RAM."""
    name = board or card.name
    known = catalog.match_device(name, ram.total or None) or Device(name, "unified", None, "cuda", "NVIDIA")
    if not ram.total:
        return structs.replace(known, kind="unified")
    kept = unified.shared(ram.total, ram.available)
    return structs.replace(
        known,
        kind="unified",
        memory=ram.total,
        memory_basis="read",
        reserved=kept.bytes,
        reserved_basis=kept.basis,
        reserved_reason=kept.reason,
    )
