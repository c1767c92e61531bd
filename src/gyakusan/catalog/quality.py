"""Quality of a model by its name: four scores with errors, for reasoning on and off, and what each figure rests on.

Facts: data/quality/index.json (from licence-clear scores, tools/fit_quality.py), names.json, quant_penalty.json.
A model without scores gets what its size, date and family say, marked `assumed`. No ranks: see core.quality.better, ties.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from gyakusan.catalog import quality_prior
from gyakusan.catalog.quality_names import QUALITY, Mode, default_mode, native_bits, says, short, thinking, traits
from gyakusan.core.arrays import Number
from gyakusan.core.quality import Basis, Kind, Law, Matrix, Score, Vector, kind_of
from gyakusan.core.quality import penalty as law_penalty
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import say

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

__all__ = [
    "Quality",
    "Thinking",
    "assumed",
    "find",
    "in_mode",
    "law",
    "native_width",
    "penalty",
    "repositories",
    "sources",
]

_TAILS = re.compile(
    r"[-.](?:bf16|fp8|fp4|f16|hf|gguf|awq|gptq|int[48]|w[48]a\d+|[3-8]bit|mlx|qat|q\d[-_]\w+|nvfp4|mxfp4|bnb|unsloth|dynamic|ud)$"
)
_TUNED = re.compile(r"-(?:instruct|it|chat)(?=-|$)")
_MAKERS = ("meta-", "nvidia-")


@dataclass(frozen=True, slots=True)
class Thinking:
    """Answer tokens with reasoning on over those with it off. factor: usual; low, high: range; charge it to time."""

    factor: float
    low: float
    high: float
    basis: Literal["measured", "assumed"]
    source: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one model in one mode. [points] Never rank by it: compare with core.quality.better or group with ties.

    model: repository; mode: reasoning on or off; basis: measured (8 independent scores or more), few (1 to 7), vendor (only
    its maker's), assumed (size, date, family); japanese_basis: measured (3 Japanese scores or more), inferred, assumed;
    scores, independent: how many, and how many not its maker's own; sources: "swallow 2026-06 (30)"; kind: base or special
    models are not for conversation; thinking: tokens it spends, for mode on; ability, covariance: what own scores update.
    """

    model: str
    mode: Mode
    overall: Score
    japanese: Score
    coding: Score
    reasoning: Score
    basis: Basis
    japanese_basis: Literal["measured", "inferred", "assumed"]
    scores: int
    independent: int
    sources: tuple[str, ...]
    kind: str
    thinking: Thinking
    ability: Vector = field(repr=False)
    covariance: Matrix = field(repr=False)


def find(
    name: str, *, parameters: float | None = None, active: float | None = None, released: str | None = None
) -> tuple[Quality, ...]:
    """Every scored variant of a model and mode, in order of names; else one assumed figure. Never empty.

    name: of the catalogue, a tag, or a repository; parameters, active: weights, used where nobody tested the model (the
    catalogue and the name are asked where None); released: ISO 8601. Raises UnknownName if no size is known either.
    """
    record = _record(name)
    asked = repositories(name)
    stored = [(h, m, row) for h in asked for m, row in _models().get(h, {}).items()]
    tuned = [s for s in stored if not s[2]["kind"]] or stored
    if tuned:
        return tuple(_stored(h, m, row) for h, m, row in tuned)
    mode = default_mode(_main(name, record))
    return (_guessed(name, mode, record, parameters, active, released),)


def in_mode(
    name: str,
    mode: Mode,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> Quality:
    """The best known figure of a model with reasoning on or off, assumed where nobody tested that mode. As `find`."""
    known = [q for q in find(name, parameters=parameters, active=active, released=released) if q.mode == mode]
    if known:
        return max(known, key=lambda q: (q.independent, q.scores))
    return _guessed(name, mode, _record(name), parameters, active, released)


def assumed(
    name: str,
    mode: Mode,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> Quality:
    """What size, date and family say. Raises UnknownName if neither the caller nor the name gives a size."""
    seen = traits(name, mode, parameters=parameters, active=active, released=released)
    if not seen.parameters:
        raise _sizeless(name)
    prior = _index()["prior"]
    ability = tuple(quality_prior.mean(seen, prior["coefficients"]))
    covariance = tuple(tuple(row) for row in quality_prior.covariance(seen, prior))
    more, unit = quality_prior.further(seen), _index()["scale"]["unit"]
    errors = [(e * e + more * u * u) ** 0.5 for e, u in zip(prior["error"], unit, strict=True)]
    values = [s.value for s in _columns(ability, covariance)]
    overall, japanese, coding, reasoning = (Score(v, e) for v, e in zip(values, errors, strict=True))
    return Quality(
        model=name,
        mode=mode,
        overall=overall,
        japanese=japanese,
        coding=coding,
        reasoning=reasoning,
        basis="assumed",
        japanese_basis="assumed",
        scores=0,
        independent=0,
        sources=(),
        kind="base" if seen.base else "special" if seen.special else "",
        thinking=_thinking(name),
        ability=ability,
        covariance=covariance,
    )


def moved(old: Quality, ability: Vector, covariance: Matrix, **changes: Any) -> Quality:
    """`old` with another ability."""
    overall, japanese, coding, reasoning = _columns(ability, covariance)
    return replace(
        old,
        overall=overall,
        japanese=japanese,
        coding=coding,
        reasoning=reasoning,
        ability=ability,
        covariance=covariance,
        **changes,
    )


def penalty(quantization: str, bits: Number, parameters: Number, model: str = "") -> Score:
    """Points lost to a quantisation, with error. [points] quantization: its name; bits: per weight; parameters: all weights.

    model: exempt at the width it was trained at (gpt-oss at 4.25 bits). Below `law().trusted` bits promise nothing.
    """
    return penalty_of(kind_of(quantization), bits, parameters, model)


def penalty_of(kind: Kind, bits: Number, parameters: Number, model: str = "") -> Score:
    """`penalty` for a kind of quantisation."""
    return law_penalty(law(), bits, parameters, kind, native_width(model) or 16.0)


def native_width(model: str) -> float | None:
    """Bits per weight that a model was trained or released at, None = 16."""
    if not model:
        return None
    names = (model, *repositories(model))
    return next((w for w in map(native_bits, names) if w is not None), None)


@cache
def law() -> Law:
    """What quantisation costs: quant_penalty.json."""
    d = json.loads((QUALITY / "quant_penalty.json").read_text("utf-8"))
    first, second, third = d["divergence"]
    names = ("scale", "power", "size", "kinds", "accuracy", "chance", "points", "spread", "trusted")
    return Law((first, second, third), **{n: d[n] for n in names})


def sources() -> Mapping[str, Sequence[str]]:
    """Name, address and licence of every source of scores."""
    found: Mapping[str, Sequence[str]] = _index()["sources"]
    return found


def repositories(name: str) -> tuple[str, ...]:
    """Scored repositories that `name` means: itself, those of the catalogue's record, or one that differs in packaging."""
    exact = _by_case().get(name.strip().casefold())
    if exact is not None:
        return (exact,)
    plain = _near(name)
    if plain and "/" in name:
        return plain
    record = _record(name)
    if record is not None:
        found = dict.fromkeys(h for a in record.aliases if "/" in a for h in _one(a))
        if found or "/" in name:
            return tuple(found) if "/" not in name else ()
    return plain


def key(name: str) -> str:
    """What names a repository whatever its packaging: "unsloth/Qwen3-8B-GGUF" -> "qwen3-8b"."""
    plain = short(name).replace(":", "-")
    for maker in _MAKERS:
        plain = plain.removeprefix(maker)
    while cut := _TAILS.search(plain):
        plain = plain[: cut.start()]
    return plain


def active_parameters(record: ModelRecord) -> float | None:
    """Weights used for a token: all but the experts that are not asked. None for a model without experts.

    Three matrices (embedding x feed-forward) for each expert, as every family of the catalogue has.
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


def _guessed(
    name: str,
    mode: Mode,
    record: ModelRecord | None,
    parameters: float | None,
    active: float | None,
    released: str | None,
) -> Quality:
    """`assumed`, with what the catalogue knows of its size."""
    size = parameters or (record.parameters if record else None)
    used = active or (active_parameters(record) if record else None)
    return assumed(_main(name, record), mode, parameters=size, active=used, released=released)


def _stored(name: str, mode: Mode, row: Mapping[str, Any]) -> Quality:
    overall, japanese, coding, reasoning = (Score(v, e) for v, e in zip(row["value"], row["error"], strict=True))
    low = iter(row["covariance"])
    half = [[next(low) for _ in range(i + 1)] for i in range(4)]
    return Quality(
        model=name,
        mode=mode,
        overall=overall,
        japanese=japanese,
        coding=coding,
        reasoning=reasoning,
        basis=row["basis"],
        japanese_basis=row["japanese_basis"],
        scores=row["scores"],
        independent=row["independent"],
        sources=tuple(row["sources"]),
        kind=row["kind"],
        thinking=_thinking(name),
        ability=tuple(row["ability"]),
        covariance=tuple(tuple(half[max(i, j)][min(i, j)] for j in range(4)) for i in range(4)),
    )


def _columns(ability: Vector, covariance: Matrix) -> tuple[Score, Score, Score, Score]:
    """Ability -> overall, Japanese, coding, reasoning: anchor + (ability + kappa * departure - base) * unit."""
    scale = _index()["scale"]
    weights, low = (0.0, *scale["kappa"]), scale["anchors"][0][2]
    out = []
    for k, (w, unit, base) in enumerate(zip(weights, scale["unit"], scale["base"], strict=True)):
        value = ability[0] + (w * ability[k] if k else 0.0)
        variance = covariance[0][0] + (2 * w * covariance[0][k] + w * w * covariance[k][k] if k else 0.0)
        out.append(Score(low + (value - base) * unit, variance**0.5 * unit))
    return out[0], out[1], out[2], out[3]


def _thinking(name: str) -> Thinking:
    factor, low, high, basis, source = thinking(name)
    return Thinking(factor, low, high, "measured" if basis == "measured" else "assumed", source)


def _main(name: str, record: ModelRecord | None) -> str:
    """The repository whose name says most of a model: one that is tuned to answer."""
    own = [a for a in record.aliases if "/" in a] if record and "/" not in name else [name]
    tuned = [a for a in own if _TUNED.search(a.casefold())]
    return (tuned or own or [name])[0]


def _record(name: str) -> ModelRecord | None:
    from gyakusan.catalog.models import find as find_model

    try:
        return find_model(name)
    except UnknownName:
        return None


def _sizeless(name: str) -> UnknownName:
    return unknown(say("model with quality scores"), name, _models())


def _one(repository: str) -> tuple[str, ...]:
    exact = _by_case().get(repository.casefold())
    return (exact,) if exact else ()


def _near(name: str) -> tuple[str, ...]:
    """Repositories of the same key; without "-instruct" and the like where exactly one is left. A base is not its fine-tune."""
    table, asked = _by_key(), key(name)
    if found := table.get(asked):
        return found
    return () if says("base", short(name)) else table.get("~" + _TUNED.sub("", asked), ())


@cache
def _by_case() -> Mapping[str, str]:
    return {h.casefold(): h for h in _models()}


@cache
def _by_key() -> Mapping[str, tuple[str, ...]]:
    """Key -> repositories; "~" + key without the tuning word, where that is one model and it is not a base."""
    table: dict[str, list[str]] = {}
    for h, modes in _models().items():
        table.setdefault(key(h), []).append(h)
        plain = _TUNED.sub("", key(h))
        if not any(row["kind"] for row in modes.values()):
            table.setdefault("~" + plain, []).append(h)
    return {k: tuple(v) for k, v in table.items() if len(v) == 1}


def _models() -> Mapping[str, Mapping[Mode, Mapping[str, Any]]]:
    found: Mapping[str, Mapping[Mode, Mapping[str, Any]]] = _index()["models"]
    return found


@cache
def _index() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((QUALITY / "index.json").read_text("utf-8"))
    return found
