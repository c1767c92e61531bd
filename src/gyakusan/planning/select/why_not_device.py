"""Why no machine with a device is plan 1: its price, how it is sold, a limit that it breaks, or that nothing fits or is fast."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from msgspec import structs

from gyakusan.catalog.devices import machine_records
from gyakusan.message import Message, say, typed_duration
from gyakusan.planning.candidates.hardware import HardwareOption, Rejected
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.missed_figures import at_least_time, at_most
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.why_not_fit import rounded_up
from gyakusan.planning.select.why_not_reason import Reason


def not_offered(answer: Recommendation, name: str, count: int) -> Reason:
    """Return why no machine with `count` of a device is among those that are considered."""
    rejected = [r for r in answer.rejected if has_device(r.name, name)]
    same = [r for r in rejected if re.match(rf"{count}x " if count > 1 else r"(?!\d+x )", r.name)]
    if same or rejected:
        cheapest = min(same or rejected, key=lambda r: r.price if r.price is not None else float("inf"))
        return _rejected(answer, cheapest)
    most = answer.request.count
    if most < count <= MAX_DEVICES:
        sentence = say(
            "{name} is left out: {most} cards are the most here; --gpus {n} admits it.", n=count, most=most, name=name
        )
        return Reason("wish", sentence)
    return Reason("unsold", say("{name} is left out: it is not sold as a machine here.", name=name))


def _rejected(answer: Recommendation, machine: Rejected) -> Reason:
    """Return why a machine is not offered: its price beside the budget, that it is not sold so, or what it takes."""
    budget = answer.request.budget
    limit = None if budget is None else answer.rates.convert(budget.amount, budget.currency, "JPY")
    if machine.because == "price":
        return Reason("money", machine.reason, "price", machine.price, limit)
    return Reason(machine.because, machine.reason)


def nothing_holds(answer: Recommendation, request: PlanRequest, options: Sequence[HardwareOption], name: str) -> Reason:
    """Return which limit no requested model keeps on some machines, with what the best of them has of it.

    request: with the limits that count there
    name: of the machine or the server
    """
    columns = answer.grid.columns
    models = np.array(select_models(request, columns)[0], np.int64)
    free = structs.replace(request, arrivals=None)
    missed = feasible_candidates(free, columns, options, models.tolist()).missed
    short = missed.short_by[models]
    if not np.isfinite(short).any():
        return Reason("engine", say("{name} is left out: no requested server runs a requested model on it.", name=name))
    if short.min() > 0:
        nearest = columns.models[int(models[int(np.argmin(short))])].name
        facts = {"name": name, "model": nearest, "n": rounded_up(float(short.min()))}
        sentence = say("{name} is left out: no requested model fits; the nearest, {model}, lacks {n} GiB.", **facts)
        return Reason("memory", sentence, "memory", float(short.min()), None)
    fits = models[short <= 0]
    best, fastest = float(missed.best_quality[fits].max()), float(missed.best_tokens_per_s[fits].max())
    earliest = float(missed.least_ttft[fits].min())
    return _floor(request, name, best, fastest, earliest)


def _floor(request: PlanRequest, name: str, best: float, fastest: float, earliest: float) -> Reason:
    """Return the floor that nothing keeps: of quality [points], speed [tokens/s] or wait [s]; else that none keeps all."""
    if request.quality is not None and best < request.quality:
        facts: dict[str, object] = {"name": name, "has": at_most(best, 0), "asked": f"{request.quality:g}"}
        sentence = say("{name} is left out: the best that fits has {has} points, and you asked for {asked}.", **facts)
        return Reason("quality", sentence, "quality", best, request.quality)
    if request.speed and fastest < request.speed:
        facts = {"name": name, "has": at_most(fastest), "asked": f"{request.speed:g}"}
        sentence = say(
            "{name} is left out: {has} tokens/s at the low end are the most, and you asked for {asked}.", **facts
        )
        return Reason("speed", sentence, "speed", fastest, request.speed)
    if request.max_ttft is not None and earliest > request.max_ttft:
        facts = {"name": name, "has": at_least_time(earliest), "asked": typed_duration(request.max_ttft)}
        sentence = say(
            "{name} is left out: the first token takes {has} at the high end or more, and you asked for {asked}.",
            **facts,
        )
        return Reason("wait", sentence, "ttft", earliest, request.max_ttft)
    if request.arrivals is not None:
        rate = f"{request.arrivals * 3600:,.0f}"
        sentence = say("{name} is left out: nothing on it keeps up with {n} requests an hour.", name=name, n=rate)
        return Reason("rate", sentence, "rate", None, request.arrivals)
    return Reason("together", _together(name))


def _together(name: str) -> Message:
    return say("{name} is left out: models fit, but none keeps all your limits at once.", name=name)


def has_device(machine: str, device: str) -> bool:
    """Return True if a machine has this device, whatever their number and size: "RTX 5090" is not "RTX 5090 D".

    A chip is sold inside computers: "M4 Max 128GB" in a Mac Studio of that memory.
    """
    return any(re.fullmatch(rf"(\d+x )?{re.escape(n)}( \d+GB)?", machine) for n in (device, *_computers_with(device)))


@cache
def _computers_with(device: str) -> tuple[str, ...]:
    """Return the computers that have a chip inside, with their memory if the chip is named with it."""
    found = []
    for record in machine_records():
        if record.device == device:
            found.append(record.name)
        found += [f"{record.name} {size}GB" for size in record.sizes_gib if f"{record.device} {size}GB" == device]
    return tuple(found)
