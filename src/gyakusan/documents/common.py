"""What several documents have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from gyakusan.catalog import kept_releases
from gyakusan.catalog.artifacts import Artifact
from gyakusan.engines.base import Command
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates, Money

T = TypeVar("T")


def measured_here(speed: SpeedEstimate) -> MeasuredHereJson | None:
    """Return what the speeds were learned from, None where nothing was learned."""
    return MeasuredHereJson(speed.measurements_here, speed.measured_on) if speed.measurements_here else None


def catalogue_date() -> str:
    """Return the date of the catalogue that answers, YYYY.MM.DD."""
    return kept_releases.current()


class IntervalJson(Struct, frozen=True):
    """A figure with its 80 % interval.

    value: the figure
    low: low end
    high: high end
    """

    value: float
    low: float
    high: float


class FigureJson(Struct, frozen=True):
    """A figure with its 80 % interval, and where it comes from.

    value: the figure
    low: low end
    high: high end
    basis: read, derived, measured, measured_here or assumed
    """

    value: float
    low: float
    high: float
    basis: str


class MeasuredHereJson(Struct, frozen=True):
    """What the speeds of a device were learned from, on this computer.

    measurements: of this device under this engine, own and imported
    date: of the newest one, ISO 8601
    """

    measurements: int
    date: str


class MoneyJson(Struct, frozen=True):
    """An amount of money.

    amount: in `currency`
    currency: ISO 4217
    """

    amount: float
    currency: str


class CommandJson(Struct, frozen=True):
    """How a server is started.

    argv: program and arguments
    environment: variables that are set besides
    then: commands of a client, once the server listens
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    then: tuple[tuple[str, ...], ...] | UnsetType = UNSET


class ArtifactJson(Struct, frozen=True, kw_only=True):
    """A published file or repository.

    repository: "owner/name" of the hub, or the tag of Ollama's library
    quantization: the tag that people use, e.g. UD-Q4_K_XL, AWQ, 4bit
    format: kind of the files
    file: the first file, "" = not known
    bytes: of all files, as published or else computed from the model's shape; null if not known [B]
    rounded: true if the bytes are rounded, to about 0.05 GiB, or computed
    source: where it was seen
    date: when, ISO 8601, as exact as it is known
    confidence: listing, used-in-text, or catalogue (only the catalogue's own record names it)
    """

    repository: str
    quantization: str
    format: str
    file: str
    bytes: int | None
    rounded: bool
    source: str
    date: str
    confidence: str


class RatesJson(Struct, frozen=True):
    """Exchange rates.

    jpy: yen for one unit of each currency
    date: of the oldest rate, ISO 8601
    source: where they were seen
    """

    jpy: Mapping[str, float]
    date: str
    source: str


class ReachJson(Struct, frozen=True):
    """How far a load can grow.

    context: for the users that were asked for [tokens]
    users: with the context that was asked for
    """

    context: int
    users: int


def interval(figure: Estimate | None) -> IntervalJson | None:
    """Return a figure without its basis."""
    return None if figure is None else IntervalJson(figure.value, figure.low, figure.high)


def figure(value: Estimate) -> FigureJson:
    """Return a figure with its basis."""
    return FigureJson(value.value, value.low, value.high, value.basis)


def money(value: Money | None) -> MoneyJson | None:
    """Return an amount of money."""
    return None if value is None else MoneyJson(value.amount, value.currency)


def command(value: Command) -> CommandJson:
    """Return how a server is started."""
    return CommandJson(value.argv, value.environment, value.then or UNSET)


def artifact(value: Artifact | None, computed: int = 0) -> ArtifactJson | None:
    """Return a published file, None if nobody is known to publish it. computed: bytes by the model's shape, 0 = not known [B]."""
    if value is None:
        return None
    return ArtifactJson(
        repository=value.repository,
        quantization=value.quantization,
        format=value.format,
        file=value.files[0] if value.files else "",
        bytes=value.bytes or int(computed) or None,
        rounded=value.rounded or not value.bytes,
        source=value.source,
        date=value.date,
        confidence=value.confidence,
    )


def rates(value: ExchangeRates) -> RatesJson:
    """Return exchange rates."""
    return RatesJson(value.yen, value.date, value.source)
