"""Plans on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gyakusan.message import Message, people, say
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_capacity import PlanCapacity
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import candidate_row, pareto_candidates
from gyakusan.planning.select.what_if import Change
from gyakusan.planning.select.why_not import WhyNot
from gyakusan.show.request_line import request_lines
from gyakusan.show.tree import Column, Section, Table, Text, Title, Tree, Words, columns
from gyakusan.show.wording import brief, caveat, command, interval, listed, points, short
from gyakusan.units import GIB

ROLE_TEXTS = {
    "balanced": "balanced",
    "best": "best quality",
    "fastest": "fastest",
    "cheapest": "cheapest",
    "room": "most room",
    "smallest": "smallest",
    "other": "another family",
}
BINDS_TEXTS = {
    "memory": "limited by memory capacity",
    "bandwidth": "limited by memory bandwidth",
    "compute": "limited by compute",
    "software": "limited by the server's own steps",
    "unknown": "speed unknown",
}
BASIS_TEXTS = {"measured": "measured", "few": "few scores", "vendor": "maker's scores", "assumed": "assumed"}
HEAD_TEXTS = ("model", "quant", "engine", "tokens/s", "first s", "quality", "GiB")
CHANGED_TEXTS = ("change", "model", "quant", "tokens/s", "quality")
BOUGHT_TEXTS = ("model", "quant", "machine", "tokens/s", "quality", "JPY")


def screen(answer: Recommendation) -> Tree:
    """Return the question with its defaults, the plans, how each is started, and what was left out."""
    if not answer.plans:
        none = Text(say("No plan meets these conditions."), "fails")
        return (*request_lines(answer), Section(none, tuple(Text(r.sentence) for r in answer.relaxations)))
    details = tuple(_details(p) for p in answer.plans)
    return (*request_lines(answer), _table(answer), *details, Text(_rest(answer), "note"))


def _table(answer: Recommendation) -> Table:
    """The plans. Where a machine is bought, it and its price stand in place of engine and memory."""
    owned = answer.request.owned
    return Table(columns(HEAD_TEXTS if owned else BOUGHT_TEXTS, 3), tuple(_row(p, owned) for p in answer.plans))


def _row(plan: Plan, owned: bool) -> tuple[str, ...]:
    speed, quality = interval(plan.pace, "decode_each"), points(plan.score)
    if owned:
        size = f"{plan.ledger.accounts[0].total / GIB:.1f}"
        return plan.name, plan.quantization, plan.engine, speed, interval(plan.pace, "ttft"), quality, size
    price = "?" if plan.offer.price is None else f"{plan.offer.price:,.0f}"
    return plan.name, plan.quantization, brief(plan.offer.machine.name), speed, quality, price


def _details(plan: Plan) -> Section:
    """What a plan is best at, what binds it, where it stands, and its command."""
    roles = listed(plan.roles, ROLE_TEXTS)
    head = Title(say("{name} {quantization}: {roles}", name=plan.name, quantization=plan.quantization, roles=roles))
    return Section(head, (Text(_where(plan), "note"), *caveat(plan.engine), command(plan.command)))


def _where(plan: Plan) -> Message:
    """Machine, price, what binds, what quality rests on."""
    facts = {
        "machine": plan.offer.machine.name,
        "binds": Message(BINDS_TEXTS[plan.bottleneck]),
        "basis": Message(BASIS_TEXTS[plan.mode.basis]),
        "reasoning": reasoning(plan),
    }
    if plan.offer.price is None:
        return say("{machine}; {binds}; quality: {basis}, {reasoning}", **facts)
    seen = plan.offer.seen
    price = f"{plan.offer.price:,.0f} JPY"
    return say(
        "{machine}, {price} ({date}); {binds}; quality: {basis}, {reasoning}",
        **facts,
        price=price,
        date=say("{date}, used", date=seen.date) if seen and seen.used else seen.date if seen else "?",
    )


def reasoning(plan: Plan) -> Message:
    """Return whether the model thinks before it answers, and what that costs."""
    if plan.mode.mode != "on":
        return say("no thinking")
    if plan.pace is None:
        return say("thinks: {times} times the tokens", times=f"{plan.mode.thinking:g}")
    left = short(plan.pace.decode_each.value / plan.mode.thinking)
    times = f"{plan.mode.thinking:g}"
    return say("thinks: {times} times the tokens, {left} tokens/s of answer", times=times, left=left)


def _rest(answer: Recommendation) -> Message:
    return say(
        (
            "{cells} combinations were evaluated. {models} models and {machines} machines were left out. "
            "List: --all. Why not one: --why-not NAME"
        ),
        cells=f"{answer.count:,}",
        models=f"{len(answer.excluded):,}",
        machines=f"{len(answer.rejected):,}",
    )


def listing(answer: Recommendation) -> Tree:
    """Return everything that nothing else dominates, then what was left out, with reasons."""
    owned = answer.request.owned
    rows = tuple(_candidate(candidate_row(answer.grid, i), owned) for i in pareto_candidates(answer))
    return (
        Title(say("Pareto-optimal candidates (quality, speed, price):")),
        Table(columns(HEAD_TEXTS if owned else BOUGHT_TEXTS, 3), rows),
        Table((Column(), Column(kind="reason")), tuple((e.name, Text(e.reason, "note")) for e in answer.excluded)),
    )


def _candidate(row: Mapping[str, Any], owned: bool) -> tuple[str, ...]:
    speed, first = ("?" if row[k] is None else short(row[k]) for k in ("tokens_per_second", "first_token"))
    quality = f"{row['quality']:.0f}±{row['quality_error']:.0f}"
    if owned:
        return row["model"], row["quantization"], row["engine"], speed, first, quality, f"{row['total'] / GIB:.1f}"
    price = "?" if row["price_jpy"] is None else f"{row['price_jpy']:,}"
    return row["model"], row["quantization"], brief(row["machine"]), speed, quality, price


def reasons(why: WhyNot) -> Section:
    """Return why something is not in the answer."""
    return Section(Title(say("Why not {name}?", name=why.name)), tuple(map(Text, why.reasons)))


def changes(answers: Sequence[Change]) -> Tree:
    """Return what a little more would bring."""
    rows = tuple(_change(c.change, c.plan) for c in answers)
    title = say("What a small change brings (balanced plan):")
    return Title(title), Table(columns(CHANGED_TEXTS, 3), rows)


def _change(change: Message, plan: Plan | None) -> tuple[Words, ...]:
    if plan is None:
        return change, "-"
    return change, plan.name, plan.quantization, interval(plan.pace, "decode_each"), points(plan.score)


def capacities(plans: Sequence[PlanCapacity]) -> Tree:
    """Return the longest context and the most users of each plan."""
    return tuple(Text(_capacity(p)) for p in plans)


def _capacity(most: PlanCapacity) -> Message:
    return say(
        "{model}: at most {context} tokens each for {asked_users}, or {users} at {asked_context} tokens.",
        model=f"{most.plan.name} {most.plan.quantization}",
        context=f"{most.limits.context:,}",
        asked_users=people(int(most.plan.ledger.load.users)),
        users=people(most.limits.users),
        asked_context=f"{most.plan.ledger.load.context:,}",
    )


def comma_separated(answer: Recommendation) -> str:
    """Everything that nothing dominates, as CSV."""
    rows = [candidate_row(answer.grid, i) for i in pareto_candidates(answer)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
