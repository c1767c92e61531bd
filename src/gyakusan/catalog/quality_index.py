"""Scored repositories: what data/quality/index.json says of each, and which of them a name means.

tools/fit_quality.py writes the file from licence-clear scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from gyakusan.catalog.quality_names import QUALITY, Mode, matches_rule, short_name
from gyakusan.core.quality import DIMENSIONS, Basis, Matrix, Scale
from gyakusan.doors.files import packaged
from gyakusan.errors import UnknownName
from gyakusan.patterns import late

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

JapaneseBasis = Literal["measured", "inferred", "assumed"]
"""measured: 3 Japanese scores or more; inferred: from the other scores; assumed: from size, date and family."""

_TAILS = late(
    r"[-.](?:bf16|fp8|fp4|f16|hf|gguf|awq|gptq|int[48]|w[48]a\d+|[3-8]bit|mlx|qat|q\d[-_]\w+|nvfp4|mxfp4|bnb|unsloth|dynamic|ud)$"
)
TUNED = late(r"-(?:instruct|it|chat)(?=-|$)")
"""Words of a name that mean: tuned to answer."""
_MAKERS = ("meta-", "nvidia-")


COLUMNS = ("overall", "general", "japanese", "coding", "reasoning", "agentic", "algorithmic")
"""Columns of the index, in the order of its file. Source: tools/quality_index.py."""


class Row(TypedDict):
    """Figures of one model in one mode. error: of each of COLUMNS; their values follow from the ability and the scale."""

    error: list[float]
    basis: Basis
    japanese_basis: JapaneseBasis
    agentic_basis: JapaneseBasis
    scores: int
    independent: int
    sources: list[str]
    kind: str
    ability: list[float]


class ScaleRow(TypedDict):
    """How ability becomes points: anchors (model, mode, points), ends of what is shown, weights and offset of each column."""

    anchors: list[tuple[str, Mode, float]]
    bottom: float
    top: float
    mix: list[list[float]]
    offset: list[float]


class Prior(TypedDict):
    """What size, date and family tell: coefficients (traits, 5), variance (5,), the error of each column [points].

    sibling: correlation of what two modes of one model have beside that
    """

    coefficients: list[list[float]]
    variance: list[float]
    error: list[float]
    sibling: float


class Item(TypedDict):
    """Constants of one benchmark; see core.quality.Benchmark."""

    level: float
    loading: list[float]
    house: float
    variance: float


class Index(TypedDict):
    """The whole file. sources: name, address and licence by key; models: by repository and mode."""

    sources: dict[str, list[str]]
    scale: ScaleRow
    prior: Prior
    items: dict[str, Item]
    models: dict[str, dict[Mode, Row]]


@cache
def index() -> Index:
    """Return what index.json says."""
    document: Index = msgspec.json.decode(packaged(QUALITY / "index.json"))
    return document


@cache
def scale() -> Scale:
    """Return how ability becomes points."""
    row = index()["scale"]
    return Scale(tuple(map(tuple, row["mix"])), tuple(row["offset"]))


def stored_covariance(name: str, mode: Mode) -> Matrix:
    """Return the covariance (5, 5) of a scored repository in a mode."""
    triangle = iter(_covariances()[name][mode])
    half = [[next(triangle) for _ in range(i + 1)] for i in range(DIMENSIONS)]
    return tuple(tuple(half[max(i, j)][min(i, j)] for j in range(DIMENSIONS)) for i in range(DIMENSIONS))


@cache
def _covariances() -> Mapping[str, Mapping[Mode, list[float]]]:
    """Return the lower triangles by repository and mode."""
    document: Mapping[str, Mapping[Mode, list[float]]] = msgspec.json.decode(packaged(QUALITY / "covariance.json"))
    return document


def sources() -> Mapping[str, Sequence[str]]:
    """Return name, address and licence of every source of scores."""
    return index()["sources"]


RETRAINED = "-qat"
"""End of names of models that were trained on for 4 bits: their makers give no scores but those of the model itself."""


def repositories(name: str) -> tuple[str, ...]:
    """Return the scored repositories that `name` means.

    These are the repository itself, those of the catalogue's record, or one whose name differs in packaging only.
    """
    exact = _exact(name.strip())
    if exact:
        return exact
    similar = _similar(name)
    if similar and "/" in name:
        return similar
    record = record_of(name)
    if record is not None:
        if record.derived_from and record.name.endswith(RETRAINED):
            return repositories(record.derived_from)
        listed = dict.fromkeys(repository for a in record.aliases if "/" in a for repository in _exact(a))
        if listed or "/" in name:
            return tuple(listed) if "/" not in name else ()
    return similar


def record_of(name: str) -> ModelRecord | None:
    """Return the catalogue's record of a model, None if there is none."""
    from gyakusan.catalog.models import find

    try:
        return find(name)
    except UnknownName:
        return None


def key(name: str) -> str:
    """Fold the name of a repository whatever its packaging: "unsloth/Qwen3-8B-GGUF" -> "qwen3-8b"."""
    plain = short_name(name).replace(":", "-").replace("qwen-3-", "qwen3-")
    for maker in _MAKERS:
        plain = plain.removeprefix(maker)
    while tail := _TAILS.search(plain):
        plain = plain[: tail.start()]
    return plain


def _exact(repository: str) -> tuple[str, ...]:
    scored = _by_case().get(repository.casefold())
    return (scored,) if scored else ()


def _similar(name: str) -> tuple[str, ...]:
    """Return repositories of the same key, else of the same key without "-instruct" and the like where that is one model.

    A base model is not its fine-tune.
    """
    table, folded = _by_key(), key(name)
    if same := table.get(folded):
        return same
    return () if matches_rule("base", short_name(name)) else table.get("~" + TUNED.sub("", folded), ())


@cache
def _by_case() -> Mapping[str, str]:
    return {repository.casefold(): repository for repository in index()["models"]}


@cache
def _by_key() -> Mapping[str, tuple[str, ...]]:
    """Return key -> repository, and "~" + key without the tuning word -> repository where that is one tuned model."""
    table: dict[str, list[str]] = {}
    for repository, modes in index()["models"].items():
        table.setdefault(key(repository), []).append(repository)
        if not any(row["kind"] for row in modes.values()):
            table.setdefault("~" + TUNED.sub("", key(repository)), []).append(repository)
    return {k: tuple(v) for k, v in table.items() if len(v) == 1}
