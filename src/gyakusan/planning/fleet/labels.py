"""Which fleets an answer shows, and the labels that are true of the figures beside them.

A fleet is shown if no other is at least as good in every figure of its row; a label belongs to the largest or the smallest
figure that is shown, whatever role a fleet was found for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.select.shown_plans import has_better, two_digits

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
        return self.at_least(other) and self != other

    def at_least(self, other: ShownFigures) -> bool:
        """Return True if no figure is worse than the other's."""
        fewer, cheaper = self.machines <= other.machines, self.price <= other.price
        faster = self.speed >= other.speed and self.answer >= other.answer
        return fewer and cheaper and faster and self.quality >= other.quality and self.safe(other)

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


def shown_fleets(plans: Sequence[FleetPlan], on_target: Callable[[FleetPlan], bool]) -> tuple[FleetPlan, ...]:
    """Return the fleets worth a row with the labels that their figures earn, the recommended one first.

    plans: the recommended fleet first; on_target: True for a fleet with the speed that is asked for
    """
    if not plans:
        return ()
    figures = [shown_figures(p) for p in plans]
    kept = [i for i in range(len(plans)) if not has_better(i, figures)]
    first = next((i for i in kept if i == 0 or (figures[i].at_least(figures[0]) and on_target(plans[i]))), kept[0])
    order = [first, *(i for i in kept if i != first)]
    labels: dict[int, list[str]] = {i: [] for i in order}
    labels[first].append("balanced")
    for label, best in (
        ("best", max(order, key=lambda i: figures[i].quality)),
        ("fastest", max(order, key=lambda i: (figures[i].answer, figures[i].speed))),
        ("cheapest", min(order, key=lambda i: figures[i].price)),
        ("fewest", min(order, key=lambda i: figures[i].machines)),
        ("survives", min((i for i in order if _survives(plans[i])), key=lambda i: figures[i].price, default=None)),
    ):
        if best is not None and (label != "cheapest" or figures[best].price < inf):
            labels[best].append(label)
    return tuple(replace(plans[i], roles=tuple(labels[i])) for i in order if labels[i])[:MAX_ROWS]


def _survives(plan: FleetPlan) -> bool:
    return plan.failure_impact.verdict in ("spare", "holds")


def _whole_percent(share: float) -> float:
    """Return a share in whole percent, rounded down: everybody is everybody."""
    return float(int(100 * share + 1e-9))
