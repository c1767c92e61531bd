"""What single nodes answer: the rows that `gyakusan plan` has for each of them, worked out once for equal computers.

Several nodes are one sweep, which shares all that depends on the models alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import structs

from gyakusan.core.machine import Machine
from gyakusan.planning.candidates import model_table
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import ROLES
from gyakusan.planning.select.recommend import USUAL_ROWS, check_engines, choose_plans


class Answers:
    """The plans of machines, each question to equal machines answered once."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[PlanRequest, Machine], tuple[Plan, ...]] = {}

    def of(self, request: PlanRequest, machines: Sequence[Machine]) -> list[tuple[Plan, ...]]:
        """Return the plans of each machine, the first as `gyakusan plan` recommends it. Raises GyakusanError."""
        keys = [(request, plain(m)) for m in machines]
        fresh = {key: m for key, m in zip(keys, machines, strict=True) if key not in self._kept}
        if fresh:
            self._kept |= zip(fresh, plans_on(request, tuple(fresh.values())), strict=True)
        return [tuple(placed(p, m) for p in self._kept[key]) for key, m in zip(keys, machines, strict=True)]


def plain(machine: Machine) -> Machine:
    """Return a machine without what makes no plan: equal computers are then equal."""
    gpus = tuple(structs.replace(g, reserved_reason=None) for g in machine.gpus)
    host = None if machine.host is None else structs.replace(machine.host, reserved_reason=None)
    return structs.replace(machine, name="", prices=(), gpus=gpus, host=host)


def placed(plan: Plan, machine: Machine) -> Plan:
    """Return a plan on an equal machine."""
    if plan.offer.machine is machine:
        return plan
    deployment = structs.replace(plan.deployment, machine=machine)
    return structs.replace(plan, deployment=deployment, offer=structs.replace(plan.offer, machine=machine))


def plans_on(request: PlanRequest, machines: Sequence[Machine]) -> Iterator[tuple[Plan, ...]]:
    """Yield the plans of each machine, as `recommend` chooses them for one that is owned. Raises GyakusanError."""
    owned, result = swept(request, machines)
    check_engines(owned, result)
    for place in range(len(machines)):
        yield choose_plans(owned, of_machine(result, place), ROLES, rows=USUAL_ROWS)


def swept(
    request: PlanRequest, machines: Sequence[Machine], models: Sequence[int] | None = None
) -> tuple[PlanRequest, SweepResult]:
    """Return the request as it is asked of machines that are owned, and its candidates on all of them.

    models: places in the table, None = those that the request allows
    """
    table, owned = model_table.load(), structs.replace(request, device=machines[0].name)
    chosen = select_models(owned, table)[0] if models is None else models
    return owned, feasible_candidates(owned, table, [option(m) for m in machines], chosen)


def option(machine: Machine) -> HardwareOption:
    """Return a machine that is owned."""
    return HardwareOption(machine, max(1, len(machine.gpus)), None, (), None, owned=True)


def of_machine(result: SweepResult, place: int) -> SweepResult:
    """Return the candidates on one of the machines. place: of it in the offers."""
    cells = result.cells.take(np.flatnonzero(result.cells.offer == place))
    alone = structs.replace(cells, offer=np.zeros(len(cells), np.int64))
    return structs.replace(result, offers=(result.offers[place],), cells=alone)
