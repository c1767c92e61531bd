"""Replicas over several machines, for models that no single machine holds.

vLLM serves them: tensor parallel inside each machine, pipeline parallel between machines. Memory is vLLM's own ledger with
pipeline_parallel. Time: each pipeline stage works on its own share of the conversations; a token passes all stages and the
network between them. llama.cpp's RPC and tensor parallelism between machines are not planned. No measurement of such a replica
is known to us: the speed is that of one machine plus the network's time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from msgspec import structs

from gyakusan.catalog.quality import penalty_law
from gyakusan.catalog.quality_names import EFFORTS
from gyakusan.catalog.thinking import thinking
from gyakusan.core.load import Load
from gyakusan.core.quality import Score
from gyakusan.engines.base import System
from gyakusan.engines.registry import NAMES, engine
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, CatalogModel, ReasoningMode, VariantTable
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.plan import FleetPlan, fleet_plan
from gyakusan.planning.fleet.replica_queue import pipeline_hop, pipeline_speed, replica_queue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.fleet.sweep import (
    FleetCandidates,
    best_quality_lower,
    steady_replica_counts,
    tested_models,
)
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import (
    Plan,
    bottleneck,
    catalogue_deployment,
    command_in_mode,
    exact_ledger,
    exact_speed,
    switched,
)

MAX_MODELS, MAX_LAYOUTS = 4, 6
"""Models, and layouts of each, that are checked with the ledger."""
SLOT_COUNTS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Conversations of a replica that are tried for an arrival rate, the most first."""
MAX_WEIGHT_SHARE = 0.97
"""Layouts whose weights alone take more than this share of a device are not tried."""


@dataclass(frozen=True, slots=True, order=True)
class _Layout:
    """One way to place a model, sorted by price, then by quality lost.

    price: of one replica, infinite = not known [JPY]
    quality_loss: by the quantisation [points]
    offer: place of the machine in the sweep's offers
    row: row of the engine's table of variants
    nodes: machines of one replica
    """

    price: float
    quality_loss: float
    offer: int
    row: int
    nodes: int


def spanning_engine(request: PlanRequest) -> str:
    """Return the first engine among those asked for whose server can span machines, "" if there is none."""
    return next((n for n in request.engines or NAMES if _spans(n, request.os)), "")


def _spans(name: str, system: System) -> bool:
    rules = engine(name)
    return rules.spanning_settings(1, 2) is not None and not rules.system_refusal(system, alone=False)


def plans_across_machines(
    request: FleetRequest, candidates: FleetCandidates, exchange: ExchangeRates, best_quality: float | None
) -> tuple[FleetPlan, ...]:
    """Return fleets whose replicas span machines, at most one for each model.

    best_quality: best quality less its error of a fleet that does not span machines, None = there is none [points]
    """
    plan_request = request.plan_request
    if request.nodes < 2 or not spanning_engine(plan_request):
        return ()
    offers = [i for i, o in enumerate(candidates.grid.offers) if _can_span(o, plan_request)]
    plans: list[FleetPlan] = []
    for model in _models(request, candidates, best_quality) if offers else []:
        layouts = sorted(_layouts(request, candidates, offers, model, exchange))[:MAX_LAYOUTS]
        fleets = (_smallest_fleet(request, candidates, layout, exchange) for layout in layouts)
        plan = next((p for p in fleets if p is not None), None)
        if plan is not None:
            plans.append(plan)
    return tuple(plans)


def _can_span(offer: HardwareOption, request: PlanRequest) -> bool:
    """Return True for a machine of 1, 2, 4 or 8 equal cards on which the engine runs."""
    gpus = offer.machine.gpus
    equal = len(gpus) in (1, 2, 4, 8) and gpus == (gpus[0],) * len(gpus)
    return equal and engine(spanning_engine(request)).machine_refusal(offer.machine, request.os) is None


def _models(request: FleetRequest, candidates: FleetCandidates, best_quality: float | None) -> list[int]:
    """Return places of models that no machine holds and that are better than `best_quality`, the best first.

    Where the user gave --nodes, quality does not matter, and a named model is tried even if one machine holds it.
    """
    plan_request, columns = request.plan_request, candidates.grid.columns
    nodes_given = "nodes" in request.given
    on_one_machine = set() if plan_request.model and nodes_given else set(candidates.grid.models.tolist())
    quality = {i: best_quality_lower(plan_request, columns.models[i]) for i in tested_models(plan_request, columns)}
    better = [
        i
        for i, lower in quality.items()
        if i not in on_one_machine and (best_quality is None or lower > best_quality or nodes_given)
    ]
    return sorted(better, key=lambda i: -quality[i])[:MAX_MODELS]


def _layouts(
    request: FleetRequest, candidates: FleetCandidates, offers: list[int], model: int, exchange: ExchangeRates
) -> Iterator[_Layout]:
    """Yield layouts with the fewest machines whose memory may hold the weights, and with one more."""
    columns, name = candidates.grid.columns, spanning_engine(request.plan_request)
    rules, table = engine(name), columns.of_engine(name)
    rows = [i for i in np.flatnonzero(table.model == model).tolist() if table.bits[i] >= penalty_law().trusted]
    budget = float("inf") if request.budget is None else costs.yen(request.budget, exchange)
    for offer in offers:
        option = candidates.grid.offers[offer]
        cards, usable = len(option.machine.gpus), rules.usable(option.machine)
        if rules.max_ranks(columns.models[model].model, cards) != cards:
            continue
        for row in rows:
            needed = int(-(-float(table.shares[row, cards - 1]) // (MAX_WEIGHT_SHARE * usable)))
            nodes, loss = max(2, needed), float(table.cost[row])
            price = float("inf") if option.price is None else option.price * nodes
            if needed <= request.nodes and (option.price is None or price <= budget):
                yield _Layout(price, loss, offer, row, nodes)
                if needed < request.nodes:
                    yield _Layout(price * (nodes + 1) / nodes, loss, offer, row, nodes + 1)


def _smallest_fleet(
    request: FleetRequest, candidates: FleetCandidates, layout: _Layout, exchange: ExchangeRates
) -> FleetPlan | None:
    """Return the fleet with the fewest replicas that serves the request, None if no number of users fits."""
    if layout.nodes > request.nodes:
        return None
    plan_request, nodes = request.plan_request, layout.nodes
    for users, replicas in _replica_sizes(request):
        plan = _replica_plan(request, candidates, layout, users)
        if plan is None:
            continue
        speeds: dict[int, SpeedEstimate] = {}
        for stage_users in _sampled_users(-(-users // nodes)):
            speed = _speed(request, candidates, plan, nodes, stage_users, stage_users * nodes)
            if speed is not None:
                speeds[stage_users] = speed
        if not speeds:
            return None
        queue = replica_queue(plan_request, speeds, plan.thinking.factor, plan.offer.machine, plan.engine, nodes)
        fleet = fleet_plan(request, plan, queue, replicas, exchange, nodes)
        if fleet is not None:
            return fleet
    return None


def _replica_sizes(request: FleetRequest) -> list[tuple[int, int]]:
    """Return (users per replica, replicas) to try, the most users first; with arrivals the rate decides on replicas."""
    users = request.plan_request.users
    if request.plan_request.arrivals is not None:
        return [(n, 1) for n in SLOT_COUNTS]
    sizes = {-(-users // n): n for n in reversed(steady_replica_counts(request))}
    return sorted(sizes.items(), reverse=True)


def _sampled_users(stage_users: int) -> list[int]:
    """Return the numbers of conversations in a stage for which the speed is computed."""
    return sorted({1, max(1, stage_users // 4), max(1, stage_users // 2), stage_users})


def _replica_plan(request: FleetRequest, candidates: FleetCandidates, layout: _Layout, users: int) -> Plan | None:
    """Return the plan of one replica, None if the ledger refuses it or it is beyond the request's limits."""
    plan_request, columns, nodes = request.plan_request, candidates.grid.columns, layout.nodes
    name, offer = spanning_engine(plan_request), candidates.grid.offers[layout.offer]
    table = columns.of_engine(name)
    model = columns.models[int(table.model[layout.row])]
    machine = structs.replace(offer.machine, name=f"{nodes} x ({offer.machine.name})", gpus=offer.machine.gpus * nodes)
    changes = engine(name).spanning_settings(len(offer.machine.gpus), nodes) or {}
    load, kv_type = Load(users, plan_request.workload.context), plan_request.cache_types[0]
    deployment = catalogue_deployment(model.name, table.name[layout.row], name, machine, load, kv_type, changes)
    ledger, mode = exact_ledger(deployment), _best_mode(plan_request, model)
    score = _score(plan_request, mode, table, layout.row)
    if deployment is None or ledger is None or not ledger.surely_fits:
        return None
    if plan_request.quality is not None and score.value < plan_request.quality:
        return None
    command = command_in_mode(deployment, model, mode)
    if command is None:
        return None
    tokens = thinking(model.name, mode.mode, plan_request.task)
    metric = plan_request.workload.quality_metric
    deployment = switched(deployment, command, mode)
    plan = Plan((), deployment, offer, ledger, command, None, score, mode, "", thinking=tokens, metric=metric)
    speed = _speed(request, candidates, plan, nodes, -(-users // nodes), users)
    if speed is None or speed.decode_each.low < plan_request.speed:
        return None
    if plan_request.max_ttft is not None and speed.ttft.high > plan_request.max_ttft:
        return None
    return structs.replace(plan, pace=speed, bottleneck=bottleneck(ledger, speed))


def _score(request: PlanRequest, mode: ReasoningMode, table: VariantTable, row: int) -> Score:
    """Return the quality after the quantisation loss [points]."""
    at = 2 * SCORES.index(request.workload.quality_metric)
    value, error = mode.scores[at], mode.scores[at + 1]
    return Score(value - float(table.cost[row]), float(np.hypot(error, table.cost_error[row])))


def _best_mode(request: PlanRequest, model: CatalogModel) -> ReasoningMode:
    """Return the mode with the best quality less its error; untested modes only if there is no other. Efforts are not tried."""
    at = 2 * SCORES.index(request.workload.quality_metric)
    modes = [m for m in model.modes if m.mode not in EFFORTS] or list(model.modes)
    tested = [m for m in modes if m.basis != "assumed" and not m.kind] or modes
    return max(tested, key=lambda m: m.scores[at] - m.scores[at + 1])


def _speed(
    request: FleetRequest, candidates: FleetCandidates, plan: Plan, nodes: int, stage_users: int, users: int
) -> SpeedEstimate | None:
    """Return the speed of `stage_users` on one machine that held all layers, plus the network's time."""
    plan_request, columns = request.plan_request, candidates.grid.columns
    one_machine = structs.replace(plan.deployment, machine=plan.offer.machine)
    speed = exact_speed(structs.replace(plan_request, users=stage_users), one_machine)
    if speed is None:
        return None
    width = float(columns.models[columns.places[plan.name]].shape.width)
    step_hop = pipeline_hop(stage_users, width, request.network)
    prompt_hop = pipeline_hop(plan_request.workload.prompt_tokens, width, request.network)
    return pipeline_speed(speed, nodes, users, step_hop, prompt_hop)
