"""Why something is not in the answer: a model, an engine or a machine; which limit, by how much, the smallest change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.catalog.devices import knows
from gyakusan.catalog.models import find
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import GyakusanError, UnknownName, unknown
from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.exclusions import model_filter_reason
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.recommend import Recommendation, candidate_row
from gyakusan.units import format_bytes

Array = Any


@dataclass(frozen=True, slots=True)
class WhyNot:
    """name: what was asked about; kind: model, engine or device; reasons: sentences, the decisive one first."""

    name: str
    kind: str
    reasons: tuple[Message, ...]


def why_not(found: Recommendation, text: str) -> WhyNot:
    """The reasons. Raises UnknownName for what is no model, engine or device."""
    try:
        name = engine(text).NAME
        return WhyNot(name, "engine", tuple(_engine(found, name)))
    except UnknownName:
        pass
    if knows(text):
        return WhyNot(text, "device", tuple(_device(found, text)))
    try:
        name = find(text).name
    except UnknownName as error:
        if "candidates" in error.message.facts:
            raise
        raise unknown(say("model, engine or device"), text, (*found.grid.columns.places, *NAMES)) from error
    return WhyNot(name, "model", tuple(_model(found, name)))


def _engine(found: Recommendation, name: str) -> Iterator[Message]:
    """An engine: not run here, not asked for, or no better."""
    if any(p.engine == name for p in found.plans):
        yield say("{name} is in the answer.", name=name)
        return
    grid = found.grid
    for offer in grid.offers[:1]:
        reason = engine(name).machine_refusal(offer.machine, found.question.os)
        if reason is not None:
            yield reason
            return
    if name not in grid.engines:
        yield say("{name} was not asked for: add --engine {name}.", name=name)
        return
    at = np.flatnonzero(grid.cells.engine == grid.engines.index(name))
    if not len(at):
        yield say("Under {name} nothing that was asked for fits or is fast enough.", name=name)
        return
    best = candidate_row(grid, _soundest(found.question, grid, at))
    yield say(
        "Its best is {model} {quantization}: quality {quality}, {speed} tokens/s for each user; a plan of the answer is better.",
        model=best["model"],
        quantization=best["quantization"],
        quality=best["quality"],
        speed=best["tokens_per_second"] or "?",
    )


def _device(found: Recommendation, text: str) -> Iterator[Message]:
    """A machine: over the limits, no price, or no better."""
    from gyakusan import machines

    if found.question.owned:
        yield say(
            "The question is about {machine}: name another with --device.", machine=found.grid.offers[0].machine.name
        )
        return
    name = machines.parse(text).name
    rejected = [r for r in found.rejected if _called(r.name, name)]
    if rejected and not any(_called(o.machine.name, name) for o in found.grid.offers):
        first = min(rejected, key=lambda r: r.price if r.price is not None else float("inf"))
        yield first.reason
        return
    places = [i for i, o in enumerate(found.grid.offers) if _called(o.machine.name, name)]
    at = np.flatnonzero(np.isin(found.grid.cells.offer, places))
    if not len(at):
        yield say("Nothing that was asked for fits on {name}, or it is too slow.", name=name)
        return
    best = candidate_row(found.grid, _soundest(found.question, found.grid, at))
    yield say(
        "On {machine} the best is {model} {quantization}: quality {quality}, {speed} tokens/s for each user; a plan of the"
        " answer is better or cheaper.",
        machine=best["machine"],
        model=best["model"],
        quantization=best["quantization"],
        quality=best["quality"],
        speed=best["tokens_per_second"] or "?",
    )


def _called(machine: str, device: str) -> bool:
    """True if a machine has this device, whatever their number and size: "RTX 5090" is no "RTX 5090 D"."""
    return re.fullmatch(rf"(\d+x )?{re.escape(device)}( \d+GB)?", machine) is not None


def _soundest(question: PlanRequest, grid: SweepResult, at: Array) -> int:
    """Of some cells the one that weighs most among those that might be proposed."""
    tier = grid.cells.tier[at]
    sound = at[tier == np.min(tier)]
    return int(sound[np.argmax(rank_candidates(question, grid).worth[sound])])


def _model(found: Recommendation, name: str) -> Iterator[Message]:
    """A model: a wish excludes it, it does not fit, it is too slow, or it is no better."""
    if any(p.name == name for p in found.plans):
        yield say("{name} is in the answer.", name=name)
        return
    grid, question = found.grid, found.question
    place = grid.columns.places[name]
    reason = model_filter_reason(question, grid.columns.models[place])
    if reason is not None:
        yield say("{name}: {reason}.", name=name, reason=reason)
    at = np.flatnonzero(grid.models == place)
    if len(at):
        yield from _beaten(found, name, grid, _soundest(question, grid, at))
        return
    if reason is None and grid.missed.short_by[place] <= 0 and not question.owned and grid.offers:
        alone = _alone(found, place)
        if alone is not None:
            yield from _beaten(found, name, *alone)
            return
    excluded = next((e.reason for e in found.excluded if e.name == name), None)
    if excluded is not None and reason is None:
        yield say("{name}: {reason}.", name=name, reason=excluded)
    if grid.offers and grid.missed.short_by[place] > 0:
        yield from _smallest(found, name, max(grid.offers, key=_memory))


def _memory(offer: HardwareOption) -> int:
    """Of all devices. [B]"""
    return sum(g.usable or 0 for g in offer.machine.gpus)


def _alone(found: Recommendation, place: int) -> tuple[SweepResult, int] | None:
    """The best cell of a model of which every cell was dominated; None if a floor excludes it."""
    grid = found.grid
    own = sweep(found.question, grid.columns, grid.offers, np.array([place], np.int64), reduce=True)
    if not len(own.cells):
        return None
    return own, _soundest(found.question, own, np.arange(len(own.cells)))


def _beaten(found: Recommendation, name: str, own: SweepResult, place: int) -> Iterator[Message]:
    """It fits somewhere: what is better in what. own: the grid of the cell."""
    mine, c, cells = candidate_row(own, place), own.cells, found.grid.cells
    yield say(
        "{name} {quantization} fits on {machine}: quality {quality} ({basis}), {speed} for each user.",
        name=name,
        quantization=mine["quantization"],
        machine=mine["machine"],
        quality=mine["quality"],
        basis=say(str(mine["quality_basis"])),
        speed=_speed(own, place),
    )
    useful, fast = np.nan_to_num(cells.visible_tokens_per_s), np.nan_to_num(c.visible_tokens_per_s[place])
    better = (useful >= fast) & (cells.quality_lower >= c.quality_lower[place]) & (cells.price <= c.price[place])
    better &= (useful > fast) | (cells.quality_lower > c.quality_lower[place]) | (cells.price < c.price[place])
    better &= cells.tier <= c.tier[place]
    at = np.flatnonzero(better & (found.grid.models != own.models[place]))
    if not len(at):
        yield _undominated(found, own, place)
        return
    best = int(at[np.argmax(cells.quality_lower[at])])
    rival = candidate_row(found.grid, best)
    yield say(
        "{model} {quantization} on {machine} is as good, as fast and as cheap, and better in one of them: quality"
        " {quality}, {speed}.",
        model=rival["model"],
        quantization=rival["quantization"],
        machine=rival["machine"],
        quality=rival["quality"],
        speed=_speed(found.grid, best),
    )


def _speed(grid: SweepResult, place: int) -> Message:
    """Tokens a second, and what reasoning leaves of them at the careful end."""
    each, useful = float(grid.cells.tokens_per_s[place]), float(grid.cells.visible_tokens_per_s[place])
    if np.isnan(each):
        return say("an unknown speed")
    return say(
        "{speed} tokens/s ({useful} beside reasoning, at the careful end)", speed=f"{each:.1f}", useful=f"{useful:.1f}"
    )


def _undominated(found: Recommendation, own: SweepResult, place: int) -> Message:
    """Why something that nothing beats in everything is not proposed all the same."""
    cells, workload = own.cells, found.question.workload
    if cells.tier[place] == 1:
        return say("It fits below four bits only, where few benchmarks look: --all lists it, no plan proposes it.")
    if cells.tier[place] > 1:
        return say("Nobody tested it, or it fits in too few bits for its quality to be known: --all lists it.")
    useful = float(np.nan_to_num(cells.visible_tokens_per_s[place]))
    if useful < workload.target_tps:
        return say(
            "Nothing beats it in everything, but without what it spends on reasoning {useful} tokens/s are left at the"
            " careful end, and {pace} are comfortable: --all lists it.",
            useful=f"{useful:.1f}",
            pace=f"{workload.target_tps:g}",
        )
    return say("Nothing beats it in everything, but other plans weigh more in sum: --all lists it.")


def _smallest(found: Recommendation, name: str, offer: HardwareOption) -> Iterator[Message]:
    """What it lacks on the largest machine, and the smallest change."""
    question = found.question
    engine_name = found.grid.engines[0]
    table = found.grid.columns.of_engine(engine_name)
    rows = np.flatnonzero(table.model == found.grid.columns.places[name])
    if not len(rows):
        return
    base = table.base[int(rows[np.argmin(table.stored[rows])])]
    load = Load(question.users, question.workload.context)
    deployment = catalogue_deployment(name, base, engine_name, offer.machine, load, "F16")
    ledger = exact_ledger(deployment)
    if deployment is None or ledger is None or ledger.fits:
        return
    short = max(float(a.short_by) for a in ledger.accounts)
    yield say(
        "Even {quantization} is short by {short} on {machine}.",
        quantization=base,
        short=format_bytes(short),
        machine=offer.machine.name,
    )
    yield from _changes(deployment)


def _changes(deployment: Deployment) -> Iterator[Message]:
    """Yield what would fit: a shorter context, fewer users, a smaller cache, twice the cards."""
    base, machine, load = deployment.model.quantization, deployment.machine, deployment.load
    try:
        most = find_capacity(deployment, int(load.context))
    except GyakusanError:
        return
    if most.context:
        yield say("With {n} tokens of context for each user it fits.", n=f"{most.context:,}")
    if most.users:
        yield say("For {users} it fits.", users=people(most.users))
    small = exact_ledger(catalogue_deployment(deployment.name, base, deployment.engine, machine, load, "Q8_0"))
    if small is not None and small.fits:
        yield say("With a q8_0 cache it fits.")
    double = replace(machine, gpus=machine.gpus * 2)
    if machine.gpus and machine.gpus[0].kind == "gpu" and len(double.gpus) <= MAX_DEVICES:
        more = exact_ledger(catalogue_deployment(deployment.name, base, deployment.engine, double, load, "F16"))
        if more is not None and more.fits:
            yield say("With {n} cards it fits.", n=len(double.gpus))
