"""The face of llama.cpp: see engines/base.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import Command
from gyakusan.engines.llamacpp import launch, log
from gyakusan.engines.llamacpp.ledger import ledger as _ledger
from gyakusan.engines.llamacpp.settings import VERSION, Settings, for_load
from gyakusan.errors import unknown
from gyakusan.message import Message, say

NAME = "llama.cpp"

__all__ = ["NAME", "VERSION", "Settings", "command", "ledger", "read", "refusals", "settings"]


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The whole context for each user, everything on the GPU if there is one. Raises UnknownName for an unknown field."""
    known = [f.name for f in fields(Settings)]
    for name in changes:
        if name not in known:
            raise unknown(say("setting"), name, known)
    backend = "cuda" if machine.gpus else "cpu"
    return replace(for_load(load), **{"backend": backend, **changes})


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """llama.cpp runs everywhere; what it cannot load is refused when the model is read."""
    return ()


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Bytes by device and kind. Raises BadSetting."""
    return _ledger(model, load, machine, settings)


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """llama-server with exactly these settings."""
    argv = (launch.PROGRAM, *launch.arguments(model.source or f"{model.name}.gguf", settings, port=8080))
    return Command(argv)


def read(lines: Iterable[str]) -> log.Reported:
    """The buffers that the server printed."""
    return log.read(lines)
