"""One model under one engine on one machine: what inspect, plan, compare, fleet and serve speak about."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import Command, EngineModule, EngineSettings
from gyakusan.engines.registry import engine as find_engine
from gyakusan.errors import ServerError
from gyakusan.message import Message

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.engines.server import ServerModule, ServerReport

NO_CHANGES: Mapping[str, object] = MappingProxyType({})


WHOLE = "split"
"""The setting of an engine that leaves a part in RAM by itself where the GPUs are short: it says whether it did."""


class Deployment(Struct, frozen=True):
    """Everything that memory, speed and the command of one server follow from. `deploy` makes it.

    model: the model in its format; its source says where it comes from
    quantization: the engine's name of the format, e.g. "AWQ"
    engine: name of the engine
    machine: the machine that serves it
    load: users and context
    changes: settings that were given, by field; the engine chooses the others by model, load and machine
    settings: all settings, as the engine's own record
    mode: how it thinks by an option of the server, e.g. "off"; "" = as the server does by itself
    """

    model: Model
    quantization: str
    engine: str
    machine: Machine
    load: Load
    changes: Mapping[str, object]
    settings: EngineSettings
    mode: str = ""

    @property
    def name(self) -> str:
        """The model's name, in the catalogue if it comes from there."""
        return self.model.catalogue_name or self.model.name

    @property
    def rules(self) -> EngineModule[EngineSettings]:
        """The engine's module."""
        return find_engine(self.engine)

    @property
    def server(self) -> ServerModule[EngineSettings, ServerReport]:
        """The module that starts the engine's server. Raises ServerError if gyakusan does not start this engine."""
        module = self.rules.server()
        if module is None:
            raise ServerError(
                "gyakusan cannot start {engine} yet.",
                engine=self.engine,
                mend="Start the server with the command that gyakusan plan prints.",
            )
        return module

    @property
    def read(self) -> Model:
        """The model as the engine holds it: what its speed follows from."""
        return self.rules.as_read(self.model, self.settings)

    @property
    def refusals(self) -> tuple[Message, ...]:
        """Why the server would not run this, empty if it would."""
        return self.rules.refusals(self.model, self.machine, self.settings)

    @property
    def ledger(self) -> Ledger:
        """The memory, worked out anew at each access. Raises BadSetting."""
        return self.rules.ledger(self.model, self.load, self.machine, self.settings)

    @property
    def spare(self) -> float:
        """Bytes surely to spare on the fullest device, negative if its high end is over. [B] Raises BadSetting."""
        accounts = self.rules.accounts(self.model, self.load, self.machine, self.settings)
        return float(min((a.spare for a in accounts if a.spare is not None), default=float("inf")))

    @property
    def cache_type(self) -> str:
        """The type of the KV cache, "f16" where the engine takes its usual one; of keys and values where they differ."""
        keys, values = self.rules.cache_types(self.settings)
        return keys if keys == values else f"K {keys}, V {values}"

    @property
    def command(self) -> Command:
        """The exact command line and environment; of a catalogue's model with the repository that the server fetches."""
        if not self.model.catalogue_name:
            return self.rules.command(self.model, self.machine, self.settings)
        from gyakusan.catalog.models import find

        plain = self.rules.published_command(
            find(self.name), self.model, self.machine, self.settings, self.quantization
        )
        return self._thinking(plain) or plain

    @property
    def thinking_words(self) -> tuple[str, ...]:
        """The words of a command that make it think in its mode; () where it does by itself, or by no option of the server."""
        if not self.model.catalogue_name:
            return ()
        words = self._thinking(Command((), {}))
        return () if words is None else tuple(words.argv)

    def _thinking(self, command: Command) -> Command | None:
        """Return a command in its mode, None where the server has no option for that."""
        if not self.mode:
            return command
        from gyakusan.catalog.thinking import template_arguments

        arguments = template_arguments(self.name, self.mode)
        return self.rules.with_thinking(command, self.model.architecture, self.mode, arguments)

    @property
    def artifact(self) -> Artifact | None:
        """The published file or repository that the command names, None for a person's own model or one to be made."""
        if not self.model.catalogue_name:
            return None
        from gyakusan.catalog.models import find

        return self.rules.artifact(find(self.name), self.quantization)

    @property
    def preparation(self) -> tuple[str, ...]:
        """The commands that make a catalogue's model in this format, () where it is published."""
        if not self.model.catalogue_name or self.artifact is not None:
            return ()
        from gyakusan.catalog.models import find

        return self.rules.preparation(find(self.name), self.quantization)

    def at(self, load: Load) -> Deployment:
        """Return the same for another load: what is whole on the GPUs stays whole. Raises BadSetting."""
        whole = {WHOLE: False} if getattr(self.settings, WHOLE, None) is False else {}
        found = deploy(self.model, self.engine, self.machine, load, {**whole, **self.changes}, self.quantization)
        return structs.replace(found, mode=self.mode)

    def on(self, machine: Machine) -> Deployment:
        """Return the same on another machine. Raises BadSetting."""
        found = deploy(self.model, self.engine, machine, self.load, self.changes, self.quantization)
        return structs.replace(found, mode=self.mode)

    def under(self, engine: str, changes: Mapping[str, object] = NO_CHANGES) -> Deployment:
        """Return the same model, machine and load under another engine or other settings. Raises UnknownName, BadSetting."""
        return deploy(self.model, engine, self.machine, self.load, changes, self.quantization)


def deploy(
    model: Model,
    engine: str,
    machine: Machine,
    load: Load,
    changes: Mapping[str, object] = NO_CHANGES,
    quantization: str = "",
) -> Deployment:
    """Return a deployment with the engine's own settings for it. Raises UnknownName, BadSetting.

    changes: settings that differ from the engine's choice, by field; quantization: the engine's name of the format,
    "" = the model's own.
    """
    rules = find_engine(engine)
    settings = rules.settings(model, load, machine, **changes)
    return Deployment(model, quantization or model.quantization, rules.NAME, machine, load, changes, settings)
