"""Why something is not plan 1, and what would have a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gyakusan.message import Listed, Message, people, say, typed_duration
from gyakusan.planning.select.missed_figures import reached, reached_time
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.planning.select.ways_out import NoPlan, TriedChange
from gyakusan.planning.select.why_not import WhyNot
from gyakusan.show.plan_words import amounts, machine_title
from gyakusan.show.request_line import question
from gyakusan.show.tree import Cell, Column, Next, Pause, Table, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import brief, interval, needed_gib, quality, short, the, typed
from gyakusan.units import GIB


def reasons(answer: Recommendation, why: WhyNot) -> Tree:
    """Return why something is not plan 1: the sentence with both figures, both plans side by side, what would help."""
    first, *rest = why.reasons
    parts: list[Tree] = [(Verdict((first,)), *(Text(r) for r in rest))]
    if why.plan is not None and why.rival:
        parts.append((Pause(), _side_by_side(answer, why)))
    if why.changes:
        rows = tuple((change, options) for change, options in why.changes)
        head = Text(say("It becomes plan 1 if you"))
        parts.append((Pause(), head, Table((Column(), Column()), rows, numbered=True)))
    if answer.plans:
        parts.append((Pause(), Next((f"gyakusan plan --details {why.rival or 1}",))))
    return tuple(part for tree in parts for part in tree)


def _side_by_side(answer: Recommendation, why: WhyNot) -> Table:
    """Return what was asked about beside the plan that it is compared with."""
    rival = answer.plans[why.rival - 1]
    assert why.plan is not None
    title = say("plan {n}: {model}", n=why.rival, model=rival.name)
    columns = (Column(), Column(why.plan.name, "number"), Column(title, "number"))
    rows = tuple((label, _cell(answer, why.plan, name), _cell(answer, rival, name)) for label, name in _labels(answer))
    return Table(columns, rows, indent=1)


def _labels(answer: Recommendation) -> Iterator[tuple[Message, str]]:
    if not answer.request.owned:
        yield say("machine"), "machine"
    yield say("quality"), "quality"
    yield say("tokens/s each"), "speed"
    yield say("of answer"), "answer"
    yield say("to spare"), "spare"
    yield say("files"), "files"
    if not answer.request.owned:
        yield Message(amounts(answer).head), "price"


def _cell(answer: Recommendation, plan: Plan, name: str) -> Words:
    figures = shown_figures(plan)
    match name:
        case "machine":
            return machine_title(plan.offer)
        case "quality":
            return quality(plan.score)
        case "speed":
            return interval(plan.pace, "decode_each")
        case "answer":
            return "?" if figures.answer is None else short(figures.answer)
        case "spare":
            return _room(figures.spare)
        case "files":
            return plan.quantization
        case _:
            return amounts(answer).figure(plan.offer.price)


def _room(spare: float | None) -> Words:
    """Return what is to spare; where that rounds to nothing, as the answer says it. spare in GiB."""
    if spare is None:
        return "?"
    return f"{spare:.1f} GiB" if spare else say("less than 0.1 GiB")


# A request without a plan


def none(answer: Recommendation, why: NoPlan) -> Tree:
    """Return which limit leaves the request without a plan, and what would work, the smallest change first."""
    computer = () if why.computer is None else (why.computer,)
    sentences = (_no_plan(answer), _deciding(answer, why), *computer)
    parts: list[Tree] = [(Verdict(sentences, say("No"), "fails"), Pause())]
    parts.append((question(answer),))
    if why.ways:
        rows = tuple(_way(w) for w in why.ways)
        columns = (Column(say("change")), Column(say("then: quality, tokens/s")), Column(say("add to the command")))
        parts.append(
            (Pause(), Text(say("What would work, the smallest change first")), Table(columns, rows, numbered=True))
        )
        if why.ways[0].options:
            parts.append((Pause(), Next((say("add {options}", options=whole(why.ways[0].options)),))))
    else:
        parts.append(
            tuple(Text(r.sentence) for r in answer.relaxations if not r.changes)
        )  # a change was tried: it has no plan
    return tuple(part for tree in parts for part in tree)


def _no_plan(answer: Recommendation) -> Message:
    request = answer.request
    facts = {"people": people(request.users), "n": f"{request.workload.context:,}"}
    if request.model is not None and not request.owned:
        model = whole(request.model or "")
        return say("No machine runs {model} for {people} with {n} tokens within the limits.", model=model, **facts)
    if request.budget is not None:
        money = amounts(answer).words(answer.rates.convert(request.budget.amount, request.budget.currency, "JPY"))
        return say("No machine for {amount} serves {people} with {n} tokens within the limits.", amount=money, **facts)
    machine = the(answer.grid.offers[0].machine.name) if answer.grid.offers else ""
    if request.quality is not None:
        points = typed(request.quality)
        return say(
            "No model of {points} points or more serves {people} with {n} tokens on {machine}.",
            points=points,
            machine=machine,
            **facts,
        )
    return say("No model serves {people} with {n} tokens on {machine} within the limits.", machine=machine, **facts)


def _deciding(answer: Recommendation, why: NoPlan) -> Message:
    has, wants = why.has or 0.0, why.wants or 0.0
    match why.decides:
        case "memory":
            return say("The memory decides: the nearest model lacks {n} GiB.", n=f"{-(-10 * has // GIB) / 10:,.1f}")
        case "ram":
            return say("The RAM decides: the nearest model lacks {n} GiB of it.", n=needed_gib(has))
        case "quality":
            return say("Quality decides: the best that fits has {has} points.", has=f"{math.floor(has)}")
        case "unknown":
            return say(
                "How fast they would be is not known here: gyakusan calibrate measures it, or give --bandwidth 80GB/s."
            )
        case "speed":
            return say(
                "Speed decides: the fastest gives {has} tokens/s at the low end, and {wants} are the limit.",
                has=reached(has),
                wants=typed(wants),
            )
        case "wait":
            return say(
                "The wait decides: the shortest is {has} at the high end, and {wants} is the limit.",
                has=reached_time(has),
                wants=typed_duration(wants),
            )
        case "power":
            return say(
                "Power decides: the least that does is {has} W, and {wants} W are the limit.",
                has=f"{math.ceil(has):,}",
                wants=typed(wants),
            )
        case "money" if why.has is not None:
            return _cheapest(answer, why)
        case _:
            reason = next((e.reason for e in answer.excluded if e.name == answer.request.model), None)
            if reason is not None:
                return say("{model}: {reason}.", model=answer.request.model, reason=reason)
            return say("The limits together leave nothing.")


CHEAPEST_TEXTS = {
    "whole": "The price decides: the cheapest that does costs {amount}.",
    "card": "The price decides: the cheapest that does costs {amount}, a card alone, new, for a PC you own.",
    "used": "The price decides: the cheapest that does costs {amount}, a card alone, used, for a PC you own.",
}
"""What costs least, by what is bought."""


def _cheapest(answer: Recommendation, why: NoPlan) -> Message:
    """Return what the cheapest plan costs, and that it is a card without a computer where it is."""
    offer = next((w.plan.offer for w in why.ways if w.plan.offer.price == why.has), None)
    alone = offer is not None and offer.own_computer
    used = offer is not None and any(item.used for item in offer.items)
    kind = ("used" if used else "card") if alone else "whole"
    return Message(CHEAPEST_TEXTS[kind], {"amount": amounts(answer).words(why.has)})


def _way(way: TriedChange) -> tuple[Cell, ...]:
    plan = way.plan
    figures = shown_figures(plan)
    items = (
        [plan.name, quality(plan.score)]
        if figures.speed is None
        else [plan.name, quality(plan.score), short(figures.speed)]
    )
    if plan.offer.price is not None:
        items.insert(0, brief(plan.offer.machine.name))
    return way.change, say("{items}", items=Listed(tuple(Message(whole(i)) for i in items))), whole(way.options)
