"""Does inspect say what the plan says, do labels follow from the table, and does more money never make an answer worse?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gyakusan
from benchmarks.plan_judges.verdict import Verdict
from gyakusan.core.ledger import Ledger
from gyakusan.planning.select.plan import Plan
from gyakusan.python.planning import Plans

MACHINE = ("memory", "reserve", "bandwidth", "ram")
"""Options of a question that change its machine, and that inspect has, too."""


def inspected(plan: Plan, values: Mapping[str, Any]) -> Ledger:
    """Return what inspect says of a plan, asked with the plan's own words and settings. Raises GyakusanError."""
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
        **where,
    )


def totals(ledger: Ledger) -> list[float]:
    """Return the bytes of each device, GPUs first. Names may differ: a computer's and its chip's."""
    return [float(a.total) for a in ledger.accounts]


def agrees(question: str, plan: Plan, values: Mapping[str, Any]) -> Verdict:
    """Return a verdict on plan and inspect: the same bytes on every device."""
    subject = f"{question}: {plan.name} {plan.quantization}, {plan.engine} on {plan.offer.machine.name}"
    try:
        ours, theirs = totals(plan.ledger), totals(inspected(plan, values))
    except gyakusan.GyakusanError as error:
        return Verdict("inspect", subject, f"inspect refuses: {error}")
    planned, seen = (" + ".join(f"{x:,.0f}" for x in part) for part in (ours, theirs))
    return Verdict("inspect", subject, "" if ours == theirs else f"{planned} planned, {seen} inspected")


def rounded(value: float) -> float:
    """Return a figure as a table prints it: whole from 10 on, else one decimal."""
    return float(round(value)) if value >= 10 else round(value, 1)


def label_values(plan: Plan) -> dict[str, float | None]:
    """Return what each label boasts of, larger is better, as a table prints it; None = not known."""
    pace, price = plan.pace, plan.offer.price
    return {
        "best": float(round(float(plan.score.value))),
        "fastest": None if pace is None else rounded(pace.decode_each.value / plan.mode.thinking),
        "cheapest": None if price is None else -float(round(price)),
    }


def labels(question: str, plans: Sequence[Plan]) -> Iterator[Verdict]:
    """Yield a verdict for each label: no other row of the table has more of what it says."""
    for plan in plans:
        for role in plan.roles:
            own = label_values(plan).get(role)
            if own is None:
                continue
            above = [p for p in plans if (v := label_values(p)[role]) is not None and v > own]
            why = f"{above[0].name} has {label_values(above[0])[role]:g}, this {own:g}" if above else ""
            yield Verdict("label", f"{question}: {role}: {plan.name}", why)


def money(question: str, answers: Sequence[Plans], budgets: Sequence[str]) -> Iterator[Verdict]:
    """Yield a verdict for each step of a chain of budgets: the best quality does not fall, and no answer vanishes."""
    for before, after, old, new in zip(answers, answers[1:], budgets, budgets[1:], strict=False):
        subject = f"{question}: {old} -> {new}"
        if not before.plans:
            yield Verdict("money", subject)
            continue
        if not after.plans:
            yield Verdict("money", subject, "there was an answer, and there is none with more money")
            continue
        first, second = (max(float(p.score.value) for p in a.plans) for a in (before, after))
        why = f"the best quality falls from {first:.1f} to {second:.1f}" if round(second, 6) < round(first, 6) else ""
        yield Verdict("money", subject, why)
