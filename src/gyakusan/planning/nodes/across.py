"""One server over several nodes: through workers on unequal ones, or as a pipeline over equal ones.

Memory is the engine's own ledger of a machine with the devices of all nodes. Models are found by the usual sweep on a
machine of as many equal devices with the same memory together; the ledger of the real devices then decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import inf

import numpy as np
from msgspec import Struct, structs

from gyakusan.core.ledger import Ledger
from gyakusan.core.machine import Device, Kind, Machine
from gyakusan.core.queue import solo_prefill_and_step, sustainable_rate
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates import model_table
from gyakusan.planning.candidates.reasoning_modes import EVIDENCE_TIERS
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sustainable_rate import machine_timing
from gyakusan.planning.fleet.multi_node import spanning_engine
from gyakusan.planning.fleet.replica_queue import pipeline_hop, pipeline_speed
from gyakusan.planning.nodes.answers import option, swept
from gyakusan.planning.nodes.chain import Turn, chained, prompt_hop, step_hop
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, bottleneck, confirm_candidate, exact_speed
from gyakusan.planning.select.ranking import rank_candidates, ranked_for_role
from gyakusan.planning.select.recommend import first_confirmed

FIRST_PORT = 50052
"""Of the first worker, as llama.cpp's own default."""
SHARES = (1.0, 0.93, 0.86)
"""Parts of the memory together with which models are looked for: blocks of a model do not fill unequal devices."""
DOUBT = 1.2
"""By how much the speed on the fastest device may be off where it follows from bandwidths."""
TRIES = 2
"""Candidates of a role whose ledger on the real devices is asked before a smaller share is tried."""
EQUAL_CARDS = (1, 2, 4, 8)
"""Cards of a node over which a server shares each layer."""


class Wanted(Struct, frozen=True):
    """What a joined server has to have, so that it is worth a row beside what fewer nodes do.

    quality: less one standard error [points]
    answer: visible tokens per second of each user [tokens/s]
    """

    quality: float = -inf
    answer: float = 0.0


ANY = Wanted()


def joined(request: PlanRequest, nodes: Sequence[Node], link: Link, wanted: Wanted = ANY) -> tuple[Layout, ...]:
    """Return the layouts of one server over all these nodes, by workers and as a pipeline.

    nodes: the server's first
    """
    return (*over_workers(request, nodes, link, wanted), *as_pipeline(request, nodes, link, wanted))


def _plans(
    request: PlanRequest, equal: Machine, machine: Machine, changes: Mapping[str, object], wanted: Wanted
) -> tuple[Plan, ...]:
    """Return what is balanced and what is best of all that has the quality and surely fits on a machine.

    equal: on which candidates are looked for; machine: whose ledger decides; changes: settings of the joined server
    """
    owned, found = swept(structs.replace(request, arrivals=None), (equal,))
    cells = found.cells
    good = (cells.tier == np.min(cells.tier, initial=EVIDENCE_TIERS)) & (cells.quality_lower >= wanted.quality)
    expected = cells.expected_visible_tokens_per_s
    soon = ~(expected * _faster(equal, machine) < wanted.answer)  # what is not known stays
    kept = cells.take(np.flatnonzero(good & soon & (cells.blocks_in_ram == 0)))
    if not len(kept):
        return ()
    grid = structs.replace(found, cells=kept, offers=(option(machine),))
    unlimited = structs.replace(owned, speed=0.0, max_ttft=None)  # the limits are those of the chain, see _within
    confirmed: dict[int, Plan | None] = {}
    for role in ("balanced", "best"):
        ranked = ranked_for_role(role, rank_candidates(owned, grid), owned)
        first_confirmed(islice(ranked, TRIES), lambda i: _surely(unlimited, grid, i, changes), confirmed)
    return tuple(plan for plan in confirmed.values() if plan is not None)


def _faster(equal: Machine, machine: Machine) -> float:
    """Return how many times as fast as equal devices the real ones may be at most: by bandwidth, with doubt."""
    most = max((d.bandwidth or inf for d in machine.gpus), default=inf)
    return DOUBT * most / (equal.gpus[0].bandwidth or 1.0)


def _surely(request: PlanRequest, grid: SweepResult, index: int, changes: Mapping[str, object]) -> Plan | None:
    """Return the plan of a candidate on the real devices, None where the engine or its ledger refuses."""
    plan = confirm_candidate(request, grid, index, changes)
    return plan if plan is not None and plan.surely_fits else None


# Workers


def worker_engine(request: PlanRequest) -> str:
    """Return the first engine among those asked for that uses devices of other machines through workers, "" for none."""
    names = request.engines or NAMES
    return next((n for n in names if engine(n).worker_settings(("a:1",), Machine("", (), None)) is not None), "")


def joined_machine(nodes: Sequence[Node]) -> tuple[Machine, tuple[int, ...]]:
    """Return a machine with the devices of all nodes, the workers' first as the engine orders them, and each one's node.

    nodes: the server's first. A node without a GPU gives its RAM; the server's own RAM stays beside its GPUs.
    """
    order = (*range(1, len(nodes)), 0)
    devices = [(d, i) for i in order for d in worker_devices(nodes[i].machine)]
    server = nodes[0].machine
    host = server.host if server.gpus else None
    name = " + ".join(n.name for n in nodes)
    machine = Machine(name, tuple(d for d, _ in devices), host, server.processor, server.cores, simd=server.simd)
    return machine, tuple(i for _, i in devices)


def worker_devices(machine: Machine) -> tuple[Device, ...]:
    """Return what a worker offers of a machine: its GPUs, without one its CPU, whose memory is the computer's."""
    if machine.gpus or machine.host is None:
        return machine.gpus
    return (structs.replace(machine.host, kind="unified"),)


def addresses(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return where the server finds each worker: behind a tunnel on its own loopback, for the protocol is not secure."""
    others = len(nodes) - 1 + (not nodes[0].machine.gpus)
    return tuple(f"127.0.0.1:{FIRST_PORT + n}" for n in range(others))


def over_workers(request: PlanRequest, nodes: Sequence[Node], link: Link, wanted: Wanted = ANY) -> tuple[Layout, ...]:
    """Return the layouts over workers whose ledger fits, without those that leave a part in RAM."""
    name = worker_engine(request)
    if not name:
        return ()
    machine, owners = joined_machine(nodes)
    changes = engine(name).worker_settings(addresses(nodes), machine) or {}
    asked = structs.replace(request, engines=(name,))
    for share in SHARES:
        plans = _plans(asked, equal_devices(machine, share), machine, changes, wanted)
        layouts = [_over_workers(request, nodes, owners, p, link) for p in plans]
        if layouts:
            return tuple(x for x in layouts if x is not None)
    return ()


def equal_devices(machine: Machine, share: float) -> Machine:
    """Return as many equal devices that have a share of the same usable memory together, of the kind of the largest."""
    largest = max(machine.gpus, key=lambda d: d.usable or 0)
    each = int(share * sum(d.usable or 0 for d in machine.gpus) / len(machine.gpus))
    kind: Kind = "gpu" if machine.host is not None else "unified"
    device = structs.replace(largest, kind=kind, memory=each, reserved=0)
    return structs.replace(machine, gpus=(device,) * len(machine.gpus))


def _over_workers(
    request: PlanRequest, nodes: Sequence[Node], owners: tuple[int, ...], plan: Plan, link: Link
) -> Layout | None:
    """Return the layout with its speed, None beyond the limits of the request."""
    shares = weight_shares(plan.ledger, owners, len(nodes))
    paces = [_pace_alone(request, plan, node) for node in nodes]
    known = [(p, s) for p, s in zip(paces, shares, strict=True) if p is not None and s]
    if len(known) < sum(s > 0 for s in shares):
        return Layout("workers", tuple(nodes), (structs.replace(plan, pace=None),), owners)
    turn = _turn(request, plan)
    hop = step_hop(turn, len(nodes) - 1, link)
    pace = chained(known, turn, hop, prompt_hop(turn, len(nodes) - 1, link))
    if not _within(request, plan, nodes[0], pace):
        return None
    made = structs.replace(plan, pace=pace, bottleneck=bottleneck(plan.ledger, pace))
    return Layout("workers", tuple(nodes), (made,), owners, hop * pace.decode_each.value)


def weight_shares(ledger: Ledger, owners: Sequence[int], nodes: int) -> list[float]:
    """Return the share of the layers on each node, by the bytes of the weights on its devices."""
    sizes = [0.0] * nodes
    for account, owner in zip(ledger.accounts, owners, strict=False):
        sizes[owner] += float(account.of("weights"))
    return [s / sum(sizes) for s in sizes]


def _pace_alone(request: PlanRequest, plan: Plan, node: Node) -> SpeedEstimate | None:
    """Return the speed of one node if it held all layers, None where it is not known."""
    deployment = plan.deployment
    added = deployment.rules.worker_settings((), deployment.machine) or {}
    changes = {k: v for k, v in deployment.changes.items() if k not in added}
    try:
        alone = structs.replace(deployment, machine=node.machine).under(plan.engine, changes)
        return exact_speed(structs.replace(request, arrivals=None), alone)
    except BadSetting:
        return None


def _turn(request: PlanRequest, plan: Plan) -> Turn:
    workload, rules = request.workload, plan.deployment.rules
    compute = rules.compute_settings(plan.deployment.machine, plan.deployment.settings)
    depth = max(0, workload.context - workload.prompt_tokens - workload.output_tokens) / 2
    length = depth + workload.prompt_tokens + workload.output_tokens / 2
    sizes = (workload.prompt_tokens, workload.output_tokens, length, compute.prefill_chunk, _width(plan))
    prompt, answer, cells, chunk, width = map(float, sizes)
    return Turn(request.users, prompt, answer, cells, chunk, width, float(plan.deployment.model.blocks))


def _width(plan: Plan) -> float:
    table = model_table.load()
    return float(table.models[table.places[plan.name]].shape.width)


def _within(request: PlanRequest, plan: Plan, server: Node, pace: SpeedEstimate) -> bool:
    """Return True if the careful ends of the speeds reach what was asked for, and keep up with the requests that arrive."""
    late = request.max_ttft is not None and pace.ttft.high > request.max_ttft
    if late or (request.speed and pace.decode_each.low < request.speed):
        return False
    return request.arrivals is None or _sustained(request, plan, server, pace) >= request.arrivals


def _sustained(request: PlanRequest, plan: Plan, server: Node, pace: SpeedEstimate) -> float:
    """Return the rate of requests that one joined server sustains, 0 where it is not known [1/s]."""
    timing, workload = machine_timing(server.machine, plan.engine), request.workload
    if timing is None:
        return 0.0
    prompt, answer = workload.prompt_tokens, workload.output_tokens
    token = 1 / pace.decode_each.low
    prefill, step = solo_prefill_and_step(pace.ttft.high, token, request.users, answer, *timing, prompt=prompt)
    return float(sustainable_rate(prefill, step * answer * plan.thinking.factor, request.users))


# A pipeline


def as_pipeline(request: PlanRequest, nodes: Sequence[Node], link: Link, wanted: Wanted = ANY) -> tuple[Layout, ...]:
    """Return the layouts of a server that shares layers inside each node and goes from node to node; only for equal ones."""
    name, cards = spanning_engine(request), len(nodes[0].machine.gpus)
    same = {tuple((g.name, g.memory, g.backend) for g in n.machine.gpus) for n in nodes}
    first = nodes[0].machine
    if not name or len(same) > 1 or cards not in EQUAL_CARDS or engine(name).machine_refusal(first, request.os):
        return ()
    smallest = min(nodes, key=lambda n: n.memory).machine
    title = " + ".join(n.name for n in nodes)
    machine = structs.replace(smallest, name=title, gpus=smallest.gpus * len(nodes))
    changes = engine(name).spanning_settings(cards, len(nodes)) or {}
    plans = _plans(structs.replace(request, engines=(name,)), machine, machine, changes, wanted)
    layouts = (_pipeline(request, nodes, p, link) for p in plans)
    return tuple(x for x in layouts if x is not None)


def _pipeline(request: PlanRequest, nodes: Sequence[Node], plan: Plan, link: Link) -> Layout | None:
    """Return the layout with its speed: each stage works on its own share of the conversations."""
    count, cards = len(nodes), len(nodes[0].machine.gpus)
    stage = structs.replace(request, users=-(-request.users // count), arrivals=None)
    owners = tuple(i for i in range(count) for _ in range(cards))
    one = structs.replace(plan.deployment, machine=nodes[0].machine)
    speed = exact_speed(stage, one)
    if speed is None:
        return None
    width, latency = _width(plan), link.latency
    hop = pipeline_hop(stage.users, width, link.bandwidth, latency)
    prompt = pipeline_hop(request.workload.prompt_tokens, width, link.bandwidth, latency)
    pace = pipeline_speed(speed, count, request.users, hop, prompt)
    if not _within(request, plan, nodes[0], pace):
        return None
    made = structs.replace(plan, pace=pace, bottleneck=bottleneck(plan.ledger, pace))
    return Layout("pipeline", tuple(nodes), (made,), owners, count * hop * pace.decode_each.value)
