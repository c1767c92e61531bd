"""The question of a plan, as JSON: every key that users write, defaults included."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gyakusan.documents.common import MoneyJson
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import KEYS, WORKLOAD_KEYS, PlanRequest


class WorkloadJson(Struct, frozen=True):
    """What the task stands for.

    context: one conversation, prompt and answer together [tokens]
    prompt: of one turn [tokens]
    answer: of one turn, without reasoning [tokens]
    score: the quality that ranks models
    pace: visible speed for each user beyond which faster brings little [tokens/s]
    first: time to the first token that nobody minds [s]
    """

    context: int
    prompt: int
    answer: int
    score: str
    pace: float
    first: float


class RequestJson(Struct, frozen=True, kw_only=True):
    """A question, with every default that was taken for it. null: nothing was asked.

    users: conversations served at the same time
    context: one conversation, prompt and answer together [tokens]
    prompt: of one turn [tokens]
    answer: of one turn [tokens]
    task: sets the lengths and the quality that counts
    language: that people write
    device: the machine that is owned
    memory: of the machine that is owned
    reserve: memory of it that other programs use
    bandwidth: of its RAM
    ram: RAM beside its GPUs
    images: true if people send images too
    budget: for a machine to buy
    currency: of the answer, null = the budget's
    computer: price of the computer around graphics cards that are bought, 0 = it is owned, null = by RAM, power and cards
    power: limit of the devices together [W]
    outlet: most power that a socket gives, null = that of a household [W]
    count: GPUs in one machine, at most
    os: operating system
    brand: vendor of the devices
    used: true if second-hand prices count
    enterprise: true if cards for data centres count
    speed: for each user, at least [tokens/s]
    first: time to the first token, at most [s]
    quality: at least [points]
    prefer: what counts most
    engines: to choose from, empty for the usual ones
    kv: types of the KV cache to choose from, empty for f16, and q8_0 where a model does not fit with it
    licenses: of the model, empty for all
    families: whose names models must begin with, empty for all
    without: whose names models must not begin with
    model: the only model
    buy: false where a model alone was asked about for this computer
    rates: yen for one unit of each currency, as given
    also: other models on the same machine
    arrivals: requests of everyone together [1/s]
    usual: what the task stands for
    """

    users: int
    context: int | None
    prompt: int | None
    answer: int | None
    task: str
    language: str
    device: str | None
    memory: str | None
    reserve: str | None
    bandwidth: str | None
    ram: str | None
    images: bool
    budget: MoneyJson | None
    currency: str | None
    computer: MoneyJson | None
    power: float | None
    outlet: float | None
    count: int
    os: str
    brand: str | None
    used: bool
    enterprise: bool
    speed: float
    first: float | None
    quality: float | None
    prefer: str
    engines: tuple[str, ...]
    kv: tuple[str, ...]
    licenses: tuple[str, ...]
    families: tuple[str, ...]
    without: tuple[str, ...]
    model: str | None
    buy: bool
    rates: tuple[tuple[str, float], ...]
    also: tuple[RequestJson, ...]
    arrivals: float | None
    usual: WorkloadJson


def request(value: PlanRequest) -> RequestJson:
    """Return a question."""
    return RequestJson(**request_fields(value))


def request_fields(value: PlanRequest) -> dict[str, Any]:
    """Return the fields of a RequestJson."""
    usual = WorkloadJson(**{key: getattr(value.workload, name) for key, name in WORKLOAD_KEYS.items()})
    return {**{key: _plain(getattr(value, name)) for key, name in KEYS.items()}, "usual": usual}


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return MoneyJson(value.amount, value.currency)
    if isinstance(value, PlanRequest):
        return request(value)
    return tuple(_plain(v) for v in value) if isinstance(value, tuple) else value
