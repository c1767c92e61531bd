"""Devices and whole computers by name. Facts: data/devices/*.toml and data/machines.toml."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct

from gyakusan.catalog import unknown_devices
from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.names import parse_device_name
from gyakusan.catalog.records import entries, lookup, own_entries
from gyakusan.catalog.unified import Rule, by_rule, driver
from gyakusan.core.machine import Backend, Device, Machine, Price
from gyakusan.errors import UnknownName
from gyakusan.units import GIB, MIB

if TYPE_CHECKING:
    from gyakusan.catalog.chips import Chip

T = TypeVar("T")


class DeviceRecord(Struct, frozen=True):
    """A device of the catalogue: a graphics card, a processor, or a chip whose memory CPU and GPU share.

    name: as its maker writes it
    vendor: its maker
    kind: gpu (its own memory), unified (one memory for CPU and GPU) or host (a processor)
    backend: what llama.cpp would drive it with
    sizes_gib: memory as sold; several where it is sold with several sizes [GiB]
    source: where the figures come from
    checked: when somebody looked there, ISO 8601
    bandwidth_gb_s: of its memory [10^9 B/s]
    released: ISO 8601
    aliases: other names for it
    memory_mib: what the driver or the OS reports, 0 = nobody showed it; only for one size [MiB]
    memory_source: where memory_mib was seen
    rule: how much of a shared memory is usable (see unified.by_rule)
    memory_type: e.g. "GDDR7" or "DDR5-5600"
    chip: its row in chips.csv, which has its rates, "" = not known
    power_w: board or package power [W]
    slots: places that a card takes in a case, as its makers build it, 0 = not known
    cooling: blower (air leaves the case, so cards may stand side by side), passive (needs a server's fans), "" = its own fans
    pcie: generation and lanes, e.g. "5.0 x16"
    nvlink_gb_s: NVLink, both directions together, 0 = none [10^9 B/s]
    channels: memory channels of a processor, 0 = not known
    cores: of a processor; GPU cores for Apple, 0 = not known
    assumed: fields whose figures were recalled, not looked up
    sold_in: the only country where it is sold, ISO 3166, "" = everywhere
    prices: appended, never overwritten
    """

    name: str
    vendor: str
    kind: Literal["gpu", "unified", "host"]
    backend: Backend
    sizes_gib: tuple[int, ...]
    source: str
    checked: str
    bandwidth_gb_s: float
    released: str
    aliases: tuple[str, ...] = ()
    memory_mib: int = 0
    memory_source: str = ""
    rule: Rule = ""
    memory_type: str = ""
    chip: str = ""
    power_w: float | None = None
    slots: int = 0
    cooling: Literal["", "blower", "passive"] = ""
    pcie: str = ""
    nvlink_gb_s: float = 0
    channels: int = 0
    cores: int = 0
    assumed: tuple[str, ...] = ()
    sold_in: str = ""
    prices: tuple[Price, ...] = ()

    @property
    def rates(self) -> Chip | None:
        """Bandwidth and dense arithmetic rates of its chip, None if chips.csv has no row for it."""
        from gyakusan.catalog.chips import chips

        return next((c for c in chips() if c.name == self.chip), None) if self.chip else None

    def device(self, size: int, memory: int | None = None, title: str = "") -> Device:
        """Return the device with the memory `size` [GiB], or with the capacity `memory` [B].

        title: its name, the record's by default
        """
        capacity = memory or self.memory_mib * MIB or size * GIB
        reserve = driver() if self.kind == "gpu" and self.backend == "cuda" else by_rule(self.rule, capacity)
        return Device(
            name=title or self.name,
            kind=self.kind,
            memory=capacity,
            backend=self.backend,
            vendor=self.vendor,
            reserved=reserve.bytes if reserve else 0,
            reserved_basis=reserve.basis if reserve else "assumed",
            reserved_reason=reserve.reason if reserve else None,
            memory_basis="read" if memory or self.memory_mib else "assumed",
            bandwidth=self.bandwidth_gb_s * 1e9,
            source=self.source,
            checked=self.checked,
            prices=self.prices,
            power=self.power_w,
            released=self.released,
        )


class MachineRecord(Struct, frozen=True):
    """A whole computer that is sold as one.

    name: as its maker writes it
    device: name of the device that computes
    sizes_gib: memory of each device as sold [GiB]
    source: where the figures come from
    checked: when somebody looked there, ISO 8601
    aliases: other names for it
    count: devices in it
    cpu: name of the processor, "" = not stated
    ram_gib: RAM in addition to the devices' memory, 0 = not stated [GiB]
    assumed: fields that were recalled, not looked up
    prices: of the whole computer; appended, never overwritten
    """

    name: str
    device: str
    sizes_gib: tuple[int, ...]
    source: str
    checked: str
    aliases: tuple[str, ...] = ()
    count: int = 1
    cpu: str = ""
    ram_gib: int = 0
    assumed: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()

    def computer(self, size: int, title: str, memory: int | None = None) -> Machine:
        """Return the computer with a size of memory [GiB]: its devices have the names of their chips, by which speeds go.

        title: its own name; memory: capacity of each device, the catalogue's by default [B]
        """
        device = exactly(self.device, size).device(memory)
        host = None if device.kind == "unified" else self.host()
        return Machine(title, (device,) * self.count, host, self.cpu, prices=self.prices)

    def host(self) -> Device:
        """Return the computer's RAM, as far as it is known."""
        if not self.cpu:
            return Device("CPU", "host", self.ram_gib * GIB or None, "cpu")
        return record_of(_matches(parse_device_name(self.cpu).key)[0].entry, DeviceRecord).device(
            self.ram_gib, title=self.cpu
        )


class DeviceMatch(Struct, frozen=True):
    """A device or a computer that a name means, with one of its sizes; its record is not read yet.

    key: folded name that found it
    size: memory as sold [GiB]
    entry: place of its record
    """

    key: str
    size: int
    entry: Entry

    @property
    def is_machine(self) -> bool:
        """Whether it is a whole computer."""
        return self.entry.kind == "machine"

    @property
    def released(self) -> str:
        """When the device came out, ISO 8601."""
        return self.device().released

    @property
    def title(self) -> str:
        """The shortest name that finds exactly this: with the size where several are sold."""
        named = parse_device_name(self.entry.name)
        several = named.size is None and sum(m.is_machine == self.is_machine for m in _matches(named.key)) > 1
        return f"{self.entry.name} {self.size}GB" if several else self.entry.name

    def device(self, memory: int | None = None) -> Device:
        """Return the device. memory: its capacity, the catalogue's by default [B]."""
        if not self.is_machine:
            return record_of(self.entry, DeviceRecord).device(self.size, memory, self.title)
        return exactly(record_of(self.entry, MachineRecord).device, self.size).device(memory)

    def machine(self, memory: int | None = None) -> Machine:
        """Return the computer: the record's, or one around this device, whose RAM is then not known.

        memory: capacity of the device, the catalogue's by default [B]
        """
        if self.is_machine:
            return record_of(self.entry, MachineRecord).computer(self.size, self.title, memory)
        device = self.device(memory)
        if device.kind == "host":
            return Machine(self.title, (), device, device.name, record_of(self.entry, DeviceRecord).cores)
        host = None if device.kind == "unified" else Device("CPU", "host", None, "cpu")
        return Machine(device.name, (device,), host)


def find(text: str, memory: int | None = None) -> DeviceMatch:
    """Return the device or computer that `text` names.

    memory: chooses the nearest among several sizes as sold [B]
    Raises UnknownName with the nearest names, or with the candidates where several sizes are sold and none was named:
    memory decides the answer, so it is not guessed.
    """
    typed = parse_device_name(text)
    matches = _matches(typed.key)
    begun = matches or _starting_with(typed.key)
    wanted = typed.size or _nearest_size(memory, begun)
    chosen = [m for m in matches if wanted in (None, m.size)]
    if not matches:
        chosen = list({m.entry: m for m in begun if m.size == wanted}.values())
    if not matches and not chosen:
        raise _unknown(text)
    if not chosen:
        raise unknown_devices.no_such_size(text, matches)
    if len(chosen) > 1:
        raise unknown_devices.ambiguous(text, chosen)
    return chosen[0]


def largest(text: str) -> str:
    """Return the name with the largest size where `text` names one unified device that is sold with several.

    Speeds do not depend on the size, so they are compared for that one. Any other text is returned as it is.
    """
    typed = parse_device_name(text)
    matches = _matches(typed.key)
    sizes = {m.size for m in matches}
    if typed.size or len(sizes) < 2 or len({m.entry for m in matches}) > 1 or matches[0].device().kind != "unified":
        return text
    return max(matches, key=lambda m: m.size).title


def entry_of(text: str) -> Entry:
    """Return the one record, of a device or a computer of any size, that `text` names.

    Raises UnknownName with the candidates.
    """
    typed = parse_device_name(text)
    matches = _matches(typed.key)
    sized = [m for m in matches if typed.size in (None, m.size)] or matches
    entries_ = list(dict.fromkeys(m.entry for m in sized))
    return entries_[0] if len(entries_) == 1 else find(text).entry


def knows(text: str) -> bool:
    """Return True if a device or computer has this name, in any size."""
    return bool(_matches(parse_device_name(text).key))


def family(text: str) -> tuple[str, ...]:
    """Return the names of the devices and computers that begin so: of "Mac Studio" every Mac Studio."""
    key = parse_device_name(text).key
    return tuple(dict.fromkeys(m.title for m in _starting_with(key))) if key else ()


def match(name: str, memory: int | None) -> Device | None:
    """Return the catalogue's device for a name that a driver reports, None if there is none.

    memory: as reported [B]. The nearest size is taken; one more than a quarter away is another device of that name.
    """
    typed = parse_device_name(name)
    matches = [m for m in _matches(typed.key) if not m.is_machine]
    if not matches:
        return None
    wanted = memory or (typed.size or matches[0].size) * GIB
    best = min(matches, key=lambda m: abs(m.size * GIB - wanted))
    return best.device() if abs(best.size * GIB - wanted) <= best.size * GIB / 4 else None


def device_names() -> tuple[str, ...]:
    """Return every name that `find` takes, with sizes where several are sold, in the catalogue's order."""
    return _titles(own_entries())


def device_records() -> tuple[DeviceRecord, ...]:
    """Return every device of the catalogue."""
    return tuple(record_of(e, DeviceRecord) for e in entries("device"))


def machine_records() -> tuple[MachineRecord, ...]:
    """Return every whole computer of the catalogue."""
    return tuple(record_of(e, MachineRecord) for e in entries("machine"))


def record_of(entry: Entry, make: Callable[..., T]) -> T:
    """Return a record as a value of the dataclass `make`. Raises BadRecord for unknown or missing fields."""
    fields = entry.fields()
    try:
        if "prices" in fields:
            fields["prices"] = tuple(Price(**p) for p in fields["prices"])
        return make(**fields)
    except TypeError as error:
        raise broken(entry, str(error).replace("__init__() ", "")) from error


def _all() -> tuple[DeviceMatch, ...]:
    """Return every name of every device and computer in every size, with the user's own as they are now."""
    return _every_name(own_entries())


@lru_cache(maxsize=2)
def _every_name(_own: tuple[Entry, ...]) -> tuple[DeviceMatch, ...]:
    every = (*entries("device"), *entries("machine"))
    return tuple(DeviceMatch(key, size, e) for e in every for size in e.sizes for key in e.keys)


@lru_cache(maxsize=2)
def _titles(own: tuple[Entry, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m.title for m in _every_name(own)))


def _matches(key: str) -> list[DeviceMatch]:
    """Return every size of what has this folded name. The user's own records hide ours."""
    every = (*lookup("device", key), *lookup("machine", key)) if key else ()
    every = tuple(e for e in every if e.own) or every
    return [DeviceMatch(key, size, e) for e in every for size in e.sizes]


def _starting_with(key: str) -> list[DeviceMatch]:
    """Return what begins with `key` up to the end of a word: "a100" begins "a100sxm4", "rtx509" not "rtx5090"."""
    if len(key) < 3:
        return []
    end = len(key)
    return [m for m in _all() if m.key.startswith(key) and not (m.key[end : end + 1] + key[-1]).isdigit()]


def exactly(name: str, size: int) -> DeviceMatch:
    """Return the device of a name with a size that is sold [GiB].

    Raises UnknownName: a record of the user's own may hide ours, and its sizes.
    """
    matches = [m for m in _matches(parse_device_name(name).key) if not m.is_machine]
    match = next((m for m in matches if m.size == size), None)
    if match is None:
        raise unknown_devices.no_such_size(name, matches)
    return match


def _nearest_size(memory: int | None, matches: list[DeviceMatch]) -> int | None:
    """Return the size as sold [GiB] that is nearest to memory [B], None if no memory is given."""
    sizes = {m.size for m in matches}
    return min(sizes, key=lambda n: abs(n * GIB - memory)) if memory and sizes else None


def _unknown(text: str) -> UnknownName:
    """Return UnknownName with what begins so, else the nearest names. Folded names are compared: vendor words would blur."""
    typed = parse_device_name(text)
    begun = _starting_with(typed.key)
    if begun:
        return unknown_devices.ambiguous(text, begun)
    return unknown_devices.unknown(text, {m.key: m.title for m in reversed(_all())}, typed.key)
