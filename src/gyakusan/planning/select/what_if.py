"""What a little more would bring, or cost: one more user, twice the context, a smaller cache, one more card, more money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption, buyable_machines
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import Recommendation, choose

MORE = 100_000
"""A step of the budget. [JPY]"""


@dataclass(frozen=True, slots=True)
class Change:
    """change: what is different; plan: the first plan then, None if there is none."""

    change: Message
    plan: Plan | None


def what_if(found: Recommendation) -> tuple[Change, ...]:
    """The first plan of each changed question, on the same machines or on what more money buys."""
    return tuple(Change(name, _first(found, asked, offers)) for name, asked, offers in _changed(found))


def _changed(found: Recommendation) -> Iterator[tuple[Message, PlanRequest, tuple[HardwareOption, ...]]]:
    asked, offers = found.question, found.grid.offers
    more = replace(asked, users=asked.users + 1)
    yield say("with {users}", users=people(more.users)), more, offers
    twice = replace(asked, context=asked.workload.context * 2)
    yield say("with {n} tokens of context", n=f"{asked.workload.context * 2:,}"), twice, offers
    if "Q8_0" not in asked.kv_types:
        yield say("with a q8_0 cache"), replace(asked, kv_types=("Q8_0",)), offers
    gpus = offers[0].machine.gpus if offers else ()
    if asked.owned and gpus and gpus[0].kind == "gpu" and len(gpus) < MAX_DEVICES:
        machine = replace(offers[0].machine, gpus=(*gpus, gpus[-1]), name=f"{len(gpus) + 1}x {gpus[-1].name}")
        yield say("with one more card"), asked, (replace(offers[0], machine=machine, count=len(gpus) + 1),)
    if asked.budget is not None:
        step = found.rates.convert(MORE, "JPY", asked.budget.currency) or 0.0
        richer = replace(asked, budget=replace(asked.budget, amount=asked.budget.amount + step))
        money = f"{step:,.0f} {asked.budget.currency}"
        yield say("with {money} more", money=money), richer, buyable_machines(richer)[0]


def _first(found: Recommendation, asked: PlanRequest, offers: tuple[HardwareOption, ...]) -> Plan | None:
    """The plan that would come first."""
    columns = found.grid.columns
    places, _ = select_models(asked, columns)
    grid: SweepResult = sweep(asked, columns, offers, np.array(places, np.int64), reduce=not asked.owned)
    plans = choose(asked, grid, ("balanced",))
    return plans[0] if plans else None
