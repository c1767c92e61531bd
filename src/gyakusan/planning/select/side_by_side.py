"""Whole plans side by side: each from a request of its own, or a model on a device, for `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.core.ledger import Ledger
from gyakusan.core.machine import Machine
from gyakusan.core.quality import Score, better
from gyakusan.engines.base import Command
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.power import devices_watts, wall_watts
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.compared_device import device_facts
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import plan_difference
from gyakusan.planning.select.recommend import recommend

THIS_COMPUTER = "This computer"
"""Title of the column of a question about this computer that has no plan; a screen translates it."""


@dataclass(frozen=True, slots=True)
class ComparedPlan:
    """One column of a comparison.

    title: of the column, e.g. the name of its file
    model: its name, "" where the request has no plan
    quantization: as the engine names it
    machine: its name
    column: quality metric that the score is of
    ledger: memory, None where the request has no plan
    pace: speed, None = not known
    score: quality, None = not known [points]
    price: of what is bought or of the device's machine, None = owned or not known [JPY]
    power: of the devices, None = not known [W]
    wall: what the machine takes from its socket at work, None = not known [W]
    command: that starts the server
    plan: None for a model on a device
    """

    title: str
    model: str = ""
    quantization: str = ""
    machine: str = ""
    column: str = "overall"
    ledger: Ledger | None = None
    pace: SpeedEstimate | None = None
    score: Score | None = None
    price: float | None = None
    power: float | None = None
    wall: float | None = None
    command: Command | None = None
    plan: Plan | None = None

    @property
    def fits(self) -> bool:
        """True if there is a plan, and it fits."""
        return self.ledger is not None and self.ledger.fits


def compared_request(title: str, request: PlanRequest) -> ComparedPlan:
    """Return the first plan of a request, an empty column if it has none. Raises GyakusanError."""
    if request.colocated:
        raise BadSetting("{title} requests several models.", title=title, mend="Compare requests for one model each.")
    column = request.workload.quality_metric
    plan = next(iter(recommend(request).plans), None)
    return ComparedPlan(title, column=column) if plan is None else compared_plan(title, plan, column)


def compared_plan(title: str, plan: Plan, column: str) -> ComparedPlan:
    """Return the column of a plan. column: quality metric that counts for its request."""
    return ComparedPlan(
        title=title,
        model=plan.name,
        quantization=plan.quantization,
        machine=plan.offer.machine.name,
        column=column,
        ledger=plan.ledger,
        pace=plan.pace,
        score=plan.score,
        price=plan.offer.price,
        power=plan.offer.power,
        wall=wall_watts(plan.offer.machine),
        command=plan.command,
        plan=plan,
    )


def compared_device(
    title: str,
    machine: Machine,
    ledger: Ledger,
    pace: SpeedEstimate | None,
    score: Score | None,
    currency: str = "JPY",
) -> ComparedPlan:
    """Return the column of a model on a device, with the price of the machine today as who pays in `currency` finds it."""
    facts = device_facts(machine, currency)
    return ComparedPlan(
        title,
        ledger.model.name,
        ledger.model.quantization,
        machine.name,
        ledger=ledger,
        pace=pace,
        score=score,
        price=facts.price,
        power=devices_watts(machine),
        wall=facts.watts,
    )


def p_better_than_first(compared: Sequence[ComparedPlan]) -> tuple[float | None, ...]:
    """Return for each plan the probability that its quality is better than the first one's.

    None for the first, where a quality is not known, and where another metric counts.
    """
    return (None, *(_p_better(compared[0], c) for c in compared[1:])) if compared else ()


def _p_better(first: ComparedPlan, other: ComparedPlan) -> float | None:
    if first.score is None or other.score is None or first.column != other.column:
        return None
    if first.plan is not None and other.plan is not None:
        return plan_difference(first.plan, other.plan, first.column).p_better
    return float(better(other.score, first.score))
