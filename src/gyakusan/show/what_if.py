"""What a small change of the question brings: a sentence for each, which names what is run or bought instead of plan 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.message import Listed, Message, duration, people, say
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.planning.select.what_if import Change
from gyakusan.show.plan import first_plan
from gyakusan.show.plan_words import amounts, bought
from gyakusan.show.tree import Column, Next, Pause, Question, Table, Tree, Verdict, whole
from gyakusan.show.wording import short

UNCHANGED = "{change}: nothing changes."
LONGER_WAIT = 1.2
"""Waits within this ratio are not told apart: less than their intervals leave open. Assumed."""


def changes(answer: Recommendation, tried: Sequence[Change]) -> Tree:
    """Return plan 1, then what each change brings, with what is to be typed for it."""
    who = say(
        "plan 1 of {people} x {n} tokens",
        people=people(answer.request.users),
        n=f"{answer.request.workload.context:,}",
    )
    rows = tuple((_row(answer, c),) for c in tried)
    return (
        Verdict((first_plan(answer),)),
        Pause(),
        Question((who,)),
        Pause(),
        Table((Column("", "reason"),), rows, numbered=True),
        Pause(),
        Next(("gyakusan plan --details 1",)),
    )


def _row(answer: Recommendation, tried: Change) -> Message:
    """Return what a change brings, and what is to be typed for it where it brings anything."""
    sentence = _sentence(answer, tried)
    if tried.plan is None or sentence.template == UNCHANGED or not tried.options:
        return sentence
    return say("{sentence} Add {options}", sentence=sentence, options=whole(tried.options))


def _sentence(answer: Recommendation, tried: Change) -> Message:
    """Return what one change brings: nothing, other figures of plan 1, or another plan in its place."""
    now, plan, change = answer.plans[0], tried.plan, tried.change
    if plan is None:
        return say("{change}: no plan holds.", change=change)
    facts = {"change": change, "model": whole(plan.name), "files": whole(plan.quantization), "engine": plan.engine}
    gains = Listed(tuple(_gains(now, plan, answer)))
    if not answer.request.owned and plan.offer.machine.name != now.offer.machine.name:
        return say(
            "{change}: buy {machine} instead and run {model} ({files}) with {engine}: {gains}.",
            machine=bought(plan.offer), gains=gains, **facts,
        )  # fmt: skip
    if plan.name != now.name:
        return say(
            "{change}: run {model} ({files}) with {engine} instead of {other}: {gains}.",
            other=whole(now.name), gains=gains, **facts,
        )  # fmt: skip
    if (plan.quantization, plan.engine) != (now.quantization, now.engine):
        return say("{change}: the same model in other files, {files} with {engine}: {gains}.", gains=gains, **facts)
    if not gains.messages:
        return Message(UNCHANGED, {"change": change})
    if moves_to_ram(now, plan):  # another command: the one of plan 1 would not hold what is asked
        return say("{change}: the same model with other settings: {gains}.", change=change, gains=gains)
    return say("{change}: plan 1 stays: {gains}.", change=change, gains=gains)


def _gains(now: Plan, plan: Plan, answer: Recommendation) -> Iterator[Message]:
    """Yield the figures of a plan that differ from those of plan 1, as both are printed."""
    before, after = shown_figures(now), shown_figures(plan)
    if now.name == plan.name and moves_to_ram(now, plan):
        yield _share_in_ram(now, plan)
    if after.speed is None:
        yield say("speed not known")
    elif after.speed != before.speed:
        yield _speed(after.speed, before.speed, several=int(plan.ledger.load.users) > 1)
    thinks = (after.answer, before.answer) != (after.speed, before.speed)
    if after.answer is not None and before.answer is not None and after.answer != before.answer and thinks:
        yield say("{n} of answer (now {now})", n=short(after.answer), now=short(before.answer))
    if after.ttft and before.ttft and not 1 / LONGER_WAIT <= after.ttft / before.ttft <= LONGER_WAIT:
        yield say("first token after {n} (now {now})", n=duration(after.ttft), now=duration(before.ttft))
    if after.quality != before.quality:
        yield say("quality {n} (now {now})", n=f"{after.quality:.0f}", now=f"{before.quality:.0f}")
    if not plan.surely_fits:
        yield say("it may not fit")
    elif after.spare is not None and before.spare is not None and after.spare != before.spare:
        yield say("{n} GiB to spare (now {now})", n=_room(after.spare), now=_room(before.spare))
    if after.price is not None and after.price != before.price and not answer.request.owned:
        yield amounts(answer).words(after.price)


def moves_to_ram(now: Plan, plan: Plan) -> bool:
    """Return True if a plan leaves another part of the model in RAM than plan 1: it is started by another command."""
    return (now.in_ram, now.blocks_in_ram) != (plan.in_ram, plan.blocks_in_ram)


def _share_in_ram(now: Plan, plan: Plan) -> Message:
    """Return what stays in RAM after a change, beside what plan 1 leaves there."""
    n = plan.blocks_in_ram
    if not plan.in_ram:
        return say("nothing in RAM (now {now} blocks)", now=now.blocks_in_ram)
    if plan.in_ram == "experts":
        share = say("1 block of experts in RAM") if n == 1 else say("{n} blocks of experts in RAM", n=n)
    else:
        share = say("1 block in RAM") if n == 1 else say("{n} blocks in RAM", n=n)
    return (
        share if now.in_ram not in ("", plan.in_ram) else say("{share} (now {now})", share=share, now=now.blocks_in_ram)
    )


def _room(spare: float) -> Message | str:
    """Return what is to spare without its unit, where that rounds to nothing as the first sentence says it. spare in GiB."""
    return f"{spare:.1f}" if spare else say("less than 0.1")


def _speed(after: float, before: float | None, *, several: bool) -> Message:
    """Return the speed after a change, beside that of plan 1 where it is known [tokens/s]."""
    facts = {"n": short(after), "now": "?" if before is None else short(before)}
    if several:
        return say("{n} tokens/s for each (now {now})", **facts)
    return say("{n} tokens/s (now {now})", **facts)
