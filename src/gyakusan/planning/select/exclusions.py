"""Why not: for each model that is not proposed the limit that it breaks, by how much, and the smallest change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gyakusan.message import Message, say
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.units import format_bytes

PERMISSIVE = ("apache-2.0", "mit", "bsd", "cc-by-4.0")
"""What "permissive" means as a licence."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A model that is not proposed, and why."""

    name: str
    reason: Message


def select_models(question: PlanRequest, columns: ModelTable) -> tuple[list[int], list[Excluded]]:
    """Places of the models that a question allows, and the others."""
    places, left = [], []
    for place, known in enumerate(columns.models):
        reason = model_filter_reason(question, known)
        if reason is None:
            places.append(place)
        else:
            left.append(Excluded(known.name, reason))
    return places, left


def model_filter_reason(question: PlanRequest, known: CatalogModel) -> Message | None:
    """Why a model is not asked for at all, None if it is."""
    if question.model is not None:
        return None if known.name == question.model else say("another model was asked for")
    if question.licenses and not any(_licensed(known.license, w) for w in question.licenses):
        return say("its licence is {license}", license=known.license or say("not known"))
    if question.families and not any(_called(known, f) for f in question.families):
        return say("another family was asked for")
    if any(_called(known, f) for f in question.exclude_families):
        return say("its family is not wanted")
    if not known.listed:
        return say("not proposed: a base model, an old one or a fine-tune that few use; name it with --model")
    if all(m.kind for m in known.modes) and not question.families:
        return say("made for a special purpose, not for conversation; name it with --model")
    trained = int(known.facts["model"]["trained_context"])
    if 0 < trained < question.workload.context:
        facts = {"trained": f"{trained:,}", "asked": f"{question.workload.context:,}"}
        return say("trained for {trained} tokens, {asked} asked", **facts)
    return None


def _licensed(known: str, asked: str) -> bool:
    plain = known.casefold()
    return plain in PERMISSIVE if asked.casefold() == "permissive" else plain.startswith(asked.casefold())


def _called(known: CatalogModel, family: str) -> bool:
    asked = family.casefold()
    return known.name.casefold().startswith(asked) or str(known.facts["model"]["architecture"]).casefold() == asked


def missed_models(question: PlanRequest, grid: SweepResult, places: list[int]) -> list[Excluded]:
    """Models that were tried and of which no cell is left."""

    alive = set(grid.models.tolist())
    models = grid.columns.models
    return [Excluded(models[place].name, _why(question, grid, place)) for place in places if place not in alive]


def _why(question: PlanRequest, grid: SweepResult, place: int) -> Message:
    """The limit that excludes a model, in the order in which limits are judged."""
    missed = grid.missed
    if not np.isfinite(missed.short_by[place]):
        return say("no engine that was asked for runs it here")
    if missed.short_by[place] > 0:
        return say("short by {short} at its smallest quantisation", short=format_bytes(float(missed.short_by[place])))
    if question.quality is not None and missed.best_quality[place] < question.quality:
        return say(
            "quality {has}, {asked} asked", has=f"{missed.best_quality[place]:.0f}", asked=f"{question.quality:.0f}"
        )
    if question.speed and missed.best_tokens_per_s[place] < question.speed:
        return say(
            "{has} tokens/s for each user, {asked} asked",
            has=f"{missed.best_tokens_per_s[place]:.1f}",
            asked=f"{question.speed:g}",
        )
    if question.max_ttft is not None and missed.least_ttft[place] > question.max_ttft:
        return say(
            "first token after {has} s, {asked} s asked",
            has=f"{missed.least_ttft[place]:.1f}",
            asked=f"{question.max_ttft:g}",
        )
    return say("others are better, faster or cheaper")
