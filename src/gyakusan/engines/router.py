"""Several models of one engine behind one address: what `gyakusan.serving` knows of an engine's router."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gyakusan.engines.base import Command, EngineSettings
from gyakusan.engines.server import ServerModule, ServerReport


@dataclass(frozen=True, slots=True)
class RoutedModel:
    """One of the models that a router starts.

    name: by which requests name it
    path: its file
    settings: the engine's own record
    words: further words of its command line, see Deployment.thinking_words
    """

    name: str
    path: Path
    settings: EngineSettings
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Routed:
    """What a router is started with.

    models: in the order in which they were named
    models_max: models that are loaded at the same time, at most
    prompt_cache: RAM in which each of them may keep idle conversations, None for the engine's own limit [B]
    """

    models: tuple[RoutedModel, ...]
    models_max: int
    prompt_cache: int | None = None


class RouterModule(ServerModule[Routed, ServerReport], Protocol):
    """A module that starts an engine's router; its file is the text that `preset` returns."""

    def preset(self, routed: Routed) -> str:
        """Return the text of the file that describes the models. Raises BadSetting for what it cannot say."""
        ...

    def command(self, file: Path, routed: Routed, host: str, port: int) -> Command:
        """Return what a person would start. file: with the preset."""
        ...

    def reports(self, lines: Iterable[str]) -> Mapping[str, ServerReport]:
        """Return what each model's process logged about itself at its last start, by the model's name."""
        ...

    def inner_ports(self, lines: Iterable[str]) -> tuple[int, ...]:
        """Return the loopback ports at which the models' processes were told to listen."""
        ...

    def inner_probe(self) -> tuple[str, str]:
        """Return a path and a body by POST that such a process refuses with 401 where it asks for the key."""
        ...
