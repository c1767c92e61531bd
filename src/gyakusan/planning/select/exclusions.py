"""Which models a request allows, and why each of the others is not recommended: the limit it breaks, by how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from gyakusan.catalog import listing
from gyakusan.catalog.models import find
from gyakusan.catalog.projectors import reads_images
from gyakusan.errors import unknown
from gyakusan.message import Message, say, typed_duration
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.missed_figures import at_least_time, at_most
from gyakusan.units import format_bytes

PERMISSIVE = ("apache-2.0", "mit", "bsd", "cc-by-4.0")
"""Licences that "permissive" stands for."""


class Excluded(Struct, frozen=True):
    """A model that no plan uses.

    name: of the model
    reason: the limit that it breaks, or what is better
    """

    name: str
    reason: Message


def select_models(request: PlanRequest, columns: ModelTable) -> tuple[list[int], list[Excluded]]:
    """Return the indices of the models that a request allows, and the others with their reasons.

    Raises UnknownName for a family or a licence that no model has.
    """
    _check_names(request, columns)
    allowed: list[int] = []
    excluded: list[Excluded] = []
    for index, model in enumerate(columns.models):
        reason = model_filter_reason(request, model)
        if reason is None:
            allowed.append(index)
        else:
            excluded.append(Excluded(model.name, reason))
    return allowed, excluded


def _check_names(request: PlanRequest, columns: ModelTable) -> None:
    for name in (*request.families, *request.exclude_families):
        if not any(_in_family(m, name) for m in columns.models):
            known = dict.fromkeys(m.name.partition("-")[0] for m in columns.models)
            where = say("A family is how names of models begin, e.g. qwen3: gyakusan catalog list models")
            raise unknown(say("model family"), name, known, otherwise=where.template)
    licenses = {m.license for m in columns.models if m.license}
    for name in request.licenses:
        if not any(_has_license(known, name) for known in (*licenses, *PERMISSIVE)):
            raise unknown(say("licence"), name, (*licenses, "permissive"), choices=True)


def model_filter_reason(request: PlanRequest, model: CatalogModel) -> Message | None:
    """Return why a request does not allow a model, None if it does."""
    if request.model is not None:
        return _unable(request, model) if model.name == request.model else say("another model was requested")
    return _unwanted(request, model) or _unsuitable(request, model)


def _unwanted(request: PlanRequest, model: CatalogModel) -> Message | None:
    """Return which wish of the request excludes a model."""
    if request.licenses and not any(_has_license(model.license, w) for w in request.licenses):
        return say("its licence is {license}", license=model.license or say("not known"))
    if request.families and not any(_in_family(model, f) for f in request.families):
        return say("another model family was requested")
    if any(_in_family(model, f) for f in request.exclude_families):
        return say("its family is left out (--without)")
    return None


def _unsuitable(request: PlanRequest, model: CatalogModel) -> Message | None:
    """Return why a model is not for this request, whoever made it."""
    if model.unlisted is not None:
        return listing.explain(model.unlisted)
    if all(m.kind for m in model.modes) and not request.families:
        return say("made for a special purpose, not for chat; --model plans it")
    return _unable(request, model)


def _unable(request: PlanRequest, model: CatalogModel) -> Message | None:
    """Return what was asked for that a model cannot do, even if it is the one that was named."""
    if request.images and not reads_images(find(model.name)):
        return say("it reads no images")
    return _untrained(request, model)


def _untrained(request: PlanRequest, model: CatalogModel) -> Message | None:
    """Return that a model was not trained for the context: its quality there is not what was measured."""
    trained, context = model.outline.trained_context, request.workload.context
    if 0 < trained < context:
        return say("trained for {trained} tokens, {asked} requested", trained=f"{trained:,}", asked=f"{context:,}")
    return None


def _has_license(license_: str, wanted: str) -> bool:
    plain = license_.casefold()
    return plain in PERMISSIVE if wanted.casefold() == "permissive" else plain.startswith(wanted.casefold())


def _in_family(model: CatalogModel, family: str) -> bool:
    return model.name.casefold().startswith(family.casefold())


class Miss(Struct, frozen=True):
    """The limit that a model does not keep.

    because: memory, quality, speed, wait, rate or engine; "choice" where it keeps every limit
    reason: in words
    has: what it has, None = not known
    wants: the limit, None = there is none
    """

    because: Literal["memory", "quality", "speed", "wait", "rate", "engine", "choice"]
    reason: Message
    has: float | None = None
    wants: float | None = None


def missed_models(request: PlanRequest, grid: SweepResult, allowed: Sequence[int]) -> list[Excluded]:
    """Return the allowed models of which no candidate is left, each with its reason."""
    left = set(grid.models.tolist())
    models = grid.columns.models
    return [Excluded(models[i].name, closest_miss(request, grid, i).reason) for i in allowed if i not in left]


def closest_miss(request: PlanRequest, grid: SweepResult, model: int) -> Miss:
    """Return the limit that excludes a model, in the order in which limits are judged."""
    missed = grid.missed
    short = float(missed.short_by[model])
    if not np.isfinite(short):
        return Miss("engine", say("no requested engine runs it on this machine"))
    if short > 0:
        return Miss("memory", say("short by {short} at its smallest quantisation", short=format_bytes(short)), short)
    best, speed, wait = (float(c[model]) for c in (missed.best_quality, missed.best_tokens_per_s, missed.least_ttft))
    if request.quality is not None and best < request.quality:
        asked = request.quality
        return Miss(
            "quality",
            say("quality {has}, and you asked for {asked}", has=at_most(best, 0), asked=f"{asked:g}"),
            best,
            asked,
        )
    if (request.speed or request.max_ttft is not None) and speed <= 0 and not np.isfinite(wait):
        return Miss("speed", say("how fast it would be is not known here"), None, request.speed or None)
    if request.speed and speed < request.speed:
        template = "{has} tokens/s for each user at the low end, and you asked for {asked}"
        facts: dict[str, object] = {"has": at_most(speed), "asked": f"{request.speed:g}"}
        return Miss("speed", Message(template, facts), speed, request.speed)
    if request.max_ttft is not None and wait > request.max_ttft:
        template = "the first token takes {has} at the high end, and you asked for {asked}"
        facts = {"has": at_least_time(wait), "asked": typed_duration(request.max_ttft)}
        return Miss("wait", Message(template, facts), wait, request.max_ttft)
    if request.arrivals is not None:
        return Miss(
            "rate",
            say("it does not keep up with {n} requests an hour", n=f"{request.arrivals * 3600:,.0f}"),
            None,
            request.arrivals,
        )
    return Miss("choice", say("others are better, faster or cheaper"))
