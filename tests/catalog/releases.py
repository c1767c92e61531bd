"""Releases of these tests: offered in a folder, signed with a key that signs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools.release import Secret

from gyakusan.catalog import kept_releases, records, release
from gyakusan.catalog.release_stamp import MANIFEST, SIGNATURE

NEXT, LATER = "2030.01.01", "2030.02.01"
RAW = (
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA7bekqPS71GgyU+GkI8ssfiUY3zpSIeE3fw"
    "CjB/M92nZaVn2j4a3x3/BM44X1JC2iCX0yJvMxVVa2z2T2t7gVge3If1pC5SIAqyyvWFvOl0hy8qVcsR9bP5sH9n7HJM5Ui9PFBxQySAw="
)


"""A secret key of these tests, which signs nothing else."""
KEY = "RWTtt6So9LvUaPBM44X1JC2iCX0yJvMxVVa2z2T2t7gVge3If1pC5SIA"


def sign(folder: Path) -> None:
    text = (folder / MANIFEST).read_bytes()
    (folder / SIGNATURE).write_text(Secret.read(f"untrusted comment:\n{RAW}\n").sign(text, "a test"))


def offer(folder: Path, date_: str = NEXT) -> Path:
    release.bundle(folder, release=date_)
    sign(folder)
    return folder


def fetch_from(folder: Path) -> Callable[[str, int], bytes]:
    return lambda name, most: (folder / name).read_bytes()[: most + 1]


def forget() -> None:
    for cached in (kept_releases._in_use, records._compiled, records._database):
        cached.cache_clear()


def in_use() -> str:
    forget()
    return kept_releases.current()
