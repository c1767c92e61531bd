"""Why a model is not plan 1: a filter excludes it, it does not fit, it is too slow, or another is better; with both figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import IntArray
from gyakusan.message import Message, duration, people, say, typed_duration
from gyakusan.planning.candidates.model_table import CatalogModel
from gyakusan.planning.candidates.reasoning_modes import UNPUBLISHED
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import closest_miss, model_filter_reason
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.missed_figures import at_least_time, at_most, kept_floor, kept_limit
from gyakusan.planning.select.pace_relaxations import keeps_pace
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.ways_out import first_plan
from gyakusan.planning.select.why_not_compare import behind, compare
from gyakusan.planning.select.why_not_fit import lacking_memory, may_not_fit
from gyakusan.planning.select.why_not_reason import Because, Explained, Figure, Reason

MAX_CHANGES = 3
"""Changes that make a model plan 1 which are shown."""
MAX_TRIES = 12
"""Candidates of a model that are checked with the engine's ledger."""

FIGURES: Mapping[Because, Figure] = {"quality": "quality", "speed": "speed", "wait": "ttft", "rate": "rate"}
"""Limit -> the figure that it is about."""


def explain_model(answer: Recommendation, name: str, *, tries: bool = True) -> Explained:
    """Return why a model is not plan 1. tries: also which changes make it plan 1, each of which is a plan of its own."""
    place = next((n for n, p in enumerate(answer.plans, 1) if p.name == name), 0)
    if place == 1:
        first = say("{name} is plan 1.", name=name)
        return Explained(Reason("shown", first), plan=answer.plans[0])
    if place:
        shown = answer.plans[place - 1]
        changes = tuple(_changes(answer, name)) if tries else ()
        return Explained(behind(answer, shown, Message(name), 1, shown=place), (), shown, changes)
    grid, request = answer.grid, answer.request
    model = grid.columns.models[grid.columns.places[name]]
    filtered = model_filter_reason(request, model)
    if filtered is not None:
        return Explained(_filtered(request, model, filtered))
    own, indices = _candidates(answer, grid.columns.places[name])
    plan, index = best_plan(request, own, indices)
    if plan is None:
        return _without_plan(answer, name)
    reason = _left_out(answer, own, index, plan)
    return Explained(reason, (), plan, tuple(_changes(answer, name)) if tries else ())


def _filtered(request: PlanRequest, model: CatalogModel, reason: Message) -> Reason:
    """Return that the request or the catalogue's rule excludes a model; of the rule with both scores that it compared."""
    sentence = say("{name} is left out: {reason}.", name=model.name, reason=reason)
    rule = model.unlisted if request.model is None else None
    if rule is None:
        return Reason("wish", sentence)
    if not rule.other:
        return Reason("rule", sentence)
    return Reason("rule", sentence, "quality", float(rule.mine), float(rule.its))


def _without_plan(answer: Recommendation, name: str) -> Explained:
    """Return why a model has no candidate that holds."""
    miss = closest_miss(answer.request, answer.grid, answer.grid.columns.places[name])
    if answer.grid.offers and (miss.because == "memory" or miss.because == "choice"):
        return lacking_memory(answer, name)
    if miss.because == "choice":  # no machine is left
        return Explained(Reason("money", say("{name} is left out: no machine is within the limits.", name=name)))
    sentence = say("{name} is left out: {reason}.", name=name, reason=miss.reason)
    return Explained(Reason(miss.because, sentence, FIGURES.get(miss.because, ""), miss.has, miss.wants))


def _candidates(answer: Recommendation, model: int) -> tuple[SweepResult, IntArray]:
    """Return a sweep with all candidates of a model, and where they are."""
    grid, request = answer.grid, answer.request
    if request.owned or not grid.offers or grid.missed.short_by[model] > 0:
        return grid, np.flatnonzero(grid.models == model)
    # where machines are bought, candidates that another model dominates left the sweep: look at this one alone
    own = feasible_candidates(request, grid.columns, grid.offers, [model])
    return own, np.arange(len(own.cells))


def best_plan(request: PlanRequest, grid: SweepResult, indices: IntArray) -> tuple[Plan | None, int]:
    """Return the confirmed plan of highest utility among some candidates, and which it is; None if none holds.

    Before others come those with the best evidence of quality, then those of acceptable speed, then those that fit surely.
    """
    if not len(indices):
        return None, -1
    scores, tier = rank_candidates(request, grid), grid.cells.tier[indices]
    order = indices[np.lexsort((-scores.utility[indices], scores.missed_by[indices], tier))]
    unsure: tuple[Plan | None, int] = (None, -1)
    for index in order[:MAX_TRIES].tolist():
        plan = confirm_candidate(request, grid, index)
        if plan is not None and plan.surely_fits:
            return plan, index
        if plan is not None and unsure[0] is None:
            unsure = plan, index
    return unsure


def _left_out(answer: Recommendation, own: SweepResult, index: int, plan: Plan) -> Reason:
    """Return why a model that fits has no row."""
    if (slow := _too_slow(answer, plan)) is not None:
        return slow
    tier, best = int(own.cells.tier[index]), int(np.min(answer.grid.cells.tier, initial=UNPUBLISHED))
    if tier > best:
        model = answer.grid.columns.places[plan.name]
        return _below_floor(answer, model, best) or _without_evidence(own.columns.models[model], plan, tier)
    surely = any(p.surely_fits for p in answer.plans)
    if surely and not plan.surely_fits:
        return may_not_fit(plan)
    if not answer.plans:
        return Reason("engine", say("{name} fits, but no plan of it could be confirmed.", name=plan.name))
    return compare(answer, plan, Message(plan.name))


def _too_slow(answer: Recommendation, plan: Plan) -> Reason | None:
    """Return the default limit of speed or wait that a plan breaks, None if it breaks none or no plan of the answer keeps it."""
    if plan.pace is None or not any(keeps_pace(answer.request, p) for p in answer.plans):
        return None
    slowest, longest = slowest_answer(answer.request), longest_wait(answer.request)
    visible, wait = plan.pace.decode_each.value / plan.thinking.factor, plan.pace.ttft.value
    if visible < slowest:
        sentence = say(
            "{name} is left out: {n} tokens/s of answer, below {limit} only if none is faster (default); {options} admits it.",
            name=plan.name,
            n=at_most(visible),
            limit=f"{slowest:g}",
            options=_admitting(plan, too_slow=True, too_late=wait > longest),
        )
        return Reason("speed", sentence, "answer", visible, slowest, 1)
    if wait <= longest:
        return None
    sentence = say(
        "{name} is left out: first token after {n}, after {limit} only if none is sooner (default); {options} admits it.",
        name=plan.name,
        n=at_least_time(wait),
        limit=duration(longest),
        options=_admitting(plan, too_slow=False, too_late=True),
    )
    return Reason("wait", sentence, "ttft", wait, longest, 1)


def _admitting(plan: Plan, *, too_slow: bool, too_late: bool) -> str:
    """Return the options with which a plan is not left out for its pace: limits that it keeps at the careful end."""
    assert plan.pace is not None
    options = []
    if too_slow:
        options.append(f"--speed {kept_floor(plan.pace.decode_each.low)}")
    if too_late:
        options.append(f"--first {kept_limit(plan.pace.ttft.high)}")
    return " ".join(options)


def _below_floor(answer: Recommendation, model: int, tier: int) -> Reason | None:
    """Return the floor that only files of too few bits reach, None if it is not a floor that decides.

    tier: evidence of quality that the plans of the answer have
    """
    request = answer.request
    if not request.speed and request.max_ttft is None:
        return None
    free = feasible_candidates(
        structs.replace(request, speed=0.0, max_ttft=None), answer.grid.columns, answer.grid.offers, [model]
    )
    tested = np.flatnonzero(free.cells.tier <= tier)
    if not len(tested):
        return None
    facts: dict[str, object] = {"name": free.columns.models[model].name}
    speed, wait = float(free.cells.tokens_per_s_low[tested].max()), float(free.cells.ttft_high[tested].min())
    if speed < request.speed:
        facts |= {"has": at_most(speed), "asked": f"{request.speed:g}"}
        sentence = say(
            "{name} is left out: {has} tokens/s at the low end in files of 4 bits or more, and you asked for {asked}.",
            **facts,
        )
        return Reason("speed", sentence, "speed", speed, request.speed)
    if request.max_ttft is None or wait <= request.max_ttft:
        return None
    facts |= {"has": at_least_time(wait), "asked": typed_duration(request.max_ttft)}
    sentence = say(
        "{name} is left out: with 4 bits or more the first token takes {has} at the high end, and you asked for {asked}.",
        **facts,
    )
    return Reason("wait", sentence, "ttft", wait, request.max_ttft)


def _without_evidence(model: CatalogModel, plan: Plan, tier: int) -> Reason:
    """Return why the quality of a plan is not known well enough: no published files, too few bits, or no scores."""
    facts = {"name": plan.name, "files": plan.quantization}
    if tier == UNPUBLISHED:
        sentence = say("{name} is left out: {files} would fit, but nobody is known to publish it.", **facts)
    elif tier == 1:
        sentence = say(
            "{name} is left out: only files below 4 bits fit ({files}), and few benchmarks test them.", **facts
        )
    elif any(m.basis != "assumed" for m in model.modes):
        sentence = say("{name} is left out: only {files} fits, and so few bits are not tested.", **facts)
    else:
        sentence = say("{name} is left out: no benchmark score of it is known.", **facts)
    return Reason("evidence", sentence, "quality", float(plan.score.value), None, 1)


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
        yield say("put quality first"), "--prefer quality", structs.replace(request, prefer="quality")
    if request.prefer != "speed":
        yield say("put speed first"), "--prefer speed", structs.replace(request, prefer="speed")
    if request.prefer != "price" and not request.owned:
        yield say("put the price first"), "--prefer price", structs.replace(request, prefer="price")
    for users in dict.fromkeys((request.users // 2, 1)):
        if 0 < users < request.users:
            change = say("need it for {people}", people=people(users))
            yield change, f"--users {users}", structs.replace(request, users=users)
    if "Q8_0" not in request.kv_types:
        yield say("use a q8_0 cache"), "--kv-type q8_0", structs.replace(request, kv_types=("Q8_0",))
