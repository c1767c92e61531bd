"""The JSON of `gyakusan inspect`: a ledger, its speed and its quality; several engines; several quantisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field, structs

from gyakusan.api import Answer
from gyakusan.core.ledger import Account, Basis, Ledger, Line, LineKind, Part
from gyakusan.core.model import Model
from gyakusan.documents.assessment import AssessedSpeedJson, QualityJson, assessed_quality, assessed_speed
from gyakusan.documents.common import catalogue_date
from gyakusan.engines.registry import DEFAULT
from gyakusan.engines.server import DryRunBuild, DryRunLine
from gyakusan.message import Listed, Message, say
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.quantizations import QuantizationMemory
from gyakusan.planning.predict.ways import Way, WayKind


class ModelJson(Struct, frozen=True):
    """A model.

    name: what was found
    architecture: as GGUF names it
    parameters: number of weights
    active_parameters: number of weights that work on one token
    quantization: as GGUF names it, "unknown" if the file does not say
    trained_context: longest context of its training, 0 = not known [tokens]
    source: a path, an address without its password, or the catalogue
    size: on disk [B]
    """

    name: str
    architecture: str
    parameters: int
    active_parameters: int
    quantization: str
    trained_context: int
    source: str
    size: int


class EngineJson(Struct, frozen=True):
    """An engine.

    name: as its makers write it
    version: the release or build whose rules were used; absent where nothing was priced
    """

    name: str
    version: str | UnsetType = UNSET


class LoadJson(Struct, frozen=True):
    """A load.

    users: people served at the same time
    context: for each user [tokens]
    """

    users: int
    context: int


class LineJson(Struct, frozen=True):
    """One line of a ledger. A device may have several lines of a kind.

    kind: what it is by its size alone
    part: what it pays for, a name that stays; lines of one device with the same part add up
    bytes: best figure [B]
    low: low end of the range [B]
    high: high end of the range [B]
    grows: true if use moves the figure from low to high; false if the range is doubt
    cap: limit of what grows with use, null for a line that does not grow [B]
    basis: where the figure comes from
    reason: a sentence
    formula: the numbers behind the figure, "" if they do not fit on a line
    """

    kind: LineKind
    part: Part
    bytes: int
    low: int
    high: int
    grows: bool
    cap: int | None
    basis: Basis
    reason: Message
    formula: str


class AccountJson(Struct, frozen=True):
    """One device and what is allocated there.

    name: of the device
    kind: gpu, host or unified
    capacity: of its memory, null if not known [B]
    usable: what an engine may have of it, null if not known [B]
    total: best figure [B]
    total_low: low end of the range; what grows with use counts at its best figure, as in `total` [B]
    total_high: high end of the range; what use may add up to a limit is `cap` of a line [B]
    fits: true if the best figure is within what is usable; a device of unknown capacity counts as large enough
    short_by: bytes missing, 0 if it fits [B]
    lines: what is allocated
    surely_left: bytes to spare: usable less the high end of doubt, negative if that is over; null if not known [B]
    """

    name: str
    kind: str
    capacity: int | None
    usable: int | None
    total: int
    total_low: int
    total_high: int
    fits: bool
    short_by: int
    lines: tuple[LineJson, ...]
    surely_left: int | None


class LedgerJson(Struct, frozen=True, kw_only=True):
    """Memory of one model under one engine on one machine.

    model: what is served
    engine: whose rules were used
    settings: every setting that the engine would run with, by its own names
    load: what was asked for
    devices: GPUs first, then the host; one `unified` device where they share memory
    fits: true if every device holds its share at the high end of its range and the engine would run it; "unsure" if it
        does at the low end only, or if the context is longer than the model was trained for
    notes: what the answer does not cover
    """

    model: ModelJson
    engine: EngineJson
    settings: Mapping[str, Any]
    load: LoadJson
    devices: tuple[AccountJson, ...]
    fits: bool | Literal["unsure"]
    notes: tuple[Message, ...]


class DryRunLineJson(Struct, frozen=True):
    """One buffer, predicted and reported.

    kind: of the ledger, or several joined by "+"
    predicted: ours [B]
    reported: the engine's own [B]
    error_bytes: predicted less reported [B]
    error_share: that, over reported
    """

    kind: str
    predicted: int
    reported: int
    error_bytes: int
    error_share: float


class DryRunJson(Struct, frozen=True):
    """The engine's own figures of a dry run.

    engine: that was asked
    build: of the engine
    backend: on which it ran
    lines: one for each buffer
    """

    engine: str
    build: str
    backend: str
    lines: tuple[DryRunLineJson, ...]


class WayJson(Struct, frozen=True, kw_only=True):
    """A change with which the model surely fits, computed with the engine's own ledger.

    kind: what changes: repack, cache, context, users, ram, quantization, coarse_cache, device or machine
    change: in words
    options: what to add to the command
    users: served at the same time, with the change
    context: for each user, with the change [tokens]
    surely_left: bytes to spare at the high end on the fullest device, null if no capacity is known [B]
    speed: output tokens of each user, null if not known [tokens/s]
    points_lost: points of quality that it costs [points]
    """

    kind: WayKind
    change: Message
    options: str
    users: int
    context: int
    surely_left: int | None
    speed: float | None
    points_lost: float


class InspectJson(LedgerJson, frozen=True, kw_only=True):
    """What a model needs: `gyakusan inspect`.

    schema: name and version of this form
    catalogue: date of the catalogue
    pace: null where the memory bandwidth is not known, or where it does not fit
    quality: null if the name says nothing, or where it does not fit
    refusals: why the engine would not run this; absent if it would
    ways: changes with which it fits, best first; absent where it surely fits
    exact: the engine's own dry run, with --exact
    """

    pace: AssessedSpeedJson | None
    quality: QualityJson | None
    refusals: tuple[Message, ...] | UnsetType = UNSET
    ways: tuple[WayJson, ...] | UnsetType = UNSET
    exact: DryRunJson | UnsetType = UNSET
    schema: Literal["gyakusan/inspect/1"] = "gyakusan/inspect/1"
    catalogue: str = field(default_factory=catalogue_date)


class EngineAnswerJson(Struct, frozen=True, kw_only=True):
    """What one engine says: a ledger, or only why it would not run this.

    model: what is served
    engine: whose rules were used
    settings: every setting that the engine would run with, by its own names
    load: what was asked for
    devices: GPUs first, then the host; one `unified` device where they share memory
    fits: true if every device holds its share at the high end of its range and the engine would run it; "unsure" if it
        does at the low end only, or if the context is longer than the model was trained for
    notes: what the answer does not cover
    refusals: why the engine would not run this
    """

    model: ModelJson | UnsetType = UNSET
    engine: EngineJson
    settings: Mapping[str, Any] | UnsetType = UNSET
    load: LoadJson | UnsetType = UNSET
    devices: tuple[AccountJson, ...] | UnsetType = UNSET
    fits: bool | Literal["unsure"]
    notes: tuple[Message, ...] | UnsetType = UNSET
    refusals: tuple[Message, ...]


class EnginesJson(Struct, frozen=True, kw_only=True):
    """The same question to several engines: `gyakusan inspect --engine all`.

    schema: name and version of this form
    catalogue: date of the catalogue
    engines: one answer for each engine
    """

    engines: tuple[EngineAnswerJson, ...]
    schema: Literal["gyakusan/engines/1"] = "gyakusan/engines/1"
    catalogue: str = field(default_factory=catalogue_date)


class QuantizationJson(Struct, frozen=True):
    """One quantisation of a repository.

    name: of the quantisation
    bytes: of its files [B]
    files: its parts in order
    total: memory over all devices [B]
    fits: true if every device holds its share
    """

    name: str
    bytes: int
    files: tuple[str, ...]
    total: int
    fits: bool


class QuantizationsJson(Struct, frozen=True, kw_only=True):
    """Every quantisation of a repository: `gyakusan inspect --quants`.

    schema: name and version of this form
    catalogue: date of the catalogue
    quantizations: smallest first
    """

    quantizations: tuple[QuantizationJson, ...]
    schema: Literal["gyakusan/quantizations/1"] = "gyakusan/quantizations/1"
    catalogue: str = field(default_factory=catalogue_date)


def ledger(value: Ledger, quantization: str = "") -> LedgerJson:
    """Return a ledger. quantization: of the files that a plan takes, "" = as the model says."""
    fields = _fields(value)
    if quantization:
        fields["model"] = structs.replace(fields["model"], quantization=quantization)
    return LedgerJson(**fields)


def inspect(
    value: Ledger,
    judged: Assessment,
    refusals: Sequence[Message] = (),
    exact: DryRunJson | UnsetType = UNSET,
    ways: Sequence[Way] = (),
) -> InspectJson:
    """Return a ledger with speed and quality, which only what fits has.

    refusals: why the engine would not run this; exact: its dry run; ways: changes with which it fits
    """
    refused = {"fits": False, "refusals": tuple(refusals)} if refusals else {}
    known = value.fit != "short"
    pace, quality = (assessed_speed(judged), assessed_quality(judged)) if known else (None, None)
    changes = tuple(_way(w) for w in ways) or UNSET
    return InspectJson(**(_fields(value) | refused), pace=pace, quality=quality, exact=exact, ways=changes)


def _way(way: Way) -> WayJson:
    load, pace = way.deployment.load, way.judged.speed
    return WayJson(
        kind=way.kind,
        change=say("{changes}", changes=Listed(way.changes)),
        options=way.options,
        users=int(load.users),
        context=int(load.context),
        surely_left=int(way.surely_left) if isfinite(way.surely_left) else None,
        speed=pace.decode_each.value if pace else None,
        points_lost=way.points_lost,
    )


def engines(answers: Sequence[Answer]) -> EnginesJson:
    """Return the answers of several engines."""
    return EnginesJson(engines=tuple(_answer(a) for a in answers))


def quantizations(offers: Sequence[QuantizationMemory]) -> QuantizationsJson:
    """Return every quantisation of a repository."""
    return QuantizationsJson(
        quantizations=tuple(
            QuantizationJson(o.choice.name, o.choice.bytes, o.choice.files, o.total, o.fits) for o in offers
        )
    )


def dry_run(rows: Sequence[DryRunLine], dry: DryRunBuild) -> DryRunJson:
    """Return what the engine's dry run says."""
    shares = (r.difference_share for r in rows)
    lines = tuple(
        DryRunLineJson(r.kind, r.ours, round(r.theirs), round(r.difference), s)
        for r, s in zip(rows, shares, strict=True)
    )
    return DryRunJson(DEFAULT, f"b{dry.build}", "cpu", lines)


def _answer(answer: Answer) -> EngineAnswerJson:
    fields: dict[str, Any] = {"engine": EngineJson(answer.engine)} if answer.ledger is None else _fields(answer.ledger)
    refused = {"fits": False} if answer.refusals or answer.ledger is None else {}
    return EngineAnswerJson(**(fields | refused), refusals=answer.refusals)


def _fields(value: Ledger) -> dict[str, Any]:
    return {
        "model": _model(value.model),
        "engine": EngineJson(value.engine.name, value.engine.version),
        "settings": value.settings,
        "load": LoadJson(int(value.load.users), int(value.load.context)),
        "devices": tuple(_account(a) for a in value.accounts),
        "fits": _fits(value),
        "notes": value.notes,
    }


def _fits(value: Ledger) -> bool | Literal["unsure"]:
    if value.fit == "short":
        return False
    return "unsure" if value.fit == "unsure" or value.beyond_training else True


def _model(m: Model) -> ModelJson:
    size = (m.stored.bytes if m.stored else 0) or m.bytes
    return ModelJson(
        *(m.name, m.architecture, m.parameters, m.active_parameters, m.quantization, m.trained_context, m.source),
        size=int(size),
    )


def _account(account: Account) -> AccountJson:
    d = account.device
    total, low, high = int(account.total), int(account.at_least), int(account.at_most)
    lines = tuple(_line(x) for x in account.lines)
    fits, short = bool(account.fits), int(account.short_by)
    spare = None if account.spare is None else int(account.spare)
    return AccountJson(d.name, d.kind, d.memory, d.usable, total, low, high, fits, short, lines, spare)


def _line(line: Line) -> LineJson:
    low, high, cap = int(line.least), int(line.greatest), None if line.cap is None else int(line.cap)
    facts = (line.basis, line.reason, line.formula)
    return LineJson(line.kind, line.part, int(line.bytes), low, high, line.grows, cap, *facts)
