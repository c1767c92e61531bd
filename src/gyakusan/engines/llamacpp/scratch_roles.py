"""Stub."""
from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.broadcast import Number
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.placement import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings


@dataclass(frozen=True, slots=True)
class Made:
    role: str
    bytes: Number
    least: Number
    greatest: Number


@dataclass(frozen=True, slots=True)
class Roles:
    gpus: tuple[Made, ...]
    host: Made

    def on(self, device: int) -> Made:
        return self.host if device == HOST else self.gpus[device]


def scratch(model: Model, settings: Settings, placement: Placement) -> Roles:
    return Roles((Made("?", 1, 1, 1),) * placement.cards, Made("?", 1, 1, 1))
