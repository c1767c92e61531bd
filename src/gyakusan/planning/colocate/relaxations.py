"""Models that do not go together: which of them has no room, by how much, and the least that would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.colocate.model_options import STEP, ModelSlot, combinations, inherited, model_slots
from gyakusan.planning.colocate.recommend import shared_memory
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.relaxations import _shorter
from gyakusan.units import format_bytes


def find_relaxations(
    question: PlanRequest, known: ModelTable, offers: Sequence[HardwareOption], made: Sequence[ModelSlot]
) -> tuple[Message, ...]:
    """Sentences, the decisive one first. Looks at the machine with the most room."""
    if not offers:
        return (say("No machine is within the limits."),)
    at = max(range(len(offers)), key=lambda i: shared_memory(offers[i].machine))
    lone = [part for part in made if not part.pieces[at]]
    offer = offers[at]
    found = [_alone(part, offer) for part in lone]
    if not lone:
        found.append(_short(made, at, offer))
    changes = tuple(_changes(question, known, offer))
    return (*found, *(changes or (say("Nothing smaller of the catalogue goes together there."),)))


def called(part: PlanRequest) -> Message:
    """A part as people call it."""
    return Message(part.model) if part.model else Message(part.task)


def _alone(part: ModelSlot, offer: HardwareOption) -> Message:
    """A part that has no place even alone."""
    short = _missing(part)
    facts = {"part": called(part.question), "machine": offer.machine.name}
    if short is None:
        return say("{part}: nothing that is asked for runs on {machine}, even alone.", **facts)
    return say("{part}: short by {short} on {machine}, even alone.", **facts, short=format_bytes(short))


def _missing(part: ModelSlot) -> float | None:
    """What the nearest model lacks. [B]"""
    if part.grid is None:
        return None
    short = [float(x) for x in part.grid.missed.short_by if 0 < x < float("inf")]
    return min(short, default=None)


def _short(made: Sequence[ModelSlot], at: int, offer: HardwareOption) -> Message:
    """All fit alone: by how much the smallest of each are too large together."""
    least = [min(p.memory for p in part.pieces[at]) * STEP for part in made]
    most = max(range(len(made)), key=lambda i: least[i])
    return say(
        "Together the smallest take {total}, {room} are usable on {machine}: short by {short}. The largest is {part}.",
        total=format_bytes(sum(least)),
        room=format_bytes(shared_memory(offer.machine)),
        machine=offer.machine.name,
        short=format_bytes(max(0.0, sum(least) - shared_memory(offer.machine))),
        part=called(made[most].question),
    )


def _changes(question: PlanRequest, known: ModelTable, offer: HardwareOption) -> Iterator[Message]:
    """One change at a time that makes it fit."""
    for number, part in enumerate(question.colocated):
        rest = tuple(p for i, p in enumerate(question.colocated) if i != number)
        if _works(replace(question, colocated=rest), known, offer):
            yield say("Without {part} it fits.", part=called(part))
    every = (question, *(inherited(question, p) for p in question.colocated))
    for number, part in enumerate(every):
        if part.task != "embedding":
            yield from _smaller(question, part, number, known, offer)
    if "Q8_0" not in question.kv_types and _works(replace(question, kv_types=("Q8_0",)), known, offer):
        yield say("With a q8_0 cache it fits.")


def _smaller(
    question: PlanRequest, part: PlanRequest, number: int, known: ModelTable, offer: HardwareOption
) -> Iterator[Message]:
    """A shorter context for one part, or fewer people."""
    context = part.workload.context // 2
    while context >= 2048:
        if _works(_with(question, number, _shorter(part, context)), known, offer):
            yield say("With {n} tokens of context for {part} it fits.", n=f"{context:,}", part=called(part))
            break
        context //= 4
    if part.users > 1 and _works(_with(question, number, replace(part, users=1)), known, offer):
        yield say("With {users} for {part} it fits.", users=people(1), part=called(part))


def _with(question: PlanRequest, number: int, part: PlanRequest) -> PlanRequest:
    """The question with one part changed; 0 is the question itself."""
    if not number:
        return replace(part, colocated=question.colocated)
    also = tuple(part if i == number - 1 else p for i, p in enumerate(question.colocated))
    return replace(question, colocated=also)


def _works(question: PlanRequest, known: ModelTable, offer: HardwareOption) -> bool:
    """True if something of each goes together, by the columns."""
    made = model_slots(question, known, (offer,))
    return bool(combinations([part.pieces[0] for part in made], shared_memory(offer.machine) // STEP))
