"""What a computer offers: devices with memory, and what may be allocated on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gyakusan.message import Message

Simd = Literal["none", "avx2", "avx512", "neon"]
"""Vector units of a CPU, as far as they decide how weights are laid out. neon: with dot products."""
Kind = Literal["gpu", "host", "unified"]
Backend = Literal["cuda", "rocm", "metal", "vulkan", "sycl", "cpu"]
Basis = Literal["read", "derived", "measured", "assumed"]


@dataclass(frozen=True, slots=True)
class Price:
    """What something cost somewhere on a day.

    amount: without conversion [currency]
    currency: ISO 4217, e.g. "JPY"
    date: day, month or year, ISO 8601
    source: where it was seen
    used: second-hand
    """

    amount: float
    currency: str
    date: str
    source: str
    used: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A place where bytes can live.

    kind: gpu (its own memory), host (the computer's RAM) or unified (one memory for CPU and GPU);
    memory: capacity, None = unknown [B]; memory_basis: read (a driver or the user said so) or assumed (as sold);
    reserved: what the OS, the display and others keep [B]; reserved_basis: where that figure comes from;
    reserved_reason: why, as a sentence; bandwidth [B/s]; backend: what llama.cpp would drive it with;
    power: board or package power [W]; released: ISO 8601.
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
        """What an engine may allocate. [B] None if the capacity is unknown."""
        return None if self.memory is None else max(0, self.memory - self.reserved)


@dataclass(frozen=True, slots=True)
class Machine:
    """name; gpus: devices that compute (discrete or unified); host: the computer's RAM (None where unified).

    processor: the CPU's name; cores: that this process may use; prices: of the whole computer; simd: the CPU's vector units.
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
        """All devices, GPUs first."""
        return self.gpus if self.host is None else (*self.gpus, self.host)
