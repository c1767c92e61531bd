"""Does inspect say what the plan says, do labels follow from the table, and does more money never make an answer worse?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gyakusan
from benchmarks.plan_judges.verdict import Verdict
from gyakusan.core.ledger import Ledger
from gyakusan.planning.select.plan import Plan
from gyakusan.python.planning import Plans
from gyakusan.units import GIB

MACHINE = ("memory", "reserve", "bandwidth", "ram")
"""Options of a question that change its machine, and that inspect has, too."""


def inspected(plan: Plan, values: Mapping[str, Any]) -> Ledger:
    """Return what inspect says of a plan, asked with what the plan prints, and its settings. Raises GyakusanError."""
    deployment = plan.deployment
    named = values.get("device") or plan.offer.machine.name
    where = {k: values[k] for k in MACHINE if k in values and values.get("device")}
    return gyakusan.inspect(
        plan.name,
        quant=plan.quantization,
        engine=plan.engine,
        device=named,
        context=int(deployment.load.context),
        users=int(deployment.load.users),
        set=dict(deployment.changes),
        images=bool(values.get("images", False)),  # the plan's command says so, too
        **where,
    )


def totals(ledger: Ledger) -> list[float]:
    """Return total, low and high end of each device, GPUs first [B]. Names may differ: a computer's and its chip's."""
    return [float(end) for a in ledger.accounts for end in (a.total, a.low, a.high)]


def agrees(question: str, plan: Plan, values: Mapping[str, Any]) -> Verdict:
    """Return a verdict on plan and inspect: the same bytes on every device, at both ends of their ranges."""
    subject = f"{question}: {plan.name} {plan.quantization}, {plan.engine} on {plan.offer.machine.name}"
    try:
        ours, theirs = totals(plan.ledger), totals(inspected(plan, values))
    except gyakusan.GyakusanError as error:
        return Verdict("inspect", subject, f"inspect refuses: {error}")
    planned, seen = (" + ".join(f"{x:,.0f}" for x in part) for part in (ours, theirs))  # total, low, high of each
    return Verdict("inspect", subject, "" if ours == theirs else f"{planned} planned, {seen} inspected")


def rounded(value: float) -> float:
    """Return a figure as a table prints it: whole from 10 on, else one decimal."""
    return float(round(value)) if value >= 10 else round(value, 1)


def label_values(plan: Plan) -> dict[str, float | None]:
    """Return what each label boasts of, larger is better, as a table prints it; None = not known."""
    pace, price, spare = plan.pace, plan.offer.price, plan.spare
    memory = sum(gpu.memory or 0 for gpu in plan.offer.machine.gpus)
    return {
        "best": float(round(float(plan.score.value))),
        "fastest": None if pace is None else rounded(pace.decode_each.value / plan.thinking.factor),
        "cheapest": None if price is None else -float(round(price)),
        "room": None if spare is None else math.floor(10 * spare / GIB) / 10,
        "smallest": -float(memory) if memory else None,
    }


def labels(question: str, plans: Sequence[Plan]) -> Iterator[Verdict]:
    """Yield a verdict for each label: no other row of the table has more of what it says."""
    for plan in plans:
        for role in plan.roles:
            yield Verdict("label", f"{question}: {role}: {plan.name}", label(plan, role, plans))


def label(plan: Plan, role: str, plans: Sequence[Plan]) -> str:
    """Return why a label is not true of a row, "" if it is. The recommendation is the first row."""
    if role == "balanced":
        return "" if plan is plans[0] else "not the first row"
    known = label_values(plan)
    if role not in known:
        return "a label that nothing is known of"
    own = known[role]
    if own is None:
        return "its figure is not known"
    above = [p for p in plans if (v := label_values(p)[role]) is not None and v > own]
    return f"{above[0].name} has {label_values(above[0])[role]:g}, this {own:g}" if above else ""


def money(question: str, answers: Sequence[Plans], budgets: Sequence[str]) -> Iterator[Verdict]:
    """Yield a verdict for each step of a chain of budgets: the best quality, as shown, does not fall, and no answer vanishes."""
    for before, after, old, new in zip(answers, answers[1:], budgets, budgets[1:], strict=False):
        subject = f"{question}: {old} -> {new}"
        if not before.plans:
            yield Verdict("money", subject)
            continue
        if not after.plans:
            yield Verdict("money", subject, "there was an answer, and there is none with more money")
            continue
        first, second = (max(label_values(p)["best"] or 0.0 for p in a.plans) for a in (before, after))
        why = f"the best quality falls from {first:g} to {second:g}" if second < first else ""
        yield Verdict("money", subject, why)
