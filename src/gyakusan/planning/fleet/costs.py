"""What a fleet costs: purchase over months, power at a tariff, upkeep; for a month, for a million tokens, beside an API.

Everything inside is yen. Watts are the devices' figure while they work and a share of it while they wait, and what is around
them; each assumption stands in `Terms` or below, and in every answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gyakusan.core.arrays import Number
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.request.money import ExchangeRates, Money

IDLE = 0.15
"""Share of its power that a device draws while it waits with a model loaded. Assumed: 60 to 120 W of 450 to 700."""
CHASSIS_WATTS = ((2, 100.0), (4, 200.0), (8, 400.0))
"""Watts of the computer around so many cards. Assumed: board, CPU, fans and losses of the power supply."""
UNIFIED = 20.0
"""Watts beside the chip of a computer whose GPU shares its memory. Assumed."""
TARIFF = Money(31, "JPY")
DAYS = 365 / 12
"""Days of a month."""
HOUR = 3600
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class CostTerms:
    """months: over which the purchase is spread; tariff: of a kWh; pue: power of the building over that of the machines;

    hours: a day in which the fleet runs; upkeep: of the purchase price, a year [%]; api_input, api_output: what an API
    takes for a million tokens, None = not asked. The tariff is Japan's reference price for households (31 JPY/kWh, Home
    Electric Appliances Fair Trade Conference, July 2022), unless it is given.
    """

    months: float = 36.0
    tariff: Money = TARIFF
    pue: float = 1.0
    hours: float = 24.0
    upkeep: float = 0.0
    api_input: Money | None = None
    api_output: Money | None = None


@dataclass(frozen=True, slots=True)
class FleetMachines:
    """What is bought. count: machines that serve; spares: that stand by, switched on; price: of one, None = not known

    [JPY]; devices, around: watts of one machine's devices at work, None = not known, and of what is around them [W].
    """

    count: int
    spares: int
    price: float | None
    devices: float | None
    around: float


@dataclass(frozen=True, slots=True)
class FleetWork:
    """What a fleet does. rate: requests [1/s]; prompt, answer: of each [tokens]; busy: share of the time in which its

    devices work.
    """

    rate: float
    prompt: float
    answer: float
    busy: float


@dataclass(frozen=True, slots=True)
class Month:
    """One month. requests, for each day; prompts, answers [tokens]; purchase, power, upkeep, total [JPY], None = not known;

    watts: of everything, mean while it runs; answer_price: for a million answer tokens, token_price: for a million of
    both kinds [JPY]; api: what the API takes for the same tokens [JPY].
    """

    requests: float
    prompts: float
    answers: float
    watts: float | None
    purchase: float | None
    power: float | None
    upkeep: float | None
    total: float | None
    answer_price: float | None
    token_price: float | None
    api: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """machines; asked, full: at the load that was asked for, and with every slot taken; break_even: requests a day from

    which owning is cheaper than the API, None: never, or nobody asked.
    """

    machines: FleetMachines
    asked: Month
    full: Month
    break_even: float | None


def machines(offer: HardwareOption, count: int, spares: int, price: float | None) -> FleetMachines:
    """So many of an offer. price: of one [JPY]."""
    return FleetMachines(count, spares, price, offer.power, chassis_watts(offer))


def chassis_watts(offer: HardwareOption) -> float:
    """Watts of what is around the devices of one machine. [W]"""
    gpus = offer.machine.gpus
    if not gpus or gpus[0].kind == "unified":
        return UNIFIED
    return next((watts for most, watts in CHASSIS_WATTS if len(gpus) <= most), CHASSIS_WATTS[-1][1])


def watts(devices: Number, beside: Number, count: Number, spares: Number, busy: Number) -> Number:
    """Mean power of a fleet. [W] busy: share of the time in which the devices of `count` machines work."""
    return count * (devices * (IDLE + (1 - IDLE) * busy) + beside) + spares * (devices * IDLE + beside)


def monthly(
    price: Number,
    devices: Number,
    beside: Number,
    count: Number,
    spares: int,
    busy: Number,
    terms: CostTerms,
    tariff: float,
) -> tuple[Number, Number, Number]:
    """Purchase, power and upkeep of a month. [JPY] price: of a machine [JPY]; tariff [JPY/kWh]."""
    whole = price * (count + spares)
    energy = watts(devices, beside, count, spares, busy) / 1000 * terms.hours * DAYS * terms.pue
    return whole / terms.months, energy * tariff, whole * terms.upkeep / 100 / 12


def month(found: FleetMachines, work: FleetWork, terms: CostTerms, rates: ExchangeRates) -> Month:
    """A month at a load."""
    requests = work.rate * terms.hours * HOUR
    prompts, answers = (requests * DAYS * n for n in (work.prompt, work.answer))
    parts = monthly(
        *(found.price or 0.0, found.devices or 0.0, found.around, found.count, found.spares, work.busy),
        *(terms, yen(terms.tariff, rates)),
    )
    purchase, power, upkeep = map(float, parts)
    about = found.around, found.count, found.spares, work.busy
    drawn = None if found.devices is None else float(watts(found.devices, *about))
    known = found.price is not None and found.devices is not None
    total = purchase + power + upkeep if known else None
    return Month(
        requests=requests,
        prompts=prompts,
        answers=answers,
        watts=drawn,
        purchase=None if found.price is None else purchase,
        power=None if found.devices is None else power,
        upkeep=None if found.price is None else upkeep,
        total=total,
        answer_price=None if total is None else total / answers * MILLION,
        token_price=None if total is None else total / (prompts + answers) * MILLION,
        api=api(prompts, answers, terms, rates),
    )


def api(prompts: float, answers: float, terms: CostTerms, rates: ExchangeRates) -> float | None:
    """What the API takes for so many tokens. [JPY] None if no price was given; a price that was left out counts as none."""
    if terms.api_input is None and terms.api_output is None:
        return None
    parts = ((prompts, terms.api_input), (answers, terms.api_output))
    return sum(tokens / MILLION * yen(price, rates) for tokens, price in parts if price is not None)


def cost(
    found: FleetMachines,
    load: Callable[[float], FleetWork],
    asked: float,
    full: float,
    terms: CostTerms,
    rates: ExchangeRates,
) -> Cost:
    """At two rates of requests [1/s], and where an API is dearer. load: what the fleet does at a rate."""

    def at(rate: float) -> Month:
        return month(found, load(rate), terms, rates)

    return Cost(found, at(asked), at(full), _break_even(at, full))


def _break_even(at: Callable[[float], Month], full: float) -> float | None:
    """Requests a day at which a month costs as much as the API's. By bisection: a token of ours gets cheaper with load."""
    most = at(full)
    if most.total is None or most.api is None or most.api <= most.total:
        return None
    low, high = 0.0, full
    for _ in range(50):
        middle = (low + high) / 2
        one = at(middle)
        low, high = (low, middle) if (one.api or 0.0) >= (one.total or 0.0) else (middle, high)
    return at(high).requests


def yen(money: Money, rates: ExchangeRates) -> float:
    """An amount in yen. [JPY]"""
    return rates.convert(money.amount, money.currency, "JPY") or 0.0
