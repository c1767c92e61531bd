"""Plans on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.message import Message, people, say
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.planning.select.exclusions import Excluded
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_capacity import PlanCapacity
from gyakusan.planning.select.recommend import Recommendation, all_candidates, candidate_row
from gyakusan.planning.select.what_if import Change
from gyakusan.planning.select.why_not import WhyNot
from gyakusan.show import document as documents
from gyakusan.show.plain import brief, caveat, command, listed, short
from gyakusan.show.question import question as question_line
from gyakusan.show.question import values
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import GIB

ROLE_TEXTS = {
    "balanced": "balanced",
    "best": "best answers",
    "fastest": "fastest",
    "cheapest": "cheapest",
    "room": "room to grow",
    "smallest": "smallest",
    "other": "of another family",
}
BINDS_TEXTS = {
    "memory": "memory binds",
    "bandwidth": "memory bandwidth binds",
    "compute": "arithmetic binds",
    "software": "the software's own steps bind",
    "unknown": "speed is not known",
}
BASIS_TEXTS = {"measured": "measured", "few": "few scores", "vendor": "maker's scores", "assumed": "assumed"}
HEAD_TEXTS = ("model", "quant", "engine", "tokens/s", "first s", "quality", "GiB")
CHANGED_TEXTS = ("change", "model", "quant", "tokens/s", "quality")
BOUGHT_TEXTS = ("model", "quant", "machine", "tokens/s", "quality", "JPY")


def screen(answer: Recommendation, language: Language) -> RenderableType:
    """The question with its defaults, the plans, how each is started, and what was left out."""
    parts: list[RenderableType] = [question_line(answer, language)]
    if not answer.plans:
        parts.append(Text(tell(say("No plan fits this question."), language), style="bold red"))
        parts += [Text("  " + tell(n, language)) for n in answer.nearest]
        return Group(*parts)
    parts.append(_table(answer, language))
    for plan in answer.plans:
        parts += _details(answer, plan, language)
    parts.append(Text(tell(_rest(answer), language), style="dim"))
    return Group(*parts)


def _table(answer: Recommendation, language: Language) -> Table:
    """The plans. Where a machine is bought, it and its price stand in place of engine and memory."""
    bought = not answer.question.owned
    out = _columns(BOUGHT_TEXTS if bought else HEAD_TEXTS, language)
    for plan in answer.plans:
        speed, first = shown_range(plan.pace, "decode_each"), shown_range(plan.pace, "ttft")
        quality = f"{plan.score.value:.0f}±{plan.score.error:.0f}"
        if bought:
            price = "?" if plan.offer.price is None else f"{plan.offer.price:,.0f}"
            out.add_row(plan.name, plan.quantization, brief(plan.offer.machine.name), speed, quality, price)
        else:
            size = f"{plan.ledger.accounts[0].total / GIB:.1f}"
            out.add_row(plan.name, plan.quantization, plan.engine, speed, first, quality, size)
    return out


def _columns(names: Sequence[str], language: Language) -> Table:
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, name in enumerate(names):
        out.add_column(tell(name, language), justify="left" if i < 3 else "right", no_wrap=True)
    return out


def shown_range(pace: SpeedEstimate | None, name: str) -> str:
    """A figure, and the interval that holds four of five."""
    if pace is None:
        return "?"
    figure: Estimate = getattr(pace, name)
    return f"{short(figure.value)} ({short(figure.low)}-{short(figure.high)})"


def _details(answer: Recommendation, plan: Plan, language: Language) -> list[RenderableType]:
    """What a plan is best at, what binds it, where it stands, and its command."""
    roles = listed(plan.roles, ROLE_TEXTS, language)
    head = Text(f"{plan.name} {plan.quantization}: ", style="bold")
    head.append(Text(roles))
    parts: list[RenderableType] = [head]
    parts.append(Text("  " + tell(_where(answer, plan), language), style="dim"))
    parts += caveat(plan.engine, language)
    parts.append(Text("  " + command(plan.command), style="cyan"))
    return parts


def _where(answer: Recommendation, plan: Plan) -> Message:
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
    """Whether the model thinks before it answers, and what that costs."""
    if plan.mode.mode != "on":
        return say("without reasoning")
    if plan.pace is None:
        return say("with reasoning: {times} times the tokens", times=f"{plan.mode.thinking:g}")
    left = short(plan.pace.decode_each.value / plan.mode.thinking)
    times = f"{plan.mode.thinking:g}"
    return say(
        "with reasoning: {times} times the tokens, so the answer as if at {left} tokens/s", times=times, left=left
    )


def _rest(answer: Recommendation) -> Message:
    return say(
        "{cells} combinations were priced; {models} models are left out, {machines} machines too (--all, --why-not NAME).",
        cells=f"{answer.count:,}",
        models=f"{len(answer.excluded):,}",
        machines=f"{len(answer.rejected):,}",
    )


def listing(answer: Recommendation, language: Language) -> RenderableType:
    """Everything that nothing else dominates, then what was left out, with reasons."""
    bought = not answer.question.owned
    out = _columns(BOUGHT_TEXTS if bought else HEAD_TEXTS, language)
    for place in all_candidates(answer):
        r = candidate_row(answer.grid, place)
        speed, first = ("?" if r[k] is None else short(r[k]) for k in ("tokens_per_second", "first_token"))
        quality = f"{r['quality']:.0f}±{r['quality_error']:.0f}"
        if bought:
            price = "?" if r["price_jpy"] is None else f"{r['price_jpy']:,}"
            out.add_row(r["model"], r["quantization"], brief(r["machine"]), speed, quality, price)
        else:
            out.add_row(r["model"], r["quantization"], r["engine"], speed, first, quality, f"{r['total'] / GIB:.1f}")
    return Group(
        Text(tell(say("Nothing is better in everything than these:"), language), style="bold"),
        out,
        excluded(answer.excluded, language),
    )


def excluded(entries: Sequence[Excluded], language: Language) -> RenderableType:
    """Every model that is not offered, with its reason."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for entry in entries:
        out.add_row(entry.name, Text(tell(entry.reason, language), style="dim"))
    return out


def reasons(found: WhyNot, language: Language) -> RenderableType:
    """Why something is not in the answer."""
    lines = [Text("  " + tell(r, language)) for r in found.reasons]
    return Group(Text(tell(say("Why not {name}?", name=found.name), language), style="bold"), *lines)


def changes(answer: Recommendation, found: Sequence[Change], language: Language) -> RenderableType:
    """What a little more would bring."""
    out = _columns(CHANGED_TEXTS, language)
    for change in found:
        plan, name = change.plan, tell(change.change, language)
        if plan is None:
            out.add_row(name, "-")
            continue
        quality = f"{plan.score.value:.0f}±{plan.score.error:.0f}"
        out.add_row(name, plan.name, plan.quantization, shown_range(plan.pace, "decode_each"), quality)
    return Group(Text(tell(say("What a little more would bring (the balanced plan):"), language), style="bold"), out)


def reaches(found: Sequence[PlanCapacity], language: Language) -> RenderableType:
    """The longest context and the most users of each plan."""
    lines = []
    for most in found:
        facts = {
            "model": f"{most.plan.name} {most.plan.quantization}",
            "context": f"{most.limits.context:,}",
            "asked_users": people(int(most.plan.ledger.load.users)),
            "users": people(most.limits.users),
            "asked_context": f"{most.plan.ledger.load.context:,}",
        }
        message = say(
            "{model}: at most {context} tokens each for {asked_users}, or {users} at {asked_context} tokens.", **facts
        )
        lines.append(Text(tell(message, language)))
    return Group(*lines)


def document(
    answer: Recommendation,
    language: Language,
    why: WhyNot | None = None,
    more: Sequence[Change] = (),
    reach: Sequence[PlanCapacity] = (),
    *,
    everything: bool = False,
) -> dict[str, Any]:
    """The answer as plain values; each plan carries its whole ledger."""
    out: dict[str, Any] = {
        "question": values(answer.question),
        "plans": [plan_document(p, language) for p in answer.plans],
        "excluded": [{"model": e.name, "reason": tell(e.reason, language)} for e in answer.excluded],
        "machines_excluded": [
            {"machine": r.name, "price_jpy": r.price, "reason": tell(r.reason, language)} for r in answer.rejected
        ],
        "nearest": [tell(n, language) for n in answer.nearest],
        "rates": {"jpy": dict(answer.rates.yen), "date": answer.rates.date, "source": answer.rates.source},
        "cells": answer.count,
    }
    if everything:
        out["frontier"] = [candidate_row(answer.grid, i) for i in all_candidates(answer)]
    if more:
        out["sensitivity"] = [
            {"change": tell(c.change, language), "plan": None if c.plan is None else plan_document(c.plan, language)}
            for c in more
        ]
    if reach:
        out["most"] = [
            {"model": m.plan.name, "context": m.limits.context, "users": m.limits.users, "trained": m.limits.trained}
            for m in reach
        ]
    if why is not None:
        out["why_not"] = {"name": why.name, "kind": why.kind, "reasons": [tell(r, language) for r in why.reasons]}
    return out


def plan_document(plan: Plan, language: Language) -> dict[str, Any]:
    """A plan as plain values, with its whole ledger."""
    offer, mode = plan.offer, plan.mode
    return {
        "role": plan.roles[0] if plan.roles else "",
        "roles": list(plan.roles),
        "model": plan.name,
        "quantization": plan.quantization,
        "inspect_as": plan.base,
        "engine": plan.engine,
        "machine": {"name": offer.machine.name, "count": offer.count, "power_w": offer.power, "owned": offer.owned},
        "settings": documents.document(plan.ledger, language)["settings"],
        "command": {"argv": list(plan.command.argv), "environment": dict(plan.command.environment)},
        "memory": documents.document(plan.ledger, language),
        "left": None if plan.left is None else int(plan.left),
        "pace": None if plan.pace is None else _pace(plan.pace),
        "quality": {
            "value": round(float(plan.score.value), 2),
            "error": round(float(plan.score.error), 2),
            "basis": mode.basis,
            "reasoning": mode.mode,
            "thinking": mode.thinking,
            "scores": mode.count,
        },
        "confidence": _confidence(plan),
        "price": _price(plan),
        "binds": plan.bottleneck,
    }


def _confidence(plan: Plan) -> dict[str, Any]:
    """What each figure rests on, and the share of measurements that such intervals held."""
    lines = [line for account in plan.ledger.accounts for line in account.lines]
    decode = None if plan.pace is None else plan.pace.decode_each
    return {
        "memory": sorted({line.basis for line in lines}),
        "pace": None if decode is None else {"basis": decode.basis, "nominal": 0.8, "coverage": decode.coverage},
        "quality": plan.mode.basis,
    }


def _pace(pace: SpeedEstimate) -> dict[str, Any]:
    names = ("prefill", "decode_each", "decode_all", "throughput", "ttft", "tpot")
    figures = {n: getattr(pace, n) for n in names}
    shown = {n: {"value": f.value, "low": f.low, "high": f.high, "basis": f.basis} for n, f in figures.items()}
    return {**shown, "binds": pace.bottleneck, "measurements": len(pace.points), "chip": pace.chip}


def _price(plan: Plan) -> dict[str, Any] | None:
    if plan.offer.price is None:
        return None
    seen = plan.offer.seen
    found = (
        None
        if seen is None
        else {
            "amount": seen.amount,
            "currency": seen.currency,
            "date": seen.date,
            "source": seen.source,
            "used": seen.used,
        }
    )
    return {"jpy": round(plan.offer.price), "device": found}


def comma_separated(answer: Recommendation) -> str:
    """Everything that nothing dominates, as CSV."""
    rows = [candidate_row(answer.grid, i) for i in all_candidates(answer)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
