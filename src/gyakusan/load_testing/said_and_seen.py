"""What was predicted for an endpoint beside what a bench of it measured, and the likely cause of each miss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from msgspec import structs

from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.server import ServerReport
from gyakusan.learning.rows import is_crowded
from gyakusan.load_testing.conditions import Conditions
from gyakusan.load_testing.result import BenchResult, Cause, Comparison, StepResult
from gyakusan.message import Message, people, say
from gyakusan.planning.predict.assessment import assess, host_weights, turn_shape
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate, estimate_speed, of_replicas
from gyakusan.serving.buffer_comparison import compare_deployment

FEW_REQUESTS = 3
"""A step with fewer answers is not compared."""
CLIENT_BUSY = 0.8
"""Share of a core from which on the client itself is what is slow. Assumed."""
CACHED = 0.2
"""Share of the prompts in the server's cache, from which on it explains a fast start. Assumed."""
SHORT = 0.8
"""Share of the wanted answer, below which short answers explain a throughput. Assumed."""
SCATTER = 0.15
"""Scatter of the requests from which on it is named. Assumed."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """Speeds for one step.

    result: the step as it was measured
    speed: what is predicted for it
    """

    result: StepResult
    speed: SpeedEstimate


def compare(
    deployment: Deployment, result: BenchResult, slots: int | None, seen: Conditions, log: Iterable[str] = ()
) -> tuple[Comparison, ...]:
    """Return every figure that was predicted for an endpoint and measured. Raises BadSetting.

    slots: conversations that the server says it answers at once; seen: state of the server's computer; log: of the server.
    """
    return explained([*memory(deployment, log), *speeds(deployment, result)], deployment, result, slots, seen)


def explained(
    found: Iterable[Comparison], deployment: Deployment, result: BenchResult, slots: int | None, seen: Conditions
) -> tuple[Comparison, ...]:
    """Return comparisons, each miss with its likely cause."""
    return tuple(c if c.inside else replace(c, cause=cause(c, deployment, result, slots, seen)) for c in found)


def memory(deployment: Deployment, log: Iterable[str]) -> Iterator[Comparison]:
    """Yield the parts of the memory that the server reported in its log, with their sum first."""
    lines = tuple(log)
    if not lines:
        return
    yield from reported_memory(deployment, deployment.server.read(lines))


def reported_memory(deployment: Deployment, report: ServerReport) -> Iterator[Comparison]:
    """Yield the parts of the memory that a server reported, with their sum first."""
    rows = [r for r in compare_deployment(deployment, report) if r.predicted is not None and r.reported is not None]
    parts = []
    for row in rows:
        rounding = sum(p.rounding for p in row.parts)
        said, told = float(row.predicted or 0), float(row.reported or 0)
        parts.append(
            Comparison("memory", f"{row.kind} {row.device}", 0, "B", said, said - rounding, said + rounding, told)
        )
    if len(parts) > 1:
        low, said, high, told = (sum(getattr(p, n) for p in parts) for n in ("low", "predicted", "high", "measured"))
        yield Comparison("memory", "", 0, "B", said, low, high, told)
    yield from parts


def speeds(deployment: Deployment, result: BenchResult) -> Iterator[Comparison]:
    """Yield the speeds of the closed loops that the server was planned for."""
    planned = [p for r in result.steps if (p := predicted(deployment, r)) is not None]
    if not planned:
        return
    first, last = planned[0], planned[-1]
    for place in planned:
        users = place.result.step.users
        if place.result.each is not None:
            yield _row("decode", users, "tokens/s", place.speed.decode_each, place.result.each.value)
    if first.result.prefill is not None and first.result.step.users == 1:
        yield _row("prefill", 1, "tokens/s", first.speed.prefill, first.result.prefill.value)
    for place in (first, last) if last is not first else (first,):
        if place.result.ttft is not None and place.result.ttft.mean is not None:
            yield _row("ttft", place.result.step.users, "s", place.speed.ttft, place.result.ttft.mean.value)
    together = result.together(last.result)
    if together is not None:
        yield _row("throughput", last.result.step.users, "tokens/s", last.speed.throughput, together.value)


def unpredicted(deployment: Deployment, result: BenchResult) -> Iterator[Message]:
    """Yield why figures of a planned endpoint were not predicted."""
    unknown = assess(deployment, deployment.ledger).unknown
    if unknown is not None:
        yield unknown
    most = int(deployment.load.users)
    if any(r.step.users > most for r in result.steps):
        yield say("Planned for {who}: loads of more people were not predicted.", who=people(most))
    if any(r.step.rate for r in result.steps):
        yield say("Speeds at random arrivals are not predicted.")


def predicted(deployment: Deployment, result: StepResult) -> Predicted | None:
    """Return what is predicted for a step; None for random arrivals, too many people, too few answers, an unknown speed."""
    users = result.step.users
    if not users or users > int(deployment.load.users) or result.requests < FEW_REQUESTS:
        return None
    speed = speed_of(deployment, result)
    return None if speed is None else Predicted(result, speed)


def speed_of(deployment: Deployment, result: StepResult, *, learned: bool = True) -> SpeedEstimate | None:
    """Return the speeds predicted for the lengths that were measured: what is in the cache is no prompt.

    learned: False for what is built in, whatever was measured on this computer
    """
    machine, shape = deployment.machine, result.step.shape
    compute = deployment.rules.compute_settings(machine, deployment.settings)
    sent = result.prompt_tokens or float(shape.prompt + shape.depth)
    cached = sent * (result.cached_share or 0.0)
    turn = structs.replace(
        turn_shape(Load(result.step.users, deployment.load.context), compute),
        prompt=max(1.0, sent - cached),
        answer=max(1.0, result.completion_tokens or float(shape.answer)),
        depth=cached,
        host=host_weights(deployment.ledger, compute, machine, result.step.users),
    )
    if compute.on_cpu or not machine.gpus:
        machine, turn = structs.replace(machine, gpus=()), structs.replace(turn, stages=1)
    estimate = estimate_speed(deployment.read, machine, deployment.engine, turn, learned=learned)
    return of_replicas(estimate, compute.replicas)


def cause(
    missed: Comparison, deployment: Deployment, result: BenchResult, slots: int | None, seen: Conditions
) -> Cause:
    """Return the likely cause of a miss, "unknown" where nothing that we know explains it."""
    if missed.quantity == "memory":
        return Cause("other_build")
    step = next(r for r in result.steps if r.step.users == missed.users)
    slower = (missed.measured > missed.predicted) == (missed.quantity == "ttft")
    found = _slower(missed, result, slots, seen) if slower else _faster(missed, step)
    if found is None and step.scatter is not None and step.scatter > SCATTER:
        found = Cause("scatter", step.scatter, SCATTER)
    if found is None and _assumed(deployment, step):
        found = Cause("assumed")
    return found or Cause("unknown")


def _slower(missed: Comparison, result: BenchResult, slots: int | None, seen: Conditions) -> Cause | None:
    """Return what made a figure worse than predicted."""
    step = next(r for r in result.steps if r.step.users == missed.users)
    if slots is not None and missed.users > slots:
        return Cause("slots", missed.users, slots)
    if result.client is not None and result.client.busy > CLIENT_BUSY:
        return Cause("client", result.client.busy, 1)
    if seen.other_load is not None and is_crowded(seen.other_load, seen.cores):
        return Cause("other_programs", seen.other_load, seen.cores)
    if seen.power_limit is not None:
        return Cause("power_limit", seen.power_limit, seen.usual_power)
    if missed.quantity == "throughput" and (step.completion_tokens or 0) < SHORT * step.step.shape.answer:
        return Cause("short_answers", step.completion_tokens or 0, step.step.shape.answer)
    return None


def _faster(missed: Comparison, step: StepResult) -> Cause | None:
    """Return what made a figure better than predicted."""
    if missed.quantity in ("ttft", "prefill") and (step.cached_share or 0) > CACHED:
        return Cause("cache", step.cached_share or 0, CACHED)
    return None


def _assumed(deployment: Deployment, step: StepResult) -> bool:
    """Return True where the prediction rests on a device that nobody measured."""
    speed = speed_of(deployment, step)
    return speed is not None and speed.decode_each.basis == "assumed"


def _row(quantity: str, users: int, unit: str, said: Estimate, told: float) -> Comparison:
    return Comparison(quantity, "", users, unit, said.value, said.low, said.high, told)
