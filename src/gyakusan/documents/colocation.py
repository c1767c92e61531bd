"""The JSON of `gyakusan plan --also`: several models on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from gyakusan.documents.common import ArtifactJson, CommandJson, IntervalJson, catalogue_date, command, interval
from gyakusan.documents.ledger import LedgerJson, ledger
from gyakusan.documents.plan import (
    ConfidenceJson,
    MachineJson,
    PlanQualityJson,
    SpeedJson,
    machine,
    plan_fields,
)
from gyakusan.documents.price import PriceJson
from gyakusan.documents.request import RequestJson, request
from gyakusan.message import Message
from gyakusan.planning.colocate.recommend import ColocatedModel, Colocation, ColocationAnswer
from gyakusan.show.colocation import notes


class UseJson(Struct, frozen=True):
    """One use of a server, as asked for.

    task: what people do
    users: conversations at the same time
    context: of one conversation [tokens]
    """

    task: str
    users: int
    context: int


class ColocatedModelJson(Struct, frozen=True, kw_only=True):
    """One of the models: a plan as for one model, or an embedding model, which has a `score`.

    role: the first of `roles`
    roles: what it is best at
    model: name of the model
    quantization: as the engine calls it
    inspect_as: what `gyakusan inspect --quant` takes
    engine: name of the engine
    machine: where it runs
    settings: every setting of the engine
    command: how the server is started, with a port of its own
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
    replicas: copies of the model in one server
    artifact: the published file or repository that the command names, null if nobody is known to publish it
    preparation: the commands that make its files, empty where they are published
    score: of an embedding model, mean over the tasks of MTEB, null if not known [points]
    task: what it is for, the first of `uses`
    uses: what it serves: more than one where one server serves several
    reserve: what `gyakusan inspect --reserve` is given to say the same, whole MiB [B]
    changes: what `gyakusan inspect --set` is given to say the same
    tokens_per_second: of answers for each user, of texts read for embeddings, while the others are idle
    tokens_per_second_all_at_work: an estimate while all models work
    """

    role: str | UnsetType = UNSET
    roles: tuple[str, ...] | UnsetType = UNSET
    model: str
    quantization: str
    inspect_as: str
    engine: str
    machine: MachineJson | UnsetType = UNSET
    settings: Mapping[str, Any] | UnsetType = UNSET
    command: CommandJson
    memory: LedgerJson
    left: int | UnsetType | None = UNSET
    pace: SpeedJson | UnsetType | None = UNSET
    quality: PlanQualityJson | UnsetType = UNSET
    confidence: ConfidenceJson | UnsetType = UNSET
    price: PriceJson | UnsetType | None = UNSET
    binds: str | UnsetType = UNSET
    projector: str | UnsetType = UNSET
    projector_bytes: int | UnsetType = UNSET
    blocks_in_ram: int | UnsetType = UNSET
    in_ram: str | UnsetType = UNSET
    replicas: int | UnsetType = UNSET
    artifact: ArtifactJson | UnsetType | None = UNSET
    preparation: tuple[str, ...] | UnsetType = UNSET
    score: float | UnsetType | None = UNSET
    task: str
    uses: tuple[UseJson, ...]
    reserve: int | None
    changes: Mapping[str, Any]
    tokens_per_second: IntervalJson | None
    tokens_per_second_all_at_work: float | None


class ColocationJson(Struct, frozen=True):
    """Several models on one machine.

    roles: what it is best at
    machine: where they run
    price_jpy: null for a machine that is owned, or without a known price [JPY]
    left: usable bytes left on the fullest device, null if not known [B]
    surely_left: the same at the high end of doubt, negative if it may not fit; null if not known [B]
    reaches_pace: true if all reach the speed of their task
    models: in the order of the question
    """

    roles: tuple[str, ...]
    machine: MachineJson
    price_jpy: int | None
    left: int | None
    reaches_pace: bool
    models: tuple[ColocatedModelJson, ...]
    surely_left: int | None


class ColocationAnswerJson(Struct, frozen=True, kw_only=True):
    """Several models on one machine: `gyakusan plan --also`.

    schema: name and version of this form
    catalogue: date of the catalogue
    question: what was asked, with defaults
    plans: best first
    nearest: why there is no plan, and what would help
    machines: that were tried
    notes: what the figures rest on
    """

    question: RequestJson
    plans: tuple[ColocationJson, ...]
    nearest: tuple[Message, ...]
    machines: int
    notes: tuple[Message, ...]
    schema: Literal["gyakusan/colocation/1"] = "gyakusan/colocation/1"
    catalogue: str = field(default_factory=catalogue_date)


def colocation(answer: ColocationAnswer) -> ColocationAnswerJson:
    """Return an answer about several models."""
    return ColocationAnswerJson(
        question=request(answer.request),
        plans=tuple(_plan(p) for p in answer.plans),
        nearest=tuple(r.sentence for r in answer.relaxations),
        machines=answer.tried,
        notes=notes(answer) if answer.plans else (),
    )


def _plan(plan: Colocation) -> ColocationJson:
    price = None if plan.offer.price is None else round(plan.offer.price)
    models = tuple(_model(plan, m) for m in plan.members)
    return ColocationJson(
        plan.roles, machine(plan.offer), price, plan.left, plan.meets_target_speed, models, plan.spare
    )


def _model(plan: Colocation, member: ColocatedModel) -> ColocatedModelJson:
    figure = member.main_speed
    fields: dict[str, Any] = {
        "model": member.deployment.name,
        "quantization": member.deployment.quantization,
        "inspect_as": member.deployment.quantization,
        "engine": member.deployment.engine,
        "memory": ledger(member.ledger, member.deployment.quantization),
        "score": member.score or None,
    }
    return ColocatedModelJson(
        **({**(fields if member.plan is None else plan_fields(member.plan)), "command": command(member.command)}),
        task=member.uses[0].task,
        uses=tuple(UseJson(u.task, u.users, u.workload.context) for u in member.uses),
        reserve=member.reserve,
        changes=member.changes,
        tokens_per_second=interval(figure),
        tokens_per_second_all_at_work=None if figure is None else figure.value * plan.busy_share,
    )
