"""Why a model is not plan 1: a filter excludes it, it does not fit, it is too slow, or another is better; with both figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gyakusan.core.arrays import IntArray
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting
from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.reasoning_modes import UNPUBLISHED
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.request.request import CACHE_TYPES, MAX_DEVICES, PlanRequest
from gyakusan.planning.select.exclusions import model_filter_reason
from gyakusan.planning.select.plan import Plan, catalogue_deployment, confirm_candidate, exact_ledger
from gyakusan.planning.select.plan_difference import P_BETTER_MIN, plan_difference
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import is_beaten, shown_figures
from gyakusan.planning.select.ways_out import first_plan
from gyakusan.units import GIB

MAX_CHANGES = 3
"""Changes that make a model plan 1 which are shown."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why something is not plan 1.

    reasons: sentences, the decisive one first
    plan: its own best plan, None where it has none
    rival: number of the plan that it is compared with, 0 = none
    changes: options with which it becomes plan 1, each tried, with what they mean
    """

    reasons: tuple[Message, ...]
    plan: Plan | None = None
    rival: int = 0
    changes: tuple[tuple[Message, str], ...] = ()


def explain_model(answer: Recommendation, name: str) -> Explained:
    """Return why a model is not plan 1."""
    place = next((n for n, p in enumerate(answer.plans, 1) if p.name == name), 0)
    if place == 1:
        return Explained((say("{name} is plan 1.", name=name),), answer.plans[0])
    if place:
        shown = answer.plans[place - 1]
        reason = say("{name} is plan {n}, not plan 1: {how}.", name=name, n=place, how=_compared(answer, shown))
        return Explained((reason,), shown, 1, tuple(_changes(answer, name)))
    grid, request = answer.grid, answer.request
    model = grid.columns.places[name]
    filtered = model_filter_reason(request, grid.columns.models[model])
    if filtered is not None:
        return Explained((say("{name} is left out: {reason}.", name=name, reason=filtered),))
    own, indices = _candidates(answer, model)
    if not len(indices):
        return Explained(tuple(_unfit(answer, name)))
    index = best_supported(request, own, indices)
    plan = confirm_candidate(request, own, index)
    if plan is None:
        return Explained(tuple(_unfit(answer, name)) or (say("{name} does not keep the limits.", name=name),))
    reason, rival = _left_out(answer, own, index, plan)
    return Explained((reason,), plan, rival, tuple(_changes(answer, name)))


def _candidates(answer: Recommendation, model: int) -> tuple[SweepResult, IntArray]:
    """Return a sweep with all candidates of a model, and where they are."""
    grid, request = answer.grid, answer.request
    fitting = np.flatnonzero(grid.models == model)
    if len(fitting) or request.owned or not grid.offers or grid.missed.short_by[model] > 0:
        return grid, fitting
    # every candidate of the model was dominated and left the sweep: look at it alone
    own = sweep(request, grid.columns, grid.offers, np.array([model], np.int64), reduce=True)
    return own, np.arange(len(own.cells))


def best_supported(request: PlanRequest, grid: SweepResult, indices: IntArray) -> int:
    """Return the candidate of highest utility among those with the best evidence of quality."""
    tier = grid.cells.tier[indices]
    supported = indices[tier == np.min(tier)]
    return int(supported[np.argmax(rank_candidates(request, grid).utility[supported])])


def _left_out(answer: Recommendation, own: SweepResult, index: int, plan: Plan) -> tuple[Message, int]:
    """Return why a model that fits has no row, and the number of the plan that it is compared with."""
    request, cells = answer.request, own.cells
    slowest, longest = slowest_answer(request), longest_wait(request)
    visible, wait = _pace(plan)
    if plan.pace is not None and visible < slowest:
        return (
            say(
                "{name} is left out: {n} tokens/s of answer, and {limit} is the limit (default); --speed 1 lifts it.",
                name=plan.name,
                n=f"{visible:.1f}",
                limit=f"{slowest:g}",
            ),
            1,
        )
    if wait > longest:
        return (
            say(
                "{name} is left out: the first token takes {n} s, and {limit} s is the limit (default); --first 600 lifts it.",
                name=plan.name,
                n=f"{wait:.0f}",
                limit=f"{longest:g}",
            ),
            1,
        )
    if cells.tier[index] == 1:
        facts = {"name": plan.name, "files": plan.quantization}
        return say(
            "{name} is left out: only files below 4 bits fit ({files}), and few benchmarks test them.", **facts
        ), 1
    if cells.tier[index] == UNPUBLISHED:
        return say("{name} is left out: no published files of it fit.", name=plan.name), 1
    if cells.tier[index] > 1:
        return say("{name} is left out: no test of its quality is known.", name=plan.name), 1
    return _beaten_or_tied(answer, plan)


def _pace(plan: Plan) -> tuple[float, float]:
    """Return the visible speed of a plan and its time to the first token, 0 where they are not known [tokens/s], [s]."""
    if plan.pace is None:
        return 0.0, 0.0
    return plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value


def _beaten_or_tied(answer: Recommendation, plan: Plan) -> tuple[Message, int]:
    """Return which plan beats a model in every figure, or how it compares with plan 1."""
    owned = answer.request.owned
    rival = next((n for n, p in enumerate(answer.plans, 1) if is_beaten(plan, p, owned=owned)), 0)
    if not rival:
        return say("{name} against plan 1: {how}.", name=plan.name, how=_compared(answer, plan)), min(
            1, len(answer.plans)
        )
    a, b = shown_figures(plan), shown_figures(answer.plans[rival - 1])
    facts = {"name": plan.name, "n": rival, "mine": f"{a.quality:.0f}", "its": f"{b.quality:.0f}"}
    speeds = {"speed": _short(a.speed), "faster": _short(b.speed)}
    if owned:
        return (
            say(
                "{name} is beaten by plan {n} in all: quality {mine} against {its}, {speed} against {faster} tokens/s.",
                **facts,
                **speeds,
            ),
            rival,
        )
    return (
        say(
            (
                "{name} is beaten by plan {n} in all: quality {mine} against {its}, {speed} against {faster} tokens/s, "
                "and plan {n} costs no more."
            ),
            **facts,
            **speeds,
        ),
        rival,
    )


def _compared(answer: Recommendation, plan: Plan) -> Message:
    """Return how a plan differs from plan 1 in quality and in the speed of its answers."""
    first = answer.plans[0]
    gap = plan_difference(first, plan, answer.request.workload.quality_metric)
    a, b = shown_figures(plan), shown_figures(first)
    facts = {
        "points": f"{abs(float(gap.quality_gap.value)):.0f} ±{gap.quality_gap.error:.0f}",
        "speed": _short(a.answer),
        "its": _short(b.answer),
        "mine": f"{plan.score.value:.0f} ±{plan.score.error:.0f}",
        "first": f"{first.score.value:.0f} ±{first.score.error:.0f}",
    }
    faster, slower = (a.answer or 0) > (b.answer or 0), (a.answer or 0) < (b.answer or 0)
    tied = 1 - P_BETTER_MIN < gap.p_better < P_BETTER_MIN
    if tied:
        template = (
            "equal in quality within the error ({mine}, {first}), and slower ({speed} against {its} tokens/s of answer)"
            if slower
            else "equal in quality within the error ({mine}, {first}), {speed} against {its} tokens/s of answer"
        )
    elif gap.quality_gap.value > 0:
        template = (
            "{points} points better, but slower ({speed} against {its} tokens/s of answer)"
            if slower
            else "{points} points better, {speed} against {its} tokens/s of answer"
        )
    else:
        template = (
            "{points} points worse, but faster ({speed} against {its} tokens/s of answer)"
            if faster
            else "{points} points worse, {speed} against {its} tokens/s of answer"
        )
    return Message(template, facts)


def _short(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def _changes(answer: Recommendation, name: str) -> Iterator[tuple[Message, str]]:
    """Yield changes with which the model is plan 1, each tried, at most MAX_CHANGES."""
    found = 0
    for change, options, request in _tries(answer.request):
        if found == MAX_CHANGES:
            return
        plan = first_plan(answer, request, answer.grid.offers)
        if plan is not None and plan.name == name:
            found += 1
            yield change, options


def _tries(request: PlanRequest) -> Iterator[tuple[Message, str, PlanRequest]]:
    if request.prefer != "quality":
        yield say("put quality first"), "--prefer quality", replace(request, prefer="quality")
    if request.prefer != "speed":
        yield say("put speed first"), "--prefer speed", replace(request, prefer="speed")
    if request.prefer != "price" and not request.owned:
        yield say("put the price first"), "--prefer price", replace(request, prefer="price")
    for users in dict.fromkeys((request.users // 2, 1)):
        if 0 < users < request.users:
            change = say("need it for {people}", people=people(users))
            yield change, f"--users {users}", replace(request, users=users)
    if "Q8_0" not in request.kv_types:
        yield say("use a q8_0 cache"), "--kv-type q8_0", replace(request, kv_types=("Q8_0",))


# What does not fit


def _unfit(answer: Recommendation, name: str) -> Iterator[Message]:
    """Yield why a model has no candidate at all."""
    grid = answer.grid
    short = grid.missed.short_by[grid.columns.places[name]]
    if grid.offers and short > 0 and np.isfinite(short):
        yield from _lacking_memory(answer, name, max(grid.offers, key=_usable))
        return
    excluded = next((e.reason for e in answer.excluded if e.name == name), None)
    if excluded is not None:
        yield say("{name} is left out: {reason}.", name=name, reason=excluded)


def _usable(option: HardwareOption) -> int:
    """Return the usable memory of all GPUs together [B]."""
    return sum(g.usable or 0 for g in option.machine.gpus)


def _lacking_memory(answer: Recommendation, name: str, option: HardwareOption) -> Iterator[Message]:
    """Yield what the smallest quantisation lacks on a machine, and each smallest change with which it fits."""
    request, grid = answer.request, answer.grid
    table = grid.columns.of_engine(grid.engines[0])
    rows = np.flatnonzero(table.model == grid.columns.places[name])
    if not len(rows):
        return
    row = int(rows[np.argmin(table.stored[rows])])
    load = Load(request.users, request.workload.context)
    cache = request.kv_types[0] if request.kv_types else engine(grid.engines[0]).SMALLER_CACHE or CACHE_TYPES[0]
    deployment = catalogue_deployment(name, table.name[row], grid.engines[0], option.machine, load, cache)
    ledger = exact_ledger(deployment)
    if deployment is None or ledger is None or ledger.fits:
        return
    yield say(
        "{name} does not fit on {machine}: {files} lacks {n} GiB.",
        name=name,
        machine=option.machine.name,
        files=table.name[row],
        n=_rounded_up(max(float(a.short_by) for a in ledger.accounts)),
    )
    yield from _changes_that_fit(deployment, cache)
    if cache != CACHE_TYPES[0]:
        yield say("All this is with a {type} cache.", type=cache.lower())


def _rounded_up(missing: float) -> str:
    """Return missing bytes in GiB, rounded up to one decimal."""
    return f"{-(-10 * missing // GIB) / 10:.1f}"


def _changes_that_fit(deployment: Deployment, kv_type: str) -> Iterator[Message]:
    """Yield a smaller cache, a shorter context, fewer people, twice the cards: each alone, where it is enough."""
    machine, load = deployment.machine, deployment.load
    try:
        capacity = find_capacity(deployment, int(load.context))
    except BadSetting:  # the engine refuses a load on the way
        return
    if kv_type != "Q8_0" and _fits(deployment, machine, "Q8_0"):
        yield say("It fits with a q8_0 cache: --kv-type q8_0.")
    if capacity.context:
        yield say(
            "It fits with {n} tokens for each: --context {plain}.", n=f"{capacity.context:,}", plain=capacity.context
        )
    if capacity.users:
        yield say("It fits for {users}: --users {n}.", users=people(capacity.users), n=capacity.users)
    twice = replace(machine, gpus=machine.gpus * 2)
    is_card = bool(machine.gpus) and machine.gpus[0].kind == "gpu"
    if is_card and len(twice.gpus) <= MAX_DEVICES and _fits(deployment, twice, kv_type):
        name = f"{len(twice.gpus)}x {machine.gpus[0].name}"
        yield say('It fits with {n} cards: --device "{name}".', n=len(twice.gpus), name=name)


def _fits(deployment: Deployment, machine: Machine, kv_type: str) -> bool:
    name, form, engine, load = deployment.name, deployment.quantization, deployment.engine, deployment.load
    ledger = exact_ledger(catalogue_deployment(name, form, engine, machine, load, kv_type))
    return ledger is not None and ledger.fits


def plans_of(answer: Recommendation, indices: Sequence[int]) -> Plan | None:
    """Return the confirmed best plan among some candidates of the answer, None if it does not hold."""
    if not len(indices):
        return None
    place = best_supported(answer.request, answer.grid, np.array(indices, np.int64))
    return confirm_candidate(answer.request, answer.grid, place)
