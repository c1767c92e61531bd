"""Relaxations: which change of a request gives it a plan, and how far a number must be lowered.

`Relaxation`, `dropped_limits`, `largest_working` and `with_context` are the engine that every planner shares (plan, colocate,
fleet). `find_relaxations` applies them to a request about one model: the budget, the context, the users, each limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

from msgspec import Struct, field, structs

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.candidates.purchases import hardware_options, reachable_machines
from gyakusan.planning.request.money import ExchangeRates, Money
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.request.request_rate import slots_for_rate
from gyakusan.planning.select.feasible import feasible_candidates

CONTEXT_STEP = 256
"""Contexts are multiples of this. [tokens]"""
MIN_CONTEXT = 512
"""Shorter contexts are not proposed. [tokens]"""
HARDWARE_BATCH = 24
"""Machines that are tried at once, so that the cheap ones are found without a sweep over all."""
WHOLE_COMPUTER = "The cheapest whole computer that does costs {price}: {machine}."
"""Said where a card alone, for a PC that one owns, costs less."""
Works = Callable[[PlanRequest], bool]
"""Whether a changed request has a plan."""


class Relaxation(Struct, frozen=True):
    """A change of a request that gives it a plan, or a reason why no single change does.

    sentence: for people
    changes: field of the request -> value with which there is a plan; empty for a reason
    """

    sentence: Message
    changes: Mapping[str, Any] = field(default_factory=dict)


LIMITS = (
    Relaxation(say("It works without the speed floor."), {"speed": 0.0}),
    Relaxation(say("It works without the limit on the first token."), {"max_ttft": None}),
    Relaxation(say("It works without the quality floor."), {"quality": None}),
    Relaxation(say("It works with other engines."), {"engines": ()}),
    Relaxation(say("It works with other licences."), {"licenses": ()}),
    Relaxation(say("It works with other model families."), {"families": ()}),
    Relaxation(say("It works without the limit of power."), {"power": None}),
)
"""Limits that can be dropped whole."""


def dropped_limits(request: PlanRequest, works: Works) -> Iterator[Relaxation]:
    """Yield each limit of the request without which alone there is a plan."""
    for relaxation in LIMITS:
        relaxed = structs.replace(request, **relaxation.changes)
        if relaxed != request and works(relaxed):
            yield relaxation


def largest_working(
    works: Callable[[int], bool],
    start: int,
    *,
    least: int = 1,
    step: int = 1,
    divisor: int = 2,
    too_large: int | None = None,
) -> int:
    """Return the first number that works, dividing from `start` down to `least`; 0 if none does.

    Where a number works, so does a smaller one: the smallest is tried first, and alone where nothing works.
    step: numbers are rounded down to a multiple of it
    too_large: a number known to fail; given, the search goes on between the two to about 3 %
    """
    chain = [start // step * step]
    while (smaller := chain[-1] // divisor // step * step) >= least:
        chain.append(smaller)
    if chain[-1] < least or not works(chain[-1]):
        return 0
    number = next((n for n in chain[:-1] if works(n)), chain[-1])
    if too_large is None:
        return number
    low, high = number, min(too_large, divisor * number + step)
    while high - low > max(step, low // 32):
        middle = (low + high) // 2 // step * step
        if middle <= low:
            break
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def with_context(request: PlanRequest, context: int) -> PlanRequest:
    """Return the request for a shorter context [tokens]; prompt and output shrink with it, in proportion."""
    return structs.replace(request, **context_changes(request, context))


def context_changes(request: PlanRequest, context: int) -> dict[str, Any]:
    """Return what `with_context` changes, by field of the request."""
    workload = request.workload
    factor = min(1.0, context / (workload.prompt_tokens + workload.output_tokens))
    prompt = min(max(1, int(workload.prompt_tokens * factor)), context - 1)
    output = min(max(1, int(workload.output_tokens * factor)), context - prompt)
    return {"context": context, "prompt_tokens": prompt, "output_tokens": output}


def find_relaxations(
    request: PlanRequest, hardware: Sequence[HardwareOption], columns: ModelTable, rates: ExchangeRates
) -> tuple[Relaxation, ...]:
    """Return each single change with which the request has a plan, else one of several changes. Never empty.

    hardware: the machines on which the request has none
    """

    def runs(relaxed: PlanRequest, on: Sequence[HardwareOption] | None = None) -> bool:
        if on is None:
            on = hardware if relaxed.power == request.power else hardware_options(relaxed)[0]
        return len(feasible_candidates(relaxed, columns, on, first=True).cells) > 0

    works = cache(runs)
    single = [
        r
        for r in (
            *_larger_budget(request, rates, lambda on: runs(request, on)),
            _shorter_context(request, works),
            _fewer_users(request, works) if request.arrivals is None else _fewer_requests(request, works),
            *dropped_limits(request, works),
        )
        if r is not None
    ]
    if single:
        return tuple(single)
    several = _several_changes(
        request, works, lambda relaxed: _larger_budget(relaxed, rates, lambda on: runs(relaxed, on))
    )
    return (several or Relaxation(_nothing_works(request)),)


def _nothing_works(request: PlanRequest) -> Message:
    if request.owned:
        return say("No requested model of the catalogue runs on this machine.")
    return say("Nothing in the catalogue keeps the limits that remain.")


def _larger_budget(
    request: PlanRequest, rates: ExchangeRates, works_on: Callable[[Sequence[HardwareOption]], bool]
) -> Iterator[Relaxation]:
    """Yield the price of the cheapest machine on which there is a plan; of a card alone, that of a whole computer, too."""
    if request.budget is None:
        return
    currency = request.budget.currency
    machines = reachable_machines(request)
    cheapest = _first_working(machines, works_on)
    whole = [m for m in machines if not m.own_computer]
    computer = _first_working(whole, works_on) if cheapest is not None and cheapest.own_computer else None
    for machine in (cheapest, computer):
        if machine is not None:
            price = Money(rates.convert(machine.price or 0.0, "JPY", currency) or 0.0, currency)
            sentence = _from_price(price, machine)
            if machine is computer:
                sentence = say(WHOLE_COMPUTER, price=price.text, machine=machine.machine.name)
            yield Relaxation(sentence, {"budget": price})


def _first_working(
    machines: Sequence[HardwareOption], works_on: Callable[[Sequence[HardwareOption]], bool]
) -> HardwareOption | None:
    """Return the first machine on which there is a plan, None if there is none."""
    for start in range(0, len(machines), HARDWARE_BATCH):
        batch = machines[start : start + HARDWARE_BATCH]
        found = next((m for m in batch if works_on((m,))), None) if works_on(batch) else None
        if found is not None:
            return found
    return None


def _from_price(price: Money, machine: HardwareOption) -> Message:
    """Return from which price there is an answer, and for what."""
    facts = {"price": price.text, "machine": machine.machine.name}
    if not machine.own_computer:
        return say("It works from {price}: {machine}.", **facts)
    if any(item.used for item in machine.items):
        return say("It works from {price}: {machine}, second-hand, in a PC you own.", **facts)
    return say("It works from {price}: {machine} in a PC you own.", **facts)


def _longest_context(request: PlanRequest, works: Works, too_large: int) -> int:
    return largest_working(
        lambda n: works(with_context(request, n)),
        too_large // 2,
        least=MIN_CONTEXT,
        step=CONTEXT_STEP,
        too_large=too_large,
    )


def _shorter_context(request: PlanRequest, works: Works) -> Relaxation | None:
    context = _longest_context(request, works, request.workload.context)
    if not context:
        return None
    sentence = say("It works with {n} tokens of context for each user.", n=f"{context:,}")
    return Relaxation(sentence, context_changes(request, context))


def _fewer_users(request: PlanRequest, works: Works) -> Relaxation | None:
    users = largest_working(
        lambda n: works(structs.replace(request, users=n)), request.users // 2, too_large=request.users
    )
    return Relaxation(say("It works for {users}.", users=people(users)), {"users": users}) if users else None


def _fewer_requests(request: PlanRequest, works: Works) -> Relaxation | None:
    def rate_changes(hourly: int) -> dict[str, Any]:
        return {"arrivals": hourly / 3600, "users": slots_for_rate(hourly / 3600, request.workload)}

    hourly = round((request.arrivals or 0.0) * 3600)
    rate = largest_working(lambda n: works(structs.replace(request, **rate_changes(n))), hourly // 2, too_large=hourly)
    if not rate:
        return None
    return Relaxation(say("It works with {n} requests an hour.", n=f"{rate:,}"), rate_changes(rate))


def _several_changes(
    request: PlanRequest, works: Works, larger_budget: Callable[[PlanRequest], Iterator[Relaxation]]
) -> Relaxation | None:
    """Return the fewest limits, of those that were asked for, without which together there is a plan.

    A larger budget counts as one of them. People and context stay as they are where they can.
    """
    asked = [r.changes for r in LIMITS if structs.replace(request, **r.changes) != request]
    for count in range(1, len(asked) + 1):
        for some in combinations(asked, count):
            changes: dict[str, Any] = {field: value for one in some for field, value in one.items()}
            relaxed = structs.replace(request, **changes)
            if works(relaxed):
                return Relaxation(say("It works without {n} of the limits.", n=count), changes)
            if (budget := next(iter(larger_budget(relaxed)), None)) is not None:
                return Relaxation(budget.sentence, {**budget.changes, **changes})
    return _fewer_and_shorter(request, works, {field: value for one in asked for field, value in one.items()})


def _fewer_and_shorter(request: PlanRequest, works: Works, limits: Mapping[str, Any]) -> Relaxation | None:
    """Return less context, else fewer people, else one user's longest context, each without any limit."""
    free = structs.replace(request, **limits)
    for shorter in (
        _shorter_context(free, works),
        _fewer_users(free, works) if request.arrivals is None else _fewer_requests(free, works),
    ):
        if shorter is not None:
            return Relaxation(shorter.sentence, {**limits, **shorter.changes})
    alone = structs.replace(free, users=1, arrivals=None)
    context = _longest_context(alone, works, request.workload.context + CONTEXT_STEP)
    if not context:
        return None
    sentence = say("It works for 1 user and {n} tokens, without floors.", n=f"{context:,}")
    return Relaxation(sentence, {**limits, "users": 1, "arrivals": None, **context_changes(alone, context)})
