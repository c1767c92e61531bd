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
from gyakusan.engines.vllm.pool import requested
from gyakusan.engines.vllm.profile import visible
from gyakusan.engines.vllm.settings import Settings as Served
from gyakusan.message import Message
from gyakusan.models.assemble import from_record
from gyakusan.planning import columns as catalogue
from gyakusan.planning import offers as market
from gyakusan.planning.answer import answering
from gyakusan.planning.columns import Columns
from gyakusan.planning.offers import Offer
from gyakusan.planning.pace import Asked, Pace, pace
from gyakusan.planning.pieces import BASE, STEP, Part, Piece, embedding_changes, embedding_load, parts, sums
from gyakusan.planning.question import Question
from gyakusan.planning.roles import WEIGHTS
from gyakusan.planning.verify import Plan, plan, price
from gyakusan.units import MIB

TRIES, ROUNDS, PORT = 24, 4, 8080


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models that run together. plan: of one that answers, None for embeddings; pace: alone, None = not known;

    changes: of the engine's settings; reserve: what --reserve must say so that `inspect` counts the others [B];
    command: with a port of its own; score: of an embedding model, MTEB, 0 = not known.
    """

    question: Question
    name: str
    quantization: str
    base: str
    engine: str
    ledger: Ledger
    command: Command
    pace: Pace | None
    plan: Plan | None
    changes: Mapping[str, Any]
    reserve: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Together:
    """Models on one machine. worth: their sum by the preference; easy: all reach the pace of their task; roles: what it is

    best at; left: usable bytes on the fullest device beside all of them, None = not known [B].
    """

    offer: Offer
    members: tuple[Member, ...]
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
class Several:
    """plans: together, the balanced one first; nearest: why there is none, and what would change that."""

    question: Question
    plans: tuple[Together, ...]
    nearest: tuple[Message, ...]
    tried: int


def several(question: Question, *, columns: Columns | None = None, offers: Sequence[Offer] | None = None) -> Several:
    """What to run together. Raises GyakusanError."""
    known = columns or catalogue.load()
    if question.model is not None:
        question = replace(question, model=answering(question.model))
    found = tuple(offers) if offers is not None else _offers(question)
    made = parts(question, known, found)
    plans = _chosen(question, found, made)
    if plans:
        return Several(question, plans, (), len(found))
    from gyakusan.planning.apart import nearest

    return Several(question, (), nearest(question, known, found, made), len(found))


def _offers(question: Question) -> tuple[Offer, ...]:
    if question.owned:
        return (market.owned(question),)
    return tuple(o for o in market.bought(question)[0] if o.price is not None)


def room(machine: Machine) -> float:
    """What all parts may take of the smallest device. [B] Infinite if the capacity is not known."""
    devices = machine.gpus or ((machine.host,) if machine.host else ())
    known = [d.usable for d in devices if d.usable is not None]
    return float(min(known)) if known and len(known) == len(devices) else float("inf")


def fitting(
    offer: Offer, made: Sequence[Part], number: int, *, easy: bool
) -> tuple[tuple[int, float, tuple[Piece, ...]], ...]:
    """Sums of a machine that fit by the columns, least memory first. easy: only what reaches the pace of its task."""
    choices = [[p for p in part.pieces[number] if p.easy or not easy] for part in made]
    return sums(choices, room(offer.machine) // STEP)


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum on a machine. worth: without the price; rank: with it."""

    offer: int
    worth: float
    rank: float
    easy: bool
    pieces: tuple[Piece, ...]


def _chosen(question: Question, offers: Sequence[Offer], made: Sequence[Part]) -> tuple[Together, ...]:
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
    found: dict[_Sum, Together] = {}
    for role, order in orders.items():
        for entry in order[:TRIES]:
            together = found.get(entry) or confirmed(offers[entry.offer], made, entry.pieces)
            if together is not None:
                found[entry] = replace(together, worth=entry.worth, easy=entry.easy, roles=(*together.roles, role))
                break
    return tuple(found.values())


def confirmed(offer: Offer, made: Sequence[Part], pieces: Sequence[Piece]) -> Together | None:
    """The parts, each priced by its engine with the others' memory reserved, until nothing changes; None if one has no room."""
    gpus = offer.machine.gpus
    takes = [[p.memory * STEP] * max(1, len(gpus)) for p in pieces]
    members: list[Member] = []
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
    return Together(offer, tuple(members), 0.0, True, min(gaps, default=None))


def _taken(member: Member, count: int) -> list[int]:
    """What a part takes of each GPU, or of RAM. [B] vLLM takes its share whole."""
    accounts = member.ledger.accounts[: max(1, count)]
    found = [int(a.total) for a in accounts if a.device.kind != "host" or not count]
    if member.engine == "vLLM":
        served = Served(1, gpu_memory_utilization=member.ledger.settings["gpu_memory_utilization"])
        found = [max(n, requested(visible(a.device), served)) for n, a in zip(found, accounts, strict=False)]
    return found + [0] * (max(1, count) - len(found))


def _member(offer: Offer, part: Part, piece: Piece, others: Sequence[int], number: int) -> Member | None:
    devices = offer.machine.gpus or ((offer.machine.host,) if offer.machine.host else ())
    kept = max(d.reserved + other for d, other in zip(devices, others, strict=False))
    reserve = -(-kept // MIB) * MIB
    if any(d.memory is not None and reserve >= d.memory for d in devices):
        return None
    machine = machines.reserving(offer.machine, f"{reserve // MIB}MiB")
    if part.grid is None:
        return _embedder(part, piece, machine, reserve, number)
    grid = replace(part.grid, offers=tuple(replace(o, machine=machine) if o is offer else o for o in part.grid.offers))
    changes: dict[str, Any] = {}
    made = plan(part.question, grid, piece.place)
    if made is not None and made.engine == "vLLM":
        changes = {"gpu_memory_utilization": _share(made.ledger)}
        made = plan(part.question, grid, piece.place, changes)
    if made is None:
        return None
    facts = (made.name, made.quantization, made.base, made.engine, made.ledger, ported(made.command, PORT + number))
    return Member(part.question, *facts, made.pace, made, changes, reserve)


def _share(found: Ledger) -> float:
    """The share of a GPU that vLLM needs, in whole percents, one more for what changes between starts."""
    needs = [float(a.total) / (visible(a.device) or 1) for a in found.accounts if a.device.kind != "host"]
    return min(0.98, (int(max(needs) * 100) + 2) / 100)


def _embedder(part: Part, piece: Piece, machine: Machine, reserve: int, number: int) -> Member | None:
    record = find(piece.name)
    load = embedding_load(part.question, record)
    changes = embedding_changes(load)
    priced = price(record.name, BASE, "llama.cpp", machine, load, "F16", changes)
    if priced is None or not priced[0].fits:
        return None
    ledger, command, _ = priced
    flags = (*ported(command, PORT + number).argv, "--embedding", "--pooling", record.pooling)
    asked = Asked(
        users=part.question.users, prompt=part.question.usual.prompt, answer=1, piece=float(changes["ubatch"])
    )
    found = pace(from_record(record, BASE), machine, "llama.cpp", asked)
    return Member(
        part.question, record.name, BASE, BASE, "llama.cpp", ledger, replace(command, argv=flags), found, None, changes,
        reserve, record.score,
    )  # fmt: skip


def ported(command: Command, port: int) -> Command:
    """The command with a port of its own; Ollama is told by its environment."""
    argv = list(command.argv)
    if "--port" in argv:
        argv[argv.index("--port") + 1] = str(port)
        return replace(command, argv=tuple(argv))
    if argv[:1] == ["ollama"]:
        return replace(command, environment={**command.environment, "OLLAMA_HOST": f"127.0.0.1:{port}"})
    return replace(command, argv=(*argv, "--port", str(port)))
