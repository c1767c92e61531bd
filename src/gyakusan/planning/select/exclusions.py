"""Which models a request allows, and why each of the others is not recommended: the limit it breaks, by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gyakusan.catalog import listing
from gyakusan.catalog.models import find
from gyakusan.catalog.projectors import reads_images
from gyakusan.message import Message, say
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.units import format_bytes

PERMISSIVE = ("apache-2.0", "mit", "bsd", "cc-by-4.0")
"""Licences that "permissive" stands for."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A model that no plan uses.

    name: of the model
    reason: the limit that it breaks, or what is better
    """

    name: str
    reason: Message


def select_models(request: PlanRequest, columns: ModelTable) -> tuple[list[int], list[Excluded]]:
    """Return the indices of the models that a request allows, and the others with their reasons."""
    allowed: list[int] = []
    excluded: list[Excluded] = []
    for index, model in enumerate(columns.models):
        reason = model_filter_reason(request, model)
        if reason is None:
            allowed.append(index)
        else:
            excluded.append(Excluded(model.name, reason))
    return allowed, excluded


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
    trained, context = int(model.facts["model"]["trained_context"]), request.workload.context
    if 0 < trained < context:
        return say("trained for {trained} tokens, {asked} requested", trained=f"{trained:,}", asked=f"{context:,}")
    return None


def _has_license(license_: str, wanted: str) -> bool:
    plain = license_.casefold()
    return plain in PERMISSIVE if wanted.casefold() == "permissive" else plain.startswith(wanted.casefold())


def _in_family(model: CatalogModel, family: str) -> bool:
    start = family.casefold()
    return model.name.casefold().startswith(start) or str(model.facts["model"]["architecture"]).casefold() == start


def missed_models(request: PlanRequest, grid: SweepResult, allowed: Sequence[int]) -> list[Excluded]:
    """Return the allowed models of which no candidate is left, each with its reason."""
    left = set(grid.models.tolist())
    models = grid.columns.models
    return [Excluded(models[i].name, _closest_miss(request, grid, i)) for i in allowed if i not in left]


def _closest_miss(request: PlanRequest, grid: SweepResult, model: int) -> Message:
    """Return the limit that excludes a model, in the order in which limits are judged."""
    missed = grid.missed
    if not np.isfinite(missed.short_by[model]):
        return say("no requested engine runs it on this machine")
    if missed.short_by[model] > 0:
        return say("short by {short} at its smallest quantisation", short=format_bytes(float(missed.short_by[model])))
    if request.quality is not None and missed.best_quality[model] < request.quality:
        return say(
            "quality {has}, floor {asked}", has=f"{missed.best_quality[model]:.0f}", asked=f"{request.quality:.0f}"
        )
    if request.speed and missed.best_tokens_per_s[model] < request.speed:
        return say(
            "{has} tokens/s for each user, floor {asked}",
            has=f"{missed.best_tokens_per_s[model]:.1f}",
            asked=f"{request.speed:g}",
        )
    if request.max_ttft is not None and missed.least_ttft[model] > request.max_ttft:
        return say(
            "first token after {has} s, limit {asked} s",
            has=f"{missed.least_ttft[model]:.1f}",
            asked=f"{request.max_ttft:g}",
        )
    return say("others are better, faster or cheaper")
