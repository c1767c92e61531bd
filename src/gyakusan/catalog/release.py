"""A release of the catalogue: one JSON document with the TOML files, a manifest with its SHA-256, and its signature.

`gyakusan catalog update` fetches them, verifies and checks them, and keeps them as a folder of their own; `tools/release.py`
makes and signs them. Which of them is in use: `kept_releases`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from gyakusan.catalog import minisign, places
from gyakusan.catalog.compile import compile_catalogue, toml_files
from gyakusan.catalog.entry import SCHEMA
from gyakusan.catalog.places import DATA, RELEASE
from gyakusan.catalog.release_stamp import MANIFEST, MOST_MANIFEST, SIGNATURE, Stamp, check_content, read_file
from gyakusan.doors.files import packaged
from gyakusan.errors import BadRecord, SourceError
from gyakusan.message import Message, quoted, say

PUBLISHER = "RWTGsL6UWpOqzurCR9lXeOs33Xi2nB3yLltBa6bni7W1ym04xYL/vsd+"
"""Public key of the project, as minisign prints it. Its secret half is in no repository (decision 28)."""
MOST_DOCUMENT, MOST_FILE, MOST_FILES = 16 * 2**20, 4 * 2**20, 1_000
"""Largest sizes that are read: document, one of its files [B]; and its files [count]."""
NEEDED = ("machines.toml", "prices.toml", "rates.toml", "sources.toml")
"""Files without which no release is a catalogue."""
_FILE = re.compile(
    r"(?:(?:devices|models|embeddings|registry)/[\w-]{1,80}|machines|prices|rates|sources)\.toml", re.ASCII
)
_DATE = re.compile(r"(20\d\d)\.(\d\d)\.(\d\d)", re.ASCII)
_SUM = re.compile(r"[0-9a-f]{64}")
_DOCUMENT = re.compile(r"\w[\w.-]{0,80}\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release has.

    release: its date, YYYY.MM.DD
    schema: form of its TOML files (see entry.SCHEMA)
    file: name of its document, next to the manifest
    sha256: of that document
    """

    release: str
    schema: int
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest whose signature was verified.

    manifest: its text
    signature: text of the signature file
    stamp: by which key
    """

    manifest: bytes
    signature: bytes
    stamp: Stamp


def verified(manifest: bytes, signature: bytes, key: str) -> Signed:
    """Return a manifest with its signature, which is verified here. Raises SourceError, BadSetting. key: public key."""
    minisign.verify(manifest, signature, key)
    return Signed(manifest, signature, Stamp.of(manifest, signature, key))


def today() -> date:
    """Return the date of this computer."""
    return date.today()


def parse(text: bytes) -> Manifest:
    """Return what a manifest says. Raises SourceError, BadRecord for one of another format."""
    try:
        said = json.loads(text)
        manifest = Manifest(**said)
        plain = all(isinstance(x, str) for x in (manifest.release, manifest.sha256, manifest.file))
    except (ValueError, TypeError, RecursionError):
        raise _damaged(say("its manifest cannot be read")) from None
    if not plain or not _SUM.fullmatch(manifest.sha256) or not _DOCUMENT.fullmatch(manifest.file):
        raise _damaged(say("a field of its manifest has another form"))
    _dated(manifest.release)
    if type(manifest.schema) is not int or manifest.schema < 1:
        raise _damaged(say("a field of its manifest has another form"))
    if manifest.schema > SCHEMA:
        raise BadRecord(
            "Release {release} has format {said}; this version reads formats up to {known}.",
            release=manifest.release, said=manifest.schema, known=SCHEMA, mend="Upgrade gyakusan: pip install -U gyakusan",
        )  # fmt: skip
    return manifest


def _dated(release: str) -> None:
    """Raise SourceError for what is no date, or one that has not come."""
    match = _DATE.fullmatch(release)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None:
        raise _damaged(say("its date is not of the form YYYY.MM.DD"))
    if day > today() + timedelta(days=1):  # it is tomorrow already in some time zones
        raise SourceError(
            "The release is of {release}, and today is {today}.", release=release, today=f"{today():%Y.%m.%d}",
            mend="Check the date of this computer.",
        )  # fmt: skip


def restore(folder: Path, key: str) -> None:
    """Verify a kept release again, and write its files anew. Raises GyakusanError for one that is damaged or not signed.

    key: public key of who signed it
    """
    try:
        text, signature = (read_file(folder / name, MOST_MANIFEST) for name in (MANIFEST, SIGNATURE))
        signed = verified(text, signature, key)
        manifest = parse(signed.manifest)
        if manifest.release != folder.name:
            raise _damaged(say("its folder has another date"))
        document = read_file(folder / manifest.file, MOST_DOCUMENT)
    except OSError as error:
        raise _damaged(say("a file of it is missing")) from error
    keep(document, manifest, signed)


def keep(
    document: bytes, manifest: Manifest, signed: Signed, check: Callable[[Path], object] = lambda folder: None
) -> None:
    """Write the files into a new folder, check them, and move the folder to its place at once.

    document: the text that the manifest names; signed: manifest and signature, verified;
    check: raises BadRecord for a folder whose records break a rule
    Raises SourceError, BadRecord; then nothing changes.
    """
    if hashlib.sha256(document).hexdigest() != manifest.sha256:
        raise SourceError(
            "The SHA-256 of {file} differs from its manifest.", file=manifest.file, mend="Try again later."
        )
    try:
        folder = _write(contents(document), signed, (manifest.file, document), check)
        _move(folder, places.fetched() / manifest.release)
    except RecursionError:
        raise _damaged(say("a file of it nests too deeply")) from None
    except OSError as error:
        raise SourceError(
            "{file} cannot be written: {why}.", file=str(places.fetched()), why=error.strerror or "?",
            mend="Check its permissions and the disk.",
        ) from error  # fmt: skip


def _write(texts: dict[str, str], signed: Signed, document: tuple[str, bytes], check: Callable[[Path], object]) -> Path:
    """Return a new folder with the files of a release, checked and compiled."""
    places.fetched().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=places.fetched()))
    try:
        for name, content in texts.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")
        for name, raw in (document, (MANIFEST, signed.manifest), (SIGNATURE, signed.signature)):
            (folder / name).write_bytes(raw)
        check(folder)
        compile_catalogue(folder)
        check_content(folder)
        signed.stamp.write(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _move(folder: Path, target: Path) -> None:
    """Put a folder in the place of what stands there."""
    try:
        os.rename(folder, target)
    except OSError:
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
        os.rename(target, old / "release")
        os.rename(folder, target)
        shutil.rmtree(old, ignore_errors=True)


def contents(document: bytes) -> dict[str, str]:
    """Return the TOML files of a release's document by their names. Raises SourceError for one that lacks a file."""
    import msgspec

    if len(document) > MOST_DOCUMENT:
        raise _damaged(say("it is too large"))
    try:
        said = msgspec.json.decode(document, type=dict[str, dict[str, str]])
    except (msgspec.MsgspecError, RecursionError):
        said = {}
    if set(said) != {"files"}:
        raise _damaged(say("its document cannot be read"))
    texts = said["files"]
    bad = next((n for n in texts if not _FILE.fullmatch(n)), None)
    if bad is not None:
        raise _damaged(say("{name} is not a file of a catalogue", name=quoted(bad, 80)))
    missing = next((n for n in NEEDED if n not in texts), None)
    if missing is not None:
        raise _damaged(say("{file} is missing", file=missing))
    if len(texts) > MOST_FILES or any(len(t) > MOST_FILE for t in texts.values()):
        raise _damaged(say("it is too large"))
    return texts


def _damaged(why: Message) -> SourceError:
    return SourceError("The release is damaged ({why}).", why=why, mend="Nothing was changed.")


def bundle(folder: Path, data: Path = DATA, release: str = RELEASE) -> Manifest:
    """Write a release of `data` into `folder`, not yet signed, and return its manifest."""
    names = {f.relative_to(data).as_posix(): packaged(f).decode() for f in toml_files(data)}
    text = json.dumps({"files": names}, ensure_ascii=False, sort_keys=True).encode()
    manifest = Manifest(release, SCHEMA, f"catalog-{release}.json", hashlib.sha256(text).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.file).write_bytes(text)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), "utf-8")
    return manifest
