"""Machines and their devices: memory, bandwidth, prices, and how much memory an engine may allocate."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gyakusan.message import Message

Simd = Literal["none", "avx2", "avx512", "neon"]
"""Vector units of a CPU, as far as the layout of weights depends on them. "neon" is meant with dot products."""
Kind = Literal["gpu", "host", "unified"]
"""A GPU with memory of its own, the computer's RAM, or one memory for CPU and GPU."""
Backend = Literal["cuda", "rocm", "metal", "vulkan", "sycl", "cpu"]
"""The API through which llama.cpp computes on a device."""
Basis = Literal["read", "derived", "measured", "assumed"]
"""Where a figure comes from: a file or device, a formula that cites its source, a measurement, or an assumption."""


class Price(Struct, frozen=True):
    """What something cost somewhere on a day.

    amount: without conversion [currency]
    currency: ISO 4217, e.g. "JPY"
    date: day, month or year, ISO 8601
    source: where it was seen
    used: second-hand
    launch: the maker's price on the day of release, nobody's price of today
    """

    amount: float
    currency: str
    date: str
    source: str
    used: bool = False
    launch: bool = False


class Device(Struct, frozen=True):
    """One memory and the processor that computes on it.

    name: as its maker writes it
    kind: a GPU with its own memory, the RAM, or unified memory
    memory: capacity, None if unknown [B]
    backend: the API through which llama.cpp computes on it
    vendor: its maker, "" if unknown
    reserved: memory that the OS, the display and others take [B]
    reserved_basis: where `reserved` comes from
    bandwidth: memory bandwidth, None if unknown [B/s]
    source: where the figures were read
    checked: when the source was last checked, ISO 8601
    prices: prices of the device alone
    reserved_reason: why memory is reserved, as a sentence
    memory_basis: "read" if a driver or the user gave the capacity, "assumed" if it is the capacity as sold
    power: power of the board or package, None if unknown [W]
    released: date of its release, ISO 8601
    """

    name: str
    kind: Kind
    memory: int | None
    backend: Backend
    vendor: str = ""
    reserved: int = 0
    reserved_basis: Basis = "assumed"
    bandwidth: float | None = None
    source: str = ""
    checked: str = ""
    prices: tuple[Price, ...] = ()
    reserved_reason: Message | None = None
    memory_basis: Basis = "assumed"
    power: float | None = None
    released: str = ""

    @property
    def usable(self) -> int | None:
        """Return the memory that an engine may allocate, None if the capacity is unknown [B]."""
        return None if self.memory is None else max(0, self.memory - self.reserved)


class Machine(Struct, frozen=True):
    """One computer.

    name: as people write it
    gpus: devices that compute, discrete or unified
    host: the computer's RAM, None if it is unified with the GPU's
    processor: name of the CPU, "" if unknown
    cores: CPU cores that this process may use, 0 if unknown
    prices: prices of the whole computer
    simd: vector units of the CPU
    """

    name: str
    gpus: tuple[Device, ...]
    host: Device | None
    processor: str = ""
    cores: int = 0
    prices: tuple[Price, ...] = ()
    simd: Simd = "avx2"

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return all devices, GPUs first."""
        return self.gpus if self.host is None else (*self.gpus, self.host)


UNKNOWN_HOST = Device("host RAM", "host", None, "cpu")
"""The RAM of a computer about which nothing is known."""
