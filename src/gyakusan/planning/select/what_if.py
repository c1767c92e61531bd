"""What a small change of a request would bring or cost: one more person, twice the context, one more card, more money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import structs

from gyakusan.doors.shell import shell_word
from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import answering_plans
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.ways_out import one_more_card

BUDGET_STEPS = {"JPY": 100_000, "USD": 500, "EUR": 500, "CHF": 500}
"""A change of the budget: round in the currency that is asked in, and about as much in each."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a request, tried.

    change: what is different, for people
    plan: the first plan of the changed request, None if it has none
    options: what is added to the command for it
    """

    change: Message
    plan: Plan | None
    options: str = ""


def what_if(recommendation: Recommendation) -> tuple[Change, ...]:
    """Return plan 1 of the answer to each changed request, on the same machines or on what more money buys."""
    return tuple(
        Change(sentence, _plan_1(recommendation, request, hardware), options)
        for sentence, options, request, hardware in _changed_requests(recommendation)
    )


def _plan_1(recommendation: Recommendation, request: PlanRequest, hardware: tuple[HardwareOption, ...]) -> Plan | None:
    """Return plan 1 of the answer to a request, None if it has none."""
    found = answering_plans(request, feasible_candidates(request, recommendation.grid.columns, hardware))
    return found[0] if found else None


def _has_small_cache(recommendation: Recommendation) -> bool:
    """Return True if plan 1 keeps its conversations in 8 bits already, or was to."""
    if "Q8_0" in recommendation.request.kv_types:
        return True
    return any(p.small_cache for p in recommendation.plans[:1])


def _changed_requests(
    recommendation: Recommendation,
) -> Iterator[tuple[Message, str, PlanRequest, tuple[HardwareOption, ...]]]:
    request, hardware = recommendation.request, recommendation.grid.offers
    users, context = request.users + 1, request.workload.context * 2
    yield people(users), f"--users {users}", structs.replace(request, users=users), hardware
    longer = structs.replace(request, context=context)
    yield say("{n} tokens each", n=f"{context:,}"), f"--context {context}", longer, hardware
    if not _has_small_cache(recommendation):
        yield say("KV cache q8_0"), "--kv-type q8_0", structs.replace(request, kv_types=("Q8_0",)), hardware
    named = request.device is not None or request.memory is None  # of memory alone there is no device to type
    if request.owned and named and hardware and (larger := one_more_card(hardware[0])):
        yield say("one more card"), f"--device {shell_word(larger.machine.name)}", request, (larger,)
    if request.budget is not None:
        currency = request.budget.currency
        step = Money(BUDGET_STEPS[currency], currency)
        richer = structs.replace(request, budget=Money(request.budget.amount + step.amount, currency))
        option = f"--budget {richer.budget.amount:.0f}{currency}" if richer.budget else ""
        yield say("{money} more", money=step.text), option, richer, hardware_options(richer)[0]
