"""Which purchases an answer shows, and the labels that are true of the figures beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gyakusan.planning.select.shown_plans import has_better, two_digits
from gyakusan.planning.upgrade.option import UpgradeOption

LEAST_SHOWN = 3
"""Purchases that an answer lists where as many are worth a row; each with a label is listed."""


LEAST_GAIN = 0.05 / 10_000
"""Less quality for a yen is shown as "-", and nothing is the most for the money with that. [points/JPY]"""


@dataclass(frozen=True, slots=True)
class ShownFigures:
    """The figures of one purchase, rounded as they are shown.

    price: what is paid in the end [JPY]
    quality: [points]
    speed: of each user [tokens/s]
    answer: of each user, without tokens that reasoning spends [tokens/s]
    """

    price: float
    quality: float
    speed: float
    answer: float

    def beats(self, other: ShownFigures) -> bool:
        """Return True if no figure is worse than the other's and one is better."""
        cheaper, better = self.price <= other.price, self.quality >= other.quality
        faster = self.speed >= other.speed and self.answer >= other.answer
        return cheaper and better and faster and self != other


def shown_figures(step: UpgradeOption) -> ShownFigures:
    """Return the figures of a purchase as its row shows them; a speed that is not known is none."""
    pace = step.plan.pace
    speed = 0.0 if pace is None else pace.decode_each.value
    return ShownFigures(
        price=float(round(step.option.net)),
        quality=float(round(float(step.plan.score.value))),
        speed=two_digits(speed),
        answer=two_digits(speed / step.plan.thinking.factor),
    )


def quality_for_money(step: UpgradeOption) -> float:
    """Return the gain in quality, less its error, for a yen; 0 where there is none, or nothing is paid [points/JPY]."""
    if step.between is None or step.option.net <= 0:
        return 0.0
    gap = step.between.quality_gap
    return max(0.0, float(gap.value) - float(gap.error)) / step.option.net


def is_surely_better(step: UpgradeOption) -> bool:
    """Return True for a purchase whose gain in quality is beyond its error, or with which something runs at all."""
    if step.between is None:
        return True
    gap = step.between.quality_gap
    return float(gap.value) > float(gap.error)


def first_for_speed(steps: Sequence[UpgradeOption]) -> UpgradeOption | None:
    """Return the purchase to name where none is surely better: the cheapest that answers faster; None where one is better."""
    if not steps or any(map(is_surely_better, steps)):
        return None
    return min((s for s in steps if not slower_than_today(s)), key=lambda s: s.option.net, default=None)


def shown_options(steps: Sequence[UpgradeOption]) -> tuple[UpgradeOption, ...]:
    """Return the purchases worth a row with the labels that their figures earn, the cheapest first.

    steps: purchases that are a real gain
    """
    figures = [shown_figures(s) for s in steps]
    kept = [i for i in range(len(steps)) if not has_better(i, figures)]
    if not kept:
        return ()
    labels: dict[int, list[str]] = {i: [] for i in kept}
    labels[min(kept, key=lambda i: figures[i].price)].append("cheapest")
    gainful = [i for i in kept if quality_for_money(steps[i]) >= LEAST_GAIN]
    if gainful:
        labels[max(gainful, key=lambda i: (quality_for_money(steps[i]), steps[i].rate))].append("yen")
    better = [i for i in kept if is_surely_better(steps[i])]
    if better:  # more quality within its error is none
        labels[max(better, key=lambda i: figures[i].quality)].append("best")
    fastest = max(kept, key=lambda i: figures[i].speed)
    if not slower_than_today(steps[fastest]):
        labels[fastest].append("fastest")
    order = sorted(kept, key=lambda i: ("cheapest" not in labels[i], not labels[i], -steps[i].rate))
    shown = max(LEAST_SHOWN, sum(bool(names) for names in labels.values()))
    return tuple(replace(steps[i], roles=tuple(labels[i])) for i in order[:shown])


def slower_than_today(step: UpgradeOption) -> bool:
    """Return True if a purchase answers no faster than what is owned, for its quality alone."""
    ratio = None if step.between is None else step.between.speed_ratio
    return ratio is not None and ratio[0] <= 1
