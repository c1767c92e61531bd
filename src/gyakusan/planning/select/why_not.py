"""Why a model, an engine or a device is not plan 1: the limit it breaks, by how much, and the smallest change."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gyakusan.catalog.devices import knows
from gyakusan.catalog.models import find
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import Message, say
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.why_not_model import Explained, explain_model, plans_of


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why something is not plan 1.

    name: full name of the model, engine or device
    kind: "model", "engine" or "device"
    reasons: sentences, the decisive one first
    plan: its own best plan, None where it has none
    rival: number of the plan that it is compared with, 0 = none
    changes: what makes it plan 1, each tried: in words, and as options of the command
    """

    name: str
    kind: str
    reasons: tuple[Message, ...]
    plan: Plan | None = None
    rival: int = 0
    changes: tuple[tuple[Message, str], ...] = ()


def why_not(recommendation: Recommendation, text: str) -> WhyNot:
    """Return why the model, engine or device named `text` is not plan 1. Raises UnknownName if it is none of them."""
    try:
        name = engine(text).NAME
        return _told(name, "engine", _explain_engine(recommendation, name))
    except UnknownName:
        pass
    if knows(text):
        return _told(text, "device", _explain_device(recommendation, text))
    try:
        name = find(text).name
    except UnknownName as error:
        if "candidates" in error.message.facts:
            raise
        names = (*recommendation.grid.columns.places, *NAMES)
        raise unknown(say("model, engine or device"), text, names) from error
    return _told(name, "model", explain_model(recommendation, name))


def _told(name: str, kind: str, why: Explained) -> WhyNot:
    return WhyNot(name, kind, why.reasons, why.plan, why.rival, why.changes)


def _explain_engine(answer: Recommendation, name: str) -> Explained:
    """Return why an engine is not that of plan 1: it does not run here, was not asked for, or is no better."""
    place = next((n for n, p in enumerate(answer.plans, 1) if p.engine == name), 0)
    if place:
        return Explained((say("{name} is the server of plan {n}.", name=name, n=place),), answer.plans[place - 1])
    grid, request = answer.grid, answer.request
    for option in grid.offers[:1]:
        reason = engine(name).machine_refusal(option.machine, request.os)
        if reason is not None:
            return Explained((reason,))
    if name not in grid.engines:
        return Explained((say("{name} was not requested: add --engine {name}.", name=name),))
    under = np.flatnonzero(grid.cells.engine == grid.engines.index(name))
    plan = plans_of(answer, under.tolist())
    if plan is None:
        return Explained((say("With {name} no requested model fits and is fast enough.", name=name),))
    reason = say(
        "The best plan with {name} is {model} {files}; plan 1 comes first.",
        name=name,
        model=plan.name,
        files=plan.quantization,
    )
    return Explained((reason,), plan, min(1, len(answer.plans)))


def _explain_device(answer: Recommendation, text: str) -> Explained:
    """Return why no machine with a device is plan 1: it is beyond a limit, has no price, or is no better."""
    from gyakusan import machines

    grid, request = answer.grid, answer.request
    if request.owned:
        machine = grid.offers[0].machine.name
        return Explained((say("The request is for {machine}: name another with --device.", machine=machine),))
    name = machines.parse(text).name
    place = next((n for n, p in enumerate(answer.plans, 1) if _has_device(p.offer.machine.name, name)), 0)
    if place:
        return Explained((say("{name} is the machine of plan {n}.", name=name, n=place),), answer.plans[place - 1])
    options = [i for i, option in enumerate(grid.offers) if _has_device(option.machine.name, name)]
    rejected = [r for r in answer.rejected if _has_device(r.name, name)]
    if rejected and not options:
        return Explained((min(rejected, key=lambda r: r.price if r.price is not None else float("inf")).reason,))
    plan = plans_of(answer, np.flatnonzero(np.isin(grid.cells.offer, options)).tolist())
    if plan is None:
        return Explained((say("No requested model fits on {name} and is fast enough.", name=name),))
    reason = say(
        "On {machine} the best plan is {model} {files}; plan 1 comes first.",
        machine=plan.offer.machine.name,
        model=plan.name,
        files=plan.quantization,
    )
    return Explained((reason,), plan, min(1, len(answer.plans)))


def _has_device(machine: str, device: str) -> bool:
    """Return True if a machine has this device, whatever their number and size: "RTX 5090" is not "RTX 5090 D"."""
    return re.fullmatch(rf"(\d+x )?{re.escape(device)}( \d+GB)?", machine) is not None
