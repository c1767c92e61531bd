"""Ways out of a question without a fleet: each change was planned as it is typed, and what it gives surely fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from gyakusan.message import Message, say
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.request import LARGEST, FleetRequest, reached_by_others
from gyakusan.planning.fleet.sweep import offered_machines
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.money import Money, exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.more_ram import larger_ram
from gyakusan.planning.select.relaxations import LIMITS, MIN_CONTEXT, largest_working
from gyakusan.planning.select.ways_out import MAX_WAYS, SURE_SHARES, named_changes

Planned = Callable[[FleetRequest], FleetPlan | None]
"""The first fleet of a request, None without one or where it may not fit."""
FEWER_TRIES = 3
"""Times that fewer replicas are planned than the last ones that work."""
LOWER_FLOORS = (1.0, 0.97, 0.9, 0.8, 0.5)
"""Shares of what a fleet reaches that are tried as a floor, until one is planned: a floor brings other candidates."""
FEWER_REQUESTS = (0.99, 0.9, 0.7, 0.5, 0.25, 0.1)
"""Shares of the rate that the sweep's columns sustain that are tried."""


@dataclass(frozen=True, slots=True)
class FleetWay:
    """A change of a question, with the fleet that it gives.

    change: what is different, for people
    options: what is added to the command
    plan: the first fleet of the changed question, which surely fits
    effort: how large the change is, to order by
    """

    change: Message
    options: str
    plan: FleetPlan
    effort: float

    @property
    def sentence(self) -> Message:
        """The change and its options in one sentence."""
        return say("It works with {change}: {options}", change=self.change, options=self.options)


def speed_unknown(request: FleetRequest) -> tuple[Message, ...]:
    """Return why the number of machines cannot be computed, and what mends that; () where speeds are known."""
    hardware = offered_machines(request, exchange_rates(dict(request.plan_request.rates)))
    if not hardware or any(chip_of(o.machine) is not None for o in hardware):
        return ()
    first = hardware[0].machine
    sentence = say(
        "The speed of {machine} is not known, so the number of machines cannot be computed.", machine=first.name
    )
    if first.gpus:
        return (sentence,)
    return sentence, say("gyakusan calibrate measures it; or add --bandwidth 80GB/s.")


def ways_out(request: FleetRequest, planned: Planned, sustainable: float) -> tuple[FleetWay, ...]:
    """Return the changes that give the request a fleet, the smallest first.

    sustainable: most requests that any fleet of the request sustains, by the sweep's columns [1/s]
    """
    ways = [
        way
        for way in (
            *_more_machines(request, planned),
            *_lower_limits(request, planned),
            _more_ram(request, planned),
            _less_work(request, planned, sustainable),
            _shorter(request, planned),
        )
        if way is not None
    ]
    if not ways and request.plan_request.users > 1 and (alone := _one_user(request, planned)) is not None:
        ways.append(alone)
    return tuple(sorted(ways, key=lambda w: w.effort))[:MAX_WAYS]


def _more_machines(request: FleetRequest, planned: Planned) -> Iterator[FleetWay | None]:
    """Yield a larger budget, and more replicas."""
    if request.budget is not None:
        cheap = structs.replace(request.plan_request, prefer="price")
        free = planned(_with_budget(replace(request, plan_request=cheap), None))
        if free is not None and free.plan.offer.price is not None:
            currency = request.budget.currency
            rates = exchange_rates(dict(request.plan_request.rates))
            price = rates.convert(free.plan.offer.price * free.machines, "JPY", currency) or 0.0
            budget = Money(float(math.ceil(price)), currency)
            plan = planned(_with_budget(request, budget))
            if plan is not None:
                option, asked = f"--budget {budget.amount:.0f}{currency}", request.budget.amount
                effort = max(0.3, math.log2(max(1.0, budget.amount / asked)))
                yield FleetWay(say("budget {amount}", amount=budget.text), option, plan, effort)
    if request.replicas < LARGEST["replicas"]:
        most = LARGEST["replicas"]
        plan = planned(replace(request, replicas=most))
        for _ in range(FEWER_TRIES):  # under a lower limit others may come first
            if plan is None or not request.replicas < plan.replicas < most:
                break
            fewer = planned(replace(request, replicas=plan.replicas))
            if fewer is None:
                break
            plan, most = fewer, plan.replicas
        if plan is not None:
            change = at_most_replicas(most)
            yield FleetWay(change, f"--replicas {most}", plan, math.log2(most / request.replicas))


def at_most_replicas(number: int) -> Message:
    """Return a limit of replicas in words."""
    return say("at most 1 replica") if number == 1 else say("at most {n} replicas", n=f"{number:,}")


def _with_budget(request: FleetRequest, budget: Money | None) -> FleetRequest:
    """Return the request with another budget; that of a plan's request chooses among machines to buy."""
    plan_request = request.plan_request
    if plan_request.budget is None:
        return replace(request, budget=budget)
    paid = structs.replace(plan_request, budget=budget, currency=plan_request.paid_in)
    return replace(request, budget=budget, plan_request=paid)


def _lower_limits(request: FleetRequest, planned: Planned) -> Iterator[FleetWay | None]:
    """Yield each limit of the request as what is reached without it."""
    for limit in LIMITS:
        changes = dict(limit.changes)
        if "engines" in changes:
            if "engines" not in request.given:  # what stands there is no limit that was given
                continue
            changes = {"engines": reached_by_others()}
        free = structs.replace(request.plan_request, **changes)
        plan = None if free == request.plan_request else planned(replace(request, plan_request=free))
        if plan is not None:
            yield next((w for c in _reached(changes, plan) if (w := _way(request, planned, c)) is not None), None)


def _reached(changes: Mapping[str, Any], plan: FleetPlan) -> Iterator[dict[str, Any]]:
    """Yield the limit that was dropped as what the fleet reaches, the nearest first."""
    for share in LOWER_FLOORS:
        if "quality" in changes:
            yield {"quality": float(math.floor(share * float(plan.plan.score.value)))}
        elif "speed" in changes:
            yield {"speed": math.floor(10 * share * plan.tokens_per_s_low) / 10}
        elif "max_ttft" in changes:
            yield {"max_ttft": math.ceil(10 * max(plan.speed.ttft.high, plan.first_token) / share) / 10}
        elif "power" in changes and plan.plan.offer.power is not None:
            yield {"power": float(math.ceil(plan.plan.offer.power / share))}
        else:
            yield dict(changes)
            return


def _more_ram(request: FleetRequest, planned: Planned) -> FleetWay | None:
    """Return the least RAM of those tried with which there is a fleet, None where nobody gave one."""
    for ram in larger_ram(request.plan_request):
        plan = planned(replace(request, plan_request=structs.replace(request.plan_request, ram=ram.option)))
        if plan is not None:
            return FleetWay(ram.change, f"--ram {ram.option}", plan, ram.effort)
    return None


def _less_work(request: FleetRequest, planned: Planned, sustainable: float) -> FleetWay | None:
    """Return fewer requests, or fewer people."""
    asked = request.plan_request
    if asked.arrivals is not None:
        hourly = dict.fromkeys(int(share * sustainable * 3600) for share in FEWER_REQUESTS)
        rates = (n / 3600 for n in hourly if 0 < n / 3600 < asked.arrivals)
        return next((w for rate in rates if (w := _way(request, planned, {"arrivals": rate})) is not None), None)

    def works(users: int) -> bool:
        return planned(replace(request, plan_request=structs.replace(asked, users=users))) is not None

    users = largest_working(works, asked.users // 2)
    more = (int(asked.users * share) for share in SURE_SHARES if users < int(asked.users * share)) if users else ()
    tried = (*more, users) if users else ()
    return next((w for n in tried if (w := _way(request, planned, {"users": n})) is not None), None)


def _shorter(request: FleetRequest, planned: Planned) -> FleetWay | None:
    """Return less context for each."""
    context = request.plan_request.workload.context // 2
    while context >= MIN_CONTEXT:
        way = _way(request, planned, {"context": context}) if _holds(request.plan_request, context) else None
        if way is not None:
            return way
        context //= 2
    return None


def _holds(request: PlanRequest, context: int) -> bool:
    """Return True if a context holds the prompt and the answer that were given; others are shortened with it."""
    return (request.prompt_tokens or 0) + (request.output_tokens or 0) < context


def _one_user(request: FleetRequest, planned: Planned) -> FleetWay | None:
    """Return the longest context of one user, by halves."""
    alone = structs.replace(request.plan_request, users=1)
    context = alone.workload.context // 2
    while request.plan_request.arrivals is None and context >= MIN_CONTEXT:
        way = _way(request, planned, {"users": 1, "context": context}) if _holds(alone, context) else None
        if way is not None:
            return way
        context //= 2
    return None


def _way(request: FleetRequest, planned: Planned, changes: Mapping[str, Any]) -> FleetWay | None:
    """Return a change of a plan's request if it has a fleet."""
    change, options, effort = named_changes(request.plan_request, changes)
    if change is None:
        return None
    plan = planned(replace(request, plan_request=_changed(request.plan_request, changes)))
    return None if plan is None else FleetWay(change, options, plan, effort)


def _changed(request: PlanRequest, changes: Mapping[str, Any]) -> PlanRequest:
    return structs.replace(request, **changes)
