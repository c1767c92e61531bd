"""A question about a fleet without an answer: what is the least that would have to change?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gyakusan.message import Message, people, say
from gyakusan.planning.columns import Columns
from gyakusan.planning.fleet_question import MOST, FleetQuestion
from gyakusan.planning.question import Question


def nearest(asked: FleetQuestion, columns: Columns) -> tuple[Message, ...]:
    """One sentence for each limit that would have to be loosened alone. Never empty."""

    def works(changed: FleetQuestion) -> bool:
        return bool(_quick(changed, columns))

    tries = [m for change, m in _loosened(asked) if works(change)]
    tries += [m for m in (_fewer(asked, columns),) if m is not None]
    return tuple(tries) or (say("No fleet of machines of the catalogue serves this."),)


def _quick(asked: FleetQuestion, columns: Columns) -> bool:
    """True if any fleet serves it, machines that join for one replica not counted."""
    from gyakusan.planning.fleet_grid import fleets

    return len(fleets(asked, columns).grid.cells) > 0


def _loosened(asked: FleetQuestion) -> Iterator[tuple[FleetQuestion, Message]]:
    """Limits, one at a time."""
    question = asked.question
    if asked.budget is not None:
        free = replace(asked, budget=None, question=replace(question, budget=None))
        yield free, say("With a larger budget there is an answer.")
    if asked.replicas < MOST["replicas"]:
        yield replace(asked, replicas=MOST["replicas"]), say("With more replicas there is an answer.")
    for given, change, message in (
        (bool(question.speed), {"speed": 0.0}, say("Without a floor for tokens a second there is an answer.")),
        (question.first is not None, {"first": None}, say("Without a limit for the first token there is an answer.")),
        (question.quality is not None, {"quality": None}, say("Without a floor for quality there is an answer.")),
        (bool(question.engines), {"engines": ()}, say("With other engines there is an answer.")),
        (bool(question.licenses), {"licenses": ()}, say("With other licences there is an answer.")),
        (bool(question.families), {"families": ()}, say("With other families there is an answer.")),
    ):
        if given:
            yield replace(asked, question=replace(question, **change)), message


def _fewer(asked: FleetQuestion, columns: Columns) -> Message | None:
    """The most requests, or people, that are served, by halves; else the longest context for one."""
    question = asked.question
    for step in range(1, 24):
        less, message = _less(question, 2**step)
        if less is None:
            break
        if _quick(replace(asked, question=less), columns):
            return message
    one = _less(question, 1 << 30)[0] or question
    context = question.usual.context // 2
    while context >= 512:
        if _quick(replace(asked, question=_shorter(one, context)), columns):
            return say("For 1 user and {n} tokens there is an answer.", n=f"{context:,}")
        context //= 4
    return None


def _less(question: Question, by: int) -> tuple[Question | None, Message]:
    if question.arrivals is not None:
        rate = question.arrivals / by
        message = say("With {n} requests an hour there is an answer.", n=f"{rate * 3600:,.4g}")
        return (replace(question, arrivals=rate) if rate > 1e-6 else None), message
    users = question.users // by
    return (replace(question, users=users) if users else None), say(
        "For {users} there is an answer.", users=people(max(1, users))
    )


def _shorter(question: Question, context: int) -> Question:
    prompt = min(question.usual.prompt, context * 3 // 4)
    return replace(
        question, users=1, context=context, prompt=prompt, answer=min(question.usual.answer, context - prompt)
    )
