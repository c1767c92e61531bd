"""A question about a fleet without an answer: what is the least that would have to change?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.fleet.request import MOST, FleetRequest
from gyakusan.planning.fleet.sweep import offered, sweep_fleets
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.request import PlanRequest


def find_relaxations(asked: FleetRequest, columns: ModelTable, most: float) -> tuple[Message, ...]:
    """One sentence for each limit that would have to be loosened alone. Never empty. most: requests that are borne [1/s]."""
    offers = offered(asked, exchange_rates(dict(asked.question.rates)))
    if offers and all(chip_of(o.machine) is None for o in offers):
        return (
            say(
                "The speed of {machine} is not known, so that nobody can say how many serve them.",
                machine=_name(offers),
            ),
        )
    tries = [m for change, m in _loosened(asked) if _works(change, columns)]
    tries += [m for m in (_fewer(asked, columns, most),) if m is not None]
    return tuple(tries) or (say("No fleet of machines of the catalogue serves this."),)


def _name(offers: tuple[HardwareOption, ...]) -> str:
    return offers[0].machine.name


def _works(asked: FleetRequest, columns: ModelTable) -> bool:
    """True if any fleet serves it, machines that join for one replica not counted."""
    return len(sweep_fleets(asked, columns, any_=True).grid.cells) > 0


def _loosened(asked: FleetRequest) -> Iterator[tuple[FleetRequest, Message]]:
    """Limits, one at a time."""
    question = asked.question
    if asked.budget is not None:
        free = replace(asked, budget=None, question=replace(question, budget=None))
        yield free, say("With a larger budget there is an answer.")
    if asked.replicas < MOST["replicas"]:
        yield replace(asked, replicas=MOST["replicas"]), say("With more replicas there is an answer.")
    for given, change, message in (
        (bool(question.speed), {"speed": 0.0}, say("Without a floor for tokens a second there is an answer.")),
        (
            question.max_ttft is not None,
            {"max_ttft": None},
            say("Without a limit for the first token there is an answer."),
        ),
        (question.quality is not None, {"quality": None}, say("Without a floor for quality there is an answer.")),
        (bool(question.engines), {"engines": ()}, say("With other engines there is an answer.")),
        (bool(question.licenses), {"licenses": ()}, say("With other licences there is an answer.")),
        (bool(question.families), {"families": ()}, say("With other families there is an answer.")),
    ):
        if given:
            yield replace(asked, question=replace(question, **change)), message


def _fewer(asked: FleetRequest, columns: ModelTable, most: float) -> Message | None:
    """The most requests that are served; people, by quarters; else the longest context for one."""
    question = asked.question
    if question.arrivals is not None and most > 0:
        return say("With {n} requests an hour there is an answer.", n=f"{0.99 * most * 3600:,.4g}")
    users = 0 if question.arrivals is not None else question.users // 4
    while users:
        if _works(replace(asked, question=replace(question, users=users)), columns):
            return say("For {users} there is an answer.", users=people(users))
        users //= 4
    context = question.workload.context // 2
    while context >= 512:
        if _works(replace(asked, question=_shorter(question, context)), columns):
            return say("For 1 user and {n} tokens there is an answer.", n=f"{context:,}")
        context //= 4
    return None


def _shorter(question: PlanRequest, context: int) -> PlanRequest:
    prompt = min(question.workload.prompt_tokens, context * 3 // 4)
    return replace(
        question,
        users=1,
        context=context,
        prompt_tokens=prompt,
        output_tokens=min(question.workload.output_tokens, context - prompt),
    )
