"""Quality of a model by its name: four scores with errors, for reasoning on and off, and what each figure rests on.

Facts: data/quality: index.json (scores), names.json (what names tell), quant_penalty.json (what quantisation costs).
A model without scores gets what its size, date and family tell, marked `assumed`. No ranks: compare by core.quality.better.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from gyakusan.catalog import quality_prior
from gyakusan.catalog.quality_index import TUNED, JapaneseBasis, Row, index, record_of, repositories, sources
from gyakusan.catalog.quality_names import QUALITY, Mode, default_mode, native_bits, traits
from gyakusan.core.arrays import Number
from gyakusan.core.quality import Basis, Kind, Matrix, PenaltyLaw, Score, Vector, kind_of
from gyakusan.core.quality import penalty as penalty_by_law
from gyakusan.errors import unknown
from gyakusan.message import say

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

Columns: TypeAlias = tuple[Score, Score, Score, Score]
"""Overall, Japanese, coding, reasoning [points]."""

__all__ = [
    "Quality",
    "active_parameters",
    "assumed",
    "find",
    "native_width",
    "penalty",
    "penalty_law",
    "repositories",
    "sources",
    "with_ability",
]


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one model in one mode. Never rank by it: compare with core.quality.better.

    model: repository
    mode: reasoning on or off
    overall: quality in everything [points]
    japanese: quality in Japanese [points]
    coding: quality in programming [points]
    reasoning: quality in reasoning [points]
    basis: measured (8 independent scores or more), few (1 to 7), vendor (only its maker's), assumed (size, date, family)
    japanese_basis: measured (3 Japanese scores or more), inferred or assumed
    scores: number of scores
    independent: number of scores that are not its maker's own
    sources: with the number of scores, e.g. "swallow 2026-06 (30)"
    kind: "base" or "special" for a model that is not for conversation, else ""
    ability: (4,) which own scores update; see core.quality.posterior
    covariance: (4, 4) of ability
    """

    model: str
    mode: Mode
    overall: Score
    japanese: Score
    coding: Score
    reasoning: Score
    basis: Basis
    japanese_basis: JapaneseBasis
    scores: int
    independent: int
    sources: tuple[str, ...]
    kind: str
    ability: Vector = field(repr=False)
    covariance: Matrix = field(repr=False)


def find(
    name: str, *, parameters: float | None = None, active: float | None = None, released: str | None = None
) -> tuple[Quality, ...]:
    """Return every scored variant of a model and mode in order of names, else one assumed figure. Never empty.

    name: of the catalogue, a tag, or a repository
    parameters, active: weights, used where nobody tested the model; the catalogue and the name tell them if None [values]
    released: ISO 8601
    Raises UnknownName if neither scores nor a size are known.
    """
    scored = [(r, mode, row) for r in repositories(name) for mode, row in index()["models"].get(r, {}).items()]
    tuned = [s for s in scored if not s[2]["kind"]] or scored
    if tuned:
        return tuple(_stored(repository, mode, row) for repository, mode, row in tuned)
    record = record_of(name)
    main = _main_repository(name, record)
    size = parameters or (record.parameters if record else None)
    used = active or (active_parameters(record) if record else None)
    return (assumed(main, default_mode(main), parameters=size, active=used, released=released),)


def assumed(
    name: str,
    mode: Mode,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> Quality:
    """Return what size, date and family tell. Raises UnknownName if neither the caller nor the name tells a size."""
    known = traits(name, mode, parameters=parameters, active=active, released=released)
    if not known.parameters:
        raise unknown(say("model with quality scores"), name, index()["models"])
    prior = index()["prior"]
    ability = tuple(quality_prior.mean(known, prior["coefficients"]))
    covariance = tuple(tuple(row) for row in quality_prior.covariance(known, prior["variance"]))
    added, unit = quality_prior.added_variance(known), index()["scale"]["unit"]
    errors = [(e * e + added * u * u) ** 0.5 for e, u in zip(prior["error"], unit, strict=True)]
    return Quality(
        name,
        mode,
        *_columns_of(Score(s.value, e) for s, e in zip(_columns(ability, covariance), errors, strict=True)),
        basis="assumed",
        japanese_basis="assumed",
        scores=0,
        independent=0,
        sources=(),
        kind="base" if known.base else "special" if known.special else "",
        ability=ability,
        covariance=covariance,
    )


def with_ability(quality: Quality, ability: Vector, covariance: Matrix, **changes: Any) -> Quality:
    """Return a quality with another ability, and other changed fields."""
    overall, japanese, coding, reasoning = _columns(ability, covariance)
    scores = {"overall": overall, "japanese": japanese, "coding": coding, "reasoning": reasoning}
    changes |= scores | {"ability": ability, "covariance": covariance}
    return replace(quality, **changes)


def penalty(quantization: str, bits: Number, parameters: Number, model: str = "") -> Score:
    """Return the points that a quantisation costs, with their error.

    quantization: its name, as its engine has it
    bits: effective width [bits per weight]
    parameters: all weights [values]
    model: loses nothing at the width it was trained at (gpt-oss at 4.25 bits)
    Below `penalty_law().trusted` bits nothing can be promised.
    """
    return penalty_of(kind_of(quantization), bits, parameters, model)


def penalty_of(kind: Kind, bits: Number, parameters: Number, model: str = "") -> Score:
    """Return `penalty` for a kind of quantisation."""
    return penalty_by_law(penalty_law(), bits, parameters, kind, native_width(model) or 16.0)


def native_width(model: str) -> float | None:
    """Return the width that a model was trained or released at, None = 16 [bits per weight]."""
    if not model:
        return None
    names = (model, *repositories(model))
    return next((w for w in map(native_bits, names) if w is not None), None)


@cache
def penalty_law() -> PenaltyLaw:
    """Return what quantisation costs, as quant_penalty.json has it."""
    d = json.loads((QUALITY / "quant_penalty.json").read_text("utf-8"))
    first, second, third = d["divergence"]
    names = ("scale", "power", "size", "kinds", "accuracy", "chance", "points", "spread", "trusted")
    return PenaltyLaw((first, second, third), **{n: d[n] for n in names})


def active_parameters(record: ModelRecord) -> float | None:
    """Return the weights that work on one token: all but those of idle experts. None for a model without experts [values].

    Each expert has three matrices (embedding x feed-forward), as every family of the catalogue has.
    """
    arch, data = record.architecture, record.metadata
    count, used, width, wide = (
        int(data.get(f"{arch}.{k}", 0) or 0)
        for k in ("expert_count", "expert_used_count", "expert_feed_forward_length", "embedding_length")
    )
    if not count or not used or not wide:
        return None
    width = width or int(data.get(f"{arch}.feed_forward_length", 0) or 0)
    layers = int(data.get(f"{arch}.block_count", 0)) - int(data.get(f"{arch}.leading_dense_block_count", 0) or 0)
    idle = 3.0 * wide * width * (count - used) * layers
    return record.parameters - idle if 0 < idle < record.parameters else None


def _stored(name: str, mode: Mode, row: Row) -> Quality:
    triangle = iter(row["covariance"])
    half = [[next(triangle) for _ in range(i + 1)] for i in range(4)]
    return Quality(
        name,
        mode,
        *_columns_of(Score(v, e) for v, e in zip(row["value"], row["error"], strict=True)),
        basis=row["basis"],
        japanese_basis=row["japanese_basis"],
        scores=row["scores"],
        independent=row["independent"],
        sources=tuple(row["sources"]),
        kind=row["kind"],
        ability=tuple(row["ability"]),
        covariance=tuple(tuple(half[max(i, j)][min(i, j)] for j in range(4)) for i in range(4)),
    )


def _columns(ability: Vector, covariance: Matrix) -> Columns:
    """Return overall, Japanese, coding, reasoning: anchor + (ability + kappa * departure - base) * unit [points]."""
    scale = index()["scale"]
    weights, low = (0.0, *scale["kappa"]), scale["anchors"][0][2]
    scores = []
    for k, (w, unit, base) in enumerate(zip(weights, scale["unit"], scale["base"], strict=True)):
        value = ability[0] + (w * ability[k] if k else 0.0)
        variance = covariance[0][0] + (2 * w * covariance[0][k] + w * w * covariance[k][k] if k else 0.0)
        scores.append(Score(low + (value - base) * unit, variance**0.5 * unit))
    return _columns_of(scores)


def _columns_of(scores: Iterable[Score]) -> Columns:
    overall, japanese, coding, reasoning = scores
    return overall, japanese, coding, reasoning


def _main_repository(name: str, record: ModelRecord | None) -> str:
    """Return the repository whose name tells most of a model: one that is tuned to answer."""
    own = [a for a in record.aliases if "/" in a] if record and "/" not in name else [name]
    tuned = [a for a in own if TUNED.search(a.casefold())]
    return (tuned or own or [name])[0]
