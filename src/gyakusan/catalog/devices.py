"""Devices and whole computers: a name -> a Device, a Machine. Facts: data/devices/*.toml and data/machines.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.names import spoken
from gyakusan.catalog.records import entries, lookup
from gyakusan.catalog.unified import Reserve, Rule, by_rule, driver
from gyakusan.core.machine import Backend, Device, Machine, Price
from gyakusan.errors import UnknownName, nearest
from gyakusan.message import say
from gyakusan.units import GIB, MIB

if TYPE_CHECKING:
    from gyakusan.catalog.chips import Chip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device as the catalogue knows it.

    sizes_gib: memory as sold [GiB]; memory_mib: what driver or OS report [MiB], with memory_source, only for one size;
    memory_type: e.g. "GDDR7"; rule: how much of a memory that is not only the GPU's is usable; bandwidth_gb_s [10^9 B/s];
    chip: its row in chips.csv, where the rates stand ("" = not known); power_w [W]; pcie: generation and lanes;
    nvlink_gb_s: both directions together [10^9 B/s]; channels, cores: of a processor (cores of the GPU for Apple);
    assumed: fields whose figures were recalled, not looked up; released, checked: ISO 8601; sold_in: the only country
    where it is sold (ISO 3166), "" = everywhere.
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
    pcie: str = ""
    nvlink_gb_s: float = 0
    channels: int = 0
    cores: int = 0
    assumed: tuple[str, ...] = ()
    sold_in: str = ""
    prices: tuple[Price, ...] = ()

    @property
    def rates(self) -> Chip | None:
        """Bandwidth and dense arithmetic as chips.csv has them, None if it does not."""
        from gyakusan.catalog.chips import chips

        return next((c for c in chips() if c.name == self.chip), None) if self.chip else None

    def device(self, size: int, memory: int | None = None, title: str = "") -> Device:
        """The device with `size` [GiB], or with another capacity `memory` [B]. title: its name, if not the record's."""
        capacity = memory or self.memory_mib * MIB or size * GIB
        kept = self._kept(capacity, given=memory is not None)
        return Device(
            name=title or self.name,
            kind=self.kind,
            memory=capacity,
            backend=self.backend,
            vendor=self.vendor,
            reserved=kept.bytes if kept else 0,
            reserved_basis=kept.basis if kept else "assumed",
            reserved_reason=kept.reason if kept else None,
            memory_basis="read" if memory or self.memory_mib else "assumed",
            bandwidth=self.bandwidth_gb_s * 1e9,
            source=self.source,
            checked=self.checked,
            prices=self.prices,
            power=self.power_w,
            released=self.released,
        )

    def _kept(self, capacity: int, given: bool) -> Reserve | None:
        """What is not usable of `capacity` [B]. given: the user named it, and means what the driver leaves."""
        if self.kind == "gpu" and self.backend == "cuda":
            return None if given else driver()
        return by_rule(self.rule, capacity)


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A whole computer.

    device, cpu: names of DeviceRecords; count: how many such devices; sizes_gib: memory of each as sold [GiB];
    ram_gib: beside cards, 0 = not stated [GiB]; assumed: fields that were recalled, not looked up.
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

    def host(self) -> Device:
        """The RAM beside the cards, as far as it is known."""
        if not self.cpu:
            return Device("CPU", "host", self.ram_gib * GIB or None, "cpu")
        return record_of(_of(spoken(self.cpu).key)[0].entry, DeviceRecord).device(self.ram_gib, title=self.cpu)


@dataclass(frozen=True, slots=True)
class Found:
    """A device as asked for, not parsed. key: how it is spoken of; size [GiB]; entry: its record, or the computer's."""

    key: str
    size: int
    entry: Entry

    @property
    def is_machine(self) -> bool:
        """True for a whole computer."""
        return self.entry.kind == "machine"

    @property
    def title(self) -> str:
        """A name that finds exactly this again."""
        own = spoken(self.entry.name)
        several = own.size is None and sum(f.is_machine == self.is_machine for f in _of(own.key)) > 1
        return f"{self.entry.name} {self.size}GB" if several else self.entry.name

    def device(self, memory: int | None = None) -> Device:
        """The Device. memory: a capacity instead of the catalogue's [B]."""
        if not self.is_machine:
            return record_of(self.entry, DeviceRecord).device(self.size, memory, self.title)
        return _exactly(record_of(self.entry, MachineRecord).device, self.size).device(memory)

    def machine(self, memory: int | None = None) -> Machine:
        """The computer around this device: the RAM beside a card is not known unless a record of a computer says it."""
        device = self.device(memory)
        if self.is_machine:
            record = record_of(self.entry, MachineRecord)
            host = None if device.kind == "unified" else record.host()
            return Machine(self.title, (device,) * record.count, host, record.cpu, prices=record.prices)
        if device.kind == "host":
            return Machine(self.title, (), device, device.name, record_of(self.entry, DeviceRecord).cores)
        host = None if device.kind == "unified" else Device("CPU", "host", None, "cpu")
        return Machine(device.name, (device,), host)


def find(text: str, memory: int | None = None) -> Found:
    """The device or computer that `text` names. memory: chooses the nearest among several sizes as sold [B].

    Raises UnknownName with the nearest names, or with the candidates where several sizes are sold and none was named:
    memory is the whole question, so it is not guessed.
    """
    asked = spoken(text)
    every = _of(asked.key)
    wanted = asked.size or _nearest(memory, every)
    chosen = [f for f in every if wanted in (None, f.size)]
    if not every:
        chosen = list({f.entry: f for f in _begun(asked.key) if f.size == wanted}.values())
    if not every and not chosen:
        raise _unknown(text)
    if not chosen:
        raise _no_such_size(text, every)
    if len(chosen) > 1:
        raise _several(text, chosen)
    return chosen[0]


def largest(text: str) -> str:
    """The name with the largest size where `text` names one device that is sold with several, as a computer of its own.

    For comparing speeds, which do not depend on it. Everything else comes back as it is.
    """
    asked = spoken(text)
    every = _of(asked.key)
    sizes = {f.size for f in every}
    if asked.size or len(sizes) < 2 or len({f.entry for f in every}) > 1 or every[0].device().kind != "unified":
        return text
    return max(every, key=lambda f: f.size).title


def entry_of(text: str) -> Entry:
    """The one record, device or computer, that `text` names, of whatever size. Raises UnknownName with the candidates."""
    asked = spoken(text)
    every = _of(asked.key)
    sized = [f for f in every if asked.size in (None, f.size)] or every
    several = list(dict.fromkeys(f.entry for f in sized))
    return several[0] if len(several) == 1 else find(text).entry


def knows(text: str) -> bool:
    """True if a device or computer is called so, whatever its sizes."""
    return bool(_of(spoken(text).key))


def _begun(key: str) -> list[Found]:
    """What begins with `key`, at the end of a word: "a100" begins "a100sxm4"; "rtx509" does not begin "rtx5090"."""
    if len(key) < 3:
        return []
    end = len(key)
    return [f for f in _all() if f.key.startswith(key) and not (f.key[end : end + 1] + key[-1]).isdigit()]


def match(name: str, memory: int | None) -> Device | None:
    """The catalogue's device for a name that a driver reports, of the size nearest to memory [B], or None.

    A size more than a quarter away is another device under the same name.
    """
    asked = spoken(name)
    every = [f for f in _of(asked.key) if not f.is_machine]
    if not every:
        return None
    wanted = memory or (asked.size or every[0].size) * GIB
    best = min(every, key=lambda f: abs(f.size * GIB - wanted))
    return best.device() if abs(best.size * GIB - wanted) <= best.size * GIB / 4 else None


@cache
def device_names() -> tuple[str, ...]:
    """Names that `find` takes, sizes included, in the catalogue's order."""
    return tuple(dict.fromkeys(f.title for f in _all()))


def device_records() -> tuple[DeviceRecord, ...]:
    """Every device of the catalogue."""
    return tuple(record_of(e, DeviceRecord) for e in entries("device"))


def machine_records() -> tuple[MachineRecord, ...]:
    """Every whole computer of the catalogue."""
    return tuple(record_of(e, MachineRecord) for e in entries("machine"))


def record_of(entry: Entry, make: Callable[..., T]) -> T:
    """A record as a value. Raises BadRecord for unknown or missing keys, naming the file."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.table().items()}
    try:
        if "prices" in fields:
            fields["prices"] = tuple(Price(**p) for p in fields["prices"])
        return make(**fields)
    except TypeError as error:
        raise broken(entry, str(error).replace("__init__() ", "")) from error


@cache
def _all() -> tuple[Found, ...]:
    """Every name x size of the catalogue. Records are not parsed."""
    return tuple(Found(key, size, e) for e in _every() for size in e.sizes for key in e.keys)


def _every() -> tuple[Entry, ...]:
    return (*entries("device"), *entries("machine"))


def _of(key: str) -> list[Found]:
    """Every size of what has this key. The user's own records hide ours."""
    every = (*lookup("device", key), *lookup("machine", key)) if key else ()
    every = tuple(e for e in every if e.own) or every
    return [Found(key, size, e) for e in every for size in e.sizes]


def _exactly(name: str, size: int) -> Found:
    return next(f for f in _of(spoken(name).key) if f.size == size and not f.is_machine)


def _unknown(text: str) -> UnknownName:
    """UnknownName with the nearest names. Keys are compared: vendor words would drown what tells devices apart."""
    name = repr(text if len(text) <= 80 else text[:77] + "...")
    begun = dict.fromkeys(f.title for f in _begun(spoken(text).key))
    if begun:
        return _candidates(name, list(begun))
    titles: dict[str, str] = {}
    for found in reversed(_all()):
        titles[found.key] = found.title
    close = nearest(spoken(text).key, titles)
    if not close:
        return UnknownName(
            "No {kind} is called {name}.",
            kind=say("device"),
            name=name,
            mend='Write a name such as "RTX 5090", or only --memory 24GiB.',
        )
    near = ", ".join(dict.fromkeys(titles[k] for k in close))
    return UnknownName("No {kind} is called {name}.", kind=say("device"), name=name, near=near, mend="Nearest: {near}.")


def _nearest(memory: int | None, every: list[Found]) -> int | None:
    """The size as sold [GiB] that is nearest to memory [B]; None if no memory is given."""
    sizes = {f.size for f in every}
    return min(sizes, key=lambda n: abs(n * GIB - memory)) if memory and sizes else None


def _no_such_size(text: str, every: list[Found]) -> UnknownName:
    sizes = sorted({f.size for f in every})
    return UnknownName(
        "{name} is not sold with that much memory, but with {sizes} GB.",
        name=repr(text[:80]),
        sizes=", ".join(map(str, sizes)),
        mend="Name one of these sizes, or give the capacity with --memory.",
    )


def _candidates(name: str, titles: list[str]) -> UnknownName:
    return UnknownName(
        "{name} may be one of several devices: {candidates}.",
        name=name,
        candidates=", ".join(titles[:12]) + (", ..." if len(titles) > 12 else ""),
        mend="Say which.",
    )


def _several(text: str, chosen: list[Found]) -> UnknownName:
    if len({f.size for f in chosen}) == 1:
        return _candidates(repr(text[:80]), list(dict.fromkeys(f.title for f in chosen)))
    return UnknownName(
        "{name} is sold with several sizes of memory: {candidates}.",
        name=repr(text[:80]),
        candidates=", ".join(dict.fromkeys(f.title for f in chosen)),
        mend="Say which, or give the capacity with --memory.",
    )
