"""What every engine offers. One package for each server; siblings don't know each other.

A package `engines/NAME` has a module `engine` with these functions; `engine(name)` finds it. Nothing else is registered.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, cast

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.errors import unknown
from gyakusan.message import Message, say

NAMES = {"llama.cpp": "llamacpp", "Ollama": "ollama", "vLLM": "vllm", "MLX-LM": "mlx"}
"""Name as people write it -> package. Adding an engine is one line here and one package."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started. argv: program and arguments, never a key; environment: variables set besides."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Rules(Protocol):
    """The face of an engine: module attributes and functions of `engines/NAME/engine.py`.

    Settings are a frozen dataclass of the engine's own; numbers in it and in the load may be arrays for `ledger`.
    """

    NAME: str
    VERSION: str
    CAVEAT: Message | None
    """What people should know before they choose it, None = nothing."""
    KEY: str
    """The variable in which its server reads the key that it asks for, "" = it asks for none."""
    Settings: type[Any]

    def settings(self, model: Model, load: Load, machine: Machine, **changes: Any) -> Any:
        """The server's own defaults for this load on this machine, with `changes`. Raises BadSetting for unknown fields."""
        ...

    def refusals(self, model: Model, machine: Machine, settings: Any) -> tuple[Message, ...]:
        """Why the server would not run this: platform, architecture, quantisation, device. Empty: it would."""
        ...

    def ledger(self, model: Model, load: Load, machine: Machine, settings: Any) -> Ledger:
        """Bytes by device and kind. Raises BadSetting for settings that the server refuses."""
        ...

    def command(self, model: Model, machine: Machine, settings: Any) -> Command:
        """The exact command line and environment."""
        ...

    def read(self, lines: Iterable[str]) -> Any:
        """What the server's own log reported."""
        ...


@lru_cache(maxsize=64)
def engine(name: str) -> Rules:
    """The engine called `name`. Raises UnknownName."""
    wanted = "".join(c for c in name.casefold() if c.isalnum())
    for known, package in NAMES.items():
        if wanted in ("".join(c for c in known.casefold() if c.isalnum()), package):
            return cast(Rules, importlib.import_module(f"gyakusan.engines.{package}.engine"))
    raise unknown(say("engine"), name, NAMES)
