"""Does inspect say what the plan says, do labels follow from the table, and does more money never make an answer worse?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gyakusan
from benchmarks.plan_judges.verdict import Verdict
from gyakusan.core.ledger import Ledger
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.bought_ram import bought_ram
from gyakusan.planning.request.pace import is_usable, speed_points
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import WEIGHTS
from gyakusan.python.planning import Plans
from gyakusan.units import GIB

HALF = 50
"""Points from which on a plan may be called the cheapest."""
SCORE_STEP = 0.05
"""A lower score of plan 1 than this counts: half a point, what the ranking itself takes for equal."""
MACHINE = ("memory", "reserve", "bandwidth", "ram")
"""Options of a question that change its machine, and that inspect has, too."""


def inspected(plan: Plan, values: Mapping[str, Any]) -> Ledger:
    """Return what inspect says of a plan, asked with what the plan prints, and its settings. Raises GyakusanError."""
    deployment = plan.deployment
    named = values.get("device") or plan.offer.machine.name
    where = {k: values[k] for k in MACHINE if k in values and values.get("device")}
    if not values.get("device") and (bought := bought_ram(plan.offer)):
        where["ram"] = f"{bought}GiB"  # the plan's Check line says so, too
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
    """Return total, shown range and limit of each device, GPUs first [B]. Names may differ: a computer's and its chip's."""
    return [float(end) for a in ledger.accounts for end in (a.total, a.at_least, a.at_most, a.high)]


def agrees(question: str, plan: Plan, values: Mapping[str, Any]) -> Verdict:
    """Return a verdict on plan and inspect: the same bytes on every device, at both ends of their ranges."""
    subject = f"{question}: {plan.name} {plan.quantization}, {plan.engine} on {plan.offer.machine.name}"
    try:
        ours, theirs = totals(plan.ledger), totals(inspected(plan, values))
    except gyakusan.GyakusanError as error:
        return Verdict("inspect", subject, f"inspect refuses: {error}")
    planned, seen = (" + ".join(f"{x:,.0f}" for x in part) for part in (ours, theirs))  # the figures of each
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


def worth(plan: Plan, request: PlanRequest) -> bool:
    """Return True if a row may be called the cheapest: it fits, has the wanted speed as shown, and half of the points."""
    if plan.spare is None or plan.spare < 0:
        return False
    if request.model is not None:
        return True
    answer = None if plan.pace is None else rounded(plan.pace.decode_each.value / plan.thinking.factor)
    return answer is not None and answer >= request.workload.target_tps and enough(plan)


def labels(question: str, plans: Sequence[Plan], request: PlanRequest) -> Iterator[Verdict]:
    """Yield a verdict for each label: no other row of the table has more of what it says."""
    for plan in plans:
        for role in plan.roles:
            yield Verdict("label", f"{question}: {role}: {plan.name}", label(plan, role, plans, request))


def label(plan: Plan, role: str, plans: Sequence[Plan], request: PlanRequest) -> str:
    """Return why a label is not true of a row, "" if it is. The recommendation is the first row."""
    if role == "balanced":
        return "" if plan is plans[0] else "not the first row"
    known = label_values(plan)
    if role not in known:
        return "a label that nothing is known of"
    own = known[role]
    if own is None:
        return "its figure is not known"
    rivals = [p for p in plans if role != "cheapest" or (worth(p, request) and kind(p, request) >= kind(plan, request))]
    above = [p for p in rivals if (v := label_values(p)[role]) is not None and v > own]
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
        yield Verdict("money", subject, worse(before, after))


def kind(plan: Plan, request: PlanRequest) -> int:
    """Return what is bought: 2 a complete computer, 1 cards for one's own, 0 second-hand ones that nobody asked for."""
    if not plan.offer.own_computer or request.base_computer_price is not None:
        return 2
    return 0 if plan.offer.items[0].used and not request.used else 1


def worse(before: Plans, after: Plans) -> str:
    """Return what is worse with more money, "" if nothing is: the best quality, the score of plan 1, the cheapest price."""
    first, second = (max(label_values(p)["best"] or 0.0 for p in a.plans) for a in (before, after))
    if second < first:
        return f"the best quality falls from {first:g} to {second:g}"
    a, b = before.plans[0], after.plans[0]
    first, second = score(a, before.request), score(b, after.request)
    if kept(a, before.request) > kept(b, after.request):
        return "plan 1 kept the limits of use, and does not with more money"
    if enough(a) and not enough(b):
        return "plan 1 had half of the points, and has not with more money"
    # Second-hand cards that nobody asked for leave as soon as something new has as much memory, whatever it scores.
    policy = kind(a, before.request) == 0 < kind(b, after.request)
    if kept(a, before.request) and enough(a) == enough(b) and not policy and second < first - SCORE_STEP:
        return f"the score of plan 1 falls from {first:.2f} to {second:.2f}"
    return dearer(before, after)


def dearer(before: Plans, after: Plans) -> str:
    """Return by how much what is called the cheapest costs more with more money, "" if it does not.

    A better kind of thing may take its place: a complete computer that of a card, new cards that of second-hand ones.
    """
    old, new = ([p for p in a.plans if "cheapest" in p.roles and p.offer.price is not None] for a in (before, after))
    if not old:
        return ""
    had = kind(old[0], before.request), -(old[0].offer.price or 0.0)
    has = (kind(new[0], after.request), -(new[0].offer.price or 0.0)) if new else None
    if has is not None and has >= had:
        return ""
    return f"the cheapest costs {-had[1]:,.0f} yen, and {-has[1] if has else 0:,.0f} yen with more money"


def enough(plan: Plan) -> bool:
    """Return True if a plan has half of the points: such plans come before others, whatever they score."""
    return round(float(plan.score.value)) >= HALF


def kept(plan: Plan, request: PlanRequest) -> bool:
    """Return True if a plan keeps the limits of use."""
    if plan.pace is None:
        return True
    return bool(is_usable(request, plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value))


def score(plan: Plan, request: PlanRequest) -> float:
    """Return what the ranking counts of a plan, from its own figures: quality, speed and wait, price. Its speed is known.

    Cards for a computer of one's own count with what they cost in one.
    """
    assert plan.pace is not None
    workload = request.workload
    by_quality, by_speed, by_price = WEIGHTS[request.prefer]
    quality = float(plan.score.value - plan.score.error) - (
        engine(plan.engine).SMALLER_CACHE.loss if plan.small_cache else 0.0
    )
    speed = float(speed_points(workload, request.prefer, plan.pace.decode_each.value / plan.thinking.factor))
    wait = math.log2(min(64.0, max(1.0, plan.pace.ttft.value / workload.target_ttft)))
    return by_quality * quality / 10 + by_speed * (speed - wait) - by_price * math.log2(plan.offer.whole_price or 1.0)
