"""What shows that the folder of a release is whole: by which key it was verified, and that its records are many enough."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from errno import EFBIG
from pathlib import Path

from msgspec import Struct, structs

from gyakusan.catalog.compile import COMPILED
from gyakusan.catalog.places import DATA
from gyakusan.doors.files import head
from gyakusan.errors import SourceError
from gyakusan.message import say

MANIFEST, SIGNATURE, STAMP = "catalog.json", "catalog.json.minisig", "verified.json"
"""Files of a release: what it has, the signature of that, and by which key it was verified."""
MOST_MANIFEST = 16 * 2**10
"""Largest manifest or signature that is read. [B]"""
LEAST = 0.5
"""Share of this version's models, and of its devices, that a release has at least."""


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a small file. Raises OSError for a folder, a pipe, a device, and for one that is too large.

    most: longest that is read [B]
    """
    data = head(path, most + 1)
    if len(data) > most:
        raise OSError(EFBIG, os.strerror(EFBIG), str(path))
    return data


class Stamp(Struct, frozen=True):
    """By which key a release was verified.

    key: public key, as minisign prints it
    sha256: of manifest and signature
    """

    key: str
    sha256: str

    @classmethod
    def of(cls, manifest: bytes, signature: bytes, key: str) -> Stamp:
        """Return the stamp of what was verified."""
        import hashlib

        return cls(key, hashlib.sha256(manifest + b"\0" + signature).hexdigest())

    @classmethod
    def read(cls, folder: Path) -> Stamp | None:
        """Return the stamp of a kept release, None where there is none that can be read."""
        import json

        try:
            return cls(**json.loads(read_file(folder / STAMP, 1000)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def write(self, folder: Path) -> None:
        """Write the stamp into the folder of a release."""
        import json

        (folder / STAMP).write_text(json.dumps(structs.asdict(self)), "utf-8")


def check_content(folder: Path) -> None:
    """Raise SourceError for a release with far fewer models or devices than this version has."""
    for kind in ("model", "device"):
        ours, its = _count(DATA, kind), _count(folder, kind)
        if its < LEAST * ours:
            raise SourceError(
                "The release is not whole: it has {its} records of kind {kind}, and this version has {ours}.",
                its=its, ours=ours, kind=kind, mend="Nothing was changed.",
            )  # fmt: skip


def _count(folder: Path, kind: str) -> int:
    """Return the number of records of a kind in a compiled catalogue. Raises SourceError for a damaged one."""
    try:
        with closing(sqlite3.connect(f"{(folder / COMPILED).as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM record WHERE kind = ?", (kind,)).fetchone()[0])
    except sqlite3.Error as error:
        raise SourceError(
            "The release is damaged ({why}).", why=say("its compiled file cannot be read"), mend="Nothing was changed."
        ) from error
