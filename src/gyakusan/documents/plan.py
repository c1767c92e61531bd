"""The JSON of `gyakusan plan`: the question, the plans with their whole ledgers, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from gyakusan.catalog.thinking import effort_of
from gyakusan.documents.common import (
    ArtifactJson,
    CommandJson,
    FigureJson,
    MeasuredHereJson,
    RatesJson,
    artifact,
    catalogue_date,
    command,
    figure,
    measured_here,
    rates,
)
from gyakusan.documents.ledger import LedgerJson, ledger
from gyakusan.documents.price import PriceJson, price
from gyakusan.documents.request import RequestJson, request
from gyakusan.documents.why_not import WhyNotJson, why_not_document
from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.select.listed_plans import plan_list
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_capacity import PlanCapacity
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import CandidateRow, candidate_row
from gyakusan.planning.select.what_if import Change
from gyakusan.planning.select.why_not import WhyNot


class MachineJson(Struct, frozen=True):
    """A machine of a plan.

    name: of the machine
    count: of its devices
    power_w: of its devices together, null if not known [W]
    wall_power: what the whole computer takes from its socket at work, null if not known [W]
    slots: places in a case that its cards take
    owned: false if it is to be bought
    own_computer: true if only cards are bought, for a computer that the asker has
    """

    name: str
    count: int
    power_w: float | None
    wall_power: float | None
    slots: int
    owned: bool
    own_computer: bool


class SpeedJson(Struct, frozen=True):
    """Speeds for the load of a plan.

    prefill: prompts read [tokens/s]
    decode_each: answer of each user [tokens/s]
    decode_all: answers of all users together [tokens/s]
    throughput: answers of all when everyone asks again at once, prompts included [tokens/s]
    ttft: time to the first token [s]
    tpot: time for each further token [s]
    binds: what a decode step waits for
    measurements: published measurements of this chip and model that were used
    chip: whose figures were used
    measured_here: measurements of this computer that were used, null without any
    """

    prefill: FigureJson
    decode_each: FigureJson
    decode_all: FigureJson
    throughput: FigureJson
    ttft: FigureJson
    tpot: FigureJson
    binds: str
    measurements: int
    chip: str
    measured_here: MeasuredHereJson | None


class PlanQualityJson(Struct, frozen=True):
    """Quality of a plan's answers, after what the quantisation costs.

    value: [points]
    error: one standard error [points]
    basis: of the score that ranks for this task: measured, few, vendor, inferred (from other scores) or assumed
    reasoning: off, on (the model's default effort), low, medium or high
    thinking: tokens with reasoning for each visible token
    scores: published scores that it rests on
    effort: of the thinking, "" for a model without efforts
    thinking_low: fewest tokens seen for each visible token
    thinking_high: most tokens seen for each visible token
    thinking_basis: measured, family or assumed
    """

    value: float
    error: float
    basis: str
    reasoning: str
    thinking: float
    scores: int
    effort: str
    thinking_low: float
    thinking_high: float
    thinking_basis: str


class SpeedConfidenceJson(Struct, frozen=True):
    """How sure a speed is.

    basis: derived, measured, measured_here or assumed
    nominal: share of truths that intervals should hold
    coverage: share that such intervals held in tests, null if not tested
    """

    basis: str
    nominal: float
    coverage: float | None


class ConfidenceJson(Struct, frozen=True):
    """What each figure rests on.

    memory: every basis in the ledger
    pace: null where the speed is not known
    quality: measured, few, vendor, inferred or assumed
    """

    memory: tuple[str, ...]
    pace: SpeedConfidenceJson | None
    quality: str


class PlanJson(Struct, frozen=True, kw_only=True):
    """One plan.

    role: the first of `roles`
    roles: what it is best at
    model: name of the model
    quantization: as people write it
    inspect_as: what `gyakusan inspect --quant` takes
    artifact: the published file or repository that the command names, null if nobody is known to publish it
    preparation: the commands that make its files, empty where they are published
    engine: name of the engine
    machine: where it runs
    settings: every setting of the engine
    command: how the server is started
    memory: its ledger
    left: usable bytes left on the fullest device, null if not known [B]
    pace: null where the speed is not known
    quality: of its answers
    confidence: what each figure rests on
    price: null for a machine that is owned, or without a known price
    binds: what limits it
    projector: of images: none (it has none), off (the command switches it off) or counted
    projector_bytes: its file as published, 0 if not known or none [B]
    blocks_in_ram: blocks of which a part is in RAM although a GPU computes
    in_ram: what of these blocks: experts, layers or nothing
    replicas: copies of the model in one server, each on its own GPUs and for its share of the users
    """

    role: str
    roles: tuple[str, ...]
    model: str
    quantization: str
    inspect_as: str
    artifact: ArtifactJson | None
    preparation: tuple[str, ...]
    engine: str
    machine: MachineJson
    settings: Mapping[str, Any]
    command: CommandJson
    memory: LedgerJson
    left: int | None
    pace: SpeedJson | None
    quality: PlanQualityJson
    confidence: ConfidenceJson
    price: PriceJson | None
    binds: str
    projector: str
    projector_bytes: int
    blocks_in_ram: int
    in_ram: str
    replicas: int


class ExcludedJson(Struct, frozen=True):
    """A model that is not offered.

    model: its name
    reason: a sentence
    """

    model: str
    reason: Message


class ExcludedMachineJson(Struct, frozen=True):
    """A machine that is not offered.

    machine: its name
    price_jpy: null if not known [JPY]
    reason: a sentence
    """

    machine: str
    price_jpy: float | None
    reason: Message


class ChangeJson(Struct, frozen=True):
    """What a little more would bring.

    change: a sentence
    plan: null if nothing fits
    """

    change: Message
    plan: PlanJson | None


class CapacityJson(Struct, frozen=True):
    """How far the load of a plan can grow.

    model: name of the model
    context: for the users that were asked for [tokens]
    users: with the context that was asked for
    trained: true if the training ends the context, not the memory
    """

    model: str
    context: int
    users: int
    trained: bool


class RecommendationJson(Struct, frozen=True, kw_only=True):
    """The best endpoints for a question: `gyakusan plan`.

    schema: name and version of this form
    catalogue: date of the catalogue
    question: what was asked, with defaults
    plans: best first
    excluded: models that are not offered
    machines_excluded: machines that are not offered
    nearest: what would have an answer, where this question has none, or a fast one, where all are too slow
    rates: exchange rates
    cells: combinations that were priced
    frontier: everything that nothing dominates, with --all
    sensitivity: what a little more would bring, with --what-if
    most: how far the load of each plan can grow, with --max
    why_not: with --why-not
    """

    question: RequestJson
    plans: tuple[PlanJson, ...]
    excluded: tuple[ExcludedJson, ...]
    machines_excluded: tuple[ExcludedMachineJson, ...]
    nearest: tuple[Message, ...]
    rates: RatesJson
    cells: int
    frontier: tuple[CandidateRow, ...] | UnsetType = UNSET
    sensitivity: tuple[ChangeJson, ...] | UnsetType = UNSET
    most: tuple[CapacityJson, ...] | UnsetType = UNSET
    why_not: WhyNotJson | UnsetType = UNSET
    schema: Literal["gyakusan/plan/1"] = "gyakusan/plan/1"
    catalogue: str = field(default_factory=catalogue_date)


def recommendation(
    answer: Recommendation,
    *,
    why: WhyNot | None = None,
    changes: Sequence[Change] = (),
    capacities: Sequence[PlanCapacity] = (),
    everything: bool = False,
) -> RecommendationJson:
    """Return an answer, and what was asked for besides."""
    frontier = tuple(candidate_row(answer, i) for i in plan_list(answer).rows) if everything else UNSET
    more = tuple(ChangeJson(c.change, None if c.plan is None else plan(c.plan)) for c in changes)
    limits = tuple(CapacityJson(p.plan.name, p.limits.context, p.limits.users, p.limits.trained) for p in capacities)
    return RecommendationJson(
        question=request(answer.request),
        plans=tuple(plan(p) for p in answer.plans),
        excluded=tuple(ExcludedJson(e.name, e.reason) for e in answer.excluded),
        machines_excluded=tuple(ExcludedMachineJson(r.name, r.price, r.reason) for r in answer.rejected),
        nearest=tuple(r.sentence for r in answer.relaxations),
        rates=rates(answer.rates),
        cells=answer.count,
        frontier=frontier,
        sensitivity=more or UNSET,
        most=limits or UNSET,
        why_not=UNSET if why is None else why_not_document(why),
    )


def plan(value: Plan) -> PlanJson:
    """Return a plan with its whole ledger."""
    return PlanJson(**plan_fields(value))


def plan_fields(value: Plan) -> dict[str, Any]:
    """Return the fields of a PlanJson."""
    return {
        "role": value.roles[0] if value.roles else "",
        "roles": value.roles,
        "model": value.name,
        "quantization": value.quantization,
        "inspect_as": value.quantization,
        "artifact": artifact(value.artifact, value.deployment.model.bytes),
        "preparation": value.preparation,
        "engine": value.engine,
        "machine": machine(value.offer),
        "settings": value.ledger.settings,
        "command": command(value.command),
        "memory": ledger(value.ledger, value.quantization),
        "left": None if value.left is None else int(value.left),
        "pace": None if value.pace is None else speed(value.pace),
        "quality": _quality(value),
        "confidence": _confidence(value),
        "price": price(value.offer),
        "binds": value.bottleneck,
        "projector": value.projector,
        "projector_bytes": value.projector_bytes,
        "blocks_in_ram": value.blocks_in_ram,
        "in_ram": value.in_ram,
        "replicas": value.replicas,
    }


def machine(offer: HardwareOption) -> MachineJson:
    """Return the machine of a plan."""
    machine_name, wall = offer.machine.name, offer.wall_power
    return MachineJson(machine_name, offer.count, offer.power, wall, offer.slots, offer.owned, offer.own_computer)


def speed(value: SpeedEstimate) -> SpeedJson:
    """Return speeds."""
    return SpeedJson(
        prefill=figure(value.prefill),
        decode_each=figure(value.decode_each),
        decode_all=figure(value.decode_all),
        throughput=figure(value.throughput),
        ttft=figure(value.ttft),
        tpot=figure(value.tpot),
        binds=value.bottleneck,
        measurements=len(value.points),
        chip=value.chip,
        measured_here=measured_here(value),
    )


def _quality(value: Plan) -> PlanQualityJson:
    mode, tokens = value.mode, value.thinking
    return PlanQualityJson(
        value=round(float(value.score.value), 2),
        error=round(float(value.score.error), 2),
        basis=value.quality_basis,
        reasoning=mode.mode,
        thinking=tokens.factor,
        scores=mode.count,
        effort=effort_of(value.name, mode.mode),
        thinking_low=tokens.low,
        thinking_high=tokens.high,
        thinking_basis=tokens.basis,
    )


def _confidence(value: Plan) -> ConfidenceJson:
    memory = sorted({line.basis for account in value.ledger.accounts for line in account.lines})
    decode = None if value.pace is None else value.pace.decode_each
    pace = None if decode is None else SpeedConfidenceJson(decode.basis, 0.8, decode.coverage)
    return ConfidenceJson(tuple(memory), pace, value.quality_basis)
