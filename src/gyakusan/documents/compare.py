"""The JSON of `gyakusan compare`: a list with a document for each model on each device, or for each plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.assessment import AssessedSpeedJson, QualityJson, assessed_quality, assessed_speed
from gyakusan.documents.common import IntervalJson, catalogue_date, interval
from gyakusan.documents.plan import PlanJson, plan
from gyakusan.planning.fleet.costs import full_price
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.select.side_by_side import ComparedPlan, p_better_than_first
from gyakusan.show.compare import Compared, on_devices
from gyakusan.show.side_by_side import figure_of


class MeasurementJson(Struct, frozen=True):
    """What others measured.

    kind: decode or prefill
    users: served at the same time
    engine: name of the engine
    value: [tokens/s]
    source: who published it
    """

    kind: str
    users: float
    engine: str
    value: float
    source: str


class CompareJson(Struct, frozen=True, kw_only=True):
    """One model on one device: `gyakusan compare`.

    schema: name and version of this form
    catalogue: date of the catalogue
    model: name of the model
    device: name of the device
    fits: true if it fits
    pace: null where the memory bandwidth is not known
    quality: null if the name says nothing
    measured: what others measured
    total: memory of its GPUs together, of the RAM where it has none [B]
    spare: memory left on the tightest device, negative if it is short, null where its size is not known [B]
    price_jpy: of the machine with a computer around its cards, null if not known [JPY]
    price_used: true if it is sold second-hand only
    power_w: what the machine takes from its socket at work, null if not known [W]
    answer_price_jpy: of a million answer tokens on a machine that never waits, purchase spread over 36 months, null if not
        known [JPY]
    """

    model: str
    device: str
    fits: bool
    pace: AssessedSpeedJson | None
    quality: QualityJson | None
    measured: tuple[MeasurementJson, ...]
    total: int
    spare: int | None
    price_jpy: int | None
    price_used: bool
    power_w: float | None
    answer_price_jpy: float | None
    schema: Literal["gyakusan/compare/1"] = "gyakusan/compare/1"
    catalogue: str = field(default_factory=catalogue_date)


class ComparedQualityJson(Struct, frozen=True):
    """Quality of a plan.

    value: [points]
    error: one standard error [points]
    score: which score it is
    """

    value: float
    error: float
    score: str


class ComparePlanJson(Struct, frozen=True, kw_only=True):
    """One of several plans: `gyakusan compare --plan`. null: not known.

    schema: name and version of this form
    catalogue: date of the catalogue
    title: name of its file, or of the model and the device
    fits: true if it fits
    model: name of the model
    quantization: as the engine calls it
    machine: where it runs
    engine: name of the engine
    total: memory of the first device [B]
    tokens_per_second: answer of each user
    prefill: prompts read [tokens/s]
    first_token: time to the first token [s]
    quality: of its answers
    better_than_first: probability that its quality is above that of the first, null for the first
    price_jpy: of the machine [JPY]
    power_w: of its devices [W]
    answer_price_jpy: of a million answer tokens on a machine that never waits, purchase spread over 36 months [JPY]
    plan: null for a model on a device
    """

    title: str
    fits: bool
    model: str | None
    quantization: str | None
    machine: str | None
    engine: str | None
    total: int | None
    tokens_per_second: IntervalJson | None
    prefill: IntervalJson | None
    first_token: IntervalJson | None
    quality: ComparedQualityJson | None
    better_than_first: float | None
    price_jpy: int | None
    power_w: float | None
    answer_price_jpy: float | None
    plan: PlanJson | None
    schema: Literal["gyakusan/compare-plans/1"] = "gyakusan/compare-plans/1"
    catalogue: str = field(default_factory=catalogue_date)


def compare(rows: Sequence[Compared]) -> tuple[CompareJson, ...]:
    """Return models on devices, with what others measured."""
    return tuple(_row(r) for r in rows)


def compare_plans(sides: Sequence[ComparedPlan]) -> tuple[ComparePlanJson, ...]:
    """Return plans side by side; each carries its whole ledger."""
    return tuple(_side(s, p) for s, p in zip(sides, p_better_than_first(sides), strict=True))


def _row(row: Compared) -> CompareJson:
    points = row.judged.speed.points if row.judged.speed else ()
    spare, facts = row.ledger.tightest.spare, row.facts
    return CompareJson(
        model=row.model,
        device=row.device,
        fits=row.ledger.fits,
        pace=assessed_speed(row.judged),
        quality=assessed_quality(row.judged),
        measured=tuple(MeasurementJson(p.kind, p.users, p.engine, p.figure, p.source) for p in points),
        total=round(on_devices(row.ledger)),
        spare=None if spare is None else round(float(spare)),
        price_jpy=None if facts is None or facts.price is None else round(facts.price),
        price_used=facts is not None and facts.used,
        power_w=None if facts is None else facts.watts,
        answer_price_jpy=_cents(full_price(row, exchange_rates({}))),
    )


def _cents(yen: float | None) -> float | None:
    """Return an amount with two decimals. yen: [JPY]."""
    return None if yen is None else round(yen, 2)


def _side(side: ComparedPlan, chance: float | None) -> ComparePlanJson:
    score, account = side.score, side.ledger.accounts[0] if side.ledger else None
    quality = None
    if score is not None:
        quality = ComparedQualityJson(round(float(score.value), 2), round(float(score.error), 2), side.column)
    return ComparePlanJson(
        title=side.title,
        fits=side.fits,
        model=side.model or None,
        quantization=side.quantization or None,
        machine=side.machine or None,
        engine=side.ledger.engine.name if side.ledger else None,
        total=None if account is None else int(account.total),
        tokens_per_second=interval(figure_of(side, "decode")),
        prefill=interval(figure_of(side, "prefill")),
        first_token=interval(side.pace.ttft if side.pace and side.fits else None),
        quality=quality,
        better_than_first=None if chance is None else round(chance, 3),
        price_jpy=None if side.price is None else round(side.price),
        power_w=side.power,
        answer_price_jpy=_cents(full_price(side, exchange_rates({}))),
        plan=None if side.plan is None else plan(side.plan),
    )
