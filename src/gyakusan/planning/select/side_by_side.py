"""Whole plans side by side: each from a question of its own, or a model on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.core.ledger import Ledger
from gyakusan.core.quality import Score, better
from gyakusan.engines.base import Command
from gyakusan.errors import BadSetting
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import plan_difference
from gyakusan.planning.select.recommend import recommend


@dataclass(frozen=True, slots=True)
class ComparedPlan:
    """One column. title: as it is called; score: in `column`, None = not known [points]; price [JPY], power [W]: None = not

    known; plan: where it is one, else None; ledger: None where a question has no answer.
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
    command: Command | None = None
    plan: Plan | None = None

    @property
    def fits(self) -> bool:
        """True if there is something, and it fits."""
        return self.ledger is not None and self.ledger.fits


def plan_of_file(title: str, question: PlanRequest) -> ComparedPlan:
    """The first plan of a question, an empty side where there is none. Raises GyakusanError."""
    if question.colocated:
        raise BadSetting(
            "{title} asks for several models.", title=title, mend="Compare questions about one model each."
        )
    plans = recommend(question).plans
    if not plans:
        return ComparedPlan(title, column=question.workload.quality_metric)
    made, offer = plans[0], plans[0].offer
    return ComparedPlan(
        *(
            title,
            made.name,
            made.quantization,
            offer.machine.name,
            question.workload.quality_metric,
            made.ledger,
            made.pace,
        ),
        *(made.score, offer.price, offer.power, made.command, made),
    )


def pair(
    title: str, machine: str, ledger: Ledger, pace: SpeedEstimate | None, score: Score | None, power: float | None
) -> ComparedPlan:
    """A model on a device, as `compare` has it."""
    model = ledger.model
    return ComparedPlan(title, model.name, model.quantization, machine, "overall", ledger, pace, score, None, power)


def p_better_than_first(sides: Sequence[ComparedPlan]) -> tuple[float | None, ...]:
    """P(each is better than the first), None for the first, where one is not known, or where another task counts."""
    return (None, *(_better(sides[0], s) for s in sides[1:])) if sides else ()


def _better(first: ComparedPlan, side: ComparedPlan) -> float | None:
    if first.score is None or side.score is None or first.column != side.column:
        return None
    if first.plan is not None and side.plan is not None:
        return plan_difference(first.plan, side.plan, first.column).better
    return float(better(side.score, first.score))
