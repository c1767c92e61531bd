"""The JSON of `gyakusan upgrade`: what to buy next."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import IntervalJson, MoneyJson, ReachJson, catalogue_date, money
from gyakusan.documents.plan import PlanJson, plan
from gyakusan.documents.request import RequestJson, request
from gyakusan.message import Message
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.upgrade.option import UpgradeOption
from gyakusan.planning.upgrade.purchase_options import Kind
from gyakusan.planning.upgrade.recommend import UpgradeAnswer
from gyakusan.show.upgrade import notes

KIND_VALUES: dict[Kind, str] = {
    "same_card": "again",
    "added_card": "beside",
    "replacement_card": "instead",
    "first_card": "first",
    "computer": "computer",
}


class OwnedMachineJson(Struct, frozen=True):
    """The machine that is owned.

    name: of the machine
    devices: its GPUs
    """

    name: str
    devices: tuple[str, ...]


class QualityGapJson(Struct, frozen=True):
    """Quality against today.

    difference: [points]
    error: one standard error [points]
    better: probability that it is better
    """

    difference: float
    error: float
    better: float


class UpgradeOptionJson(Struct, frozen=True, kw_only=True):
    """What may be bought.

    roles: what it is best at among those shown: cheapest, yen (most quality for the money), best (quality), fastest
    kind: again, beside, instead, first or computer
    buy: what is bought
    price_jpy: of what is bought [JPY]
    resale_jpy: what the old one brings [JPY]
    net_jpy: what is paid in the end [JPY]
    gain: of quality and speed [points]
    gain_per_100000_jpy: null where it costs nothing [points]
    felt: true if the gain is more than noise
    quality: against today, null where nothing fits today
    times: speed against today, null where one of them is not known
    reach: how far the plan reaches then
    plan: what would run then
    """

    roles: tuple[str, ...]
    kind: str
    buy: str
    price_jpy: int
    resale_jpy: int
    net_jpy: int
    gain: float
    gain_per_100000_jpy: float | None
    felt: bool
    quality: QualityGapJson | None
    times: IntervalJson | None
    reach: ReachJson | None
    plan: PlanJson


class UpgradeJson(Struct, frozen=True, kw_only=True):
    """What to buy next: `gyakusan upgrade`.

    schema: name and version of this form
    catalogue: date of the catalogue
    question: what was asked, with defaults
    budget: for what is bought
    resale: what the old one brings where it goes
    owned: the machine that there is
    now: today's plan, null if nothing fits
    reach: how far today's plan reaches
    keep: true if nothing within the budget is a gain that is felt
    options: what may be bought
    nearest: where `keep`: the cheapest option beyond the budget that would be felt
    within_budget: number of options
    considered: number of options with a known price
    notes: what the figures rest on
    """

    question: RequestJson
    budget: MoneyJson | None
    resale: MoneyJson | None
    owned: OwnedMachineJson
    now: PlanJson | None
    reach: ReachJson | None
    keep: bool
    options: tuple[UpgradeOptionJson, ...]
    nearest: UpgradeOptionJson | None
    within_budget: int
    considered: int
    notes: tuple[Message, ...]
    schema: Literal["gyakusan/upgrade/1"] = "gyakusan/upgrade/1"
    catalogue: str = field(default_factory=catalogue_date)


def upgrade(answer: UpgradeAnswer) -> UpgradeJson:
    """Return an answer."""
    machine = answer.owned.machine
    return UpgradeJson(
        question=request(answer.wanted.question),
        budget=money(answer.wanted.budget),
        resale=money(answer.wanted.resale),
        owned=OwnedMachineJson(machine.name, tuple(g.name for g in machine.gpus)),
        now=None if answer.now is None else plan(answer.now),
        reach=_reach(answer.limits),
        keep=answer.keep,
        options=tuple(_option(s) for s in answer.steps),
        nearest=None if answer.nearest is None else _option(answer.nearest),
        within_budget=answer.tried,
        considered=answer.every,
        notes=notes(answer),
    )


def _reach(limits: Capacity | None) -> ReachJson | None:
    return None if limits is None else ReachJson(limits.context, limits.users)


def _option(step: UpgradeOption) -> UpgradeOptionJson:
    option, gap = step.option, step.between
    quality = times = None
    if gap is not None:
        difference = (round(float(gap.quality_gap.value), 2), round(float(gap.quality_gap.error), 2))
        quality = QualityGapJson(*difference, round(gap.p_better, 3))
        times = None if gap.speed_ratio is None else IntervalJson(*(round(x, 3) for x in gap.speed_ratio))
    return UpgradeOptionJson(
        roles=step.roles,
        kind=KIND_VALUES[option.kind],
        buy=option.what,
        price_jpy=round(option.price),
        resale_jpy=round(option.resale),
        net_jpy=round(option.net),
        gain=round(step.gain, 2),
        gain_per_100000_jpy=None if step.rate == float("inf") else round(step.rate, 3),
        felt=step.real,
        quality=quality,
        times=times,
        reach=_reach(step.limits),
        plan=plan(step.plan),
    )
