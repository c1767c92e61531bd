"""A model that no machine holds: vLLM over several, tensor parallel inside each of them, pipeline parallel between.

Memory is vLLM's own ledger with pipeline_parallel. Time: the conversations are dealt out over the stages, so that each works
on another part; a token passes all of them and the network between. llama.cpp's RPC and tensor parallelism between machines
are not planned. Nobody measured such a pair for us: the figures are those of one machine, and the network's on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gyakusan.catalog.quality import penalty_law
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
from gyakusan.planning.fleet.sweep import LADDER, FleetCandidates, tested
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, bottleneck, catalogue_deployment, exact_ledger, exact_speed

MODELS, TRIES = 4, 6
"""Models, and machines for each, that are checked with the ledger."""
SHARES = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Conversations of a replica that are tried, the most first."""
ROOM = 0.97
"""Weights alone that take more than this share of a device are not tried."""


def spanning_engine(question: PlanRequest) -> str:
    """Return the first engine among those asked for whose server can span machines, "" if there is none."""
    return next((n for n in question.engines or NAMES if _spans(n, question.os)), "")


def _spans(name: str, system: System) -> bool:
    rules = engine(name)
    return rules.spanning_settings(1, 2) is not None and not rules.system_refusal(system, alone=False)


def spanning(
    asked: FleetRequest, found: FleetCandidates, exchange: ExchangeRates, sure: float | None
) -> tuple[FleetPlan, ...]:
    """Fleets whose replicas span machines, of models that no machine holds. sure: the best without them [points]."""
    question = asked.question
    if asked.nodes < 2 or not spanning_engine(question):
        return ()
    pairs = [i for i, o in enumerate(found.grid.offers) if _pairs(o, question, found)]
    plans: list[FleetPlan] = []
    for place in _models(question, found, sure, asked_for="nodes" in asked.said) if pairs else []:
        tries = sorted(_tries(asked, question, found, pairs, place, exchange))
        for _, _, offer, row, nodes in tries[:TRIES]:
            one = _spanned(asked, found, found.grid.offers[offer], row, nodes, exchange)
            if one is not None:
                plans.append(one)
                break
    return tuple(plans)


def _pairs(offer: HardwareOption, question: PlanRequest, found: FleetCandidates) -> bool:
    """True for machines of 1, 2, 4 or 8 alike cards on which the engine runs."""
    gpus = offer.machine.gpus
    alike = len(gpus) in (1, 2, 4, 8) and all(g is gpus[0] or g == gpus[0] for g in gpus)
    return alike and engine(spanning_engine(question)).machine_refusal(offer.machine, question.os) is None


def _models(question: PlanRequest, found: FleetCandidates, sure: float | None, *, asked_for: bool) -> list[int]:
    """Places of models that no machine holds and that would be better than what one does; the best first.

    asked_for: somebody said that machines may be joined, so that the model that was named is tried even if one holds it.
    """
    columns = found.grid.columns
    held = set() if question.model and asked_for else set(found.grid.models.tolist())
    score = 2 * SCORES.index(question.workload.quality_metric)
    best: dict[int, float] = {}
    for place in tested(question, columns):
        top = max(m.scores[score] - m.scores[score + 1] for m in columns.models[place].modes)
        if place not in held and (sure is None or top > sure or asked_for):
            best[place] = top
    return sorted(best, key=lambda i: -best[i])[:MODELS]


def _tries(
    asked: FleetRequest,
    question: PlanRequest,
    found: FleetCandidates,
    pairs: list[int],
    place: int,
    exchange: ExchangeRates,
) -> Iterator[tuple[float, float, int, int, int]]:
    """Price of a replica [JPY], quality lost, offer, row and machines: the fewest whose memory might hold the weights."""
    columns = found.grid.columns
    name = spanning_engine(question)
    rules, table, known = engine(name), columns.of_engine(name), columns.models[place]
    rows = [i for i in np.flatnonzero(table.model == place).tolist() if table.bits[i] >= penalty_law().trusted]
    for offer in pairs:
        one = found.grid.offers[offer]
        count, usable = len(one.machine.gpus), rules.usable(one.machine)
        if rules.max_ranks(known.model, count) != count:
            continue
        for row in rows:
            nodes = int(-(-float(table.shares[row, count - 1]) // (ROOM * usable)))
            price = float("inf") if one.price is None else one.price * max(2, nodes)
            if nodes <= asked.nodes and (one.price is None or price <= _most(asked, exchange)):
                yield price, float(table.cost[row]), offer, row, max(2, nodes)
                if nodes < asked.nodes:
                    yield price * (nodes + 1) / max(2, nodes), float(table.cost[row]), offer, row, max(2, nodes) + 1


def _most(asked: FleetRequest, exchange: ExchangeRates) -> float:
    return float("inf") if asked.budget is None else costs.yen(asked.budget, exchange)


def _spanned(
    asked: FleetRequest, found: FleetCandidates, offer: HardwareOption, row: int, nodes: int, exchange: ExchangeRates
) -> FleetPlan | None:
    """The fleet with the fewest replicas that serves them."""
    question = asked.question
    if nodes > asked.nodes:
        return None
    if question.arrivals is None:
        counts = [n for n in LADDER if n <= min(asked.replicas, question.users)]
        shares = {-(-question.users // n): n for n in reversed(counts)}
    else:
        shares = dict.fromkeys(SHARES, 1)
    for share in sorted(shares, reverse=True):
        made = _plan(asked, found, offer, row, nodes, share)
        if made is None:
            continue
        paces = {
            n: p for n in _few(-(-share // nodes)) if (p := _pace(asked, found, made, nodes, n, n * nodes)) is not None
        }
        if not paces:
            return None
        queue = replica_queue(question, paces, made.mode.thinking, offer.machine, made.engine, nodes)
        one = fleet_plan(asked, made, queue, shares[share], exchange, nodes)
        if one is not None:
            return one
    return None


def _few(lane: int) -> list[int]:
    """Numbers of conversations in a lane for which the pace is asked."""
    return sorted({1, max(1, lane // 4), max(1, lane // 2), lane})


def _plan(
    asked: FleetRequest, found: FleetCandidates, offer: HardwareOption, row: int, nodes: int, share: int
) -> Plan | None:
    """One replica over so many machines, None if the ledger refuses or the floors are missed."""
    question, columns = asked.question, found.grid.columns
    name = spanning_engine(question)
    table = columns.of_engine(name)
    known, base = columns.models[int(table.model[row])], table.base[row]
    wide = replace(offer.machine, name=f"{nodes} x ({offer.machine.name})", gpus=offer.machine.gpus * nodes)
    changes = engine(name).spanning_settings(len(offer.machine.gpus), nodes) or {}
    load = Load(share, question.workload.context)
    deployment = catalogue_deployment(known.name, base, name, wide, load, question.kv_types[0], changes)
    ledger = exact_ledger(deployment)
    mode = _mode(question, known)
    score = _score(question, mode, table, row)
    if deployment is None or ledger is None or not ledger.fits:
        return None
    if question.quality is not None and score.value < question.quality:
        return None
    deployment = replace(deployment, quantization=table.name[row])
    made = Plan((), deployment, offer, ledger, deployment.command, None, score, mode, "")
    pace = _pace(asked, found, made, nodes, -(-share // nodes), share)
    if pace is None or pace.decode_each.low < question.speed:
        return None
    if question.max_ttft is not None and pace.ttft.high > question.max_ttft:
        return None
    return replace(made, pace=pace, bottleneck=bottleneck(ledger, pace))


def _score(question: PlanRequest, mode: ReasoningMode, table: VariantTable, row: int) -> Score:
    """Quality after the quantisation. [points]"""
    at = 2 * SCORES.index(question.workload.quality_metric)
    value, error = mode.scores[at], mode.scores[at + 1]
    return Score(value - float(table.cost[row]), float(np.hypot(error, table.cost_error[row])))


def _mode(question: PlanRequest, known: CatalogModel) -> ReasoningMode:
    """Reasoning or not, whichever is surely better."""
    at = 2 * SCORES.index(question.workload.quality_metric)
    usual = [m for m in known.modes if m.basis != "assumed" and not m.kind] or list(known.modes)
    return max(usual, key=lambda m: m.scores[at] - m.scores[at + 1])


def _pace(
    asked: FleetRequest, found: FleetCandidates, made: Plan, nodes: int, lane: int, users: int
) -> SpeedEstimate | None:
    """The pace of `lane` conversations on one machine that held all layers, and the network's on top."""
    question, columns = asked.question, found.grid.columns
    one = exact_speed(replace(question, users=lane), replace(made.deployment, machine=made.offer.machine))
    if one is None:
        return None
    width = float(columns.models[columns.places[made.name]].shape.width)
    between = pipeline_hop(lane, width, asked.network)
    return pipeline_speed(
        one, nodes, users, between, pipeline_hop(question.workload.prompt_tokens, width, asked.network)
    )
