"""A question without an answer: what is the least that would have to change?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.request.request_rate import slots_for_rate
from gyakusan.planning.select import recommend as answers

STEP = 256
"""Contexts are tried in steps of this. [tokens]"""
Try = Callable[[PlanRequest], bool]


def find_relaxations(found: answers.Recommendation, columns: ModelTable) -> tuple[Message, ...]:
    """One sentence for each limit that would have to be loosened alone. Never empty: the last one loosens several."""
    asked = found.question

    def works(question: PlanRequest) -> bool:
        return _works(found, question, columns)

    tries = [
        t
        for t in (
            _budget(found, columns),
            _context(asked, works),
            _users(asked, works) if asked.arrivals is None else _arrivals(asked, works),
            *_floors(asked, works),
        )
        if t
    ]
    if not tries:
        tries = [t for t in (_both(asked, works),) if t]
    return tuple(tries) or (say("Nothing of the catalogue runs on such a machine."),)


def _works(found: answers.Recommendation, question: PlanRequest, columns: ModelTable) -> bool:
    """True if a question has any feasible cell on the same machines."""
    import numpy as np

    from gyakusan.planning.evaluate.sweep import sweep
    from gyakusan.planning.select.exclusions import select_models

    places, _ = select_models(question, columns)
    grid = sweep(question, columns, found.grid.offers, np.array(places, np.int64), reduce=not question.owned)
    return len(answers.unsaturated(question, grid).cells) > 0


def _budget(found: answers.Recommendation, columns: ModelTable) -> Message | None:
    """The cheapest machine on which the question has an answer."""
    asked = found.question
    if asked.budget is None:
        return None
    unlimited = replace(asked, budget=replace(asked.budget, amount=1e12))
    offers, _ = market.buyable_machines(unlimited)
    for start in range(0, len(offers), 24):
        part = replace(found, grid=replace(found.grid, offers=offers[start : start + 24]))
        if not _works(part, asked, columns):
            continue
        for offer in offers[start : start + 24]:
            one = replace(found, grid=replace(found.grid, offers=(offer,)))
            if _works(one, asked, columns):
                price = found.rates.convert(offer.price or 0.0, "JPY", asked.budget.currency) or 0.0
                shown = f"{price:,.0f} {asked.budget.currency}"
                return say("From {price} on there is an answer: {machine}.", price=shown, machine=offer.machine.name)
    return None


def _context(asked: PlanRequest, works: Try) -> Message | None:
    """The longest context that works, to about 3 %."""
    found = _most(asked.workload.context, 512, STEP, lambda n: works(_shorter(asked, n)))
    return say("With {n} tokens of context for each user there is an answer.", n=f"{found:,}") if found else None


def _most(asked: int, least: int, step: int, works: Callable[[int], bool]) -> int:
    """The largest number below `asked` that works, a multiple of `step`; 0 if none does: by halves, then between two."""
    low = asked // 2 // step * step
    while low >= least and not works(low):
        low = low // 2 // step * step
    if low < least:
        return 0
    high = min(asked, 2 * low + step)
    while high - low > max(step, low // 32):
        middle = (low + high) // 2 // step * step
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def _shorter(asked: PlanRequest, context: int) -> PlanRequest:
    """The same question for a shorter context; prompt and answer shrink with it."""
    workload = asked.workload
    factor = min(1.0, context / (workload.prompt_tokens + workload.output_tokens))
    prompt, reply = max(1, int(workload.prompt_tokens * factor)), max(1, int(workload.output_tokens * factor))
    reply = min(reply, context - prompt) or 1
    return replace(asked, context=context, prompt_tokens=min(prompt, context - 1), output_tokens=reply)


def _users(asked: PlanRequest, works: Try) -> Message | None:
    found = _most(asked.users, 1, 1, lambda n: works(replace(asked, users=n)))
    return say("For {users} there is an answer.", users=people(found)) if found else None


def _arrivals(asked: PlanRequest, works: Try) -> Message | None:
    """The most requests an hour."""

    def at(hourly: int) -> bool:
        return works(replace(asked, arrivals=hourly / 3600, users=slots_for_rate(hourly / 3600, asked.workload)))

    found = _most(round((asked.arrivals or 0.0) * 3600), 1, 1, at)
    return say("With {n} requests an hour there is an answer.", n=f"{found:,}") if found else None


def _floors(asked: PlanRequest, works: Try) -> Iterator[Message]:
    """Floors and wishes, one at a time."""
    loosened = (
        (bool(asked.speed), {"speed": 0.0}, say("Without a floor for tokens a second there is an answer.")),
        (
            asked.max_ttft is not None,
            {"max_ttft": None},
            say("Without a limit for the first token there is an answer."),
        ),
        (asked.quality is not None, {"quality": None}, say("Without a floor for quality there is an answer.")),
        (bool(asked.engines), {"engines": ()}, say("With other engines there is an answer.")),
        (bool(asked.licenses), {"licenses": ()}, say("With other licences there is an answer.")),
        (bool(asked.families), {"families": ()}, say("With other families there is an answer.")),
    )
    for given, change, message in loosened:
        if given and works(replace(asked, **change)):
            yield message


def _both(asked: PlanRequest, works: Try) -> Message | None:
    """One user, and the longest context that then works, without floors."""
    free = replace(
        asked, users=1, arrivals=None, speed=0.0, max_ttft=None, quality=None, engines=(), licenses=(), families=()
    )
    found = _most(asked.workload.context + STEP, 512, STEP, lambda n: works(_shorter(free, n)))
    return say("For 1 user, {n} tokens and without floors there is an answer.", n=f"{found:,}") if found else None
