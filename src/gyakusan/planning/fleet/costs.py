"""Cost of a fleet: purchase, power and upkeep, for a month and for a million tokens, compared with an API.

All amounts inside are yen. The power of a machine at its socket follows from its devices' figure at work, a share of it while
they wait, the rest of the computer, and the loss of its power supply (candidates/power.py). Every assumption stands there, in
`CostTerms` or below, and in every answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gyakusan.core.arrays import Number
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.power import rest_watts, socket_watts
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates, Money

IDLE_POWER_SHARE = 0.15
"""Share of its power that a device draws while it waits with a model loaded. Assumed: 60 to 120 W of 450 to 700."""
DEFAULT_TARIFF = Money(31, "JPY")
"""Price of a kWh for households in Japan. Source: Home Electric Appliances Fair Trade Conference, July 2022. [JPY/kWh]"""
DAYS_PER_MONTH = 365 / 12
SECONDS_PER_HOUR = 3600
MILLION = 1e6


class Priced(Protocol):
    """A deployment beside others, as far as its tokens cost something."""

    @property
    def fits(self) -> bool:
        """True if it fits."""

    @property
    def pace(self) -> SpeedEstimate | None:
        """Its speed, None = not known."""

    @property
    def price(self) -> float | None:
        """Price of its machine, None = owned or not known [JPY]."""

    @property
    def wall(self) -> float | None:
        """What its machine takes from the socket at work, None = not known [W]."""


@dataclass(frozen=True, slots=True)
class CostTerms:
    """What costs are computed with.

    months: time over which the purchase is spread [months]
    tariff: price of electricity [1/kWh]
    pue: power of the building over power of the machines
    hours: operation a day [h]
    upkeep: share of the purchase price a year [%]
    api_input: price that an API takes for a million prompt tokens, None = no API to compare with
    api_output: price that an API takes for a million output tokens, None = no API to compare with
    """

    months: float = 36.0
    tariff: Money = DEFAULT_TARIFF
    pue: float = 1.0
    hours: float = 24.0
    upkeep: float = 0.0
    api_input: Money | None = None
    api_output: Money | None = None


@dataclass(frozen=True, slots=True)
class FleetMachines:
    """The machines that are bought.

    count: machines that serve
    spares: machines that are switched on and wait for a failure
    price: of one machine, None = not known [JPY]
    device_watts: power of one machine's devices at work, None = not known [W]
    chassis_watts: power of the rest of one machine [W]
    """

    count: int
    spares: int
    price: float | None
    device_watts: float | None
    chassis_watts: float


@dataclass(frozen=True, slots=True)
class FleetWork:
    """The work of a fleet.

    rate: requests per second [1/s]
    prompt_tokens: of one request [tokens]
    output_tokens: of one request, with reasoning: an API bills those, too [tokens]
    busy: share of the time in which the devices work
    """

    rate: float
    prompt_tokens: float
    output_tokens: float
    busy: float


@dataclass(frozen=True, slots=True)
class Month:
    """Work and cost of one month; None = not known.

    requests: a day [1/day]
    prompt_tokens: of the month [tokens]
    output_tokens: of the month, with reasoning [tokens]
    watts: mean power of all machines while the fleet runs [W]
    purchase: share of the purchase [JPY]
    power: cost of electricity [JPY]
    upkeep: cost of upkeep [JPY]
    total: purchase, power and upkeep [JPY]
    output_token_price: cost of a million output tokens [JPY]
    token_price: cost of a million tokens, prompts and outputs [JPY]
    api: price that the API takes for the same tokens [JPY]
    """

    requests: float
    prompt_tokens: float
    output_tokens: float
    watts: float | None
    purchase: float | None
    power: float | None
    upkeep: float | None
    total: float | None
    output_token_price: float | None
    token_price: float | None
    api: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a fleet costs.

    machines: the machines that are bought
    requested: a month at the requested load
    full: a month with every slot taken
    break_even: load from which owning is cheaper than the API, None = never, or no API given [requests/day]
    """

    machines: FleetMachines
    requested: Month
    full: Month
    break_even: float | None


def machines(offer: HardwareOption, count: int, spares: int, price: float | None) -> FleetMachines:
    """Return `count` serving and `spares` waiting machines of one kind. price: of one machine [JPY]."""
    return FleetMachines(count, spares, price, offer.power, chassis_watts(offer))


def chassis_watts(offer: HardwareOption) -> float:
    """Return the power of one machine without its devices [W]."""
    return rest_watts(offer.machine)


def watts(device_watts: Number, chassis: Number, count: Number, spares: Number, busy: Number) -> Number:
    """Return the mean power of a fleet at its sockets [W].

    device_watts, chassis: of one machine, see FleetMachines [W]
    count, spares: machines that serve and that wait
    busy: share of the time in which the devices of `count` machines work
    """
    working = socket_watts(device_watts * (IDLE_POWER_SHARE + (1 - IDLE_POWER_SHARE) * busy), chassis)
    return count * working + spares * socket_watts(device_watts * IDLE_POWER_SHARE, chassis)


def monthly_power(mean_watts: Number, terms: CostTerms, tariff: float) -> Number:
    """Return the cost of electricity in a month [JPY]. mean_watts: while the fleet runs [W]; tariff [JPY/kWh]."""
    return mean_watts / 1000 * terms.hours * DAYS_PER_MONTH * terms.pue * tariff


def monthly_purchase_and_upkeep(price: Number, terms: CostTerms) -> tuple[Number, Number]:
    """Return the month's share of the purchase, and its upkeep [JPY]. price: of all machines [JPY]."""
    return price / terms.months, price * terms.upkeep / 100 / 12


def month(fleet: FleetMachines, work: FleetWork, terms: CostTerms, rates: ExchangeRates) -> Month:
    """Return the work and cost of a month under a constant load."""
    requests = work.rate * terms.hours * SECONDS_PER_HOUR
    prompt_tokens, output_tokens = (requests * DAYS_PER_MONTH * n for n in (work.prompt_tokens, work.output_tokens))
    mean_watts = purchase = power = upkeep = total = None
    if fleet.device_watts is not None:
        mean_watts = float(watts(fleet.device_watts, fleet.chassis_watts, fleet.count, fleet.spares, work.busy))
        power = float(monthly_power(mean_watts, terms, yen(terms.tariff, rates)))
    if fleet.price is not None:
        purchase, upkeep = map(float, monthly_purchase_and_upkeep(fleet.price * (fleet.count + fleet.spares), terms))
        total = None if power is None else purchase + power + upkeep
    return Month(
        requests=requests,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        watts=mean_watts,
        purchase=purchase,
        power=power,
        upkeep=upkeep,
        total=total,
        output_token_price=None if total is None else total / output_tokens * MILLION,
        token_price=None if total is None else total / (prompt_tokens + output_tokens) * MILLION,
        api=api_price(prompt_tokens, output_tokens, terms, rates),
    )


def answer_price(
    price: float | None, wall: float | None, tokens_per_second: float | None, terms: CostTerms, rates: ExchangeRates
) -> float | None:
    """Return what a million answer tokens cost on one machine that never waits, None where a part is not known [JPY].

    price: of the machine [JPY]; wall: what it takes from its socket at work [W]; tokens_per_second: of all its people
    """
    if price is None or wall is None or not tokens_per_second:
        return None
    tokens = tokens_per_second * terms.hours * SECONDS_PER_HOUR * DAYS_PER_MONTH
    power = float(monthly_power(wall, terms, yen(terms.tariff, rates)))
    return (sum(map(float, monthly_purchase_and_upkeep(price, terms))) + power) / tokens * MILLION


def full_price(one: Priced, rates: ExchangeRates) -> float | None:
    """Return what a million answer tokens cost on a machine that never waits, None where a part is not known [JPY]."""
    if not one.fits or one.pace is None:
        return None
    return answer_price(one.price, one.wall, float(one.pace.throughput.value), CostTerms(), rates)


def api_price(prompt_tokens: float, output_tokens: float, terms: CostTerms, rates: ExchangeRates) -> float | None:
    """Return the API's price for these tokens, None if no price was given [JPY]. A single missing price counts as 0."""
    if terms.api_input is None and terms.api_output is None:
        return None
    parts = ((prompt_tokens, terms.api_input), (output_tokens, terms.api_output))
    return sum(tokens / MILLION * yen(price, rates) for tokens, price in parts if price is not None)


def cost(
    fleet: FleetMachines,
    work_at: Callable[[float], FleetWork],
    requested: float,
    full: float,
    terms: CostTerms,
    rates: ExchangeRates,
) -> Cost:
    """Return the cost at two loads, and the load from which the API costs more.

    work_at: work of the fleet at a rate of requests [1/s]
    requested, full: rates of requests [1/s]
    """

    def month_at(rate: float) -> Month:
        return month(fleet, work_at(rate), terms, rates)

    return Cost(fleet, month_at(requested), month_at(full), _break_even(month_at, full))


def _break_even(month_at: Callable[[float], Month], full: float) -> float | None:
    """Return the load at which a month costs as much as the API's [requests/day].

    By bisection: the more load, the cheaper a token of the fleet.
    """
    most = month_at(full)
    if most.total is None or most.api is None or most.api <= most.total:
        return None
    low, high = 0.0, full
    for _ in range(50):
        middle = (low + high) / 2
        tried = month_at(middle)
        low, high = (low, middle) if (tried.api or 0.0) >= (tried.total or 0.0) else (middle, high)
    return month_at(high).requests


def yen(money: Money, rates: ExchangeRates) -> float:
    """Return an amount in yen [JPY]."""
    return rates.convert(money.amount, money.currency, "JPY") or 0.0
