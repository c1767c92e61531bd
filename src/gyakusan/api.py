"""The rooms behind both doors: one function for each command, values in and values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from gyakusan import machines, models
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import Rules, engine
from gyakusan.machines.detect import detect as ask
from gyakusan.planning import choose
from gyakusan.planning import limits as growth
from gyakusan.units import parse_count

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.llamacpp.log import Reported
    from gyakusan.serving.compare import Row
    from gyakusan.serving.server import Server

USUAL_CONTEXT = 8192
"""Where nobody says: enough for a conversation. [tokens]"""
USUAL_ENGINE = "llama.cpp"
MOST_CONTEXT = 2**30
MOST_USERS = 65536


def inspect(
    model: str,
    *,
    context: int | None = None,
    users: int = 1,
    device: str | None = None,
    memory: str | None = None,
    quantization: str | None = None,
    **settings: Any,
) -> Ledger:
    """What a model needs. Raises GyakusanError.

    model: a file, a directory, an address or a name; context: tokens for each user, None = 8192 or what the model was
    trained for [tokens]; device: a name of the catalogue, None = this computer; settings: fields of the engine's Settings.
    """
    asked = partial(usual_load, users=users, context=context)
    return question(
        model, quantization=quantization, load=asked, device=device, memory=memory, settings=settings
    ).ledger


def plan(
    *,
    context: int = USUAL_CONTEXT,
    users: int = 1,
    device: str | None = None,
    memory: str | None = None,
    **settings: Any,
) -> choose.Plans:
    """Which models of the catalogue fit, each at its best quantisation, and why the others don't. Raises GyakusanError."""
    return plans(machine_for(device, memory), checked_load(users, context), settings)


def detect() -> Machine:
    """This computer."""
    return ask()[0]


def serve(
    model: str = "smollm2",
    *,
    context: int | None = None,
    users: int = 1,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Server:
    """A server for a model on this computer, to be used in a `with` block. Raises GyakusanError.

    options: fields of serve.server.Options (host, port, key ...); settings: fields of the engine's Settings.
    """
    from gyakusan.serving.server import Server

    asked = question(model, load=partial(usual_load, users=users, context=context), settings=settings)
    return Server(asked.model.source, asked.engine_settings, **dict(options or {}))


def usual_load(trained_context: int, *, users: int, context: int | None) -> Load:
    """The load; without a context USUAL_CONTEXT tokens, or what the model was trained for if that is less."""
    if context is None:
        context = min(USUAL_CONTEXT, trained_context or USUAL_CONTEXT)
    return checked_load(users, context)


def checked_load(users: int, context: int) -> Load:
    """Raises BadQuantity for a load that makes no sense."""
    return Load(parse_count(users, at_most=MOST_USERS), parse_count(context, at_most=MOST_CONTEXT))


@dataclass(frozen=True, slots=True)
class Question:
    """A model, a machine, a load and the settings: everything that a ledger follows from."""

    model: Model
    machine: Machine
    load: Load
    settings: Mapping[str, Any]
    rules: Rules

    @property
    def ledger(self) -> Ledger:
        """The answer."""
        return self.price(self.load)

    @property
    def engine_settings(self) -> Any:
        """What the server is started with."""
        return self.rules.settings(self.model, self.load, self.machine, **self.settings)

    def price(self, load: Load) -> Ledger:
        """The same question for another load."""
        settings = self.rules.settings(self.model, load, self.machine, **self.settings)
        return self.rules.ledger(self.model, load, self.machine, settings)

    def compared(self, reported: Reported) -> tuple[Row, ...]:
        """Our figures beside those of a running server."""
        from gyakusan.engines.llamacpp.predicted import buffers
        from gyakusan.serving.compare import Predicted, compare

        return compare([Predicted(*b) for b in buffers(self.model, self.engine_settings)], reported)

    def limits(self) -> growth.Limits:
        """How far the load can grow."""
        return growth.limits(self.price, self.load, self.model.trained_context)


def question(
    model: str,
    *,
    quantization: str | None = None,
    load: Load | Callable[[int], Load],
    device: str | None = None,
    memory: str | None = None,
    settings: Mapping[str, Any] | None = None,
    server: str = USUAL_ENGINE,
) -> Question:
    """Read everything that is named. load: a Load, or a function of the trained context. Raises GyakusanError."""
    found = models.load(model, quantization)
    machine = machine_for(device, memory)
    asked = load if isinstance(load, Load) else load(found.trained_context)
    return Question(found, machine, asked, dict(settings or {}), engine(server))


def machine_for(device: str | None, memory: str | None) -> Machine:
    """The machine that was named, else this computer."""
    if device is None and memory is None:
        return ask()[0]
    return machines.parse(device, memory)


def plans(machine: Machine, load: Load, settings: Mapping[str, Any]) -> choose.Plans:
    """Every model of the catalogue on a machine: what fits at which quantisation, and why the rest does not."""
    from gyakusan.catalog.models import model_records

    rules = engine(USUAL_ENGINE)

    def price(model: Model, asked: Load) -> Ledger:
        return rules.ledger(model, asked, machine, rules.settings(model, asked, machine, **settings))

    return choose.plan((_candidate(r) for r in model_records()), load, price)


def _candidate(record: ModelRecord) -> choose.Candidate:
    """A record with the ladder of quantisations; a natively 4-bit model is offered as it is published."""
    from gyakusan.core import recipe
    from gyakusan.models.assemble import plain

    native = record.quantization not in choose.LADDER
    ladder = (record.quantization,) if native else choose.LADDER
    at = cache(partial(recipe.apply, model=plain(record)))
    return choose.Candidate(record.name, record.trained_context, ladder, at)
