"""What to buy next, on the terminal and as JSON."""

from __future__ import annotations

from gyakusan.message import Message, people, say
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import USEFUL_SPEED_FACTOR, WEIGHTS
from gyakusan.planning.upgrade.recommend import UpgradeAnswer, UpgradeOption
from gyakusan.show.request_line import machine_lines
from gyakusan.show.tree import Column, Section, Table, Text, Title, Tree, Words
from gyakusan.show.wording import brief, interval, listed, points

ROLE_TEXTS = {
    "yen": "best value",
    "best": "largest gain",
    "cheapest": "cheapest real gain",
}
KIND_TEXTS = {
    "same_card": "add another {what}",
    "added_card": "add {what}",
    "replacement_card": "replace with {what}",
    "first_card": "{what}",
    "computer": "{what}, a whole computer",
}
HEAD_TEXTS = ("buy", "JPY", "model", "quality", "times as fast", "gain", "per 100,000 JPY")
COLUMNS = tuple(Column(Message(h), "name" if h in ("buy", "model") else "number") for h in HEAD_TEXTS)


def screen(answer: UpgradeAnswer) -> Tree:
    """Return today, the advice, the options, and what was assumed."""
    head = (*machine_lines(answer.wanted.question, answer.owned.machine.name), Text(_now(answer)))
    advice = tuple(_advice(s) for s in answer.steps if s.roles)
    closing = tuple(Text(n, "note") for n in notes(answer))
    if not answer.keep:
        return *head, *advice, _table(answer), *closing
    nearest = () if answer.nearest is None else (Text(_nearest(answer.nearest)),)
    keep = Text(say("Keep what you have: no change within the budget is better beyond its error."))
    return *head, *advice, keep, *nearest, *closing


def _now(answer: UpgradeAnswer) -> Message:
    if answer.now is None:
        return say("What you have meets none of these conditions today.")
    return say(
        "Today: {model} {quantization}, quality {quality}, {speed} tokens/s for each user; {reach}.",
        **_facts(answer.now),
        reach=_reach(answer.limits),
    )


def _facts(plan: Plan) -> dict[str, object]:
    return {
        "model": plan.name,
        "quantization": plan.quantization,
        "quality": points(plan.score),
        "speed": interval(plan.pace, "decode_each"),
    }


def _reach(limits: Capacity | None) -> Message:
    if limits is None:
        return Message("-")
    return say("{context} tokens or {users}", context=f"{limits.context:,}", users=people(limits.users))


def _advice(step: UpgradeOption) -> Section:
    """What a step is best at, what it costs, and what it brings."""
    price = say("{what}, {price} JPY.", what=_what(step), price=f"{step.option.net:,.0f}")
    head = Title(say("{roles}: {price}", roles=listed(step.roles, ROLE_TEXTS), price=price))
    facts = {**_facts(step.plan), "reach": _reach(step.limits)}
    line = say("{model} {quantization}, quality {quality}, {speed} tokens/s for each user; {reach}", **facts)
    return Section(head, (Text(line), Text(_gained(step))))


def _what(step: UpgradeOption) -> Message:
    return Message(KIND_TEXTS[step.option.kind], {"what": brief(step.option.what)})


def _gained(step: UpgradeOption) -> Message:
    """The gain of a step in words."""
    facts = {"gain": f"{step.gain:+.1f}", "rate": _rate(step)}
    between = step.between
    if between is None:
        return say("gain {gain} points, {rate} per 100,000 JPY; nothing runs today", **facts)
    quality = f"{between.quality_gap.value:+.1f}±{between.quality_gap.error:.1f}"
    facts |= {"quality": quality, "sure": f"{100 * between.p_better:.0f}", "times": _times(step)}
    return say(
        (
            "quality {quality} points (better: {sure} %), {times} times as fast; gain {gain} points, "
            "{rate} per 100,000 JPY"
        ),
        **facts,
    )


def _times(step: UpgradeOption) -> str:
    ratio = None if step.between is None else step.between.speed_ratio
    return "?" if ratio is None else f"{ratio[0]:.1f} ({ratio[1]:.1f}-{ratio[2]:.1f})"


def _rate(step: UpgradeOption) -> str:
    return "∞" if step.rate == float("inf") else f"{step.rate:.1f}"


def _nearest(step: UpgradeOption) -> Message:
    return say(
        "The cheapest change that is better beyond its error: {what}, {price} JPY ({model} {quantization}).",
        what=_what(step),
        price=f"{step.option.net:,.0f}",
        model=step.plan.name,
        quantization=step.plan.quantization,
    )


def _table(answer: UpgradeAnswer) -> Table:
    """Every option that is told of, most for the money first."""
    return Table(COLUMNS, tuple(_row(s) for s in sorted(answer.steps, key=lambda s: (-s.rate, s.option.net))))


def _row(step: UpgradeOption) -> tuple[Words, ...]:
    gap = "" if step.between is None else f"{step.between.quality_gap.value:+.1f}"
    model = f"{step.plan.name} {step.plan.quantization}"
    return _what(step), f"{step.option.net:,.0f}", model, gap, _times(step), f"{step.gain:.1f}", _rate(step)


def notes(answer: UpgradeAnswer) -> tuple[Message, ...]:
    """What the figures rest on."""
    a, b, _ = WEIGHTS[answer.wanted.question.prefer]
    out = [
        say(
            (
                "Gain: change in quality less its error, plus {points} points for each doubling of speed up "
                "to {most} tokens/s. Thinking tokens do not count as speed."
            ),
            points=f"{10 * b / a:.0f}",
            most=f"{USEFUL_SPEED_FACTOR * answer.wanted.question.workload.target_tps:g}",
        )
    ]
    if any(s.option.kind != "computer" for s in (*answer.steps, *((answer.nearest,) if answer.nearest else ()))):
        out.append(say("Cards: power supply, slots and case are not checked. Data-centre cards are not considered."))
    if any(s.option.kind == "added_card" for s in answer.steps):
        out.append(say("Unlike cards: llama.cpp splits layers by memory. Speed is that of the slower card."))
    if any(s.option.kind in ("replacement_card", "computer") for s in answer.steps):
        resale = answer.wanted.resale
        out.append(
            say("The resale value of the old machine counts as 0 (--resale).")
            if resale is None
            else say("The resale value is subtracted where the old one is replaced: {money}.", money=str(resale))
        )
    out.append(
        say(
            "{tried} of {every} options with a known price are within reach.",
            tried=answer.tried,
            every=answer.every,
        )
    )
    return tuple(out)
