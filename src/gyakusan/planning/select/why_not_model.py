"""Why a model is not recommended: a filter excludes it, it does not fit, it is too slow, or another is better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from gyakusan.planning.request.request import CACHE_TYPES, MAX_DEVICES, PlanRequest
from gyakusan.planning.select.exclusions import model_filter_reason
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import candidate_row
from gyakusan.units import format_bytes


def model_reasons(recommendation: Recommendation, name: str) -> Iterator[Message]:
    """Yield why a model is not recommended, the decisive reason first."""
    if any(p.name == name for p in recommendation.plans):
        yield say("{name} is proposed.", name=name)
        return
    grid, request = recommendation.grid, recommendation.request
    model = grid.columns.places[name]
    reason = model_filter_reason(request, grid.columns.models[model])
    if reason is not None:
        yield say("{name}: {reason}.", name=name, reason=reason)
    fitting = np.flatnonzero(grid.models == model)
    if len(fitting):
        yield from _better_plans(recommendation, name, grid, best_supported(request, grid, fitting))
        return
    if reason is None and grid.missed.short_by[model] <= 0 and not request.owned and grid.offers:
        # every candidate of the model was dominated and left the sweep: look at it alone
        own = sweep(request, grid.columns, grid.offers, np.array([model], np.int64), reduce=True)
        if len(own.cells):
            yield from _better_plans(recommendation, name, own, best_supported(request, own, np.arange(len(own.cells))))
            return
    excluded = next((e.reason for e in recommendation.excluded if e.name == name), None)
    if excluded is not None and reason is None:
        yield say("{name}: {reason}.", name=name, reason=excluded)
    if grid.offers and grid.missed.short_by[model] > 0:
        yield from _lacking_memory(recommendation, name, max(grid.offers, key=_usable))


def best_supported(request: PlanRequest, grid: SweepResult, indices: IntArray) -> int:
    """Return the candidate of highest utility among those with the best evidence of quality."""
    tier = grid.cells.tier[indices]
    supported = indices[tier == np.min(tier)]
    return int(supported[np.argmax(rank_candidates(request, grid).utility[supported])])


def _usable(option: HardwareOption) -> int:
    """Return the usable memory of all GPUs together [B]."""
    return sum(g.usable or 0 for g in option.machine.gpus)


def _better_plans(recommendation: Recommendation, name: str, own: SweepResult, index: int) -> Iterator[Message]:
    """Yield what a model that fits offers, and a candidate that is better. own: the sweep that the index is of."""
    row = candidate_row(own, index)
    yield say(
        "{name} {quantization} fits on {machine}: quality {quality} ({basis}), {speed} for each user.",
        name=name,
        quantization=row["quantization"],
        machine=row["machine"],
        quality=row["quality"],
        basis=say(str(row["quality_basis"])),
        speed=_speed(own, index),
    )
    best = _dominating(recommendation.grid, own, index)
    if best is None:
        yield _undominated(recommendation.request, own, index)
        return
    rival = candidate_row(recommendation.grid, best)
    yield say(
        (
            "{model} {quantization} on {machine} beats it: at least as good in quality, speed and price, "
            "and better in one ({quality}, {speed})."
        ),
        model=rival["model"],
        quantization=rival["quantization"],
        machine=rival["machine"],
        quality=rival["quality"],
        speed=_speed(recommendation.grid, best),
    )


def _dominating(grid: SweepResult, own: SweepResult, index: int) -> int | None:
    """Return the best candidate of another model that dominates one in quality, speed and price, None if none does."""
    cells, one = grid.cells, own.cells
    speed, own_speed = np.nan_to_num(cells.visible_tokens_per_s), np.nan_to_num(one.visible_tokens_per_s[index])
    quality, price = one.quality_lower[index], one.price[index]
    no_worse = (speed >= own_speed) & (cells.quality_lower >= quality) & (cells.price <= price)
    better = (speed > own_speed) | (cells.quality_lower > quality) | (cells.price < price)
    supported = cells.tier <= one.tier[index]
    dominating = np.flatnonzero(no_worse & better & supported & (grid.models != own.models[index]))
    return int(dominating[np.argmax(cells.quality_lower[dominating])]) if len(dominating) else None


def _speed(grid: SweepResult, index: int) -> Message:
    """Return the decode speed, and the visible speed at the lower end of its interval."""
    each, visible = float(grid.cells.tokens_per_s[index]), float(grid.cells.visible_tokens_per_s[index])
    if np.isnan(each):
        return say("an unknown speed")
    return say("{speed} tokens/s ({useful} after thinking, low end)", speed=f"{each:.1f}", useful=f"{visible:.1f}")


def _undominated(request: PlanRequest, own: SweepResult, index: int) -> Message:
    """Return why a candidate that nothing dominates is not recommended."""
    tier = own.cells.tier[index]
    if tier == 1:
        return say("It is left out: only quantisations below 4 bits fit, and few benchmarks test them. --all lists it.")
    if tier == UNPUBLISHED:
        return say("It is left out: nobody is known to publish it in a format that fits. --all lists it.")
    if tier > 1:
        return say(
            "It is left out: it has no test results, or only quantisations of unknown quality fit. --all lists it."
        )
    visible, target = float(np.nan_to_num(own.cells.visible_tokens_per_s[index])), request.workload.target_tps
    if visible < target:
        return say(
            (
                "No plan beats it on every axis, but after thinking only {useful} tokens/s remain (low end), "
                "below the target of {pace}. --all lists it."
            ),
            useful=f"{visible:.1f}",
            pace=f"{target:g}",
        )
    return say("No plan beats it on every axis, but others score higher overall with --prefer. --all lists it.")


def _lacking_memory(recommendation: Recommendation, name: str, option: HardwareOption) -> Iterator[Message]:
    """Yield what the smallest quantisation lacks on a machine, and each smallest change with which it fits."""
    request, grid = recommendation.request, recommendation.grid
    table = grid.columns.of_engine(grid.engines[0])
    rows = np.flatnonzero(table.model == grid.columns.places[name])
    if not len(rows):
        return
    smallest = table.name[int(rows[np.argmin(table.stored[rows])])]
    load = Load(request.users, request.workload.context)
    cache = request.kv_types[0] if request.kv_types else engine(grid.engines[0]).SMALLER_CACHE or CACHE_TYPES[0]
    deployment = catalogue_deployment(name, smallest, grid.engines[0], option.machine, load, cache)
    ledger = exact_ledger(deployment)
    if deployment is None or ledger is None or ledger.fits:
        return
    yield say(
        "{quantization} is short by {short} on {machine}, and no smaller one is planned.",
        quantization=smallest,
        short=format_bytes(max(float(a.short_by) for a in ledger.accounts)),
        machine=option.machine.name,
    )
    yield from _changes_that_fit(deployment, cache)
    if cache != CACHE_TYPES[0]:
        yield say("All this is with a {type} cache.", type=cache.lower())


def _changes_that_fit(deployment: Deployment, kv_type: str) -> Iterator[Message]:
    """Yield a shorter context, fewer users, a smaller cache, twice the cards: each alone, where it is enough."""
    machine, load = deployment.machine, deployment.load
    try:
        capacity = find_capacity(deployment, int(load.context))
    except BadSetting:  # the engine refuses a load on the way
        return
    if capacity.context:
        yield say("It fits with {n} tokens of context for each user.", n=f"{capacity.context:,}")
    if capacity.users:
        yield say("It fits for {users}.", users=people(capacity.users))
    if kv_type != "Q8_0" and _fits(deployment, machine, "Q8_0"):
        yield say("It fits with a q8_0 cache.")
    twice = replace(machine, gpus=machine.gpus * 2)
    is_card = bool(machine.gpus) and machine.gpus[0].kind == "gpu"
    if is_card and len(twice.gpus) <= MAX_DEVICES and _fits(deployment, twice, kv_type):
        yield say("It fits with {n} cards.", n=len(twice.gpus))


def _fits(deployment: Deployment, machine: Machine, kv_type: str) -> bool:
    model, engine, load = deployment.model, deployment.engine, deployment.load
    ledger = exact_ledger(catalogue_deployment(deployment.name, model.quantization, engine, machine, load, kv_type))
    return ledger is not None and ledger.fits
