"""What a small change of a request would bring or cost: one more user, twice the context, one more card, more money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption, hardware_options
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import choose_plans
from gyakusan.planning.select.recommendation import Recommendation

BUDGET_STEP = 100_000
"""A change of the budget. [JPY]"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a request, tried.

    change: what is different, for people
    plan: the balanced plan of the changed request, None if it has none
    """

    change: Message
    plan: Plan | None


def what_if(recommendation: Recommendation) -> tuple[Change, ...]:
    """Return the balanced plan of each changed request, on the same machines or on what more money buys."""
    columns = recommendation.grid.columns
    changes = []
    for sentence, request, hardware in _changed_requests(recommendation):
        plans = choose_plans(request, feasible_candidates(request, columns, hardware), ("balanced",))
        changes.append(Change(sentence, plans[0] if plans else None))
    return tuple(changes)


def _changed_requests(
    recommendation: Recommendation,
) -> Iterator[tuple[Message, PlanRequest, tuple[HardwareOption, ...]]]:
    request, hardware = recommendation.request, recommendation.grid.offers
    users, context = request.users + 1, request.workload.context * 2
    yield say("with {users}", users=people(users)), replace(request, users=users), hardware
    yield say("with {n} tokens of context", n=f"{context:,}"), replace(request, context=context), hardware
    if "Q8_0" not in request.kv_types:
        yield say("with a q8_0 cache"), replace(request, kv_types=("Q8_0",)), hardware
    if request.owned and hardware and (larger := _one_more_card(hardware[0])):
        yield say("with one more card"), request, (larger,)
    if request.budget is not None:
        currency = request.budget.currency
        step = Money(recommendation.rates.convert(BUDGET_STEP, "JPY", currency) or 0.0, currency)
        richer = replace(request, budget=Money(request.budget.amount + step.amount, currency))
        yield say("with {money} more", money=step.text), richer, hardware_options(richer)[0]


def _one_more_card(option: HardwareOption) -> HardwareOption | None:
    """Return the machine with one more of its last card, None if it takes no more cards."""
    gpus = option.machine.gpus
    if not gpus or gpus[0].kind != "gpu" or len(gpus) >= MAX_DEVICES:
        return None
    count = len(gpus) + 1
    machine = replace(option.machine, gpus=(*gpus, gpus[-1]), name=f"{count}x {gpus[-1].name}")
    return replace(option, machine=machine, count=count)
