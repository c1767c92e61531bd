"""Quality of a model by its name: scores with errors for each mode of reasoning, and what each figure rests on.

Facts: data/quality: index.json (scores), names.json (what names tell), quant_penalty.json (what quantisation costs).
A model without scores gets what its size, date and family tell, marked `assumed`. No ranks: compare by core.quality.better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from gyakusan.catalog import quality_prior
from gyakusan.catalog.quality_index import (
    COLUMNS,
    TUNED,
    JapaneseBasis,
    Row,
    index,
    record_of,
    repositories,
    scale,
    sources,
    stored_covariance,
)
from gyakusan.catalog.quality_names import QUALITY, Mode, default_mode, native_bits, traits
from gyakusan.core.arrays import Number
from gyakusan.core.quality import Basis, Kind, Matrix, PenaltyLaw, Score, Vector, kind_of
from gyakusan.core.quality import penalty as penalty_by_law
from gyakusan.doors.files import packaged
from gyakusan.errors import unknown
from gyakusan.message import say

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

__all__ = [
    "Quality",
    "active_parameters",
    "assumed",
    "find",
    "in_mode",
    "native_width",
    "penalty",
    "penalty_law",
    "penalty_sources",
    "repositories",
    "scale",
    "sources",
    "with_ability",
]


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one model in one mode. Never rank by it: compare with core.quality.better.

    model: repository
    mode: reasoning off, on at the model's default effort, or at a low, medium or high effort
    overall: mean of general, coding and reasoning [points]
    general: ability that all benchmarks share [points]
    japanese: quality in Japanese [points]
    coding: quality in programming: mean of agentic and algorithmic [points]
    reasoning: quality in reasoning [points]
    agentic: quality as an agent that changes whole repositories [points]
    algorithmic: quality in single functions and contest problems [points]
    basis: measured (8 independent scores or more), few (1 to 7), vendor (only its maker's), assumed (size, date, family)
    japanese_basis: measured (3 Japanese scores or more), inferred or assumed
    agentic_basis: measured (3 agentic scores or more), inferred or assumed
    scores: number of scores
    independent: number of scores that are not its maker's own
    sources: with the number of scores, e.g. "swallow 2026-06 (30)"
    kind: "base" or "special" for a model that is not for conversation, else ""
    ability: (5,) which own scores update; see core.quality.posterior
    spread: covariance (5, 5) of ability, None = as stored, which is read when it is wanted; see `covariance`
    """

    model: str
    mode: Mode
    overall: Score
    general: Score
    japanese: Score
    coding: Score
    reasoning: Score
    agentic: Score
    algorithmic: Score
    basis: Basis
    japanese_basis: JapaneseBasis
    agentic_basis: JapaneseBasis
    scores: int
    independent: int
    sources: tuple[str, ...]
    kind: str
    ability: Vector = field(repr=False)
    spread: Matrix | None = field(repr=False)

    @property
    def covariance(self) -> Matrix:
        """Covariance of ability (5, 5)."""
        return stored_covariance(self.model, self.mode) if self.spread is None else self.spread


def find(
    name: str,
    mode: Mode | None = None,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> tuple[Quality, ...]:
    """Return every scored variant of a model, the mode of its default first, else one assumed figure. Never empty.

    name: of the catalogue, a tag, or a repository
    mode: the only one wanted; where it has no scores, what those of the other modes tell (see `in_mode`)
    parameters, active: weights, used where nobody tested the model; the catalogue and the name tell them if None [values]
    released: ISO 8601
    Raises UnknownName if neither scores nor a size are known.
    """
    scored = [(r, m, row) for r in repositories(name) for m, row in _by_default(r)]
    tuned = [s for s in scored if not s[2]["kind"]] or scored
    if tuned:
        found = tuple(_stored(repository, m, row) for repository, m, row in tuned)
        if mode is None:
            return found
        same = tuple(q for q in found if q.mode == mode)
        if same:
            return same
    record = record_of(name)
    main = _main_repository(name, record)
    size = parameters or (record.parameters if record else None)
    used = active or (active_parameters(record) if record else None)
    if tuned and mode is not None:
        best = max(found, key=lambda q: (q.independent, q.scores))
        return (in_mode(best, mode, parameters=size, active=used, released=released),)
    return (assumed(main, mode or default_mode(main), parameters=size, active=used, released=released),)


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
    added = quality_prior.added_variance(known)
    columns = scale().columns(ability, covariance)
    errors = [(e * e + added * weights[0] ** 2) ** 0.5 for e, weights in zip(prior["error"], scale().mix, strict=True)]
    return Quality(
        name,
        mode,
        *_named(Score(s.value, e) for s, e in zip(columns, errors, strict=True)),
        basis="assumed",
        japanese_basis="assumed",
        agentic_basis="assumed",
        scores=0,
        independent=0,
        sources=(),
        kind="base" if known.base else "special" if known.special else "",
        ability=ability,
        spread=covariance,
    )


def in_mode(
    known: Quality,
    mode: Mode,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> Quality:
    """Return what a model's scores in one mode tell of another that nobody tested: `assumed`, nearer than from its name.

    parameters, active, released: as in `find`; the name tells them if None
    The step between the modes is what size, date and family tell; of what the model has beside that, the share `sibling`
    of the prior is kept. Raises UnknownName if neither the caller nor the name tells a size.
    """
    prior, rho = index()["prior"], index()["prior"]["sibling"]
    modes: tuple[Mode, Mode] = (known.mode, mode)
    each = [traits(known.model, m, parameters=parameters, active=active, released=released) for m in modes]
    if each[0].parameters is None:
        raise unknown(say("model with quality scores"), known.model, index()["models"])
    here, there = (quality_prior.mean(t, prior["coefficients"]) for t in each)
    ability = tuple(b + rho * (z - a) for a, b, z in zip(here, there, known.ability, strict=True))
    return with_ability(
        known,
        ability,
        _inherited(known.covariance, prior["variance"], rho),
        mode=mode,
        basis="assumed",
        japanese_basis="assumed",
        agentic_basis="assumed",
        scores=0,
        independent=0,
        sources=(),
    )


def _inherited(known: Matrix, variance: Sequence[float], rho: float) -> Matrix:
    n = len(variance)
    return tuple(
        tuple(rho**2 * known[i][j] + (variance[i] * (1 - rho**2) if i == j else 0.0) for j in range(n))
        for i in range(n)
    )


def with_ability(quality: Quality, ability: Vector, covariance: Matrix, **changes: Any) -> Quality:
    """Return a quality with another ability, and other changed fields."""
    scores = dict(zip(COLUMNS, scale().columns(ability, covariance), strict=True))
    changes |= scores | {"ability": ability, "spread": covariance}
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


SMALLEST_MEASURED = 4e9
"""Weights of the smallest model that the law of quantisation was fitted to: quant_penalty.json, "assumed" [values]."""


@cache
def penalty_law() -> PenaltyLaw:
    """Return what quantisation costs, as quant_penalty.json has it."""
    d = msgspec.json.decode(packaged(QUALITY / "quant_penalty.json"))
    first, second, third = d["divergence"]
    names = ("scale", "power", "size", "kinds", "accuracy", "chance", "points", "spread", "trusted")
    return PenaltyLaw((first, second, third), **{n: d[n] for n in names})


def penalty_sources() -> tuple[str, ...]:
    """Return whose measurements the cost of quantisation was fitted to: "llama.cpp", "matt-c1", "mlx-lm"."""
    return tuple(s[0].split(",")[0] for s in msgspec.json.decode(packaged(QUALITY / "quant_penalty.json"))["sources"])


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


def _by_default(repository: str) -> list[tuple[Mode, Row]]:
    """Return the scored modes of a repository: the default one, then by name."""
    rows, usual = index()["models"].get(repository, {}), default_mode(repository)
    return sorted(rows.items(), key=lambda pair: (pair[0] != usual, pair[0]))


def _stored(name: str, mode: Mode, row: Row) -> Quality:
    ability = tuple(row["ability"])
    return Quality(
        name,
        mode,
        *_named(Score(v, e) for v, e in zip(scale().values(ability), row["error"], strict=True)),
        basis=row["basis"],
        japanese_basis=row["japanese_basis"],
        agentic_basis=row["agentic_basis"],
        scores=row["scores"],
        independent=row["independent"],
        sources=tuple(row["sources"]),
        kind=row["kind"],
        ability=ability,
        spread=None,
    )


def _named(scores: Iterable[Score]) -> tuple[Score, Score, Score, Score, Score, Score, Score]:
    overall, general, japanese, coding, reasoning, agentic, algorithmic = scores
    return overall, general, japanese, coding, reasoning, agentic, algorithmic


def _main_repository(name: str, record: ModelRecord | None) -> str:
    """Return the repository whose name tells most of a model: one that is tuned to answer."""
    own = [a for a in record.aliases if "/" in a] if record and "/" not in name else [name]
    tuned = [a for a in own if TUNED.search(a.casefold())]
    return (tuned or own or [name])[0]
