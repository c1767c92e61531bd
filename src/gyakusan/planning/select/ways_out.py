"""A request without a plan: which limit decides, and which changes give it one, the smallest first, each tried."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from msgspec import structs

from gyakusan.doors.shell import shell_word
from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.candidates.reasoning_modes import EVIDENCE_TIERS
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.missed_figures import reached, reached_time, reached_wait
from gyakusan.planning.select.more_ram import larger_ram, missing_ram
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import CHEAPEST_WITHIN_POINTS
from gyakusan.planning.select.recommend import choose_plans
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.relaxations import CONTEXT_STEP, MIN_CONTEXT, WHOLE_COMPUTER, Relaxation, context_changes

Decides = Literal["memory", "ram", "quality", "unknown", "speed", "wait", "money", "power", "choice"]
"""What leaves a request without a plan."""
OPTIONS: Mapping[Decides, str] = {"quality": "--quality ", "speed": "--speed ", "wait": "--first "}
"""Limit -> the option that sets it."""
MAX_RAISES = 4
"""Times that a limit is set to what the plan under it reaches."""
SURE_SHARES = (0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""Shares of people or of a context that are tried where a plan for all of them may not fit."""
MAX_WAYS = 6
"""Most changes that are shown."""


@dataclass(frozen=True, slots=True)
class TriedChange:
    """A change of a request, with what it gives.

    change: what is different, for people
    options: what is added to the command
    plan: the first plan of the changed request
    effort: how large the change is, to order by: 1 = half or twice of something
    wants: the value of the one limit that is lowered, None = something else changes [points, tokens/s, s]
    """

    change: Message
    options: str
    plan: Plan
    effort: float
    wants: float | None = None


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why a request has no plan.

    decides: the limit that no candidate meets
    has: what comes nearest to it: missing bytes [B], points, tokens/s, seconds, JPY or W, by `decides`; None = not known
    wants: what was asked for, in the same unit; None = nothing was
    ways: changes that give it a plan, the smallest first
    computer: what the cheapest whole computer costs, where a card alone costs less; None = nothing does
    """

    decides: Decides
    has: float | None
    wants: float | None
    ways: tuple[TriedChange, ...]
    computer: Message | None = None


def no_plan(answer: Recommendation) -> NoPlan:
    """Return why an answer is empty, and what would work. Every way was planned with the engine's own ledger."""
    decides, has, wants = _deciding(answer)
    found = [way for way in _ways(answer) if way is not None]
    ways = tuple(sorted(found, key=lambda w: w.effort))[:MAX_WAYS]
    alone = [w.plan.offer for w in ways if w.options.startswith("--budget ") and w.options.count(" --") == 0]
    prices = [offer.price for offer in alone if offer.price is not None]
    known = answer.grid.missed.short_by[np.isfinite(answer.grid.missed.short_by)]
    if decides == "money" and prices:
        has = min(prices)
    elif (
        decides == "money" and len(known) and not any("--budget " in w.options or "--power " in w.options for w in ways)
    ):
        decides, has = "memory", float(known.min())  # no budget alone has a plan
    if decides == "money" and ways and all(w.options.startswith("--power ") for w in ways):  # there is money enough
        decides, has, wants = "power", min(w.plan.offer.power or math.inf for w in ways), answer.request.power
    near = next(
        (w.wants for w in ways if w.wants is not None and w.options.startswith(OPTIONS.get(decides, "-- "))), None
    )
    has = has if near is None else near  # what a plan reaches: what a sweep reaches may not hold
    whole = next((r.sentence for r in answer.relaxations if r.sentence.template == WHOLE_COMPUTER), None)
    return NoPlan(decides, has, wants, ways, whole if decides == "money" else None)


def _deciding(answer: Recommendation) -> tuple[Decides, float | None, float | None]:
    """Return the limit that excludes everything, in the order in which limits are judged."""
    request, missed = answer.request, answer.grid.missed
    if not answer.grid.offers:
        return "money", None, None
    known = missed.short_by[np.isfinite(missed.short_by)]
    if not len(known):
        return "choice", None, None
    if float(known.min()) > 0:
        return ("memory", float(known.min()), None) if request.owned else ("money", None, None)
    if request.quality is not None and missed.best_quality.max() < request.quality:
        return "quality", float(missed.best_quality.max()), request.quality
    unknown = missed.best_tokens_per_s.max() <= 0 and not np.isfinite(missed.least_ttft.min())
    if (request.speed or request.max_ttft is not None) and unknown:
        return "unknown", None, None
    if request.speed and missed.best_tokens_per_s.max() < request.speed:
        return "speed", float(missed.best_tokens_per_s.max()), request.speed
    if request.max_ttft is not None and missed.least_ttft.min() > request.max_ttft:
        return "wait", float(missed.least_ttft.min()), request.max_ttft
    ram = missing_ram(request, answer.grid)
    return ("choice", None, None) if ram is None else ("ram", ram, None)


def _ways(answer: Recommendation) -> Iterator[TriedChange | None]:
    """Yield each change that works: those of the relaxations, a smaller cache, one more card."""
    request, hardware = answer.request, answer.grid.offers
    if "Q8_0" not in request.kv_types:
        smaller = structs.replace(request, kv_types=("Q8_0",))
        yield _tried(answer, smaller, hardware, say("KV cache q8_0"), "--kv-type q8_0", 0.2)
    for relaxation in (r for r in answer.relaxations if r.sentence.template != WHOLE_COMPUTER):
        nearer = tuple(_nearer(answer, relaxation))
        yield from nearer or (_relaxed(answer, relaxation),)
    yield _more_ram(answer)
    if request.owned and hardware and (larger := one_more_card(hardware[0])):
        name = larger.machine.name
        yield _tried(answer, request, (larger,), say("one more card"), f"--device {shell_word(name)}", 1.5)


def _more_ram(answer: Recommendation) -> TriedChange | None:
    """Return the least RAM of those tried with which a plan surely fits, None where nobody gave one."""
    for ram in larger_ram(answer.request):
        changed = structs.replace(answer.request, ram=ram.option)
        plan = first_plan(answer, changed, hardware_options(changed)[0])
        if plan is not None and plan.surely_fits:
            return TriedChange(ram.change, f"--ram {ram.option}", plan, ram.effort)
    return None


def _tried(
    answer: Recommendation,
    request: PlanRequest,
    hardware: tuple[HardwareOption, ...],
    change: Message,
    options: str,
    effort: float,
) -> TriedChange | None:
    """Return a change if it has a plan."""
    plan = first_plan(answer, request, hardware)
    return None if plan is None else TriedChange(change, options, plan, effort)


def first_plan(answer: Recommendation, request: PlanRequest, hardware: tuple[HardwareOption, ...]) -> Plan | None:
    """Return the first plan of a changed request, None if it has none."""
    plans = choose_plans(request, feasible_candidates(request, answer.grid.columns, hardware), ("balanced",))
    return plans[0] if plans else None


def _relaxed(answer: Recommendation, relaxation: Relaxation) -> TriedChange | None:
    """Return a relaxation as a change with its options; a limit that was dropped is set to what is reached."""
    changes = dict(relaxation.changes)
    if not changes:
        return None
    request = structs.replace(answer.request, **changes)
    bought = not changes.keys().isdisjoint(("budget", "power")) and not request.owned
    hardware = hardware_options(request)[0] if bought else answer.grid.offers
    plan = first_plan(answer, request, hardware)
    if plan is None:
        return None
    if len(changes) > 1 and "context" not in changes:
        plan, changes = _nearest_together(answer, changes, hardware, plan)
    else:
        if not plan.surely_fits:
            plan, changes = _surely(answer, changes, hardware, plan)
        changes |= _reached(changes, plan)
    if "power" in changes and plan.offer.power is not None:
        changes["power"] = float(math.ceil(plan.offer.power))
    change, options, effort = named_changes(answer.request, changes)
    if change is None or (len(changes) == 1 and _asks_something_else(answer.request, changes)):
        return None
    return TriedChange(change, options, plan, effort)


def _surely(
    answer: Recommendation, changes: dict[str, Any], hardware: tuple[HardwareOption, ...], plan: Plan
) -> tuple[Plan, dict[str, Any]]:
    """Return fewer people or less context, with a plan that surely fits; what was given where nothing near does.

    plan: it may not fit
    """
    for share in SURE_SHARES:
        less = dict(changes)
        if changes.get("users", 1) > 1:
            less["users"] = max(1, int(changes["users"] * share))
        elif (shorter := int(changes.get("context", 0) * share) // CONTEXT_STEP * CONTEXT_STEP) >= MIN_CONTEXT:
            less |= context_changes(answer.request, shorter)
        else:
            break
        found = first_plan(answer, structs.replace(answer.request, **less), hardware)
        if found is not None and found.surely_fits:
            return found, less
    return plan, changes


def _asks_something_else(request: PlanRequest, changes: Mapping[str, Any]) -> bool:
    """Return True if the quality is lowered by so much that it is another question: alone that is no way."""
    quality = changes.get("quality")
    return bool(request.quality and quality is not None and request.quality - quality > CHEAPEST_WITHIN_POINTS)


def _nearest_together(
    answer: Recommendation, changes: dict[str, Any], hardware: tuple[HardwareOption, ...], plan: Plan
) -> tuple[Plan, dict[str, Any]]:
    """Return a plan under several limits that are lowered together, each as little as the others allow, and the limits.

    plan: the first plan without the limits
    """
    free = structs.replace(answer.request, **changes)
    for field in ("quality", "speed", "max_ttft"):
        if field not in changes:
            continue
        cells = feasible_candidates(free, answer.grid.columns, hardware).cells
        limits = [limit for limit, tier in _limits_of(cells, field) if tier]
        for limit in (*limits, *_reached({field: None}, plan).values()):
            kept = structs.replace(free, **{field: limit})
            better = first_plan(answer, kept, hardware)
            if better is not None:
                plan, free = better, kept
                changes[field] = limit
                break
    return plan, changes


def _nearer(answer: Recommendation, relaxation: Relaxation) -> Iterator[TriedChange]:
    """Yield one limit that is lowered as little as candidates allow: to what any reach, then to what tested files reach.

    Nothing where the relaxation is of something else. Each is planned under the limit that its options set.
    """
    field = next(iter(relaxation.changes), "")
    if len(relaxation.changes) != 1 or field not in ("quality", "speed", "max_ttft"):
        return
    free = structs.replace(answer.request, **relaxation.changes)
    tested = False
    for limit, tier in _reachable(answer, free, field):
        if tested:
            return
        plan, limit = _raised(answer, free, field, limit)
        change, options, effort = named_changes(answer.request, {field: limit})
        far = _asks_something_else(answer.request, {field: limit})
        if plan is not None and change is not None and not far:
            yield TriedChange(change, options, plan, effort, limit)
            tested = tier


def _raised(answer: Recommendation, free: PlanRequest, field: str, limit: float) -> tuple[Plan | None, float]:
    """Return the plan under a limit, and the limit as far as that plan, or the one under its own figure, keeps it.

    A stricter limit brings candidates that others left no room for, and the plan may be better than its limit.
    """
    changed: dict[str, Any] = {field: limit}
    plan = first_plan(answer, structs.replace(free, **changed), answer.grid.offers)
    for _ in range(MAX_RAISES if plan is not None else 0):
        assert plan is not None
        own = _reached({field: None}, plan).get(field, limit)
        if not (own < limit if field == "max_ttft" else own > limit):
            break
        better = first_plan(answer, structs.replace(free, **{field: own}), answer.grid.offers)
        if better is None:
            break
        plan, limit = better, own
    return plan, limit


def _reachable(answer: Recommendation, request: PlanRequest, field: str) -> list[tuple[float, bool]]:
    """Return the best value of a limit for each tier of evidence, nearest first, and whether it is the best tier.

    request: without the limit
    """
    return _limits_of(feasible_candidates(request, answer.grid.columns, answer.grid.offers).cells, field)


def _limits_of(cells: CandidateColumns, field: str) -> list[tuple[float, bool]]:
    """Return the best value of a limit among candidates for each tier of evidence, and whether it is the best tier."""
    best = np.min(cells.tier, initial=EVIDENCE_TIERS)
    limits: dict[float, bool] = {}
    for tier in np.unique(cells.tier).tolist():
        place = cells.tier == tier
        if field == "quality":
            limit = float(math.floor(cells.quality[place].max()))
        elif field == "speed":
            limit = float(reached(float(np.nan_to_num(cells.tokens_per_s_low[place]).max())))
        else:
            late = float(np.nan_to_num(cells.ttft_high[place], nan=np.inf).min())
            limit = float(reached_wait(late)) if math.isfinite(late) else 0.0
        if limit > 0:
            limits[limit] = limits.get(limit, False) or tier == best
    return sorted(limits.items(), reverse=field != "max_ttft")


def _reached(changes: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Return the limits that the plan reaches, in place of those that were dropped."""
    out: dict[str, Any] = {}
    if "quality" in changes:
        out["quality"] = float(math.floor(plan.score.value))
    if "speed" in changes and plan.pace is not None:
        out["speed"] = math.floor(10 * plan.pace.decode_each.low) / 10
    if "max_ttft" in changes and plan.pace is not None:
        out["max_ttft"] = math.ceil(10 * plan.pace.ttft.high) / 10
    return out


def named_changes(request: PlanRequest, changes: Mapping[str, Any]) -> tuple[Message | None, str, float]:
    """Return a change in words, as options, and how large it is. Several at once: their words and options together."""
    told: list[tuple[Message, str, float]] = []
    for field, value in changes.items():
        if value == getattr(request.workload, field, getattr(request, field)):
            continue
        if (one := _one(request, field, value)) is not None:
            told.append(one)
    if not told:
        return None, "", 0.0
    options = " ".join(o for _, o, _ in told if o)
    change = told[0][0] if len(told) == 1 else say("{first} and {others} more", first=told[0][0], others=len(told) - 1)
    return change, options, sum(e for *_, e in told)


def _one(request: PlanRequest, field: str, value: Any) -> tuple[Message, str, float] | None:
    """Return one changed field in words, as an option, and how large the change is; None for what follows from another."""
    match field:
        case "users":
            return people(value), f"--users {value}", abs(math.log2(request.users / value))
        case "context":
            effort = math.log2(max(1.0, request.workload.context / value))
            return say("{n} tokens", n=f"{value:,}"), f"--context {value}", effort
        case "budget":
            assert isinstance(value, Money)
            option = f"--budget {math.ceil(value.amount)}{value.currency}"
            asked = request.budget.amount if request.budget else value.amount
            return say("budget {amount}", amount=value.text), option, max(0.3, math.log2(value.amount / asked))
        case "arrivals" if value is not None:
            hourly = round(value * 3600)
            return say("{n} requests an hour", n=f"{hourly:,}"), f"--arrivals {hourly}/h", 1.0
        case _:
            return _limit(request, field, value)


def _limit(request: PlanRequest, field: str, value: Any) -> tuple[Message, str, float] | None:
    """Return a limit that is lowered or dropped."""
    match field:
        case "quality" if value is not None and request.quality:
            gap = max(0.0, request.quality - value)
            return say("{n} points are enough", n=f"{value:g}"), f"--quality {value:g}", gap / 10
        case "speed" if value and request.speed:
            return (
                say("{n} tokens/s are enough", n=f"{value:g}"),
                f"--speed {value:g}",
                math.log2(request.speed / value),
            )
        case "max_ttft" if value is not None and request.max_ttft:
            effort = math.log2(value / request.max_ttft)
            return say("{n} to the first token", n=reached_time(value)), f"--first {value:g}", effort
        case "power" if value is not None and request.power:
            return say("{n} W", n=f"{value:,.0f}"), f"--power {value:.0f}", math.log2(value / request.power)
        case "engines" if request.engines:
            return say("any server"), "--engine all", 0.5
        case "licenses" if request.licenses:
            return say("any licence"), "--licenses all", 0.5
        case "families" if request.families:
            return say("any model family"), "--families all", 0.5
        case _:
            return None


def one_more_card(option: HardwareOption) -> HardwareOption | None:
    """Return the machine with one more of its last card, None if it takes no more cards."""
    gpus = option.machine.gpus
    if not gpus or gpus[0].kind != "gpu" or len(gpus) >= MAX_DEVICES:
        return None
    count = len(gpus) + 1
    machine = structs.replace(option.machine, gpus=(*gpus, gpus[-1]), name=f"{count}x {gpus[-1].name}")
    return structs.replace(option, machine=machine, count=count)
