"""What keeps the usual limits of speed, where no plan does: fewer people, less context, shorter prompts, another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

Holds = Callable[[PlanRequest, Sequence[HardwareOption]], bool]
"""Whether a request has a plan that does, on machines."""
LEAST_SHARE = 8
"""A prompt is shortened to an eighth at most: less is another question."""
HELD_SHARES = (1.0, 0.97, 0.94, 0.9, 0.8, 0.7, 0.5)
"""Shares of a number that are planned, until a plan keeps the limits and surely fits: the sweep knows columns alone."""
PROMPT_STEP = 100
"""Prompts are shortened to multiples of this. [tokens]"""


def keeps_pace(request: PlanRequest, plan: Plan) -> bool:
    """Return True if a plan keeps the limits of use, or nobody knows its speed."""
    if plan.pace is None:
        return True
    return bool(is_usable(request, plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value))


def pace_relaxations(
    request: PlanRequest, hardware: Sequence[HardwareOption], columns: ModelTable, rates: ExchangeRates, holds: Holds
) -> tuple[Relaxation, ...]:
    """Return each single change with which a plan keeps the limits of use; none where no single one does.

    hardware: the machines on which no plan keeps them; holds: whether plan 1 of a request on machines does, and surely fits
    """

    def works(relaxed: PlanRequest, on: Sequence[HardwareOption] = hardware) -> bool:
        found = feasible_candidates(relaxed, columns, on)
        scores = rank_candidates(relaxed, found)
        return bool(scores.acceptable_speed[scores.eligible].any())

    changes = tuple(_of_the_request(request, works, lambda relaxed: holds(relaxed, hardware)))
    if request.budget is None and not request.owned:
        return changes  # a machine for a model: all that can be bought were tried
    for start in range(0, len(machines := reachable_machines(request)), HARDWARE_BATCH):
        batch = machines[start : start + HARDWARE_BATCH]
        if not works(request, batch):
            continue
        if found := next((m for m in batch if works(request, (m,)) and holds(request, (m,))), None):
            return (*changes, _bought(request, found, rates))
    return changes


def _of_the_request(request: PlanRequest, works: Works, holds: Works) -> Iterator[Relaxation]:
    """Yield fewer people, less context with the same prompts, shorter prompts: each the most that works."""
    workload = request.workload
    if request.arrivals is None and (users := _most(request, works, holds, "users", request.users)):
        sentence = say(
            "The limits of speed are kept with {people} (--users {option}).", people=people(users), option=users
        )
        yield Relaxation(sentence, {"users": users})
    least = workload.prompt_tokens + workload.output_tokens
    if context := _most(request, works, holds, "context", workload.context, least, CONTEXT_STEP):
        sentence = say(
            "The limits of speed are kept with {n} tokens of context (--context {option}).", **_number(context)
        )
        yield Relaxation(sentence, {"context": context})
    prompts = workload.prompt_tokens
    if prompt := _most(request, works, holds, "prompt_tokens", prompts, prompts // LEAST_SHARE, PROMPT_STEP):
        sentence = say(
            "The limits of speed are kept with prompts of {n} tokens (--prompt {option}).", **_number(prompt)
        )
        yield Relaxation(sentence, {"prompt_tokens": prompt})


def _most(request: PlanRequest, works: Works, holds: Works, field: str, now: int, least: int = 1, step: int = 1) -> int:
    """Return the largest number below what a field has now with which a plan keeps the limits, 0 if none does."""

    def changed(number: int) -> PlanRequest:
        changes: dict[str, Any] = {field: number}
        return structs.replace(request, **changes)

    found = largest_working(lambda n: works(changed(n)), now // 2, least=least, step=step, too_large=now)
    tried = dict.fromkeys(int(found * share) // step * step for share in HELD_SHARES) if found else {}
    return next((n for n in tried if n >= least and holds(changed(n))), 0)


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
