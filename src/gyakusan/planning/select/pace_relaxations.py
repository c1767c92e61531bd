"""What keeps the usual limits of speed, where no plan does: fewer people, less context, shorter prompts, another machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from gyakusan.message import people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.candidates.purchases import reachable_machines
from gyakusan.planning.request.money import ExchangeRates, Money
from gyakusan.planning.request.pace import is_usable
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.relaxations import CONTEXT_STEP, HARDWARE_BATCH, Relaxation, Works, largest_working

LEAST_SHARE = 8
"""A prompt is shortened to an eighth at most: less is another question."""
PROMPT_STEP = 100
"""Prompts are shortened to multiples of this. [tokens]"""


def keeps_pace(request: PlanRequest, plan: Plan) -> bool:
    """Return True if a plan keeps the limits of use, or nobody knows its speed."""
    if plan.pace is None:
        return True
    return bool(is_usable(request, plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value))


def pace_relaxations(
    request: PlanRequest, hardware: Sequence[HardwareOption], columns: ModelTable, rates: ExchangeRates
) -> tuple[Relaxation, ...]:
    """Return each single change with which a plan keeps the limits of use; none where no single one does.

    hardware: the machines on which no plan keeps them
    """

    def works(relaxed: PlanRequest, on: Sequence[HardwareOption] = hardware) -> bool:
        found = feasible_candidates(relaxed, columns, on)
        scores = rank_candidates(relaxed, found)
        return bool(scores.acceptable_speed[scores.eligible].any())

    changes = tuple(_of_the_request(request, works))
    if request.budget is None and not request.owned:
        return changes  # a machine for a model: all that can be bought were tried
    for start in range(0, len(machines := reachable_machines(request)), HARDWARE_BATCH):
        batch = machines[start : start + HARDWARE_BATCH]
        if works(request, batch) and (found := next((m for m in batch if works(request, (m,))), None)):
            return (*changes, _bought(request, found, rates))
    return changes


def _of_the_request(request: PlanRequest, works: Works) -> Iterator[Relaxation]:
    """Yield fewer people, less context with the same prompts, shorter prompts: each the most that works."""
    workload = request.workload
    if request.arrivals is None and (users := _most(request, works, "users", request.users)):
        sentence = say(
            "The limits of speed are kept with {people} (--users {option}).", people=people(users), option=users
        )
        yield Relaxation(sentence, {"users": users})
    least = workload.prompt_tokens + workload.output_tokens
    if context := _most(request, works, "context", workload.context, least, CONTEXT_STEP):
        sentence = say(
            "The limits of speed are kept with {n} tokens of context (--context {option}).", **_number(context)
        )
        yield Relaxation(sentence, {"context": context})
    prompts = workload.prompt_tokens
    if prompt := _most(request, works, "prompt_tokens", prompts, prompts // LEAST_SHARE, PROMPT_STEP):
        sentence = say(
            "The limits of speed are kept with prompts of {n} tokens (--prompt {option}).", **_number(prompt)
        )
        yield Relaxation(sentence, {"prompt_tokens": prompt})


def _most(request: PlanRequest, works: Works, field: str, now: int, least: int = 1, step: int = 1) -> int:
    """Return the largest number below what a field has now with which the limits are kept, 0 if none is."""

    def kept(number: int) -> bool:
        changes: dict[str, Any] = {field: number}
        return works(structs.replace(request, **changes))

    return largest_working(kept, now // 2, least=least, step=step, too_large=now)


def _bought(request: PlanRequest, option: HardwareOption, rates: ExchangeRates) -> Relaxation:
    """Return the cheapest machine to buy on which the limits are kept."""
    currency = request.paid_in
    price = Money(rates.convert(option.price or 0.0, "JPY", currency) or 0.0, currency)
    facts = {"price": price.text, "machine": option.machine.name}
    if option.own_computer:
        return Relaxation(
            say("The limits of speed are kept from {price}: {machine} in a PC you own.", **facts), {"budget": price}
        )
    return Relaxation(say("The limits of speed are kept from {price}: {machine}.", **facts), {"budget": price})


def _number(tokens: int) -> dict[str, object]:
    """Return a number of tokens for people and as it is typed."""
    return {"n": f"{tokens:,}", "option": tokens}
