"""Which fleets an answer shows, and the labels that are true of the figures beside them.

A fleet is shown if no other is at least as good in every figure that rows are compared by; a label belongs to the largest or the
smallest figure that is shown, whatever role a fleet was found for. The rules of labels are those of plans
(`select.shown_plans`): none where all rows are equal, and the cheapest surely fits, has the wanted speed and enough quality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.ranking import lacks_for_cheapest
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.shown_plans import has_better, leads, two_digits

MAX_ROWS = 6
"""Fleets that an answer shows."""


@dataclass(frozen=True, slots=True)
class ShownFigures:
    """The figures of one row, rounded as they are shown.

    machines: that are bought, spares included
    speed: of each user at the requested load [tokens/s]
    answer: speed of what people read, without tokens of thinking [tokens/s]
    quality: [points]
    price: cost of a month, infinite = not known [JPY]
    served: share of the users who are still served if one machine fails
    """

    machines: int
    speed: float
    answer: float
    quality: float
    price: float
    served: float

    def beats(self, other: ShownFigures) -> bool:
        """Return True if no figure is worse than the other's and one is better."""
        return self.at_least(other) and not other.at_least(self)

    def at_least(self, other: ShownFigures) -> bool:
        """Return True if no figure is worse than the other's; of speeds that of the answer: thinking more is no merit."""
        fewer, cheaper = self.machines <= other.machines, self.price <= other.price
        good = self.answer >= other.answer and self.quality >= other.quality
        return fewer and cheaper and good and self.safe(other)

    def safe(self, other: ShownFigures) -> bool:
        """Return True if a failure stops no more people than with the other."""
        return self.served >= other.served


def shown_figures(plan: FleetPlan) -> ShownFigures:
    """Return the figures of a fleet as its row shows them."""
    return ShownFigures(
        machines=plan.machines,
        speed=two_digits(plan.user_speed),
        answer=two_digits(plan.answer_speed),
        quality=float(round(float(plan.plan.score.value))),
        price=plan.monthly if plan.monthly == inf else float(round(plan.monthly)),
        served=_whole_percent(plan.failure_impact.served),
    )


def shown_fleets(request: PlanRequest, plans: Sequence[FleetPlan]) -> tuple[FleetPlan, ...]:
    """Return the fleets worth a row with the labels that their figures earn, the recommended one first.

    What may not fit has no row beside what surely fits. What beats the recommendation in everything is the recommendation.
    plans: the recommended fleet first
    """
    plans = [p for p in plans if p.plan.surely_fits] or plans
    figures = [shown_figures(p) for p in plans]
    kept = [i for i in range(len(plans)) if not has_better(i, figures)]
    if not kept:
        return ()
    first = 0 if 0 in kept else next(i for i in kept if figures[i].at_least(figures[0]))
    rows = [plans[i] for i in (first, *(i for i in kept if i != first))]
    labels = _labels(request, rows)
    return tuple(replace(p, roles=told) for p, told in zip(rows, labels, strict=True) if told)[:MAX_ROWS]


def _labels(request: PlanRequest, rows: Sequence[FleetPlan]) -> list[tuple[str, ...]]:
    """Return the labels of each row, the recommended one first."""
    figures = [shown_figures(r) for r in rows]
    leading: dict[str, list[float | None]] = {
        "best": [f.quality for f in figures],
        "fastest": [f.answer for f in figures],
        "cheapest": [None if lacks_for_cheapest(request, r) else -f.price for r, f in zip(rows, figures, strict=True)],
        "fewest": [-float(f.machines) for f in figures],
    }
    if len({f.price for f in figures}) == 1:  # one price is no merit, as it is none of plans
        del leading["cheapest"]
    safe = min((i for i, r in enumerate(rows) if _survives(r)), key=lambda i: figures[i].price, default=None)
    told: list[tuple[str, ...]] = []
    for number in range(len(rows)):
        own = ["balanced"] if number == 0 else []
        own += [label for label, values in leading.items() if _leads(label, values, number)]
        told.append((*own, *(["survives"] if number == safe else [])))
    return told


def _leads(label: str, values: Sequence[float | None], number: int) -> bool:
    """Return True if a row has the most of what a label is about. The one row that may be called the cheapest is."""
    known = [v for v in values if v is not None and v > -inf]
    if label == "cheapest" and len(known) < len(values):
        return bool(known) and values[number] == max(known) and values.index(max(known)) == number
    return leads(values, number)


def _survives(plan: FleetPlan) -> bool:
    return plan.failure_impact.verdict in ("spare", "holds")


def _whole_percent(share: float) -> float:
    """Return a share in whole percent, rounded down: everybody is everybody."""
    return float(int(100 * share + 1e-9))
