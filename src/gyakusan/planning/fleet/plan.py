"""One fleet: a plan for one replica, how many of them, what people meet, what it costs, and what a failure does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from gyakusan.core.load import Load
from gyakusan.core.queue import QueueEstimate
from gyakusan.engines.base import Command
from gyakusan.engines.registry import engine
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.costs import Cost, FleetWork
from gyakusan.planning.fleet.replica_queue import ReplicaQueue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.select.plan import Plan, exact_ledger, exact_speed

Verdict = Literal["spare", "holds", "slower", "full", "stops"]
HERE, FIRST, KEY = "<this machine>", "<first machine>", "<your key>"
"""Stand for addresses and a key in commands."""


@dataclass(frozen=True, slots=True)
class FailureImpact:
    """What one failed machine does. verdict: spare (one stands by), holds (within what was asked), slower (people wait),

    full (some are turned away), stops; served: share of the people or requests that are still served; each: answer
    tokens a second for each user then, None = not known [tokens/s].
    """

    verdict: Verdict
    served: float
    each: float | None


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """plan: of one replica, its offer is one machine; replicas; spares: machines; nodes: machines of a replica; tensor:

    devices that share each layer; share: people that a replica serves at once; service: a replica as a queue; met: what
    people meet, None without arrivals; commands: one for each machine of a replica.
    """

    roles: tuple[str, ...]
    plan: Plan
    replicas: int
    spares: int
    nodes: int
    tensor: int
    share: int
    service: ReplicaQueue
    met: QueueEstimate | None
    cost: Cost
    loss: FailureImpact
    commands: tuple[Command, ...]

    @property
    def machines(self) -> int:
        """All machines, spares too."""
        return self.replicas * self.nodes + self.spares

    @property
    def pace(self) -> SpeedEstimate:
        """Speeds with every slot taken."""
        assert self.plan.pace is not None
        return self.plan.pace

    @property
    def sure(self) -> float:
        """Quality less one error. [points]"""
        return float(self.plan.score.value - self.plan.score.error)

    @property
    def useful(self) -> float:
        """Careful speed of each user without what is spent on reasoning. [tokens/s]"""
        return self.pace.decode_each.low / self.plan.mode.thinking

    @property
    def monthly(self) -> float:
        """What a month costs at the load that was asked for, infinite if that is not known. [JPY]"""
        total = self.cost.asked.total
        return float("inf") if total is None else total


def costed(
    asked: FleetRequest, plan: Plan, count: int, replicas: int, found: ReplicaQueue, rates: ExchangeRates
) -> Cost:
    """What so many machines cost. replicas: of the service; they share the load."""
    question, workload = asked.question, asked.question.workload
    full = replicas * found.highest
    users = min(1.0, question.users / (replicas * found.slots * found.lanes))
    rate = full * users if question.arrivals is None else min(question.arrivals, full)

    def load(requests: float) -> FleetWork:
        busy = 1.0 if requests >= full * (1 - 1e-9) else found.busy(requests / replicas)
        if question.arrivals is None and requests >= rate * (1 - 1e-9):
            busy = 1.0
        return FleetWork(requests, workload.prompt_tokens, workload.output_tokens, busy)

    bought = costs.machines(plan.offer, count, asked.spare, plan.offer.price)
    return costs.cost(bought, load, rate, full, asked.terms, rates)


def failure_impact(asked: FleetRequest, plan: Plan, replicas: int, share: int, found: ReplicaQueue) -> FailureImpact:
    """What happens when one machine fails."""
    left = replicas - 1
    if asked.spare:
        return FailureImpact("spare", 1.0, None if plan.pace is None else plan.pace.decode_each.value)
    if not left:
        return FailureImpact("stops", 0.0, None)
    rate = asked.question.arrivals
    if rate is not None:
        served = min(1.0, left * found.highest / rate)
        met = found.at(min(rate / left, 0.999 * found.highest))
        within = _within(asked, float(1 / met.token), float(met.first))
        calm: Verdict = "holds" if rate / left <= found.bearable and within else "slower"
        return FailureImpact(calm if served >= 1 else "full", served, float(1 / met.token))
    return _steady(asked, plan, left, share, found)


def _steady(asked: FleetRequest, plan: Plan, left: int, share: int, found: ReplicaQueue) -> FailureImpact:
    users = asked.question.users
    more = -(-users // left)
    kept = FailureImpact(
        "full", min(1.0, left * share / users), None if plan.pace is None else plan.pace.decode_each.value
    )
    if found.lanes > 1:
        return kept
    deployment = plan.deployment.at(Load(more, asked.question.workload.context))
    ledger = exact_ledger(deployment)
    if deployment.refusals or ledger is None or not ledger.fits:
        return kept
    pace = exact_speed(replace(asked.question, users=more), deployment)
    if pace is None:
        return FailureImpact("holds", 1.0, None)
    good = _within(asked, pace.decode_each.low, pace.ttft.high)
    return FailureImpact("holds" if good else "slower", 1.0, pace.decode_each.value)


def _within(asked: FleetRequest, each: float, first: float) -> bool:
    """True if the floors hold."""
    question = asked.question
    return each >= question.speed and (question.max_ttft is None or first <= question.max_ttft)


def commands(command: Command, name: str, machines: int, nodes: int) -> tuple[Command, ...]:
    """The command of each machine of a replica. Several machines listen on their own address, for the load balancer, and ask

    for a key if their engine knows one. name: of the engine; nodes: machines that one replica spans.
    """
    if machines == 1:
        return (command,)
    argv = tuple(HERE if a == "127.0.0.1" else a for a in command.argv)
    plain = {k: HERE if v == "127.0.0.1" else v for k, v in command.environment.items()}
    variable = engine(name).KEY
    environment: Mapping[str, str] = MappingProxyType({**plain, **({variable: KEY} if variable else {})})
    if nodes == 1:
        return (replace(command, argv=argv, environment=environment),)
    options = engine(name).spanning_options(nodes, FIRST)
    return tuple(replace(command, argv=(*argv, *flags), environment=environment) for flags in options)


def fleet_plan(
    asked: FleetRequest,
    made: Plan,
    found: ReplicaQueue,
    replicas: int,
    exchange: ExchangeRates,
    nodes: int = 1,
) -> FleetPlan | None:
    """So many replicas of a plan, more if the rate needs more; None beyond the budget, the replicas or the floors."""
    question, share = asked.question, found.slots * found.lanes
    met = None
    if question.arrivals is not None:
        bears = found.bearable
        fewest = -(-question.users // share) if "users" in asked.said else 1
        replicas = max(fewest, math.ceil(min(question.arrivals / bears, 1e9) - 1e-9))
        met = found.at(question.arrivals / replicas)
        careful = found.at(question.arrivals / replicas, careful=True)
        late = question.max_ttft is not None and careful.first > question.max_ttft
        if met.saturated or careful.saturated or late or 1 / careful.token < question.speed:
            return None
    if replicas > asked.replicas or not within(asked, made, replicas * nodes, exchange):
        return None
    plan_command = commands(made.command, made.engine, replicas * nodes + asked.spare, nodes)
    return FleetPlan(
        roles=(),
        plan=made,
        replicas=replicas,
        spares=asked.spare,
        nodes=nodes,
        tensor=made.deployment.rules.compute_settings(made.deployment.machine, made.deployment.settings).ranks,
        share=share,
        service=found,
        met=met,
        cost=costed(asked, made, replicas * nodes, replicas, found, exchange),
        loss=failure_impact(asked, made, replicas, share, found),
        commands=plan_command,
    )


def within(asked: FleetRequest, made: Plan, machines: int, exchange: ExchangeRates) -> bool:
    """True if so many machines and the spares are within the budget."""
    if asked.budget is None:
        return True
    price = made.offer.price
    return price is not None and price * (machines + asked.spare) <= costs.yen(asked.budget, exchange)
