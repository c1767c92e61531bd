"""The size of a fleet: the fewest replicas within the speed that is asked for, and how many more let one machine fail.

The sweep tries some numbers of replicas and of users for each; here one model on one machine is sized exactly. The speed
that is compared with the task's target is the expected one; a speed that the user asks for holds at its lower end.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from msgspec import structs

from gyakusan.core.load import Load
from gyakusan.planning.fleet.plan import FleetPlan, fleet_plan
from gyakusan.planning.fleet.replica_queue import ReplicaQueue, replica_queue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.fleet.sweep import REPLICA_COUNTS, SLOT_COUNTS
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, bottleneck, exact_ledger, exact_speed

MORE_REPLICAS = 3
"""Replicas that are added, at most, so that one machine may fail."""
SOLO_SHARE = 0.7
"""Where one user alone is below the target speed, everyone gets at least this share of what one has."""


def sized(request: FleetRequest, plan: FleetPlan, exchange: ExchangeRates) -> FleetPlan:
    """Return the same model on the same machines with the fewest replicas that meet the target speed."""
    if plan.nodes > 1 or request.plan_request.prefer == "speed":
        return plan
    if request.plan_request.arrivals is None:
        return _sized_for_users(request, plan, exchange)
    return _sized_for_rate(request, plan, exchange) or plan


def surviving(request: FleetRequest, plan: FleetPlan, exchange: ExchangeRates) -> FleetPlan | None:
    """Return the same fleet with as many more replicas as one failed machine takes, None if none is found nearby."""
    if plan.failure_impact.verdict in ("spare", "holds") or plan.nodes > 1:
        return None
    larger = (_resized(request, plan, plan.replicas + more, exchange) for more in range(1, MORE_REPLICAS + 1))
    return next((p for p in larger if p is not None and p.failure_impact.verdict == "holds"), None)


def replica_queue_of(request: PlanRequest, replica: Plan, slots: int) -> ReplicaQueue:
    """Return the queue of a replica on one machine, from its speeds with all and with fewer users."""
    assert replica.pace is not None
    speeds = {slots: replica.pace}
    for users in {1, max(1, slots // 4), max(1, slots // 2)} - {slots}:
        speed = exact_speed(structs.replace(request, users=users), replica.deployment)
        if speed is not None:
            speeds[users] = speed
    return replica_queue(request, speeds, replica.thinking.factor, replica.offer.machine, replica.engine, 1)


def _sized_for_users(request: FleetRequest, plan: FleetPlan, exchange: ExchangeRates) -> FleetPlan:
    """Return the fleet with the fewest replicas between the number that the sweep tried before and its own."""
    target = min(plan.answer_speed, request.plan_request.workload.target_tps)
    low, best = max((n for n in REPLICA_COUNTS if n < plan.replicas), default=0), plan
    while best.replicas - low > 1:
        middle = (low + best.replicas) // 2
        fewer = _resized(request, plan, middle, exchange)
        if fewer is not None and fewer.answer_speed >= target:
            best = fewer
        else:
            low = middle
    return best


def _sized_for_rate(request: FleetRequest, plan: FleetPlan, exchange: ExchangeRates) -> FleetPlan | None:
    """Return the fleet with the fewest replicas that sustain the rate and answer at the target speed.

    More slots let a replica take more requests at busy times; what everybody meets is the speed at the requested load.
    """
    plan_request, rate = request.plan_request, request.plan_request.arrivals or 0.0
    replicas = _by_slots(request, plan.plan)
    if not replicas:
        return None
    speeds = {users: r.pace for users, r in replicas.items() if r.pace is not None}
    solo = speeds[min(speeds)].decode_each.value / plan.plan.thinking.factor
    goal = min(plan_request.workload.target_tps, SOLO_SHARE * solo) * plan.plan.thinking.factor
    best: tuple[int, float, int, ReplicaQueue] | None = None
    for slots in speeds:
        queue = replica_queue_of(plan_request, replicas[slots], slots)
        most = request.replicas if best is None else best[0]
        needed = queue.replicas_needed(rate, most)
        count = _fewest(needed, most, lambda n, q=queue: _is_fast(q, rate, n, goal))  # type: ignore[misc]
        if count is not None:
            found = (count, float(queue.at(rate, count).token), slots, queue)
            best = found if best is None else min(best, found, key=lambda b: b[:2])
    if best is None:
        return None
    return fleet_plan(request, replicas[best[2]], best[3], best[0], exchange, at_least=True)


def _by_slots(request: FleetRequest, replica: Plan) -> dict[int, Plan]:
    """Return a replica with each number of slots that is tried, and with as many as fit."""
    found: dict[int, Plan] = {}
    for users in SLOT_COUNTS:
        plan = _with_users(request, replica, users)
        if plan is None:
            break
        found[users] = plan
    low, high = max(found, default=0), 2 * max(found, default=0)
    while high - low > 1 and high <= SLOT_COUNTS[-1]:
        middle = (low + high) // 2
        plan = _with_users(request, replica, middle)
        if plan is None:
            high = middle
        else:
            low, found[middle] = middle, plan
    return dict(sorted(found.items()))


def _is_fast(queue: ReplicaQueue, rate: float, replicas: int, speed: float) -> bool:
    """Return True if everybody is expected to have this speed. rate [1/s]; speed [tokens/s]."""
    found = queue.at(rate, replicas)
    return not found.saturated and float(1 / found.token) >= speed


def _fewest(least: int, most: int, good: Callable[[int], bool]) -> int | None:
    """Return the smallest number from `least` to `most` that is good, None if none is. All above a good one are good."""
    if least > most or not good(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def _resized(request: FleetRequest, plan: FleetPlan, replicas: int, exchange: ExchangeRates) -> FleetPlan | None:
    """Return the fleet with another number of replicas, None if it is beyond the limits or does not fit."""
    plan_request = request.plan_request
    if plan_request.arrivals is not None:
        return fleet_plan(request, plan.plan, plan.queue, replicas, exchange, at_least=True)
    users = -(-plan_request.users // replicas)
    replica = _with_users(request, plan.plan, users)
    if replica is None:
        return None
    return fleet_plan(request, replica, replica_queue_of(plan_request, replica, users), replicas, exchange)


def _with_users(request: FleetRequest, replica: Plan, users: int) -> Plan | None:
    """Return a replica with another number of users, None if it does not fit or is beyond the limits."""
    plan_request = request.plan_request
    deployment = replica.deployment.at(Load(users, plan_request.workload.context))
    ledger = exact_ledger(deployment)
    if deployment.refusals or ledger is None or not ledger.fits_like(replica.ledger):
        return None
    speed = exact_speed(structs.replace(plan_request, users=users), deployment)
    if speed is None:
        return None
    if plan_request.arrivals is None and (
        speed.decode_each.low < plan_request.speed or speed.ttft.high > (plan_request.max_ttft or inf)
    ):
        return None
    return structs.replace(
        replica,
        deployment=deployment,
        ledger=ledger,
        command=deployment.command,
        pace=speed,
        bottleneck=bottleneck(ledger, speed),
    )
