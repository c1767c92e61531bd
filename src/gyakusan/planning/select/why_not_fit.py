"""Why a model does not fit: what its smallest files lack, and each smallest change with which they fit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import structs

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting, Malformed
from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.request.request import CACHE_TYPES, MAX_DEVICES
from gyakusan.planning.select.plan import Plan, catalogue_deployment, exact_ledger
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.why_not_reason import Explained, Reason
from gyakusan.units import GIB


def lacking_memory(answer: Recommendation, name: str) -> Explained:
    """Return that a model does not fit on the machine with the most memory, and each smallest change with which it does."""
    grid = answer.grid
    option = max(grid.offers, key=_usable)
    short = float(grid.missed.short_by[grid.columns.places[name]])
    found = _smallest(answer, name, option)
    if found is None and not 0 < short < math.inf:
        sentence = say("{name} fits, but no plan of it could be confirmed.", name=name)
        return Explained(Reason("engine", sentence))
    if found is None:
        sentence = say("{name} does not fit on {machine}: it lacks {n} GiB.", n=rounded_up(short), **_of(name, option))
        return Explained(Reason("memory", sentence, "memory", short, None))
    deployment, files, cache = found
    ledger = deployment.ledger
    missing = max(float(a.short_by) for a in ledger.accounts)
    sentence = say(
        "{name} does not fit on {machine}: {files} lacks {n} GiB.",
        files=files,
        n=rounded_up(missing),
        **_of(name, option),
    )
    further = list(_changes_that_fit(deployment, cache))
    if cache != CACHE_TYPES[0]:
        further.append(say("All this is with a {type} cache.", type=cache.lower()))
    return Explained(Reason("memory", sentence, "memory", missing, None), tuple(further))


def may_not_fit(plan: Plan) -> Reason:
    """Return that a plan fits, but not at the high end of doubt."""
    missing = float(-(plan.spare or 0))
    sentence = say(
        "{name} may not fit on {machine}: {files} lacks {n} GiB at the high end.",
        files=plan.quantization,
        n=rounded_up(missing),
        **_of(plan.name, plan.offer),
    )
    return Reason("memory", sentence, "memory", missing, None)


def _of(name: str, option: HardwareOption) -> dict[str, str]:
    return {"name": name, "machine": option.machine.name}


def _usable(option: HardwareOption) -> int:
    """Return the usable memory of all GPUs together [B]."""
    return sum(g.usable or 0 for g in option.machine.gpus)


def _smallest(answer: Recommendation, name: str, option: HardwareOption) -> tuple[Deployment, str, str] | None:
    """Return the deployment of the smallest files with the smallest cache, both by name; None if it is refused or fits."""
    request, grid = answer.request, answer.grid
    table = grid.columns.of_engine(grid.engines[0])
    rows = np.flatnonzero(table.model == grid.columns.places[name])
    if not len(rows):
        return None
    files = table.name[int(rows[np.argmin(table.stored[rows])])]
    load = Load(request.users, request.workload.context)
    cache = request.kv_types[0] if request.kv_types else engine(grid.engines[0]).SMALLER_CACHE.kind or CACHE_TYPES[0]
    deployment = catalogue_deployment(name, files, grid.engines[0], option.machine, load, cache)
    ledger = exact_ledger(deployment)
    return None if deployment is None or ledger is None or ledger.fits else (deployment, files, cache)


def rounded_up(missing: float) -> str:
    """Return missing bytes in GiB, rounded up to one decimal."""
    return f"{-(-10 * missing // GIB) / 10:.1f}"


def _changes_that_fit(deployment: Deployment, kv_type: str) -> Iterator[Message]:
    """Yield a smaller cache, a shorter context, fewer people, twice the cards: each alone, where it is enough."""
    machine, load = deployment.machine, deployment.load
    try:
        capacity = find_capacity(deployment, int(load.context))
    except (BadSetting, Malformed):  # the engine refuses a load on the way
        return
    if kv_type != "Q8_0" and _fits(deployment, machine, "Q8_0"):
        yield say("It fits with a q8_0 cache: --kv-type q8_0.")
    if capacity.context:
        yield say(
            "It fits with {n} tokens for each: --context {plain}.", n=f"{capacity.context:,}", plain=capacity.context
        )
    if capacity.users:
        yield say("It fits for {users}: --users {n}.", users=people(capacity.users), n=capacity.users)
    twice = structs.replace(machine, gpus=machine.gpus * 2)
    is_card = bool(machine.gpus) and machine.gpus[0].kind == "gpu"
    if is_card and len(twice.gpus) <= MAX_DEVICES and _fits(deployment, twice, kv_type):
        name = f"{len(twice.gpus)}x {machine.gpus[0].name}"
        yield say('It fits with {n} cards: --device "{name}".', n=len(twice.gpus), name=name)


def _fits(deployment: Deployment, machine: Machine, kv_type: str) -> bool:
    name, form, engine, load = deployment.name, deployment.quantization, deployment.engine, deployment.load
    ledger = exact_ledger(catalogue_deployment(name, form, engine, machine, load, kv_type))
    return ledger is not None and ledger.fits
