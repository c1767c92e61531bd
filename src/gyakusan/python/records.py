"""Python's `catalog_*`: facts with their sources, and records of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gyakusan.errors import BadReference, BadSetting, SourceError, UnknownName, unknown
from gyakusan.message import Listed, Message, quoted, say
from gyakusan.python.answer import Answer

if TYPE_CHECKING:
    from gyakusan.catalog.devices import DeviceRecord, MachineRecord
    from gyakusan.catalog.entry import Entry
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.catalog.origins import SourceRecord
    from gyakusan.engines.verification import Verification
    from gyakusan.models.described import Facts

    Record = DeviceRecord | MachineRecord | ModelRecord

Kind = Literal["devices", "machines", "models", "embeddings"]


@dataclass(frozen=True, slots=True, repr=False)
class CatalogRecord(Answer):
    """What `gyakusan catalog show` answers.

    entry: where the record stands
    record: its values
    tags: of Ollama's library that are this model
    """

    entry: Entry
    record: Record
    tags: tuple[str, ...] = ()

    def document(self) -> object:
        """Return the document of `gyakusan catalog show --json`."""
        from gyakusan.documents.catalog import record as document

        return document(self.record, self.entry, self.tags)

    def summary(self) -> Iterator[str]:
        """Yield name, kind and place."""
        yield f"{self.record.name} ({self.entry.kind}), {self.entry.file.name} line {self.entry.line}"


@dataclass(frozen=True, slots=True, repr=False)
class CatalogRecords(Answer):
    """What `gyakusan catalog list` answers.

    records: with their places, the user's own first
    """

    records: tuple[CatalogRecord, ...]

    def document(self) -> list[object]:
        """Return the document of `gyakusan catalog list --json`."""
        return [r.document() for r in self.records]

    def summary(self) -> Iterator[str]:
        """Yield the names."""
        yield f"{len(self.records)} records"
        yield from (f"  {r.record.name}" for r in self.records)


@dataclass(frozen=True, slots=True, repr=False)
class Verified(Answer):
    """What `gyakusan catalog verify` answers.

    verification: what the hub says
    """

    verification: Verification

    def document(self) -> object:
        """Return the document of `gyakusan catalog verify --json`."""
        from gyakusan.documents.catalog import verification as document

        return document(self.verification)

    def summary(self) -> Iterator[str]:
        """Yield how many differ."""
        found = self.verification
        yield f"{found.repositories} repositories, {len(found.findings)} differences"


@dataclass(frozen=True, slots=True, repr=False)
class Sources(Answer):
    """What `gyakusan catalog sources` answers.

    sources: with the number of values of each
    """

    sources: tuple[SourceRecord, ...]

    def document(self) -> list[object]:
        """Return the document of `gyakusan catalog sources --json`."""
        from gyakusan.documents.catalog import source

        return [source(s) for s in self.sources]

    def summary(self) -> Iterator[str]:
        """Yield one line for each source."""
        yield f"{len(self.sources)} sources"
        yield from (f"  {s.name}" for s in self.sources)


@dataclass(frozen=True, slots=True, repr=False)
class Notice(Answer):
    """What `gyakusan catalog check`, `add` and `update` answer.

    message: the sentence
    facts: the same for programs
    """

    message: Message
    facts: Mapping[str, Any]

    def document(self) -> object:
        """Return the document of the command's --json."""
        from gyakusan.documents.catalog import CatalogNoticeJson

        return CatalogNoticeJson(**self.facts)

    def summary(self) -> Iterator[str]:
        """Yield the sentence."""
        yield str(self.message)


def catalog_list(
    kind: Kind = "devices",
    *,
    search: str = "",
    memory: str | None = None,
    language: str = "",
    all: bool = False,  # noqa: A002 - the option's name
) -> CatalogRecords:
    """Return devices, computers, models or embedding models of the catalogue.

    search: only names that contain this text
    memory: only devices with at least this much, e.g. "24GiB"
    language: only models for this language
    all: fine-tunes, base models and older models, too
    """
    from gyakusan.units import GIB, parse_bytes

    found = [(e, r) for e, r in _records(kind) if search.casefold() in " ".join(e.names).casefold()]
    if memory is not None:
        least = parse_bytes(memory) / GIB
        found = [(e, r) for e, r in found if max(e.sizes, default=0) >= least]
    if kind == "models":
        found = [(e, r) for e, r in found if (all or r.listed) and (not language or language in r.languages)]
    return CatalogRecords(tuple(CatalogRecord(e, r) for e, r in found))


def _records(kind: Kind) -> list[tuple[Entry, Any]]:
    """Return every record of a kind with its place, the user's own first."""
    from gyakusan.catalog import devices, models
    from gyakusan.catalog.records import entries

    if kind == "models":
        return list(zip(entries("model"), models.model_records(), strict=True))
    if kind == "embeddings":
        return list(zip(entries("embedding"), models.embedding_records(), strict=True))
    found = devices.device_records() if kind == "devices" else devices.machine_records()
    return list(zip(entries("device" if kind == "devices" else "machine"), found, strict=True))


def catalog_show(name: str) -> CatalogRecord:
    """Return the record that a name means. Raises UnknownName with candidates, of devices where a device is nearer."""
    from gyakusan.catalog import devices, models, tags

    if models.knows(name) and not devices.knows(name):  # the nearest devices need not be sought
        entry, model = models.entry_of(name), models.find(name)
        return CatalogRecord(entry, model, tags.of_model(model.name) if entry.kind == "model" else ())
    try:
        entry = devices.entry_of(name)
    except UnknownName as error:
        try:
            models.entry_of(name)
        except UnknownName as other:
            raise _nearer(name, error, other) from None
        raise
    if entry.kind == "device":
        return CatalogRecord(entry, devices.record_of(entry, devices.DeviceRecord))
    return CatalogRecord(entry, devices.record_of(entry, devices.MachineRecord))


def _nearer(name: str, device: UnknownName, model: UnknownName) -> UnknownName:
    """Return the error that has names to offer, of devices first unless the text begins names of models."""
    if "candidates" in model.message.facts:
        return model
    if device.message.facts.keys() & {"near", "candidates", "sizes"}:
        return device
    if "near" in model.message.facts:
        return model
    where = say("The names: gyakusan catalog list models, gyakusan catalog list devices")
    return unknown(say("device or model"), name, (), otherwise=where.template)


def catalog_sources() -> Sources:
    """Return where the values of the catalogue come from, and their licences."""
    from gyakusan.catalog.origins import counted

    return Sources(tuple(counted()))


def catalog_check(file: str | Path | None = None) -> Notice:
    """Check every record, or a file of one's own. Raises BadRecord, but for broken files of one's own, which are named."""
    from gyakusan.catalog import check, own
    from gyakusan.catalog.records import own_files, root

    broken: tuple[Path, ...] = ()
    if file is not None:
        count = own.check_own(Path(file))
    else:
        broken = own.leave_out_broken()
        count = check.check(root()) + check.check_files([f for f in own_files() if f not in broken])
    facts = {"records": count, "broken": [str(f) for f in broken]}
    if broken:
        names = ", ".join(f.name for f in broken)
        return Notice(say("{count} records checked; left out: {names}.", count=f"{count:,}", names=names), facts)
    return Notice(say("{count} records checked, no fault.", count=f"{count:,}"), facts)


def catalog_add(
    source: str | Path,
    *,
    replace: bool = False,
    name: str = "",
    license: str = "",  # noqa: A002 - the option's name
    languages: Sequence[str] = (),
    released: str = "",
) -> Notice:
    """Add a model, or records of one's own from a TOML file or an address. Raises BadReference, BadModel, BadRecord.

    source: a folder with config.json, a GGUF file, a repository, or a file of records
    replace: a file of the same name is replaced, and its records win over the catalogue's
    name, license, languages, released: of the model, where its files do not say it
    """
    from gyakusan.catalog import own
    from gyakusan.models import described

    said = described.Facts(name=name, license=license, languages=tuple(languages), released=released)
    if described.is_model(str(source)):
        return _add_model(str(source), said, replace=replace)
    if said != described.Facts():
        raise BadReference(
            "{source} is a file of records, and --name, --license, --languages and --released describe a model.",
            source=quoted(str(source), 120), mend="Write these facts into the file.",
        )  # fmt: skip
    path, found = own.add(_text(str(source)), str(source), replace=replace)
    names = [e.name for e in found]
    line = say("Added to {file}: {names}.", file=str(path), names=", ".join(names))
    return Notice(line, {"file": str(path), "names": names})


_MISSING = {
    "license": say("licence (--license)"),
    "languages": say("languages (--languages)"),
    "released": say("release date (--released)"),
}
"""What a record of a model may lack, and the option that tells it."""


def _add_model(source: str, said: Facts, *, replace: bool) -> Notice:
    """Describe a model, and keep its record."""
    from datetime import date

    from gyakusan.catalog import own
    from gyakusan.catalog.names import model_key
    from gyakusan.catalog.records import lookup
    from gyakusan.models import described

    record = described.describe(source, said, date.today().isoformat())
    if not replace and lookup("model", model_key(record.name)):
        raise BadSetting(
            "The catalogue has a model called {name} already.", name=quoted(record.name),
            mend="Choose another --name, or add --replace.",
        )  # fmt: skip
    path, _ = own.add(described.toml(record).encode(), record.name, replace=replace)
    missing = described.missing(record)
    facts = {"file": str(path), "names": [record.name], "missing": missing}
    if not missing:
        return Notice(say("Added to {file}: {names}.", file=str(path), names=record.name), facts)
    line = say(
        "Added to {file}: {names}. Not known: {missing}.",
        file=str(path), names=record.name, missing=Listed(tuple(_MISSING[m] for m in missing)),
    )  # fmt: skip
    return Notice(line, facts)


def catalog_verify(
    model: str = "", *, limit: int = 0, on_progress: Callable[[int, int], None] | None = None
) -> Verified:
    """Ask the hub whether the published files that we know of are still there, and as large. Raises SourceError.

    model: name of the catalogue, "" = all; limit: most repositories, 0 = all; on_progress: called with done and all
    """
    from gyakusan.catalog import models
    from gyakusan.engines.verification import verify

    name = models.find(model).name if model else ""
    return Verified(verify(name, limit=limit, on_progress=on_progress))


def _text(source: str) -> bytes:
    """Return the bytes behind a path or an address. Raises BadReference, SourceError."""
    from gyakusan.catalog.entry import MOST
    from gyakusan.doors import files

    if source.startswith(("https://", "http://")):
        from gyakusan.models.sources import http

        return http.document(source, most=MOST)
    return files.whole(source, MOST, pipe=True)


def catalog_update(
    *,
    online: bool = False,
    address: str = "",
    key: str = "",
    older: bool = False,
    back: bool = False,
    built_in: bool = False,
) -> Notice:
    """Use another release of the catalogue. Raises BadSetting without an address, or without online=True.

    online: fetch the newest release and verify its signature
    address: where it is published
    key: minisign public key of who publishes it, "" = of the project
    older: take one that is older than the one in use, too
    back: use the release before the one in use; built_in: use that of this version. Neither needs the network.
    """
    if back or built_in:
        return _back(online=online, back=back, built_in=built_in)
    if not address:
        raise BadSetting(
            "No address of releases is built in.",
            mend="Add --online and the address of a publisher that you trust: --address https://example.org/catalogue/",
        )
    if not online:
        raise BadSetting("The update is fetched from the network.", mend="Add --online.")
    from gyakusan.catalog import release_update

    found = release_update.update(_fetch(address), key, older=older)
    facts = {"release": found.offered, "newer": found.taken}
    if found.taken:
        return Notice(say("The catalogue is now release {release}.", release=found.offered), facts)
    if found.offered < found.current:
        line = say(
            "Release {release} is in use, and {offered} is older. To use it anyway: --older",
            release=found.current, offered=found.offered,
        )  # fmt: skip
        return Notice(line, facts)
    return Notice(say("The catalogue is up to date ({release}).", release=found.current), facts)


def _back(*, online: bool, back: bool, built_in: bool) -> Notice:
    """Use a release that is kept, or that of this version. Raises BadSetting for two ways at once."""
    from gyakusan.catalog import kept_releases
    from gyakusan.catalog.places import RELEASE

    if (back and built_in) or online:
        raise BadSetting("--online, --back and --built-in exclude each other.", mend="Give one of them.")
    if built_in:
        kept_releases.choose(kept_releases.BUILT_IN)
    now = kept_releases.back() if back else RELEASE
    return Notice(say("The catalogue is now release {release}.", release=now), {"release": now, "newer": False})


def _fetch(address: str) -> Callable[[str, int], bytes]:
    from gyakusan.models.sources import http

    base = address if address.endswith("/") else address + "/"

    def fetch(name: str, most: int) -> bytes:
        try:
            return http.document(base + name, most=most)
        except BadReference as error:
            raise SourceError("{what}", what=error.message, mend="Give another --address.") from None

    return fetch
