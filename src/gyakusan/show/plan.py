"""Plans on the terminal: the verdict in words, the question, a numbered table, a note for each row, what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from gyakusan.core.ledger import Account
from gyakusan.message import Listed, Message, duration, people, say
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.select.missed_figures import at_least_time, at_most
from gyakusan.planning.select.pace_relaxations import keeps_pace
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_capacity import PlanCapacity
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.amounts import amount_words
from gyakusan.show.answer import answer_screen
from gyakusan.show.plan_notes import MANY, MONTHS_ALONE, PRICES_ALONE, notes, shared_notes
from gyakusan.show.plan_words import (
    ROLE_TEXTS,
    amounts,
    as_text,
    bought,
    complete_rows,
    machine_title,
)
from gyakusan.show.request_line import question
from gyakusan.show.tree import Cell, Column, Pause, Table, Text, Tone, Tree, Verdict, Words, whole
from gyakusan.show.wording import first_token, interval, quality, short, the
from gyakusan.units import GIB

__all__ = ["ROLE_TEXTS", "SHORTER", "capacities", "screen"]

SHORTER = (
    (MANY, MANY),
    (MANY, 3),
    (MANY, 2),
    (MANY, 1),
    (4, 1),
    (3, 1),
    (3, 0),
    (2, 0),
    (1, 0),
    (1, PRICES_ALONE),
    (0, MONTHS_ALONE),
)
"""Things that are said of one plan and of all of them, from everything down to what fits on any screen."""


def screen(
    answer: Recommendation,
    *,
    items: int = MANY,
    shared: int = MANY,
    lan: bool = False,
    choices: bool = True,
    absent: bool = False,
    served: bool = True,
) -> Tree:
    """Return the answer on one screen. The answer has a plan.

    items: most things that are said of one plan; shared: most lines that hold for all of them
    lan: colleagues are to reach the server, so the commands that can be typed next say so, too
    choices: False leaves out what can be typed next
    absent: the program of plan 1's command is not on PATH of this computer, for which the plan is
    served: `gyakusan serve` finds a server for it all the same
    """
    steps = _next(answer, " --lan" if lan else "", absent=absent, served=served) if choices else None
    first, *rest = answer_screen(
        verdict(answer), question(answer), _table(answer, items), shared_notes(answer, shared), steps
    )
    if shared == MONTHS_ALONE:  # the one line of prices stands right below the rows
        rest = [
            part for before, part in pairwise((first, *rest)) if not (isinstance(before, Table) and part == Pause())
        ]
    return (first, *(Text(r.sentence) for r in answer.relaxations), *rest)


def verdict(answer: Recommendation) -> Verdict:
    """Return what to run or to buy, how fast it is, what is to spare, what it costs."""
    plan = answer.plans[0]
    facts = _facts(plan)
    slow = tuple(_too_slow(answer))
    none_usable = not keeps_pace(answer.request, plan)  # then no other row keeps the limits either
    tone: Tone = "doubt" if slow or not plan.surely_fits else "fits"
    if none_usable or not plan.surely_fits:  # nobody is told to run or to buy what may not fit
        return Verdict((*slow, first_plan(answer), *_card_alone(answer)), Message(""), tone)
    if answer.request.owned:
        sentence = say(
            "Run {model} ({files}) with {engine} on {machine}: {gains}.", machine=the(plan.offer.machine.name), **facts
        )
        return Verdict((sentence, *slow), say("Run"), tone)
    sentence = say(
        "Buy {machine}, run {model} on {engine}: {gains}, {price}.",
        machine=bought(plan.offer), price=_price(answer), **facts,
    )  # fmt: skip
    return Verdict((sentence, *_card_alone(answer), *slow), say("Buy"), tone)


def _facts(plan: Plan) -> Mapping[str, object]:
    """Return what a sentence about a plan names."""
    return {
        "model": whole(plan.name),
        "files": whole(plan.quantization),
        "engine": whole(plan.engine),
        "gains": Listed(tuple(_gains(plan))),
    }


def first_plan(answer: Recommendation) -> Message:
    """Return what plan 1 is, where nobody is told to run or to buy it."""
    offer, facts = answer.plans[0].offer, _facts(answer.plans[0])
    if answer.request.owned:
        machine = the(offer.machine.name)
        return say("Plan 1 is {model} ({files}) with {engine} on {machine}: {gains}.", machine=machine, **facts)
    return say(
        "Plan 1 is {model} on {engine} with {machine}: {gains}, {price}.",
        machine=bought(offer), price=_price(answer), **facts,
    )  # fmt: skip


def _price(answer: Recommendation) -> Words:
    """Return what the first plan costs."""
    offer = answer.plans[0].offer
    if offer.price is None:
        return say("price not known")
    first, paid = offer.items[0] if offer.items else None, amounts(answer).words(offer.price)
    if first is None or not (first.used or first.rate):
        return paid
    if len(offer.items) > 1:  # what stands around a card is new, and priced in the asker's country
        if not first.used:
            return paid
        one = first.quantity == 1
        return say("{price}, its card used", price=paid) if one else say("{price}, its cards used", price=paid)
    source = None if first.rate is None else amount_words(f"{first.amount:,.0f}", first.currency)
    if source is None:
        return say("{price} used", price=paid)
    if not first.used:
        return say("{price} (converted from {source})", price=paid, source=source)
    return say("{price} used (converted from {source})", price=paid, source=source)


def _card_alone(answer: Recommendation) -> Iterator[Message]:
    """Yield that a small budget buys a card for a computer that the asker has, unless that was asked for."""
    offer, request = answer.plans[0].offer, answer.request
    if not offer.own_computer or request.base_computer_price is not None:
        return
    plans = answer.plans
    suits = (n for n in complete_rows(request, plans) if plans[n].surely_fits and keeps_pace(request, plans[n]))
    number = next(suits, None)
    whole_price = offer.around
    if number is not None:
        yield from _without_pc(answer, number, whole_price)
        return
    if whole_price is None:
        yield say("The budget pays no whole computer: this price is of the card alone, for a PC you own.")
        return
    facts = {"whole": amounts(answer).words(whole_price)}
    yield say("The budget pays the card alone, for a PC you own: with a PC around it it costs {whole}.", **facts)


def _without_pc(answer: Recommendation, number: int, whole_price: float | None) -> Iterator[Message]:
    """Yield what a card costs with a PC, and the best complete computer within the budget. number: its place in the plans."""
    offer = answer.plans[number].offer
    facts = {"n": number + 1, "machine": machine_title(offer), "price": amounts(answer).words(offer.price)}
    if whole_price is None:
        yield say(
            "This price is of the card alone, for a PC you own; without one, plan {n}: {machine}, {price}.", **facts
        )
        return
    facts["whole"] = amounts(answer).words(whole_price)
    yield say(
        "This price is of the card alone, for a PC you own ({whole} with one); without one, plan {n}: {machine}, {price}.",
        **facts,
    )


def _too_slow(answer: Recommendation) -> Iterator[Message]:
    """Yield that plans are too slow to be of use, which are listed only where none is of use by the columns of the sweep."""
    slow = [n for n, plan in enumerate(answer.plans, 1) if not keeps_pace(answer.request, plan)]
    if not slow:
        return
    least, longest = slowest_answer(answer.request), longest_wait(answer.request)
    limits = {"least": f"{least:g}", "longest": duration(longest)}
    if slow[0] > 1:
        rows = Listed(tuple(_missed(answer, n, least) for n in slow))
        yield say("*Too slow* to be of use: {rows}.", rows=rows)
        return
    answers, wait = _pace(answer.plans[0])
    shown = shown_figures(answer.plans[0])  # what the table shows, but where its rounding would hide the miss
    speed = short(shown.answer) if shown.answer is not None and shown.answer < least else at_most(answers, 2)
    late = shown.ttft is not None and shown.ttft > longest and duration(shown.ttft) != duration(longest)
    first = duration(shown.ttft) if shown.ttft is not None and late else at_least_time(wait)
    if answers >= least:
        yield say(
            "*No plan keeps all limits of speed*: the first token of plan 1 takes {n}, and {longest} is the most (default).",
            n=first, **limits,
        )  # fmt: skip
        return
    yield say(
        "*No plan keeps all limits of speed*: plan 1 has {n} tokens/s of answer, and {least} are the least (default).",
        n=speed, **limits,
    )  # fmt: skip
    if wait > longest:
        yield say("Its first token takes {n}, and {longest} is the most (default).", n=first, **limits)


def _missed(answer: Recommendation, number: int, least: float) -> Message:
    """Return the figure by which a row is too slow: of the visible answer, not of all tokens, which the table shows."""
    plan = answer.plans[number - 1]
    answers, wait = _pace(plan)
    if answers < least:
        return say("{number} has {n} tokens/s of answer", number=number, n=at_most(answers, 2))
    return say("{number} has its first token after {n}", number=number, n=at_least_time(wait))


def _pace(plan: Plan) -> tuple[float, float]:
    """Return the speed of the visible answer [tokens/s] and the time to the first token [s]."""
    assert plan.pace is not None
    return plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value


def _gains(plan: Plan) -> Iterator[Message]:
    """Yield speed and what is to spare."""
    yield _speed(plan)
    spare = shown_figures(plan).spare
    if spare is None:
        yield say("memory of the machine not known")
    elif not plan.surely_fits:
        yield say("it may not fit")
    else:
        yield say("at least {n} GiB to spare", n=f"{spare:.1f}") if spare else say("less than 0.1 GiB to spare")


def _speed(plan: Plan) -> Message:
    """Return the speed of all tokens for each person, with what of it a reader gets where the model thinks first."""
    if plan.pace is None:
        return say("speed not known")
    users, answers = int(plan.ledger.load.users), shown_figures(plan).answer
    facts = {"n": short(plan.pace.decode_each.value), "people": people(users)}
    left = None if answers is None else short(answers)
    if left is None or left == facts["n"]:
        return (
            say("{n} tokens/s for 1 person", **facts)
            if users == 1
            else say("{n} tokens/s for each of {people}", **facts)
        )
    if users == 1:
        return say("{n} tokens/s ({left} of answer) for 1 person", left=left, **facts)
    return say("{n} tokens/s ({left} of answer) for each of {people}", left=left, **facts)


def _table(answer: Recommendation, items: int) -> Table:
    """Return the plans. Where a machine is bought, it and its price stand in place of files, server and memory."""
    rows = tuple(tuple(_row(answer, p)) for p in answer.plans)
    heads = _bought_columns(amounts(answer).head)
    if answer.request.owned:
        heads = _shared_columns() if any(p.blocks_in_ram for p in answer.plans) else _owned_columns()
    return Table(heads, rows, numbered=True, notes=notes(answer, items))


def _owned_columns() -> tuple[Column, ...]:
    return (
        Column(say("model")),
        Column(say("files")),
        Column(say("server"), leaves=1),
        Column(say("tokens/s"), "number"),
        Column(say("answer"), "number", wide=True),
        Column(say("first"), "number", leaves=2),
        Column(say("quality"), "number"),
        Column(say("spare"), "number"),
        Column("GiB", "number", wide=True),
    )


def _shared_columns() -> tuple[Column, ...]:
    """Return the columns where parts of models are in RAM: what each of both memories holds at the high end."""
    *first, _, _ = _owned_columns()
    return (*first, Column("GPU", "number"), Column("RAM", "number"))


def _bought_columns(money: str) -> tuple[Column, ...]:
    """Return the columns where something is bought. money: template of the currency's name."""
    return (
        Column(say("machine")),
        Column(say("model")),
        Column(say("files"), wide=True),
        Column(say("server"), wide=True),
        Column(say("tokens/s"), "number", leaves=1),  # plans are judged by the speed of the answer, which stays
        Column(say("answer"), "number"),
        Column(say("first"), "number", wide=True),
        Column(say("quality"), "number"),
        Column(say("spare"), "number", wide=True),
        Column("W", "number", wide=True),
        Column(Message(money), "number"),
    )


def _row(answer: Recommendation, plan: Plan) -> Iterator[Cell]:
    figures, owned = shown_figures(plan), answer.request.owned
    if not owned:
        yield machine_title(plan.offer)
    yield plan.name
    yield plan.quantization
    yield plan.engine
    yield interval(plan.pace, "decode_each")
    yield "?" if figures.answer is None else short(figures.answer)
    yield first_token(plan.pace)
    yield quality(plan.score)
    if owned and any(p.blocks_in_ram for p in answer.plans):
        yield high_gib([a for a in plan.ledger.accounts if a.device.kind != "host"])
        yield high_gib([a for a in plan.ledger.accounts if a.device.kind == "host"])
        return
    yield "?" if figures.spare is None else f"{figures.spare:.1f}"
    if owned:
        yield f"{int(plan.ledger.accounts[0].total) / GIB:.1f}"
    else:
        yield "?" if plan.offer.wall_power is None else f"{plan.offer.wall_power:,.0f}"
        yield amounts(answer).figure(plan.offer.price)


def high_gib(accounts: Sequence[Account]) -> str:
    """Return what devices hold at the high end of doubt."""
    return f"{sum(int(a.at_most) for a in accounts) / GIB:.1f}"


def _next(answer: Recommendation, more: str, *, absent: bool, served: bool) -> tuple[Words, ...]:
    details = f"gyakusan plan --details 1{more}"
    if absent:  # its command would not be found
        return ("gyakusan serve 1", details) if served else (details,)
    if answer.request.owned:
        return f"gyakusan plan --command 1{more}", details
    return details, f"gyakusan plan {as_text(answer.request.os, answer.plans[0])} 1{more}"


def capacities(plans: Sequence[PlanCapacity]) -> Tree:
    """Return the longest context and the most people of each plan."""
    lines = (Text(capacity(p)) for p in plans)
    return (Pause(), *lines)


def capacity(most: PlanCapacity) -> Message:
    """Return how far one plan can grow."""
    users = int(most.plan.ledger.load.users)
    facts = {
        "model": whole(f"{most.plan.name} {most.plan.quantization}"),
        "context": f"{most.limits.context:,}",
        "asked_users": people(users),
        "users": people(most.limits.users),
        "asked_context": f"{most.plan.ledger.load.context:,}",
    }
    if users == 1:
        return say(
            "At most with {model}: {context} tokens for {asked_users}, or {users} at {asked_context} tokens.", **facts
        )
    return say(
        "At most with {model}: {context} tokens for each of {asked_users}, or {users} at {asked_context} tokens each.",
        **facts,
    )
