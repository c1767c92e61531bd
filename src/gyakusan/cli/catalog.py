"""gyakusan catalog: facts and their sources; records of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import draw, write_json
from gyakusan.errors import BadReference, BadSetting, SourceError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyakusan.catalog.entry import Entry
    from gyakusan.show.catalog import Record

app = App(name="catalog", help="Show catalogue facts with their sources; add your own.", help_format="plaintext")

Kind = Literal["devices", "machines", "models", "embeddings"]
ADDRESS = "https://github.com/gyakusan/gyakusan/releases/latest/download/"
"""Where the project publishes releases of the catalogue."""


@app.command(name="list", help="List devices, computers, models or embedding models.")
def every(
    kind: Annotated[Kind, Parameter(help=_("What to list."))] = "devices",
    *,
    search: Annotated[str, Parameter(help=_("Only names that contain this text."))] = "",
    memory: Annotated[str | None, Parameter(help=_("Only devices with at least this much memory, e.g. 24GiB."))] = None,
    language: Annotated[str, Parameter(help=_("Only models for this language, e.g. ja."))] = "",
    all_: Annotated[
        bool, Parameter(name="--all", help=_("Include fine-tunes, base models and older models."), negative="")
    ] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog list` and return its exit code."""
    from gyakusan.show import catalog as shown

    found = [(e, r) for e, r in _records(kind) if search.casefold() in " ".join(e.names).casefold()]
    if memory is not None:
        least = _gib(memory)
        found = [(e, r) for e, r in found if max(e.sizes, default=0) >= least]
    if kind == "models":
        found = [(e, r) for e, r in found if (all_ or r.listed) and (not language or language in r.languages)]
    if output.json:
        from gyakusan.documents import catalog as documents

        write_json([documents.record(r, e) for e, r in found], output)
    else:
        draw(*getattr(shown, "models" if kind == "embeddings" else kind)([r for _, r in found]), output=output)
    return 0 if found else 1


@app.command(name="show", help="Show one record: every value with its source and date.")
def show(
    name: Annotated[str, Parameter(help=_("A device, a computer or a model, e.g. 'RTX 5090' or qwen2.5:14b."))],
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog show` and return its exit code."""
    from gyakusan.show import catalog as shown

    entry, record = _one(name)
    tags = _tags(record.name) if entry.kind == "model" else ()
    if output.json:
        from gyakusan.documents import catalog as documents

        write_json(documents.record(record, entry, tags), output)
    else:
        draw(*shown.record(record, entry, tags), output=output)
    return 0


@app.command(name="sources", help="Show where the values come from, and their licences.")
def sources(*, output: Output = Output()) -> int:
    """Run `gyakusan catalog sources` and return its exit code."""
    from gyakusan.catalog.origins import counted
    from gyakusan.show import catalog as shown

    found = counted()
    if output.json:
        from gyakusan.documents import catalog as documents

        write_json([documents.source(s) for s in found], output)
    else:
        draw(*shown.sources(found), output=output)
    return 0


@app.command(name="check", help="Check every record, or a file of your own.")
def check(
    file: Annotated[
        Path | None, Parameter(help=_("A file of records; default: the catalogue and your own records."))
    ] = None,
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog check` and return its exit code."""
    from gyakusan.catalog import check as checking
    from gyakusan.catalog import own, places
    from gyakusan.catalog.records import root
    from gyakusan.message import say

    def everything() -> int:
        return checking.check(root()) + checking.check_files(places.own_files())

    count = everything() if file is None else own.check_own(file)
    return _say(say("{count} records checked, no fault.", count=f"{count:,}"), {"records": count}, output)


@app.command(name="add", help="Add records of your own from a file or an address.")
def add(
    source: Annotated[str, Parameter(help=_("A TOML file of records, or its https:// address."))],
    *,
    replace: Annotated[
        bool, Parameter(help=_("Replace a file of the same name; its records win over the catalogue's."), negative="")
    ] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog add` and return its exit code."""
    from gyakusan.catalog import own
    from gyakusan.message import say

    path, found = own.add(_text(source), source, replace=replace)
    names = ", ".join(e.name for e in found)
    line = say("Added to {file}: {names}.", file=str(path), names=names)
    return _say(line, {"file": str(path), "names": [e.name for e in found]}, output)


@app.command(name="update", help="Fetch a newer catalogue release and verify its checksum.")
def update(
    *,
    online: Annotated[bool, Parameter(help=_("Use the network; without it nothing is fetched."), negative="")] = False,
    address: Annotated[str, Parameter(help=_("Address where releases are published."))] = ADDRESS,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog update` and return its exit code."""
    from gyakusan.catalog import release
    from gyakusan.message import say

    if not online:
        raise BadSetting("The update is fetched from the network.", mend="Add --online.")
    manifest, newer = release.update(_fetch(address))
    facts = {"release": manifest.release, "newer": newer}
    if newer:
        return _say(say("The catalogue is now release {release}.", release=manifest.release), facts, output)
    return _say(say("The catalogue is up to date ({release}).", release=manifest.release), facts, output)


def _records(kind: Kind) -> list[tuple[Entry, Any]]:
    """Every record of a kind with its place, the user's own first."""
    from gyakusan.catalog import devices, models
    from gyakusan.catalog.records import entries

    if kind == "models":
        return list(zip(entries("model"), models.model_records(), strict=True))
    if kind == "embeddings":
        return list(zip(entries("embedding"), models.embedding_records(), strict=True))
    found = devices.device_records() if kind == "devices" else devices.machine_records()
    return list(zip(entries("device" if kind == "devices" else "machine"), found, strict=True))


def _one(name: str) -> tuple[Entry, Record]:
    """The record that `name` means. Raises UnknownName with candidates, of devices where a device is nearer."""
    from gyakusan.catalog import devices, models

    try:
        entry = devices.entry_of(name)
    except UnknownName as error:
        try:
            return models.entry_of(name), models.find(name)
        except UnknownName as other:
            raise (other if "candidates" in other.message.facts else error) from None
    if entry.kind == "device":
        return entry, devices.record_of(entry, devices.DeviceRecord)
    return entry, devices.record_of(entry, devices.MachineRecord)


def _tags(model: str) -> tuple[str, ...]:
    """Tags of Ollama's library that are this model."""
    from gyakusan.catalog import tags

    return tags.of_model(model)


def _gib(text: str) -> float:
    from gyakusan.units import GIB, parse_bytes

    return parse_bytes(text) / GIB


def _text(source: str) -> bytes:
    """The bytes behind a path or an address. Raises BadReference, SourceError."""
    from gyakusan.catalog.own import MOST

    if source.startswith(("https://", "http://")):
        from gyakusan.models.sources import http

        return http.document(source, most=MOST)
    try:
        return Path(source).expanduser().read_bytes()[: MOST + 1]
    except OSError as error:
        why = error.strerror or "?"
        raise BadReference(
            "{file} cannot be read ({why}).", file=source[:200], why=why, mend="Give a TOML file."
        ) from None


def _fetch(address: str) -> Callable[[str], bytes]:
    from gyakusan.models.sources import http

    base = address if address.endswith("/") else address + "/"

    def fetch(name: str) -> bytes:
        try:
            return http.document(base + name)
        except BadReference as error:
            raise SourceError("{what}", what=error.message, mend="Give another --address.") from None

    return fetch


def _say(line: Any, facts: dict[str, Any], output: Output) -> int:
    """One sentence, or its facts."""
    if output.json:
        from gyakusan.documents.catalog import CatalogNoticeJson

        write_json(CatalogNoticeJson(**facts), output)
    else:
        from gyakusan.text import tell

        print(tell(line, output.language))
    return 0
