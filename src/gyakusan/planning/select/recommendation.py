"""The value that `recommend` returns: plans, and everything that explains them."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.planning.candidates.hardware import Rejected
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import Excluded
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.relaxations import Relaxation


class Recommendation(Struct, frozen=True, weakref=True):
    """Plans for a request, and why nothing else was recommended.

    1. The request names people, a task, and a machine or a budget (`request`).
    2. Models of the catalogue and machines within the limits become candidates (`candidates.hardware`, `select.exclusions`).
    3. One sweep evaluates memory, speed, quality and price of all of them as columns (`evaluate.sweep`).
    4. Each role ranks what fits; the engine's own ledger confirms the first (`select.ranking`, `select.plan`).
    5. Without a plan, relaxations name the smallest change of the request that has one (`select.relaxations`); without one that
       keeps the usual limits of speed, the changes with which one does (`select.pace_relaxations`).

    request: as it was evaluated, with the model's full name
    plans: one for each role, none if nothing fits
    excluded: models that no plan uses, each with its reason
    rejected: machines of the catalogue that are left out, each with its reason
    relaxations: changes that would give the request a plan, where it has none, or one that is fast enough, where none is
    rates: exchange rates that the prices were converted with
    grid: the sweep, with every candidate that fits
    """

    request: PlanRequest
    plans: tuple[Plan, ...]
    excluded: tuple[Excluded, ...]
    rejected: tuple[Rejected, ...]
    relaxations: tuple[Relaxation, ...]
    rates: ExchangeRates
    grid: SweepResult

    @property
    def count(self) -> int:
        """Number of candidates that were evaluated."""
        return self.grid.count
