"""Rank fleets for each role: balanced, best quality, fastest, lowest monthly cost, fewest machines.

The rules are those of one plan (`select.ranking`) with the cost of a month as the price. A fleet is bought for the wanted speed:
a machine more is no reason to be slower than that. A single machine is what `plan` plans, and ranks as it does there. What a
fleet is called in the answer is decided by the figures that are shown (planning.fleet.labels).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, isinf, log2
from typing import Literal

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import IntArray
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.request.pace import MISS_STEP, is_usable, missed_by, speed_points
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select import ranking as of_plans
from gyakusan.planning.select.ranking import (
    ALIKE_SPEED,
    CHEAPEST_WITHIN_POINTS,
    ENOUGH_POINTS,
    GOOD_WITHIN_POINTS,
    WEIGHTS,
    RankingScores,
    is_good_value,
    nearest_first,
)
from gyakusan.planning.select.shown_plans import lacks_of_value, two_digits

Role = Literal["balanced", "best", "fastest", "cheapest", "fewest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "fewest")
DEAREST = 10.0
"""A fleet that costs more than this many times the recommended one is no answer to the same question."""
SLOWER_ROLES = ("best",)
"""Roles that may be slower than the workload's target speed where another fleet is not."""


def cheapest_shapes(request: PlanRequest, scores: RankingScores, replicas: IntArray) -> RankingScores:
    """Return the scores with one number of users per replica for each model, format, engine and machine: the cheapest.

    The cheapest of those that meet the target speed as it is expected, else of those of acceptable speed. Under arrivals
    all that are of acceptable speed with every slot taken count alike: most of the time most slots are free. Who prefers
    speed may pay for fewer users per replica. A single machine stays beside the cheapest that meets the target.
    replicas: of each candidate (candidates,)
    """
    if request.prefer == "speed" or not len(scores.eligible):
        return scores
    cells, places = scores.cells, scores.eligible
    what = (cells.offer, cells.engine, cells.row, cells.kv, cells.mode)
    speed = np.nan_to_num(cells.expected_visible_tokens_per_s, nan=0.0)
    good = scores.acceptable_speed
    if request.arrivals is None:
        good = good & scores.meets_target_speed
    late = 2 - 1 * scores.acceptable_speed - 1 * good
    ranked = places[np.lexsort((-speed[places], cells.price[places], late[places], *(w[places] for w in what)))]
    kinds = np.stack([w[ranked] for w in what])
    first = np.concatenate([[True], np.any(kinds[:, 1:] != kinds[:, :-1], axis=0)])
    alone = places[(replicas[places] == 1) & scores.acceptable_speed[places]]
    return structs.replace(scores, eligible=np.union1d(ranked[first], alone), meets_target_speed=good)


def affordable_beside(request: PlanRequest, scores: RankingScores, first: int) -> RankingScores:
    """Return the scores of candidates that cost at most DEAREST times as much as the first, all with --prefer quality.

    What costs a month is not known of machines whose power nobody published: they stay.
    """
    if request.prefer == "quality":
        return scores
    price = scores.cells.price[scores.eligible]
    near = (price <= DEAREST * scores.cells.price[first]) | np.isinf(price)
    return structs.replace(scores, eligible=scores.eligible[near]) if near.any() else scores


def ranked_for_role(role: Role, scores: RankingScores, replicas: IntArray, request: PlanRequest) -> Iterator[int]:
    """Yield candidates, the best for a role first, as `plan` ranks them; where none is of acceptable speed, the nearest.

    All but the best meet the target speed where any candidate does, or are a single machine.
    replicas: of each candidate (candidates,)
    """
    if role not in SLOWER_ROLES:
        scores = _sized_for_speed(scores, replicas)
    if role == "best":
        yield from _best_for_least(list(of_plans.ranked_for_role(role, scores, request)), scores)
        return
    if role != "fewest":
        any_model = structs.replace(request, model=None)  # plan calls a named model the cheapest wherever it is of use
        yield from of_plans.ranked_for_role(role, scores, any_model if role == "cheapest" else request)
        return
    cells = scores.cells
    for near in nearest_first(scores, scores.eligible):
        enough = near[np.round(cells.quality[near]) >= ENOUGH_POINTS]
        pool = enough if len(enough) else near
        yield from pool[np.lexsort((pool, cells.price[pool], -scores.utility[pool], replicas[pool]))].tolist()


def _best_for_least(ranked: Sequence[int], scores: RankingScores) -> list[int]:
    """Return candidates as `plan` ranks the best, of equal points those of the target speed first, and of these the cheapest.

    On one machine every price is the same: the speed of a plan, which sorts equal points there, is here a matter of money.
    """
    places, cells = np.array(ranked, np.int64), scores.cells
    if not scores.acceptable_speed[places].all():  # nothing is of use: what misses that least is first
        return list(ranked)
    keys = (cells.price[places], ~scores.meets_target_speed[places], -np.round(cells.quality[places]))
    order: list[int] = places[np.lexsort(keys)].tolist()
    return order


def _sized_for_speed(scores: RankingScores, replicas: IntArray) -> RankingScores:
    """Return the scores without fleets of several replicas that miss the target speed, where others meet it."""
    places = scores.eligible
    kept = places[scores.meets_target_speed[places] | ((replicas[places] == 1) & scores.acceptable_speed[places])]
    return structs.replace(scores, eligible=kept) if len(kept) else scores


def best_plan(role: Role, plans: Sequence[FleetPlan], request: PlanRequest) -> FleetPlan | None:
    """Return the best plan for a role by the rules of `ranked_for_role`, None without plans."""
    if not plans:
        return None
    missed = [float(missed_by(request, p.answer_speed, p.first_token)) for p in plans]
    near = 1.0 if 1.0 in missed else MISS_STEP * min(missed)
    acceptable = [p for p, miss in zip(plans, missed, strict=True) if miss <= near]
    sized = [p for p in acceptable if p.replicas == 1 or is_on_target(request, p)] or acceptable
    price = _prices(plans)
    keys: dict[Role, Callable[[FleetPlan], tuple[float, ...]]] = {
        "balanced": lambda p: (_preferred(request, p), -_utility(p, request, price(p))),
        "best": lambda p: (-round(float(p.plan.score.value)), not is_on_target(request, p), price(p), -p.answer_speed),
        "fastest": lambda p: (-p.answer_speed, price(p)),
        "cheapest": lambda p: (price(p),),
        "fewest": lambda p: (p.machines, -_utility(p, request, price(p))),
    }
    return min(_pool(role, acceptable if role in SLOWER_ROLES else sized, request), key=keys[role])


def _preferred(request: PlanRequest, plan: FleetPlan) -> float:
    """Return where a fleet stands before its utility counts: who prefers quality gets the best that has the wanted speed."""
    if request.prefer != "quality":
        return 0.0
    points = float(plan.plan.score.value)
    return -float(round(points)) if is_good_value(request, plan.answer_speed, points) else 1.0


def _pool(role: Role, near: Sequence[FleetPlan], request: PlanRequest) -> Sequence[FleetPlan]:
    """Return the fleets that a role may choose of those that keep the limits of use."""
    if role == "best":
        return near
    if role in ("balanced", "fewest"):
        return [p for p in near if round(float(p.plan.score.value)) >= ENOUGH_POINTS] or near
    if role == "cheapest" and (kept := [p for p in near if not lacks_for_cheapest(request, p)]):
        return kept
    on_target = [p for p in near if is_on_target(request, p)] or near
    top = max(p.quality_lower for p in on_target)
    within = CHEAPEST_WITHIN_POINTS if role == "cheapest" else GOOD_WITHIN_POINTS
    good = [p for p in on_target if p.quality_lower >= top - within]
    if role == "cheapest":
        return good
    fastest = max(p.answer_speed for p in good)
    alike = [p for p in good if ALIKE_SPEED * p.answer_speed >= fastest]
    best = max(p.quality_lower for p in alike)
    return [p for p in alike if p.quality_lower == best]


def keeps_pace(request: PlanRequest, plan: FleetPlan) -> bool:
    """Return True if a fleet keeps the limits of use."""
    return bool(is_usable(request, plan.answer_speed, plan.first_token))


def is_on_target(request: PlanRequest, plan: FleetPlan) -> bool:
    """Return True if everybody has the wanted speed of answer, as it is shown."""
    return two_digits(plan.answer_speed) >= request.workload.target_tps


def lacks_for_cheapest(request: PlanRequest, plan: FleetPlan) -> Literal["", "room", "speed", "points"]:
    """Return what a fleet lacks of what the word cheapest promises, as of a plan; of a named model any quality is enough."""
    points = ENOUGH_POINTS if request.model is not None else float(plan.plan.score.value)
    return lacks_of_value(request, plan.answer_speed, points, surely=plan.plan.surely_fits)


def not_much_dearer(plans: Sequence[FleetPlan], first: FleetPlan) -> list[FleetPlan]:
    """Return the fleets that cost at most DEAREST times as much as the first; without any price they have as many machines.

    A month whose cost is not known, beside others whose cost is, is not compared.
    """
    if all(isinf(p.monthly) for p in plans):
        return [p for p in plans if p.machines <= DEAREST * first.machines]
    return [p for p in plans if p.monthly <= DEAREST * first.monthly or isinf(p.monthly)]


def _prices(plans: Sequence[FleetPlan]) -> Callable[[FleetPlan], float]:
    """Return the cost of a month to rank by; one that is not known is twice the dearest, or a machine's [JPY]."""
    dearest = max((p.monthly for p in plans if isfinite(p.monthly)), default=None)
    if dearest is None:
        return lambda p: float(p.machines)
    unknown = 2 * dearest
    return lambda p: p.monthly if isfinite(p.monthly) else unknown


def _utility(plan: FleetPlan, request: PlanRequest, price: float) -> float:
    """Return quality, speed, wait and price as one figure, as of a plan. price: of a month, or the number of machines."""
    by_quality, by_speed, by_price = WEIGHTS[request.prefer]
    speed = float(speed_points(request.workload, request.prefer, plan.answer_speed))
    wait = log2(min(64.0, max(1.0, plan.first_token / request.workload.target_ttft)))
    return by_quality * plan.quality_lower / 10 + by_speed * (speed - wait) - by_price * log2(max(1.0, price))
