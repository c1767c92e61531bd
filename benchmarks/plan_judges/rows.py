"""Rows of an answer as people read them: dominated rows, a model once, `--prefer` in the direction it says, reasons that hold.

Figures are read off the values that a table prints, rounded as it prints them; the planner's own comparison is not asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.plan_judges.consistency import rounded
from benchmarks.plan_judges.verdict import Verdict
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.why_not import WhyNot
from gyakusan.units import GIB

Figures = Mapping[str, float | None]
"""Figure -> as printed, larger is better; None = not known."""
CHEAPER, FASTER = 0.75, 1.5
"""A model may have a second machine that costs at most this share, answers this many times as fast, or has the best files."""
ROUNDING = 1.0
"""Two qualities that print the same may differ by this. [points]"""


def figures(plan: Plan) -> Figures:
    """Return what a table prints of a plan."""
    pace, price, spare = plan.pace, plan.offer.price, plan.spare
    return {
        "quality": float(round(float(plan.score.value))),
        "tokens/s": None if pace is None else rounded(pace.decode_each.value),
        "answer": None if pace is None else rounded(pace.decode_each.value / plan.thinking.factor),
        "first token": None if pace is None else -rounded(pace.ttft.value),
        "spare": None if spare is None else math.floor(10 * spare / GIB) / 10,
        "price": None if price is None else -float(round(price)),
    }


def beaten(mine: Figures, other: Figures) -> bool:
    """Return True if the other is at least as good in every figure, and better in one."""
    pairs = [(mine[k], other[k]) for k in mine]
    if any((a is None) is not (b is None) for a, b in pairs):
        return False
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return all(b >= a for a, b in known) and any(b > a for a, b in known)


def dominated(question: str, plans: Sequence[Plan], unused: str) -> Iterator[Verdict]:
    """Yield a verdict for each row: no other is as good in all and better in one. unused: the figure that does not count."""
    table = [{k: v for k, v in figures(p).items() if k != unused} for p in plans]
    for number, plan in enumerate(plans):
        better = [
            other.name
            for at, other in enumerate(plans)
            if at != number
            and beaten(table[number], table[at])
            and (plan.offer.own_computer or not other.offer.own_computer)
        ]
        yield Verdict("row", f"{question}: {plan.name}", f"{better[0]} beats it in all" if better else "")


def once(question: str, plans: Sequence[Plan], *, owned: bool, named: bool) -> Iterator[Verdict]:
    """Yield a verdict for each model: one row, or a second machine that is clearly cheaper or faster, beside the cheapest."""
    if named:
        return
    for name, own in dict.fromkeys((p.name, p.offer.own_computer) for p in plans):
        alike = [p for p in plans if (p.name, p.offer.own_computer) == (name, own)]
        same = [figures(p) for p in alike if p is alike[0] or "cheapest" not in p.roles]
        best = max(figures(p)["quality"] or 0.0 for p in plans)
        yield Verdict("once", f"{question}: {name}", _twice(same, best, owned=owned))


def _twice(same: Sequence[Figures], best: float, *, owned: bool) -> str:
    if len(same) == 1:
        return ""
    if owned or len(same) > 2:
        return f"{len(same)} rows"
    prices, answers = [-(f["price"] or 0.0) for f in same], [f["answer"] or 0.0 for f in same]
    apart = min(prices) <= CHEAPER * max(prices) or max(answers) >= FASTER * min(answers)
    better = (same[1]["quality"] or 0.0) == best > (same[0]["quality"] or 0.0)
    return "" if apart or better else "a second machine for it is neither clearly cheaper, nor faster, nor the best"


Ask = Callable[[Mapping[str, Any]], Recommendation]
"""Values of a question -> its answer."""
PREFERRED = {"quality": "quality", "speed": "answer", "price": "price"}
"""Preference -> the figure that it puts first."""


def prefer(question: str, values: Mapping[str, Any], ask: Ask) -> Iterator[Verdict]:
    """Yield a verdict for each preference: the first row has no less of what is preferred than where nothing is."""
    plain = ask({**values, "prefer": "balanced"}).plans
    if not plain:
        return
    before = figures(plain[0])
    for wish, figure in PREFERRED.items():
        if wish == "price" and plain[0].offer.owned:
            continue
        after = ask({**values, "prefer": wish}).plans
        new, old = figures(after[0])[figure] if after else None, before[figure]
        if old is None:
            continue
        worse = new is None or new < old
        why = f"{figure} falls from {abs(old):g} to {'none' if new is None else f'{abs(new):g}'}" if worse else ""
        yield Verdict("prefer", f"{question} --prefer {wish}", why)


SMALLER = ("ttft", "price")
"""Figures of why-not of which less is better."""


def reason(question: str, answer: Recommendation, why: WhyNot) -> Verdict:
    """Return a verdict on why-not: the winner or the limit is ahead by the figure that is named."""
    said, subject = why.reason, f"{question} --why-not {why.name}"
    if said.because == "shown":
        return Verdict("reason", subject, "" if any(p.name == why.name for p in answer.plans) else "no plan is of it")
    if any(p.name == why.name for p in answer.plans):
        return Verdict("reason", subject, f"it is a plan, and {said.because} is said")
    if said.because in ("beaten", "behind") or (said.because in ("speed", "wait") and said.wants is not None):
        if said.has is None or said.wants is None:
            return Verdict("reason", subject, f"no figures: {said.sentence}")
        ahead = said.wants < said.has if said.figure in SMALLER else said.wants > said.has
        return Verdict("reason", subject, "" if ahead else f"it refutes itself: {said.sentence}")
    return Verdict("reason", subject, "" if said.because != "memory" or (said.has or 0) > 0 else f"{said.sentence}")
