"""One purchase with the best plan on the machine after it."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import PlanDifference
from gyakusan.planning.upgrade.purchase_options import PurchaseOption

GAIN_PER_JPY = 100_000
"""The amount of money that `UpgradeOption.rate` counts a gain for. [JPY]"""


@dataclass(frozen=True, slots=True)
class UpgradeOption:
    """One purchase with its best plan, confirmed with the engine's own ledger.

    option: what is bought
    plan: what runs then
    gain: in quality, and in speed by the preference [points]
    between: against today's plan, None where nothing fits today
    real: the gain is more than noise
    limits: largest context and number of users, None for options without a role
    roles: what it is best at among those shown: cheapest, yen (most quality for the money), best (quality), fastest
    """

    option: PurchaseOption
    plan: Plan
    gain: float
    between: PlanDifference | None
    real: bool
    limits: Capacity | None = None
    roles: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Gain for each GAIN_PER_JPY of money, infinite where it costs nothing [points]."""
        return gain_for_money(self.gain, self.option)


def gain_for_money(gain: float, option: PurchaseOption) -> float:
    """Return a gain for each GAIN_PER_JPY of money, infinite where it costs nothing [points]."""
    return gain * GAIN_PER_JPY / option.net if option.net > 0 else float("inf")
