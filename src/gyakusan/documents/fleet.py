"""The JSON of `gyakusan fleet`. Money is in yen, rates are requests a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from gyakusan.catalog.thinking import effort_of
from gyakusan.documents.common import CommandJson, MoneyJson, RatesJson, catalogue_date, command, money, rates
from gyakusan.documents.ledger import LedgerJson, ledger
from gyakusan.documents.plan import SpeedJson, speed
from gyakusan.documents.request import RequestJson, request_fields
from gyakusan.message import Message
from gyakusan.planning.candidates import power
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.plan import FailureImpact, FleetPlan
from gyakusan.planning.fleet.recommend import FleetAnswer


class FleetRequestJson(RequestJson, frozen=True, kw_only=True):
    """A question about a fleet.

    budget: for all machines
    replicas: of the server, at most
    spare: machines that stand by
    nodes: machines that one replica may span, at most
    network: between machines [B/s]
    first_address: of the first machine of a replica that spans machines, null = not given
    price: of one machine, null for the catalogue's
    """

    replicas: int
    spare: int
    nodes: int
    network: float
    first_address: str | None
    price: MoneyJson | None


class TermsJson(Struct, frozen=True):
    """Every figure that costs rest on.

    months: over which the purchase is spread
    pue: power of the building over that of the machines
    hours: a day in which it runs [h]
    upkeep: of the purchase, a year [%]
    tariff: for one kWh
    api_input: what an API takes for a million prompt tokens
    api_output: what an API takes for a million answer tokens
    idle: share of a device's power while it waits
    around_w: power of the computer around cards, by their number [W]
    unified_w: power of the computer around one with unified memory [W]
    supply_loss: of the power supply, a share of what it delivers
    assumed: names of the terms that nobody gave
    """

    months: float
    pue: float
    hours: float
    upkeep: float
    tariff: MoneyJson
    api_input: MoneyJson | None
    api_output: MoneyJson | None
    idle: float
    around_w: Mapping[str, float]
    unified_w: float
    supply_loss: float
    assumed: tuple[str, ...] = ()


class FleetMachineJson(Struct, frozen=True):
    """One machine of a fleet.

    name: of the machine
    count: of its devices
    power_w: of its devices together, null if not known [W]
    price_jpy: null if not known [JPY]
    """

    name: str
    count: int
    power_w: float | None
    price_jpy: float | None


class QueueJson(Struct, frozen=True):
    """What people meet under arrivals; all replicas are one queue behind a balancer.

    running: conversations that one replica answers at once, mean
    busy: share of the time on prompts
    working: share of the time in which a replica computes anything
    waits: probability that the slots of all replicas are taken
    wait: for a slot, mean [s]
    first: time to the first token, mean, waiting included [s]
    token: time for each further token [s]
    slots: of one replica that are enough for 99 % of the time
    highest: rate of one replica without saturation [1/s]
    """

    running: float
    busy: float
    working: float
    waits: float
    wait: float
    first: float
    token: float
    slots: int
    highest: float


class FleetQualityJson(Struct, frozen=True):
    """Quality of a fleet's answers, after what the quantisation costs.

    value: [points]
    error: one standard error [points]
    basis: of the score that ranks for this task: measured, few, vendor, inferred or assumed
    reasoning: off, on (the model's default effort), low, medium or high
    thinking: tokens with reasoning for each visible token
    effort: of the thinking, "" for a model without efforts
    """

    value: float
    error: float
    basis: str
    reasoning: str
    thinking: float
    effort: str


class MonthJson(Struct, frozen=True):
    """One month. null: not known or not asked.

    requests: a day
    prompts: [tokens]
    answers: with reasoning [tokens]
    watts: of everything, mean while it runs [W]
    purchase: share of the purchase [JPY]
    power: [JPY]
    upkeep: [JPY]
    total: [JPY]
    answer_price: of a million answer tokens [JPY]
    token_price: of a million tokens of both kinds [JPY]
    api: what the API takes for the same tokens [JPY]
    """

    requests: float
    prompts: float
    answers: float
    watts: float | None
    purchase: float | None
    power: float | None
    upkeep: float | None
    total: float | None
    answer_price: float | None
    token_price: float | None
    api: float | None


class CostJson(Struct, frozen=True):
    """What a fleet costs.

    asked: a month at the load that was asked for
    full: a month with every slot taken
    break_even_requests_a_day: from there on owning is cheaper than the API; null for never, or not asked
    """

    asked: MonthJson
    full: MonthJson
    break_even_requests_a_day: float | None


class FailureJson(Struct, frozen=True):
    """What one failed machine does.

    verdict: spare, holds, slower, full or stops
    served: share of the people or requests that are still served
    each: answer of each user then, null if not known [tokens/s]
    """

    verdict: str
    served: float
    each: float | None


class BalancerJson(Struct, frozen=True):
    """What stands before several replicas.

    policy: which replica takes a request
    sticky: true if a conversation stays on its replica
    """

    policy: str
    sticky: bool


class FleetPlanJson(Struct, frozen=True, kw_only=True):
    """One fleet.

    roles: what it is best at
    model: name of the model
    quantization: as the engine calls it
    inspect_as: what `gyakusan inspect --quant` takes
    engine: name of the engine
    machine: one machine
    machines: all that are bought: replicas x nodes + spares
    replicas: of the server
    spares: machines that stand by
    nodes: machines of one replica, also its pipeline parallelism
    tensor_parallel: devices that share each layer
    users_each: conversations that a replica serves at once
    commands: the exact one of each machine of a replica; empty if it spans machines and first_address is null
    key_variable: environment variable from which every server reads the same key, null = gyakusan asks for it before the server
    memory: ledger of one replica
    pace: speeds of one replica with every slot taken
    queue: null without arrivals
    quality: of its answers
    cost: what it costs
    failure: what one failed machine does
    balancer: null for one replica
    """

    roles: tuple[str, ...]
    model: str
    quantization: str
    inspect_as: str
    engine: str
    machine: FleetMachineJson
    machines: int
    replicas: int
    spares: int
    nodes: int
    tensor_parallel: int
    users_each: int
    commands: tuple[CommandJson, ...]
    key_variable: str | None
    memory: LedgerJson
    pace: SpeedJson
    queue: QueueJson | None
    quality: FleetQualityJson
    cost: CostJson
    failure: FailureJson
    balancer: BalancerJson | None


class FleetJson(Struct, frozen=True, kw_only=True):
    """How many machines serve many people: `gyakusan fleet`.

    schema: name and version of this form
    catalogue: date of the catalogue
    question: what was asked, with defaults
    terms: what costs rest on
    plans: best first
    nearest: what would have an answer, where this question has none
    rates: exchange rates
    cells: combinations that were priced
    """

    question: FleetRequestJson
    terms: TermsJson
    plans: tuple[FleetPlanJson, ...]
    nearest: tuple[Message, ...]
    rates: RatesJson
    cells: int
    schema: Literal["gyakusan/fleet/1"] = "gyakusan/fleet/1"
    catalogue: str = field(default_factory=catalogue_date)


def fleet(answer: FleetAnswer) -> FleetJson:
    """Return an answer; each plan carries its whole ledger."""
    request = answer.request
    own = {n: getattr(request, n) for n in ("replicas", "spare", "nodes", "network", "first_address")}
    amounts = {"budget": money(request.budget), "price": money(request.price)}
    return FleetJson(
        question=FleetRequestJson(**(request_fields(request.plan_request) | own | amounts)),
        terms=_terms(answer),
        plans=tuple(_plan(p) for p in answer.plans),
        nearest=(*answer.reasons, *(w.sentence for w in answer.ways)),
        rates=rates(answer.rates),
        cells=answer.count,
    )


def _terms(answer: FleetAnswer) -> TermsJson:
    terms = answer.request.terms
    values: dict[str, Any] = {
        "months": terms.months,
        "pue": terms.pue,
        "hours": terms.hours,
        "upkeep": terms.upkeep,
        "tariff": money(terms.tariff),
        "api_input": money(terms.api_input),
        "api_output": money(terms.api_output),
        "idle": costs.IDLE_POWER_SHARE,
        "around_w": {str(cards): watts for cards, watts in power.COMPUTER_WATTS},
        "unified_w": power.UNIFIED_WATTS,
        "supply_loss": power.SUPPLY_LOSS,
    }
    assumed = sorted(n for n, value in values.items() if n not in answer.request.given and value is not None)
    return TermsJson(**values, assumed=tuple(assumed))


def _plan(plan: FleetPlan) -> FleetPlanJson:
    one, offer = plan.plan, plan.plan.offer
    score, mode = (round(float(one.score.value), 2), round(float(one.score.error), 2)), one.mode
    cost = CostJson(_month(plan.cost.requested), _month(plan.cost.full), plan.cost.break_even)
    return FleetPlanJson(
        roles=plan.roles,
        model=one.name,
        quantization=one.quantization,
        inspect_as=one.quantization,
        engine=one.engine,
        machine=FleetMachineJson(offer.machine.name, offer.count, offer.power, offer.price),
        machines=plan.machines,
        replicas=plan.replicas,
        spares=plan.spares,
        nodes=plan.nodes,
        tensor_parallel=plan.tensor_parallel,
        users_each=plan.users_per_replica,
        commands=tuple(command(c) for c in plan.commands),
        key_variable=plan.key_variable or None,
        memory=ledger(one.ledger, one.quantization),
        pace=speed(plan.speed),
        queue=_queue(plan),
        quality=FleetQualityJson(
            *score, one.quality_basis, mode.mode, one.thinking.factor, effort_of(one.name, mode.mode)
        ),
        cost=cost,
        failure=_failure(plan.failure_impact),
        balancer=None if plan.replicas == 1 else BalancerJson("least connections", True),
    )


def _queue(plan: FleetPlan) -> QueueJson | None:
    estimate = plan.queue_estimate
    if estimate is None:
        return None
    times = (float(estimate.wait), float(estimate.first), float(estimate.token))
    shares = (float(estimate.busy), float(estimate.working), float(estimate.waits))
    return QueueJson(
        float(estimate.running) / plan.replicas,
        *shares,
        *times,
        slots=-(-int(estimate.slots) // plan.replicas),
        highest=float(estimate.saturation_rate) / plan.replicas,
    )


def _month(month: costs.Month) -> MonthJson:
    yen = (month.purchase, month.power, month.upkeep, month.total)
    prices = (month.output_token_price, month.token_price, month.api)
    return MonthJson(month.requests, month.prompt_tokens, month.output_tokens, month.watts, *yen, *prices)


def _failure(impact: FailureImpact) -> FailureJson:
    return FailureJson(impact.verdict, impact.served, impact.each)
