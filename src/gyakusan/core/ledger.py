"""Ledger: bytes by device and kind, each with a basis and a reason; a sum that can explain itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gyakusan.core.broadcast import Number
from gyakusan.core.load import Load
from gyakusan.core.machine import Device
from gyakusan.core.model import Model
from gyakusan.message import Message

LineKind = Literal["weights", "kv_cache", "recurrent_state", "scratch", "overhead"]
Basis = Literal["read", "derived", "measured", "assumed"]
KINDS: tuple[LineKind, ...] = ("weights", "kv_cache", "recurrent_state", "scratch", "overhead")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. bytes: best figure; low, high: the range that we stand for [B]; formula: the numbers behind it."""

    kind: LineKind
    bytes: Number
    basis: Basis
    reason: Message
    formula: str = ""
    low: Number = None
    high: Number = None

    @property
    def least(self) -> Number:
        """The low end. [B]"""
        return self.bytes if self.low is None else self.low

    @property
    def greatest(self) -> Number:
        """The high end. [B]"""
        return self.bytes if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Account:
    """One device and the lines charged to it."""

    device: Device
    lines: tuple[Line, ...]

    @property
    def total(self) -> Number:
        """Sum of best figures. [B]"""
        return sum(line.bytes for line in self.lines)

    @property
    def low(self) -> Number:
        """Sum of low ends. [B]"""
        return sum(line.least for line in self.lines)

    @property
    def high(self) -> Number:
        """Sum of high ends. [B]"""
        return sum(line.greatest for line in self.lines)

    @property
    def fits(self) -> Number:
        """True if the best figure is within what is usable. An unknown capacity is taken as enough: `notes` say so."""
        usable = self.device.usable
        return True if usable is None else self.total <= usable

    @property
    def short_by(self) -> Number:
        """Bytes missing, 0 if it fits. [B] Scalars only."""
        usable = self.device.usable
        return 0 if usable is None else max(0, self.total - usable)

    def of(self, kind: LineKind) -> Number:
        """Bytes of one kind. [B]"""
        return sum(line.bytes for line in self.lines if line.kind == kind)


@dataclass(frozen=True, slots=True)
class Engine:
    """Whose rules were used: name and version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The whole answer for one model, engine, load and machine."""

    model: Model
    engine: Engine
    settings: Mapping[str, Any]
    load: Load
    accounts: tuple[Account, ...]
    notes: tuple[Message, ...] = ()

    @property
    def fits(self) -> bool:
        """True if every device holds its share."""
        return all(bool(a.fits) for a in self.accounts)

    def of(self, kind: LineKind) -> Number:
        """Bytes of one kind over all devices. [B]"""
        return sum(a.of(kind) for a in self.accounts)
