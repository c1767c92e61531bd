"""From a replica's plan to a fleet: number of replicas, queue, cost, impact of a failure, and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from gyakusan.core.load import Load
from gyakusan.core.queue import QueueEstimate
from gyakusan.engines.base import Command
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.front_line import front_command
from gyakusan.engines.registry import engine
from gyakusan.engines.service_files import EVERYWHERE
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.costs import Cost, FleetWork
from gyakusan.planning.fleet.replica_queue import ReplicaQueue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.predict.capacity import most_users
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, exact_ledger, exact_speed

Verdict = Literal["spare", "holds", "slower", "full", "stops"]


@dataclass(frozen=True, slots=True)
class FailureImpact:
    """What one failed machine does.

    verdict: spare (a spare replaces it), holds (within the request's limits), slower, full (some are refused), stops
    served: share of the users or requests that are still served
    each: output tokens per second of each user then, None = not known [tokens/s]
    """

    verdict: Verdict
    served: float
    each: float | None


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """One recommended fleet of identical replicas.

    roles: what it is best at, e.g. ("balanced", "fastest")
    plan: one replica; its offer is one machine
    replicas: number of replicas
    spares: machines that are switched on and wait for a failure
    nodes: machines that one replica spans
    tensor_parallel: devices that share each layer
    users_per_replica: users whom a replica serves at once
    queue: a replica as a queue
    queue_estimate: waits and speed of all replicas at the requested rate, None without arrivals
    tokens_per_s_low: lower end of each user's speed at the requested load [tokens/s]
    cost: what the fleet costs
    failure_impact: what one failed machine does
    commands: the exact one of each machine of a replica, () if it spans machines and the first one's address is not known
    """

    roles: tuple[str, ...]
    plan: Plan
    replicas: int
    spares: int
    nodes: int
    tensor_parallel: int
    users_per_replica: int
    queue: ReplicaQueue
    queue_estimate: QueueEstimate | None
    tokens_per_s_low: float
    cost: Cost
    failure_impact: FailureImpact
    commands: tuple[Command, ...]

    @property
    def machines(self) -> int:
        """All machines, with spares."""
        return self.replicas * self.nodes + self.spares

    @property
    def key_variable(self) -> str:
        """Environment variable from which every server reads the same key, "" = gyakusan asks for it before the server."""
        return engine(self.plan.engine).KEY

    @property
    def speed(self) -> SpeedEstimate:
        """Speeds with every slot taken."""
        assert self.plan.pace is not None
        return self.plan.pace

    @property
    def user_speed(self) -> float:
        """Speed of each user at the requested load: with every slot taken, or with the queue of the arrivals [tokens/s]."""
        estimate = self.queue_estimate
        return self.speed.decode_each.value if estimate is None else 1 / float(estimate.token)

    @property
    def answer_speed(self) -> float:
        """Speed of each user's visible answer at the requested load, without tokens that reasoning spends [tokens/s]."""
        return self.user_speed / self.plan.thinking.factor

    @property
    def running_each(self) -> float:
        """Requests that one replica answers at once on average, 0 without arrivals."""
        return 0.0 if self.queue_estimate is None else float(self.queue_estimate.running) / self.replicas

    @property
    def slots_each(self) -> int:
        """Slots of one replica, 0 without arrivals."""
        return 0 if self.queue_estimate is None else -(-int(self.queue_estimate.slots) // self.replicas)

    @property
    def first_token(self) -> float:
        """Time to the first token at the requested load, waiting included [s]."""
        estimate = self.queue_estimate
        return self.speed.ttft.value if estimate is None else float(estimate.first)

    @property
    def quality_lower(self) -> float:
        """Quality less one standard error, and less what a smaller cache counts for [points]."""
        cache_loss = self.plan.deployment.rules.SMALLER_CACHE.loss if self.plan.small_cache else 0.0
        return float(self.plan.score.value - self.plan.score.error) - cache_loss

    @property
    def monthly(self) -> float:
        """Cost of a month at the requested load, infinite if it is not known [JPY]."""
        total = self.cost.requested.total
        return float("inf") if total is None else total


def fleet_plan(
    request: FleetRequest,
    replica: Plan,
    queue: ReplicaQueue,
    replicas: int,
    exchange: ExchangeRates,
    nodes: int = 1,
    *,
    at_least: bool = False,
) -> FleetPlan | None:
    """Return the fleet of a replica's plan, None beyond the budget, the allowed replicas or the limits of speed.

    replicas: of the fleet; with arrivals the rate decides instead, unless `at_least` as many are wanted
    nodes: machines that one replica spans
    """
    rate, estimate = request.plan_request.arrivals, None
    low = float("nan") if replica.pace is None else replica.pace.decode_each.low
    if rate is not None:
        replicas = max(replicas if at_least else 1, _replicas_for_rate(request, queue, rate))
        estimate, slow = queue.at(rate, replicas), queue.at(rate, replicas, slow=True)
        low = float(1 / slow.token)
        if estimate.saturated or slow.saturated or not _meets_limits(request, low, float(slow.first)):
            return None
    if replicas > request.replicas or not _within_budget(request, replica, replicas * nodes, exchange):
        return None
    return FleetPlan(
        roles=(),
        plan=replica,
        replicas=replicas,
        spares=request.spare,
        nodes=nodes,
        tensor_parallel=_tensor_parallel(replica),
        users_per_replica=queue.slots * queue.stages,
        queue=queue,
        queue_estimate=estimate,
        tokens_per_s_low=low,
        cost=fleet_cost(request, replica, replicas, nodes, queue, exchange),
        failure_impact=failure_impact(request, replica, replicas, queue),
        commands=machine_commands(replica, nodes, request.first_address),
    )


def _tensor_parallel(replica: Plan) -> int:
    deployment = replica.deployment
    return deployment.rules.compute_settings(deployment.machine, deployment.settings).ranks


def _replicas_for_rate(request: FleetRequest, queue: ReplicaQueue, rate: float) -> int:
    users_per_replica = queue.slots * queue.stages
    fewest = -(-request.plan_request.users // users_per_replica) if "users" in request.given else 1
    return max(fewest, queue.replicas_needed(rate, request.replicas))


def _meets_limits(request: FleetRequest, each: float, ttft: float) -> bool:
    """Return True within the requested speed and time to first token. each [tokens/s]; ttft [s]."""
    limits = request.plan_request
    return each >= limits.speed and (limits.max_ttft is None or ttft <= limits.max_ttft)


def _within_budget(request: FleetRequest, replica: Plan, machines: int, exchange: ExchangeRates) -> bool:
    """Return True if the budget buys this many machines and the spares."""
    if request.budget is None:
        return True
    price = replica.offer.price
    return price is not None and price * (machines + request.spare) <= costs.yen(request.budget, exchange)


def fleet_cost(
    request: FleetRequest, replica: Plan, replicas: int, nodes: int, queue: ReplicaQueue, exchange: ExchangeRates
) -> Cost:
    """Return the cost of a fleet whose replicas share the load evenly. nodes: machines of one replica."""
    plan_request, workload = request.plan_request, request.plan_request.workload
    full = replicas * queue.saturation_rate
    if plan_request.arrivals is None:
        requested = full * min(1.0, plan_request.users / (replicas * queue.slots * queue.stages))
        always_busy_from = requested
    else:
        requested, always_busy_from = min(plan_request.arrivals, full), full

    def work_at(rate: float) -> FleetWork:
        busy = 1.0 if rate >= always_busy_from * (1 - 1e-9) else queue.working(rate, replicas)
        return FleetWork(rate, workload.prompt_tokens, queue.generated_tokens, busy)

    machines = costs.machines(replica.offer, replicas * nodes, request.spare, replica.offer.price)
    return costs.cost(machines, work_at, requested, full, request.terms, exchange)


def failure_impact(request: FleetRequest, replica: Plan, replicas: int, queue: ReplicaQueue) -> FailureImpact:
    """Return what one failed machine does; it stops the replica that it belongs to."""
    left, rate = replicas - 1, request.plan_request.arrivals
    if request.spare:
        return FailureImpact("spare", 1.0, None if replica.pace is None else replica.pace.decode_each.value)
    if not left:
        return FailureImpact("stops", 0.0, None)
    if rate is None:
        return _failure_with_steady_users(request, replica, left, queue)
    served = min(1.0, left * queue.saturation_rate / rate)
    estimate = queue.at(min(rate, 0.999 * left * queue.saturation_rate), left)
    each = float(1 / estimate.token)
    if served < 1:
        return FailureImpact("full", served, each)
    good = rate <= queue.sustainable_rate(left) and _meets_limits(request, each, float(estimate.first))
    return FailureImpact("holds" if good else "slower", served, each)


def _failure_with_steady_users(request: FleetRequest, replica: Plan, left: int, queue: ReplicaQueue) -> FailureImpact:
    """Return the impact if all users share the replicas that are left, as far as the memory allows."""
    plan_request = request.plan_request
    users = -(-plan_request.users // left)
    deployment = _with_users(replica, users) if queue.stages == 1 else None
    if deployment is None:
        return _full(plan_request, replica, left, queue)
    speed = exact_speed(structs.replace(plan_request, users=users), deployment)
    if speed is None:
        return FailureImpact("holds", 1.0, None)
    good = _meets_limits(request, speed.decode_each.low, speed.ttft.high)
    return FailureImpact("holds" if good else "slower", 1.0, speed.decode_each.value)


def _full(plan_request: PlanRequest, replica: Plan, left: int, queue: ReplicaQueue) -> FailureImpact:
    """Return the impact where not all fit: each replica that is left takes as many as its memory holds, not just its share.

    A server whose command names its places (llama-server's --parallel) takes no more until it is started anew.
    """
    share, speed = queue.slots * queue.stages, replica.pace
    most = most_users(replica.deployment) if queue.stages == 1 else share
    deployment = _with_users(replica, most) if most > share else None
    if deployment is not None and deployment.command == replica.deployment.command:
        share, speed = most, exact_speed(structs.replace(plan_request, users=most), deployment)
    served = min(1.0, left * share / plan_request.users)
    return FailureImpact("full", served, None if speed is None else speed.decode_each.value)


def _with_users(replica: Plan, users: int) -> Deployment | None:
    """Return a replica's deployment with so many users, None if they do not fit."""
    deployment = replica.deployment.at(Load(users, replica.deployment.load.context))
    ledger = exact_ledger(deployment)
    fits = not deployment.refusals and ledger is not None and ledger.fits_like(replica.ledger)
    return deployment if fits else None


def machine_commands(replica: Plan, nodes: int, first_address: str | None) -> tuple[Command, ...]:
    """Return the exact command of each machine of a replica, () without the address that the others must know.

    A fleet serves people at other computers: its servers listen on every address and ask for a key. For a server that has no
    key gyakusan asks for it (`gyakusan serve`).

    nodes: machines that one replica spans
    first_address: of its first machine, None = not known
    """
    rules = engine(replica.engine)
    if not rules.KEY:
        return (front_command(replica.deployment),)
    command = rules.with_host(replica.command, EVERYWHERE)
    if nodes == 1:
        return (command,)
    return () if first_address is None else rules.spanning_commands(command, nodes, first_address)
