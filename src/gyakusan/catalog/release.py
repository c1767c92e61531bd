"""A newer release of the catalogue: one JSON document with the TOML files, and a manifest with its SHA-256.

`python -m gyakusan.catalog.release FOLDER` writes both for the project's repository; `gyakusan catalog update` reads them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from gyakusan.catalog import check, places
from gyakusan.catalog.compile import compile_catalogue, toml_files
from gyakusan.catalog.entry import SCHEMA
from gyakusan.catalog.places import DATA, RELEASE
from gyakusan.doors.files import packaged
from gyakusan.errors import BadRecord, SourceError

MANIFEST = "catalog.json"
_FILE = re.compile(r"(?:(?:devices|models|embeddings|registry)/[\w-]{1,80}|machines|prices|rates|sources)\.toml")
_DATE = re.compile(r"\d{4}\.\d{2}\.\d{2}")
_SUM = re.compile(r"[0-9a-f]{64}")


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


def parse(text: bytes) -> Manifest:
    """Return what a manifest says. Raises SourceError, BadRecord for one from the future."""
    try:
        manifest = Manifest(**json.loads(text))
        dated = _DATE.fullmatch(manifest.release)
        plain = dated and _SUM.fullmatch(manifest.sha256) and re.fullmatch(r"[\w.-]+", manifest.file)
    except (ValueError, TypeError) as error:
        raise _damaged(str(error)[:80]) from None
    if not plain or not isinstance(manifest.schema, int):
        raise _damaged("a field has another form")
    if manifest.schema > SCHEMA:
        raise BadRecord(
            "Release {release} has format {said}; this version reads formats up to {known}.",
            release=manifest.release, said=manifest.schema, known=SCHEMA, mend="Upgrade gyakusan: pip install -U gyakusan",
        )  # fmt: skip
    return manifest


def update(fetch: Callable[[str], bytes]) -> tuple[Manifest, bool]:
    """Fetch, verify and keep the newest release; return its manifest, and False if ours is as new.

    fetch: returns the bytes of a file next to the manifest by its name
    Raises SourceError, BadRecord; then nothing changes.
    """
    manifest = parse(fetch(MANIFEST))
    current = places.released()
    if manifest.release <= max(RELEASE, current.name if current else ""):
        return manifest, False
    text = fetch(manifest.file)
    if hashlib.sha256(text).hexdigest() != manifest.sha256:
        raise SourceError(
            "The SHA-256 of {file} differs from its manifest.",
            file=manifest.file,
            mend="Try again later.",
        )
    _keep(text, manifest)
    return manifest, True


def _keep(text: bytes, manifest: Manifest) -> None:
    """Write the files into a new folder, check them, and move the folder to its place at once."""
    places.fetched().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=places.fetched()))
    try:
        for name, content in _contents(text).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")
        check.check(folder)
        compile_catalogue(folder)
        os.rename(folder, places.fetched() / manifest.release)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _contents(text: bytes) -> dict[str, str]:
    try:
        texts: dict[str, str] = dict(json.loads(text)["files"])
        bad = [n for n, t in texts.items() if not _FILE.fullmatch(n) or not isinstance(t, str)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(str(error)[:80]) from None
    if bad:
        raise _damaged(f"{bad[0][:80]!r} is no file of a catalogue")
    return texts


def _damaged(why: str) -> SourceError:
    return SourceError("The release is damaged ({why}).", why=why, mend="Try again later.")


def bundle(folder: Path, data: Path = DATA, release: str = RELEASE) -> Manifest:
    """Write a release of `data` into `folder` and return its manifest."""
    names = {f.relative_to(data).as_posix(): packaged(f).decode() for f in toml_files(data)}
    text = json.dumps({"files": names}, ensure_ascii=False, sort_keys=True).encode()
    manifest = Manifest(release, SCHEMA, f"catalog-{release}.json", hashlib.sha256(text).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.file).write_bytes(text)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), "utf-8")
    return manifest


if __name__ == "__main__":
    print(bundle(Path(sys.argv[1])))
