"""Sweep over fleets: every candidate for each number of users per replica, its replicas, and its monthly cost.

Steady users are dealt out evenly over 1, 2, 3, 4, 6, 8 ... replicas. For an arrival rate, `users_per_replica` is the number of
slots of one replica: each candidate needs the fewest replicas whose slots together suffice (core.queue).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs

from gyakusan.core import queue
from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, CatalogModel, ModelTable
from gyakusan.planning.candidates.purchases import with_ram_beside
from gyakusan.planning.evaluate.results import SweepResult, concatenate
from gyakusan.planning.evaluate.sustainable_rate import solo_times
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.request.money import ExchangeRates, Money, exchange_rates
from gyakusan.planning.request.pace import SLOWEST_ANSWER
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.request.request_rate import slots_for_rate
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.ranking import CHEAPEST_WITHIN_POINTS, rank_candidates

REPLICA_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Numbers of replicas that are tried for steady users."""
SLOT_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Slots of a replica that are tried for an arrival rate."""
CARDS_PER_MACHINE = (1, 2, 4, 8)
"""Cards in one machine of a fleet: numbers that divide the attention heads of nearly every model."""


@dataclass(frozen=True, slots=True)
class FleetCandidates:
    """Feasible fleets as columns.

    grid: one candidate for each fleet; its price is the whole fleet's monthly cost [JPY]
    users_per_replica: users whom a replica serves at once (candidates,)
    replicas: number of replicas (candidates,)
    sustainable_rate: highest rate that any fleet within the limits sustains, 0 without arrivals [1/s]
    """

    grid: SweepResult
    users_per_replica: IntArray
    replicas: IntArray
    sustainable_rate: float = 0.0


def sweep_fleets(request: FleetRequest, columns: ModelTable) -> FleetCandidates:
    """Return every fleet that serves the request within its budget."""
    plan_request = request.plan_request
    offers = offered_machines(request, exchange_rates(dict(plan_request.rates)))
    models = np.array(tested_models(plan_request, columns), np.int64)
    parts: list[FleetCandidates] = []
    grid: SweepResult | None = None
    for users, fewest in replica_sizes(request):
        affordable = [i for i, o in enumerate(offers) if _is_affordable(request, o, fewest)]
        if not affordable or (any(len(p.replicas) for p in parts) and _has_spare_slots(request, users)):
            continue
        replica_request = structs.replace(plan_request, users=users, arrivals=None)
        machines = [offers[i] for i in affordable]
        grid = sweep(replica_request, columns, machines, models, reduce=not plan_request.owned, alone=True)
        cells = structs.replace(grid.cells, offer=np.array(affordable, np.int64)[grid.cells.offer])
        parts.append(
            _feasible_fleets(request, replica_request, structs.replace(grid, cells=cells, offers=offers), fewest)
        )
        models = _good_enough_models(plan_request, parts[-1].grid, models)
    if grid is None:
        grid = sweep(plan_request, columns, (), models, reduce=True)
    empty = np.zeros(0, np.int64)
    return FleetCandidates(
        grid=structs.replace(grid, cells=concatenate([p.grid.cells for p in parts]), offers=offers),
        users_per_replica=np.concatenate([empty, *(p.users_per_replica for p in parts)]),
        replicas=np.concatenate([empty, *(p.replicas for p in parts)]),
        sustainable_rate=max((p.sustainable_rate for p in parts), default=0.0),
    )


def replica_sizes(request: FleetRequest) -> list[tuple[int, int]]:
    """Return (users per replica, fewest replicas) to try, the smallest first: the best models hold only few users."""
    plan_request = request.plan_request
    if plan_request.arrivals is None:
        sizes: dict[int, int] = {}
        for count in steady_replica_counts(request):
            sizes.setdefault(-(-plan_request.users // count), count)
        return sorted(sizes.items())
    users = plan_request.users if "users" in request.given else 1
    return [(n, -(-users // n)) for n in SLOT_COUNTS]


def steady_replica_counts(request: FleetRequest) -> list[int]:
    """Return the numbers of replicas to try for steady users."""
    return [n for n in REPLICA_COUNTS if n <= min(request.replicas, request.plan_request.users)]


def _has_spare_slots(request: FleetRequest, slots: int) -> bool:
    """Return True if a single replica needs fewer slots for the whole rate at the slowest acceptable speed."""
    rate, workload = request.plan_request.arrivals, request.plan_request.workload
    if rate is None:
        return False
    needed = slots_for_rate(rate, structs.replace(workload, target_tps=SLOWEST_ANSWER))
    return slots > next((n for n in SLOT_COUNTS if n >= needed), SLOT_COUNTS[-1])


def _good_enough_models(request: PlanRequest, grid: SweepResult, models: IntArray) -> IntArray:
    """Drop models whose quality is so far below the best feasible one that no role can choose them."""
    if not len(grid.cells):
        return models
    scores = rank_candidates(request, grid)
    on_target = scores.eligible[scores.meets_target_speed[scores.eligible]]
    if not len(on_target):
        return models
    floor = float(np.max(grid.cells.quality_lower[on_target])) - CHEAPEST_WITHIN_POINTS
    return models[np.array([best_quality_lower(request, grid.columns.models[i]) for i in models.tolist()]) >= floor]


def best_quality_lower(request: PlanRequest, model: CatalogModel) -> float:
    """Return the quality less one standard error of a model's best reasoning mode, before quantisation [points]."""
    score = 2 * SCORES.index(request.workload.quality_metric)
    return max(m.scores[score] - m.scores[score + 1] for m in model.modes)


def tested_models(request: PlanRequest, columns: ModelTable) -> list[int]:
    """Return the places of the models that the request allows; untested ones only if no other is left."""
    places = select_models(request, columns)[0]
    tested = [i for i in places if any(m.basis != "assumed" and not m.kind for m in columns.models[i].modes)]
    return tested or places


def offered_machines(request: FleetRequest, exchange: ExchangeRates) -> tuple[HardwareOption, ...]:
    """Return the machines that may be bought, or the one that was named, with its price.

    Without a machine and a budget this is everything with a price; never the computer that gyakusan runs on.
    """
    plan_request = request.plan_request
    if plan_request.device is None and plan_request.memory is None:
        any_price = plan_request.budget is None
        buyable = market.priced_machines(plan_request) if any_price else market.buyable_machines(plan_request)[0]
        shapes = (o for o in buyable if o.count in CARDS_PER_MACHINE)
        return tuple(o if plan_request.ram is None else with_ram_beside(o, plan_request.ram) for o in shapes)
    named = market.owned_machine(plan_request)
    if request.price is not None:
        return (structs.replace(named, price=costs.yen(request.price, exchange), owned=False),)
    sold = next((o for o in market.all_machines(plan_request) if _is_same_machine(named, o)), None)
    return (structs.replace(named, price=sold.price if sold else None, items=sold.items if sold else (), owned=False),)


def sold_used_only(request: PlanRequest, machine: HardwareOption) -> bool:
    """Return True if a machine without a price has one second-hand."""
    if machine.price is not None or request.used:
        return False
    return any(_is_same_machine(machine, o) for o in market.all_machines(structs.replace(request, used=True)))


def _is_same_machine(named: HardwareOption, other: HardwareOption) -> bool:
    """Return True if a priced machine of the catalogue has the same devices as the one that was named."""
    if named.count != other.count or not named.machine.gpus:
        return False
    ours, theirs = named.machine.gpus[0], other.machine.gpus[0]
    same = ours.name == theirs.name or (ours.kind == "unified" and theirs.name.startswith(named.machine.name))
    return same and other.price is not None and abs((ours.memory or 0) - (theirs.memory or 0)) < 2**30


def _is_affordable(request: FleetRequest, offer: HardwareOption, replicas: int) -> bool:
    """Return True if this many machines are within the budget and the allowed replicas."""
    budget = request.budget
    if replicas > request.replicas:
        return False
    if budget is None:
        return True
    return offer.price is not None and offer.price * (replicas + request.spare) <= _yen(budget, request)


def _feasible_fleets(
    request: FleetRequest, replica_request: PlanRequest, grid: SweepResult, fewest: int
) -> FleetCandidates:
    """Return the candidates whose fleets serve the request, with their replicas and monthly cost.

    replica_request: steady users of one replica, with every slot taken
    fewest: replicas that the number of users needs
    """
    cells, rate, slots = grid.cells, request.plan_request.arrivals, replica_request.users
    busy = np.ones(len(cells))
    replicas = np.where(np.isfinite(cells.tokens_per_s), fewest, request.replicas + 1)
    most, fleet_rate = _most_replicas(request, grid), 0.0
    if rate is not None:
        prefill, answer = solo_times(replica_request, grid)
        needed = np.asarray(queue.replicas_needed(rate, prefill, answer, slots, request.replicas), np.int64)
        replicas = np.maximum(fewest, needed)
        busy = np.minimum(1.0, rate / replicas * (prefill + answer))
        busy = np.where(replicas > 1, busy, 1 - np.exp(-rate * (prefill + answer)))
        fleet_rate = _sustainable_rate(prefill, answer, slots, most)
    cost = _monthly_cost(request, grid, replicas, np.clip(np.nan_to_num(busy, nan=1.0), 0, 1))
    keep = np.flatnonzero(replicas <= most)
    kept = structs.replace(grid, cells=structs.replace(cells, price=cost).take(keep))
    return FleetCandidates(kept, np.full(len(keep), slots), replicas[keep], fleet_rate)


def _sustainable_rate(prefill: FloatArray, answer: FloatArray, slots: int, most: IntArray | FloatArray) -> float:
    """Return the highest rate that any candidate sustains with its most replicas [1/s].

    prefill, answer: times of one request (candidates,) [s]
    """
    rates = [
        np.nan_to_num(queue.sustainable_rate(prefill[most == n], answer[most == n], slots, replicas=int(n)))
        for n in np.unique(most).tolist()
        if n >= 1
    ]
    return max((float(np.max(r, initial=0.0)) for r in rates), default=0.0)


def _most_replicas(request: FleetRequest, grid: SweepResult) -> IntArray | FloatArray:
    """Return the replicas that the budget buys in addition to the spares, at most those allowed (candidates,)."""
    if request.budget is None:
        return np.full(len(grid.cells), request.replicas)
    price = np.maximum(1e-9, _offer_column(grid, [o.price for o in grid.offers]))
    affordable = np.floor(_yen(request.budget, request) / price * (1 + 1e-12)) - request.spare
    clipped: FloatArray = np.clip(affordable, 0, request.replicas)
    return clipped


def _offer_column(grid: SweepResult, figures: Sequence[float | None]) -> FloatArray:
    """Return a figure of the machines for each candidate, infinite where it is not known (candidates,)."""
    column = np.array([np.inf if f is None else f for f in figures], float)
    return column[grid.cells.offer] if len(column) else np.zeros(len(grid.cells))


def _monthly_cost(request: FleetRequest, grid: SweepResult, replicas: IntArray, busy: FloatArray) -> FloatArray:
    """Return the monthly cost of each candidate's fleet, to rank by (candidates,) [JPY].

    A price or a power that is not known makes it infinite. If no price is known, all machines have the same, so that fewer
    machines cost less; if no power is, none counts.
    """
    any_known = any(o.price is not None for o in grid.offers)
    price = _offer_column(grid, [o.price if any_known else 1e6 for o in grid.offers])
    device_watts = _offer_column(grid, [o.power or 0.0 for o in grid.offers])
    chassis_watts = _offer_column(grid, [costs.chassis_watts(o) for o in grid.offers])
    watts = costs.watts(device_watts, chassis_watts, replicas, request.spare, busy)
    power = costs.monthly_power(watts, request.terms, _yen(request.terms.tariff, request))
    purchase, upkeep = costs.monthly_purchase_and_upkeep(1.0, request.terms)
    cost = np.asarray(price * (replicas + request.spare) * (purchase + upkeep) + power)
    if all(o.power is None for o in grid.offers):
        return cost
    return np.where(np.isfinite(_offer_column(grid, [o.power for o in grid.offers])), cost, np.inf)


def _yen(amount: Money, request: FleetRequest) -> float:
    return costs.yen(amount, exchange_rates(dict(request.plan_request.rates)))
