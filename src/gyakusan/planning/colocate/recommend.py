"""Several models in the memory of one machine at the same time, confirmed with every engine's own ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import structs

from gyakusan import machines
from gyakusan.catalog.models import find
from gyakusan.core.ledger import Ledger
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.base import Command
from gyakusan.engines.deployment import Deployment
from gyakusan.models.assemble import from_record
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.colocate.model_options import (
    EMBEDDING_QUANTIZATION,
    MEMORY_STEP,
    Combination,
    ModelOption,
    ModelSlot,
    combinations,
    embedding_deployment,
    embedding_load,
    shared_memory,
    slot_groups,
)
from gyakusan.planning.colocate.relaxations import find_relaxations
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate, TurnShape, estimate_speed
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, confirm_candidate, exact_ledger
from gyakusan.planning.select.ranking import WEIGHTS
from gyakusan.planning.select.recommend import text_model_name
from gyakusan.planning.select.relaxations import Relaxation
from gyakusan.units import MIB

MAX_TRIES = 24
"""Combinations of a role that are checked with the engines' ledgers before the role is given up."""
MAX_ROUNDS = 4
"""Times that each engine is asked again with what the others take by then."""
FIRST_PORT = 8080
"""Port of the first model's server; each further one takes the next."""


@dataclass(frozen=True, slots=True)
class ColocatedModel:
    """One of the servers that run together.

    request: for this server, everyone's slots in it
    uses: what it serves, as asked for; more than one where one server serves several
    deployment: model, format, engine, machine with the others' memory reserved, load and settings
    ledger: memory by device
    command: how the server is started, with a port of its own
    speed: while the others are idle, None = not known
    plan: of a model that answers, None for embeddings
    changes: settings that make room for the others, by field
    reserve: what `inspect --reserve` takes to count the others, whole MiB [B]
    score: of an embedding model on MTEB, 0 = not known [points]
    """

    request: PlanRequest
    uses: tuple[PlanRequest, ...]
    deployment: Deployment
    ledger: Ledger
    command: Command
    speed: SpeedEstimate | None
    plan: Plan | None
    changes: Mapping[str, object]
    reserve: int
    score: float = 0.0

    @property
    def main_speed(self) -> Estimate | None:
        """Output tokens of each user, or text tokens that an embedding model reads, alone; None = not known [tokens/s]."""
        if self.speed is None:
            return None
        return self.speed.prefill if self.plan is None else self.speed.decode_each


@dataclass(frozen=True, slots=True)
class Colocation:
    """Models that run together on one machine.

    offer: the machine as it is owned or sold
    members: the servers, in the order of the request
    utility: sum over the models by the preference, without the price
    meets_target_speed: every model reaches the speed of its task
    left: usable bytes that are left on the fullest device, None = not known [B]
    spare: the same at the high end of doubt of every server, None = not known [B]
    roles: what it is best at, e.g. ("balanced", "cheapest")
    """

    offer: HardwareOption
    members: tuple[ColocatedModel, ...]
    utility: float
    meets_target_speed: bool
    left: int | None
    spare: int | None
    roles: tuple[str, ...] = ()

    @property
    def busy_share(self) -> float:
        """Share of its speed that a server keeps while all others work: 1 / servers.

        An estimate: the device runs one step of one process after the other, and nothing overlaps.
        """
        return 1 / len(self.members)


@dataclass(frozen=True, slots=True)
class ColocationAnswer:
    """What to run together, or why nothing fits.

    request: that was answered
    plans: the balanced one first
    relaxations: why there is no plan, and what would change that
    tried: machines that were tried
    """

    request: PlanRequest
    plans: tuple[Colocation, ...]
    relaxations: tuple[Relaxation, ...]
    tried: int


Slots = tuple[ModelSlot, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A combination on a machine.

    slots: the servers
    offer: place of the machine
    utility: of all uses, less what servers that work at the same time take from each other
    rank: utility less what the price costs by the preference
    fast: every use reaches its target speed
    """

    slots: Slots
    offer: int
    combination: Combination
    utility: float
    rank: float
    fast: bool


def colocate(
    request: PlanRequest, *, columns: ModelTable | None = None, offers: Sequence[HardwareOption] | None = None
) -> ColocationAnswer:
    """Return which models to run together on which machine. Raises GyakusanError.

    columns: models instead of the catalogue's
    offers: machines instead of those that the request is about
    """
    table = columns or catalogue.load()
    if request.model is not None:
        request = structs.replace(request, model=text_model_name(request.model))
    hardware = tuple(offers) if offers is not None else _hardware(request)
    groups = slot_groups(request, table, hardware)
    # what may not fit at the high end of doubt is an answer only where nothing surely fits
    plans = _plans(request, hardware, groups, surely=True) or _plans(request, hardware, groups, surely=False)
    relaxations = () if plans else find_relaxations(request, table, hardware, groups[0])
    return ColocationAnswer(request, plans, relaxations, len(hardware))


def _hardware(request: PlanRequest) -> tuple[HardwareOption, ...]:
    if request.owned:
        return (market.owned_machine(request),)
    return tuple(o for o in market.buyable_machines(request)[0] if o.price is not None)


def _plans(
    request: PlanRequest, hardware: Sequence[HardwareOption], groups: Sequence[Slots], *, surely: bool
) -> tuple[Colocation, ...]:
    """Return the best confirmed combination for each role. surely: only those that fit at the high end of doubt."""
    confirmed: dict[tuple[int, int, tuple[ModelOption, ...]], Colocation] = {}
    for role, ranked in _ranked_by_role(request, hardware, groups).items():
        for placed in ranked[:MAX_TRIES]:
            key = (placed.offer, len(placed.slots), placed.combination.options)
            plan = confirmed.get(key) or _confirmed(hardware[placed.offer], placed)
            if plan is not None and not (surely and plan.spare is not None and plan.spare < 0):
                confirmed[key] = replace(plan, roles=(*plan.roles, role))
                break
    return tuple(confirmed.values())


def _ranked_by_role(
    request: PlanRequest, hardware: Sequence[HardwareOption], groups: Sequence[Slots]
) -> dict[str, list[_Placed]]:
    """Return the combinations for "balanced", and where something is bought for "cheapest" and "best", best first."""
    every = [
        p for slots in groups for offer, option in enumerate(hardware) for p in _placed(request, offer, option, slots)
    ]
    fast = {p.offer for p in every if p.fast}
    every = [p for p in every if p.fast or p.offer not in fast]
    every = [p for p in every if p.fast] or every
    ranked = {"balanced": sorted(every, key=lambda p: (-p.rank, len(p.slots), p.offer))}
    if not request.owned:
        prices = [o.price or 0.0 for o in hardware]
        ranked["cheapest"] = sorted(every, key=lambda p: (prices[p.offer], -p.utility))
        ranked["best"] = sorted(every, key=lambda p: (-p.utility, prices[p.offer]))
    return ranked


def _placed(request: PlanRequest, offer: int, option: HardwareOption, slots: Slots) -> list[_Placed]:
    """Return the combinations that fit a machine; slow models only if no combination of fast ones fits."""
    memory = shared_memory(option.machine) // MEMORY_STEP
    choices = [slot.options[offer] for slot in slots]
    fast = combinations([[o for o in options if o.meets_target_speed] for options in choices], memory)
    _, by_speed, by_price = WEIGHTS[request.prefer]
    answering = [slot for slot in slots if slot.sweep_result is not None]
    # all at work, each server has its share of the device's time, and so has every use that it serves
    waiting = by_speed * float(np.log2(max(1, len(answering)))) * sum(len(s.uses) for s in answering)
    cost = by_price * float(np.log2(max(1.0, option.price or 1.0)))
    return [
        _Placed(slots, offer, c, c.utility - waiting, c.utility - waiting - cost, bool(fast))
        for c in fast or combinations(choices, memory)
    ]


def _confirmed(option: HardwareOption, placed: _Placed) -> Colocation | None:
    """Return the plan if every engine fits its model beside the others, else None.

    Each engine reserves what the others take, which changes what it takes itself: repeated until nothing changes.
    """
    devices = _devices(option.machine)
    options = placed.combination.options
    taken = [[o.memory * MEMORY_STEP] * max(1, len(option.machine.gpus)) for o in options]
    members: list[ColocatedModel] = []
    for _ in range(MAX_ROUNDS):
        before = [list(t) for t in taken]
        members = []
        for number, (slot, model_option) in enumerate(zip(placed.slots, options, strict=True)):
            others = [sum(t[i] for n, t in enumerate(taken) if n != number) for i in range(len(taken[number]))]
            member = _member(option, slot, model_option, others, FIRST_PORT + number)
            if member is None:
                return None
            members.append(member)
            taken[number] = _taken(member, len(option.machine.gpus))
        if taken == before:
            break
    left = _least_left(devices, taken)
    if left is not None and left < 0:
        return None
    most = [_taken(m, len(option.machine.gpus), high=True) for m in members]
    spare = _least_left(devices, most)
    alone = [m.ledger.tightest.spare for m in members]  # a server beside the others, which may have a share of its own
    spare = None if spare is None else min(int(spare), *(int(s) for s in alone if s is not None))
    return Colocation(option, tuple(members), placed.utility, placed.fast, left, spare)


def _least_left(devices: Sequence[Device], taken: Sequence[Sequence[int]]) -> int | None:
    """Return what is left on the fullest device, None if no capacity is known. taken: by each server of each device [B]."""
    left = (d.usable - sum(t[i] for t in taken) for i, d in enumerate(devices) if d.usable is not None)
    return min(left, default=None)


def _devices(machine: Machine) -> tuple[Device, ...]:
    """Return the GPUs, or the host where there is none."""
    return machine.gpus or ((machine.host,) if machine.host else ())


def _taken(member: ColocatedModel, gpus: int, *, high: bool = False) -> list[int]:
    """Return what a model takes of each GPU, or of RAM where there is none [B]. high: at the high end of doubt."""
    accounts = member.ledger.accounts[: max(1, gpus)]
    occupied = member.deployment.rules.occupied_bytes(member.ledger)
    if high:
        occupied = tuple(max(n, int(a.at_most)) for n, a in zip(occupied, accounts, strict=False))
    taken = [n for n, a in zip(occupied, accounts, strict=False) if a.device.kind != "host" or not gpus]
    return taken + [0] * (max(1, gpus) - len(taken))


def _member(
    option: HardwareOption, slot: ModelSlot, model_option: ModelOption, others: Sequence[int], port: int
) -> ColocatedModel | None:
    """Return a model beside the others, None if it does not fit. others: what they take of each device [B]."""
    devices = _devices(option.machine)
    reserved = max(d.reserved + other for d, other in zip(devices, others, strict=False))
    reserve = -(-reserved // MIB) * MIB
    if any(d.memory is not None and reserve >= d.memory for d in devices):
        return None
    machine = machines.with_reserved_memory(option.machine, f"{reserve // MIB}MiB")
    if slot.sweep_result is None:
        return _embedding_member(slot.request, model_option.name, machine, reserve, port)
    return _text_member(slot, slot.sweep_result, model_option.index, option, machine, reserve, port)


def _text_member(
    slot: ModelSlot,
    result: SweepResult,
    index: int,
    option: HardwareOption,
    machine: Machine,
    reserve: int,
    port: int,
) -> ColocatedModel | None:
    result = structs.replace(
        result, offers=tuple(structs.replace(o, machine=machine) if o is option else o for o in result.offers)
    )
    changes: Mapping[str, object] = {}
    plan = confirm_candidate(slot.request, result, index)
    if plan is not None and (changes := plan.deployment.rules.coexisting_settings(plan.ledger)):
        plan = confirm_candidate(slot.request, result, index, changes)
    if plan is None:
        return None
    command = plan.deployment.rules.with_port(plan.command, port)
    return ColocatedModel(
        slot.request,
        slot.uses,
        plan.deployment,
        plan.ledger,
        command,
        plan.pace,
        plan,
        changes=changes,
        reserve=reserve,
    )


def _embedding_member(
    request: PlanRequest, name: str, machine: Machine, reserve: int, port: int
) -> ColocatedModel | None:
    record = find(name)
    load = embedding_load(request, record)
    deployment = embedding_deployment(record, machine, load)
    ledger = exact_ledger(deployment)
    if deployment is None or ledger is None or not ledger.fits:
        return None
    rules, changes = deployment.rules, deployment.changes
    chunk = rules.compute_settings(machine, deployment.settings).prefill_chunk
    turn = TurnShape(users=request.users, prompt=request.workload.prompt_tokens, answer=1, chunk=chunk)
    return ColocatedModel(
        request,
        (request,),
        deployment,
        ledger,
        command=rules.embedding_command(rules.with_port(deployment.command, port), record.pooling),
        speed=estimate_speed(from_record(record, EMBEDDING_QUANTIZATION), machine, deployment.engine, turn),
        plan=None,
        changes=changes,
        reserve=reserve,
        score=record.score,
    )
