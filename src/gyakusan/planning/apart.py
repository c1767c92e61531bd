"""Models that do not go together: which of them has no room, by how much, and the least that would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gyakusan.message import Message, people, say
from gyakusan.planning.columns import Columns
from gyakusan.planning.nearest import _shorter
from gyakusan.planning.offers import Offer
from gyakusan.planning.pieces import STEP, Part, inherited, parts, sums
from gyakusan.planning.question import Question
from gyakusan.planning.several import room
from gyakusan.units import format_bytes


def nearest(question: Question, known: Columns, offers: Sequence[Offer], made: Sequence[Part]) -> tuple[Message, ...]:
    """Sentences, the decisive one first. Looks at the machine with the most room."""
    if not offers:
        return (say("No machine is within the limits."),)
    at = max(range(len(offers)), key=lambda i: room(offers[i].machine))
    lone = [part for part in made if not part.pieces[at]]
    offer = offers[at]
    found = [_alone(part, offer) for part in lone]
    if not lone:
        found.append(_short(made, at, offer))
    changes = tuple(_changes(question, known, offer))
    return (*found, *(changes or (say("Nothing smaller of the catalogue goes together there."),)))


def called(part: Question) -> Message:
    """A part as people call it."""
    return Message(part.model) if part.model else Message(part.task)


def _alone(part: Part, offer: Offer) -> Message:
    """A part that has no place even alone."""
    short = _missing(part)
    facts = {"part": called(part.question), "machine": offer.machine.name}
    if short is None:
        return say("{part}: nothing that is asked for runs on {machine}, even alone.", **facts)
    return say("{part}: short by {short} on {machine}, even alone.", **facts, short=format_bytes(short))


def _missing(part: Part) -> float | None:
    """What the nearest model lacks. [B]"""
    if part.grid is None:
        return None
    short = [float(x) for x in part.grid.missed.short if 0 < x < float("inf")]
    return min(short, default=None)


def _short(made: Sequence[Part], at: int, offer: Offer) -> Message:
    """All fit alone: by how much the smallest of each are too large together."""
    least = [min(p.memory for p in part.pieces[at]) * STEP for part in made]
    most = max(range(len(made)), key=lambda i: least[i])
    return say(
        "Together the smallest take {total}, {room} are usable on {machine}: short by {short}. The largest is {part}.",
        total=format_bytes(sum(least)),
        room=format_bytes(room(offer.machine)),
        machine=offer.machine.name,
        short=format_bytes(max(0.0, sum(least) - room(offer.machine))),
        part=called(made[most].question),
    )


def _changes(question: Question, known: Columns, offer: Offer) -> Iterator[Message]:
    """One change at a time that makes it fit."""
    for number, part in enumerate(question.also):
        rest = tuple(p for i, p in enumerate(question.also) if i != number)
        if _works(replace(question, also=rest), known, offer):
            yield say("Without {part} it fits.", part=called(part))
    every = (question, *(inherited(question, p) for p in question.also))
    for number, part in enumerate(every):
        if part.task != "embedding":
            yield from _smaller(question, part, number, known, offer)
    if "Q8_0" not in question.kv and _works(replace(question, kv=("Q8_0",)), known, offer):
        yield say("With a q8_0 cache it fits.")


def _smaller(question: Question, part: Question, number: int, known: Columns, offer: Offer) -> Iterator[Message]:
    """A shorter context for one part, or fewer people."""
    context = part.usual.context // 2
    while context >= 2048:
        if _works(_with(question, number, _shorter(part, context)), known, offer):
            yield say("With {n} tokens of context for {part} it fits.", n=f"{context:,}", part=called(part))
            break
        context //= 4
    if part.users > 1 and _works(_with(question, number, replace(part, users=1)), known, offer):
        yield say("With {users} for {part} it fits.", users=people(1), part=called(part))


def _with(question: Question, number: int, part: Question) -> Question:
    """The question with one part changed; 0 is the question itself."""
    if not number:
        return replace(part, also=question.also)
    also = tuple(part if i == number - 1 else p for i, p in enumerate(question.also))
    return replace(question, also=also)


def _works(question: Question, known: Columns, offer: Offer) -> bool:
    """True if something of each goes together, by the columns."""
    made = parts(question, known, (offer,))
    return bool(sums([part.pieces[0] for part in made], room(offer.machine) // STEP))
