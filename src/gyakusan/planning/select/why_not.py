"""Why a model, an engine or a device is not recommended: the limit it breaks, by how much, and the smallest change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gyakusan.catalog.devices import knows
from gyakusan.catalog.models import find
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import Message, say
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import candidate_row
from gyakusan.planning.select.why_not_model import best_supported, model_reasons


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why something is not recommended.

    name: full name of the model, engine or device
    kind: "model", "engine" or "device"
    reasons: sentences, the decisive one first
    """

    name: str
    kind: str
    reasons: tuple[Message, ...]


def why_not(recommendation: Recommendation, text: str) -> WhyNot:
    """Return why the model, engine or device named `text` is not recommended. Raises UnknownName if it is none of them."""
    try:
        name = engine(text).NAME
        return WhyNot(name, "engine", tuple(_engine_reasons(recommendation, name)))
    except UnknownName:
        pass
    if knows(text):
        return WhyNot(text, "device", tuple(_device_reasons(recommendation, text)))
    try:
        name = find(text).name
    except UnknownName as error:
        if "candidates" in error.message.facts:
            raise
        names = (*recommendation.grid.columns.places, *NAMES)
        raise unknown(say("model, engine or device"), text, names) from error
    return WhyNot(name, "model", tuple(model_reasons(recommendation, name)))


def _engine_reasons(recommendation: Recommendation, name: str) -> Iterator[Message]:
    """Yield why an engine is not recommended: it does not run here, was not asked for, or is no better."""
    if any(p.engine == name for p in recommendation.plans):
        yield say("{name} is proposed.", name=name)
        return
    grid, request = recommendation.grid, recommendation.request
    for option in grid.offers[:1]:
        reason = engine(name).machine_refusal(option.machine, request.os)
        if reason is not None:
            yield reason
            return
    if name not in grid.engines:
        yield say("{name} was not requested: add --engine {name}.", name=name)
        return
    under = np.flatnonzero(grid.cells.engine == grid.engines.index(name))
    if not len(under):
        yield say("With {name} no requested model fits and is fast enough.", name=name)
        return
    best = candidate_row(grid, best_supported(request, grid, under))
    yield say(
        (
            "Its best plan is {model} {quantization}: quality {quality}, {speed} tokens/s for each user. "
            "A proposed plan is better."
        ),
        model=best["model"],
        quantization=best["quantization"],
        quality=best["quality"],
        speed=best["tokens_per_second"] or "?",
    )


def _device_reasons(recommendation: Recommendation, text: str) -> Iterator[Message]:
    """Yield why no machine with a device is recommended: it is beyond a limit, has no price, or is no better."""
    from gyakusan import machines

    grid, request = recommendation.grid, recommendation.request
    if request.owned:
        yield say("The request is for {machine}: name another with --device.", machine=grid.offers[0].machine.name)
        return
    name = machines.parse(text).name
    options = [i for i, option in enumerate(grid.offers) if _has_device(option.machine.name, name)]
    rejected = [r for r in recommendation.rejected if _has_device(r.name, name)]
    if rejected and not options:
        yield min(rejected, key=lambda r: r.price if r.price is not None else float("inf")).reason
        return
    on_device = np.flatnonzero(np.isin(grid.cells.offer, options))
    if not len(on_device):
        yield say("No requested model fits on {name} and is fast enough.", name=name)
        return
    best = candidate_row(grid, best_supported(request, grid, on_device))
    yield say(
        (
            "On {machine} the best plan is {model} {quantization}: quality {quality}, {speed} tokens/s "
            "for each user. A proposed plan is better or cheaper."
        ),
        machine=best["machine"],
        model=best["model"],
        quantization=best["quantization"],
        quality=best["quality"],
        speed=best["tokens_per_second"] or "?",
    )


def _has_device(machine: str, device: str) -> bool:
    """Return True if a machine has this device, whatever their number and size: "RTX 5090" is not "RTX 5090 D"."""
    return re.fullmatch(rf"(\d+x )?{re.escape(device)}( \d+GB)?", machine) is not None
