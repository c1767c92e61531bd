"""Several models in the memory of one machine at the same time: which of each, checked with every engine's own ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan import machines
from gyakusan.catalog.models import find
from gyakusan.core.ledger import Ledger
from gyakusan.core.machine import Machine
from gyakusan.engines.base import Command
from gyakusan.engines.registry import engine
from gyakusan.models.assemble import from_record
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.colocate.model_options import (
    BASE,
    STEP,
    ModelOption,
    ModelSlot,
    combinations,
    embedding_changes,
    embedding_deployment,
    embedding_load,
    model_slots,
    shared_memory,
)
from gyakusan.planning.colocate.relaxations import find_relaxations
from gyakusan.planning.predict.speed import SpeedEstimate, TurnShape, estimate_speed
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, confirm_candidate, exact_ledger
from gyakusan.planning.select.ranking import WEIGHTS
from gyakusan.planning.select.recommend import text_model_name
from gyakusan.planning.select.relaxations import Relaxation
from gyakusan.units import MIB

TRIES, ROUNDS, PORT = 24, 4, 8080


@dataclass(frozen=True, slots=True)
class ColocatedModel:
    """One of the models that run together. plan: of one that answers, None for embeddings; pace: alone, None = not known;

    changes: of the engine's settings; reserve: what --reserve must say so that `inspect` counts the others [B];
    command: with a port of its own; score: of an embedding model, MTEB, 0 = not known.
    """

    question: PlanRequest
    name: str
    quantization: str
    base: str
    engine: str
    ledger: Ledger
    command: Command
    pace: SpeedEstimate | None
    plan: Plan | None
    changes: Mapping[str, Any]
    reserve: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Colocation:
    """Models on one machine. worth: their sum by the preference; easy: all reach the pace of their task; roles: what it is

    best at; left: usable bytes on the fullest device beside all of them, None = not known [B].
    """

    offer: HardwareOption
    members: tuple[ColocatedModel, ...]
    worth: float
    easy: bool
    left: int | None
    roles: tuple[str, ...] = ()

    def share(self, number: int) -> float:
        """Of its speed alone, what a part has while all others work: equal turns, and nothing is gained from idle time.

        An estimate: a card runs one step of one process after the other. A part that waits for people gives its turns back.
        """
        return 1 / len(self.members)


@dataclass(frozen=True, slots=True)
class ColocationAnswer:
    """plans: together, the balanced one first; relaxations: why there is none, and what would change that."""

    question: PlanRequest
    plans: tuple[Colocation, ...]
    relaxations: tuple[Relaxation, ...]
    tried: int


def colocate(
    question: PlanRequest, *, columns: ModelTable | None = None, offers: Sequence[HardwareOption] | None = None
) -> ColocationAnswer:
    """What to run together. Raises GyakusanError."""
    known = columns or catalogue.load()
    if question.model is not None:
        question = replace(question, model=text_model_name(question.model))
    found = tuple(offers) if offers is not None else _offers(question)
    made = model_slots(question, known, found)
    plans = _chosen(question, found, made)
    relaxations = () if plans else find_relaxations(question, known, found, made)
    return ColocationAnswer(question, plans, relaxations, len(found))


def _offers(question: PlanRequest) -> tuple[HardwareOption, ...]:
    if question.owned:
        return (market.owned_machine(question),)
    return tuple(o for o in market.buyable_machines(question)[0] if o.price is not None)


def fitting(
    offer: HardwareOption, made: Sequence[ModelSlot], number: int, *, easy: bool
) -> tuple[tuple[int, float, tuple[ModelOption, ...]], ...]:
    """Sums of a machine that fit by the columns, least memory first. easy: only what reaches the pace of its task."""
    choices = [[p for p in part.pieces[number] if p.easy or not easy] for part in made]
    return combinations(choices, shared_memory(offer.machine) // STEP)


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum on a machine. worth: without the price; rank: with it."""

    offer: int
    worth: float
    rank: float
    easy: bool
    pieces: tuple[ModelOption, ...]


def _chosen(
    question: PlanRequest, offers: Sequence[HardwareOption], made: Sequence[ModelSlot]
) -> tuple[Colocation, ...]:
    """Balanced; where something is bought also the cheapest and the best."""
    every = []
    for number, offer in enumerate(offers):
        easy = fitting(offer, made, number, easy=True)
        sums_ = easy or fitting(offer, made, number, easy=False)
        cost = WEIGHTS[question.prefer][2] * float(np.log2(max(1.0, offer.price or 1.0)))
        every += [_Sum(number, w, w - cost, bool(easy), p) for _, w, p in sums_]
    every = [e for e in every if e.easy] or every
    orders = {"balanced": sorted(every, key=lambda e: (-e.rank, e.offer))}
    if not question.owned:
        prices = [o.price or 0.0 for o in offers]
        orders["cheapest"] = sorted(every, key=lambda e: (prices[e.offer], -e.worth))
        orders["best"] = sorted(every, key=lambda e: (-e.worth, prices[e.offer]))
    found: dict[_Sum, Colocation] = {}
    for role, order in orders.items():
        for entry in order[:TRIES]:
            together = found.get(entry) or confirmed(offers[entry.offer], made, entry.pieces)
            if together is not None:
                found[entry] = replace(together, worth=entry.worth, easy=entry.easy, roles=(*together.roles, role))
                break
    return tuple(found.values())


def confirmed(offer: HardwareOption, made: Sequence[ModelSlot], pieces: Sequence[ModelOption]) -> Colocation | None:
    """The parts, each priced by its engine with the others' memory reserved, until nothing changes; None if one has no room."""
    gpus = offer.machine.gpus
    takes = [[p.memory * STEP] * max(1, len(gpus)) for p in pieces]
    members: list[ColocatedModel] = []
    for _ in range(ROUNDS):
        before = [list(t) for t in takes]
        members = []
        for number, (part, piece) in enumerate(zip(made, pieces, strict=True)):
            others = [sum(t[g] for i, t in enumerate(takes) if i != number) for g in range(len(takes[number]))]
            member = _member(offer, part, piece, others, number)
            if member is None:
                return None
            members.append(member)
            takes[number] = _taken(member, len(gpus))
        if takes == before:
            break
    usable = [d.usable for d in (gpus or ((offer.machine.host,) if offer.machine.host else ()))]
    gaps = [u - sum(t[i] for t in takes) for i, u in enumerate(usable) if u is not None]
    if gaps and min(gaps) < 0:
        return None
    return Colocation(offer, tuple(members), 0.0, True, min(gaps, default=None))


def _taken(member: ColocatedModel, count: int) -> list[int]:
    """What a part takes of each GPU, or of RAM. [B]"""
    accounts = member.ledger.accounts[: max(1, count)]
    taken = engine(member.engine).occupied_bytes(member.ledger)
    found = [n for n, a in zip(taken, accounts, strict=False) if a.device.kind != "host" or not count]
    return found + [0] * (max(1, count) - len(found))


def _member(
    offer: HardwareOption, part: ModelSlot, piece: ModelOption, others: Sequence[int], number: int
) -> ColocatedModel | None:
    devices = offer.machine.gpus or ((offer.machine.host,) if offer.machine.host else ())
    kept = max(d.reserved + other for d, other in zip(devices, others, strict=False))
    reserve = -(-kept // MIB) * MIB
    if any(d.memory is not None and reserve >= d.memory for d in devices):
        return None
    machine = machines.with_reserved_memory(offer.machine, f"{reserve // MIB}MiB")
    if part.grid is None:
        return _embedder(part, piece, machine, reserve, number)
    grid = replace(part.grid, offers=tuple(replace(o, machine=machine) if o is offer else o for o in part.grid.offers))
    changes: Mapping[str, object] = {}
    made = confirm_candidate(part.question, grid, piece.place)
    if made is not None and (changes := made.deployment.rules.coexisting_settings(made.ledger)):
        made = confirm_candidate(part.question, grid, piece.place, changes)
    if made is None:
        return None
    facts = (
        made.name,
        made.quantization,
        made.base,
        made.engine,
        made.ledger,
        made.deployment.rules.with_port(made.command, PORT + number),
    )
    return ColocatedModel(part.question, *facts, made.pace, made, changes, reserve)


def _embedder(
    part: ModelSlot, piece: ModelOption, machine: Machine, reserve: int, number: int
) -> ColocatedModel | None:
    record = find(piece.name)
    load = embedding_load(part.question, record)
    deployment = embedding_deployment(record, machine, load)
    ledger = exact_ledger(deployment)
    if deployment is None or ledger is None or not ledger.fits:
        return None
    changes, command = embedding_changes(load), deployment.rules.with_port(deployment.command, PORT + number)
    flags = (*command.argv, "--embedding", "--pooling", record.pooling)
    asked = TurnShape(
        users=part.question.users, prompt=part.question.workload.prompt_tokens, answer=1, chunk=float(changes["ubatch"])
    )
    found = estimate_speed(from_record(record, BASE), machine, deployment.engine, asked)
    return ColocatedModel(
        part.question, record.name, BASE, BASE, deployment.engine, ledger, replace(command, argv=flags), found, None, changes,
        reserve, record.score,
    )  # fmt: skip
