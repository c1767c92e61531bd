"""The JSON of `gyakusan catalog`: a list with a document for each record, and the answers of its other commands."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from gyakusan.catalog.chips import Chip
from gyakusan.catalog.devices import DeviceRecord, MachineRecord
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.models import ModelRecord
from gyakusan.catalog.origins import SourceRecord
from gyakusan.core.records import field_names, shallow
from gyakusan.documents.common import catalogue_date
from gyakusan.engines.verification import FindingKind, Verification
from gyakusan.message import Message
from gyakusan.show.catalog import Record


class PlaceJson(Struct, frozen=True):
    """Where a record stands.

    kind: of the record
    file: its name
    line: in the file
    own: true for a record of the user's
    """

    kind: str
    file: str
    line: int
    own: bool


class ChipJson(Struct, frozen=True):
    """Rates of a chip.

    name: of the chip
    family: its generation
    memory: as sold, 0 for several sizes [B]
    bandwidth: [B/s]
    single: dense rate of FP32 [FLOP/s]
    half: of FP16 [FLOP/s]
    int8: of INT8 [OP/s]
    fp8: of FP8 [FLOP/s]
    fp4: of FP4 [FLOP/s]
    link: how several of them are joined
    source: of the figures
    checked: ISO 8601
    bus: generation and lanes of its PCIe, "" = not known or none
    bf16: of BF16 [FLOP/s]
    """

    name: str
    family: str
    memory: float
    bandwidth: float
    single: float
    half: float
    int8: float
    fp8: float
    fp4: float
    link: str
    source: str
    checked: str
    bus: str
    bf16: float


_HEAD = """
    schema: name and version of this form
    catalogue: date of the catalogue
"""


def _document(kind: type, name: str, doc: str, **more: Any) -> Any:
    """Return a struct with every field of a record, and more."""
    hints = typing.get_type_hints(kind)
    fields: list[Any] = [(name, hints[name]) for name in field_names(kind)] + list(more.items())
    schema = f"gyakusan/catalog-{name}/1"
    fields += [("schema", Literal[schema], schema), ("catalogue", str, field(default_factory=catalogue_date))]
    space = {"__doc__": (kind.__doc__ or "").rstrip() + doc.rstrip() + _HEAD, "__module__": __name__}
    return msgspec.defstruct(f"{name.title()}RecordJson", fields, kw_only=True, frozen=True, namespace=space)


_PLACE = """
    record: where it stands"""
DeviceRecordJson = _document(
    DeviceRecord,
    "device",
    """
    rates: of its chip, null if not known"""
    + _PLACE,
    rates=ChipJson | None,
    record=PlaceJson,
)
MachineRecordJson = _document(MachineRecord, "machine", _PLACE, record=PlaceJson)
ModelRecordJson = _document(
    ModelRecord,
    "model",
    """
    trained_context: longest context of its training, 0 = not known [tokens]
    architecture: as GGUF names it
    ollama: tags of Ollama's library that are this model"""
    + _PLACE,
    trained_context=int,
    architecture=str,
    ollama=tuple[str, ...],
    record=PlaceJson,
)
SourceRecordJson = _document(SourceRecord, "source", "")


class CatalogNoticeJson(Struct, frozen=True, kw_only=True):
    """What was done: `gyakusan catalog check`, `add` and `update`.

    schema: name and version of this form
    catalogue: date of the catalogue
    records: number of records in order, of `check`
    broken: files of the user's own that are left out, of `check`
    file: where the records stand now, of `add`
    names: of the records, of `add`
    missing: license, languages or released, where nothing says it of an added model, of `add`
    release: date of the newest release, of `update`
    newer: true if it was fetched, of `update`
    """

    records: int | UnsetType = UNSET
    broken: tuple[str, ...] | UnsetType = UNSET
    file: str | UnsetType = UNSET
    names: tuple[str, ...] | UnsetType = UNSET
    missing: tuple[str, ...] | UnsetType = UNSET
    release: str | UnsetType = UNSET
    newer: bool | UnsetType = UNSET
    schema: Literal["gyakusan/catalog-notice/1"] = "gyakusan/catalog-notice/1"
    catalogue: str = field(default_factory=catalogue_date)


class FindingJson(Struct, frozen=True):
    """One published file that is not as the catalogue has it.

    kind: gone (no such repository), closed (private or gated), tag (no such file), size (another one) or unread
    model: name in the catalogue
    repository: owner/name
    quantization: the tag, "" for the whole repository
    known: size in the catalogue, null = not known [B]
    found: size on the hub, null = not known [B]
    reason: why there is no readable answer
    """

    kind: FindingKind
    model: str
    repository: str
    quantization: str
    known: int | None
    found: int | None
    reason: Message | None


class VerificationJson(Struct, frozen=True, kw_only=True):
    """What the hub says of the published files: `gyakusan catalog verify`.

    schema: name and version of this form
    catalogue: date of the catalogue
    endpoint: the hub or the mirror that was asked
    repositories: number that were asked for
    references: number of files and checkpoints that were compared
    findings: what differs
    """

    endpoint: str
    repositories: int
    references: int
    findings: tuple[FindingJson, ...]
    schema: Literal["gyakusan/catalog-verification/1"] = "gyakusan/catalog-verification/1"
    catalogue: str = field(default_factory=catalogue_date)


def verification(value: Verification) -> VerificationJson:
    """Return what the hub says."""
    rows = tuple(FindingJson(**shallow(x)) for x in value.findings)
    return VerificationJson(
        endpoint=value.endpoint, repositories=value.repositories, references=value.references, findings=rows
    )


def record(value: Record, entry: Entry, tags: Sequence[str] = ()) -> Struct:
    """Return a record, and where it stands."""
    fields = shallow(value)
    fields["record"] = PlaceJson(entry.kind, entry.file.name, entry.line, entry.own)
    made: Struct
    match value:
        case DeviceRecord():
            made = DeviceRecordJson(**fields, rates=None if value.rates is None else _chip(value.rates))
        case ModelRecord():
            more = {"trained_context": value.trained_context, "architecture": value.architecture}
            made = ModelRecordJson(**fields, **more, ollama=tuple(tags))
        case _:
            made = MachineRecordJson(**fields)
    return made


def source(value: SourceRecord) -> Struct:
    """Return a source."""
    made: Struct = SourceRecordJson(**shallow(value))
    return made


def _chip(chip: Chip) -> ChipJson:
    return ChipJson(**shallow(chip), bf16=chip.bf16)
