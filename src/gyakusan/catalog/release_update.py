"""Fetch a release of the catalogue, verify, check and use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gyakusan.catalog import check, kept_releases, release
from gyakusan.catalog.places import RELEASE
from gyakusan.catalog.release_stamp import MANIFEST, MOST_MANIFEST, SIGNATURE


class Offer(NamedTuple):
    """What a publisher offers.

    offered: date of its newest release
    taken: True if it is in use from now on
    current: date of the release that is in use
    """

    offered: str
    taken: bool
    current: str


def update(fetch: Callable[[str, int], bytes], key: str = "", *, older: bool = False) -> Offer:
    """Fetch, verify and keep the newest release, and use it from now on unless ours is as new.

    fetch: returns the bytes of a file next to the manifest, by its name and the largest size that is read [B]
    key: public key of who signs, "" = of the project
    older: use a release that is older than the one in use, too
    Raises SourceError, BadRecord, BadSetting; then nothing changes.
    """
    signed = release.verified(fetch(MANIFEST, MOST_MANIFEST), fetch(SIGNATURE, MOST_MANIFEST), key or release.PUBLISHER)
    manifest = release.parse(signed.manifest)
    now = kept_releases.current()
    if manifest.release == now or (manifest.release < now and not older):
        return Offer(manifest.release, False, now)
    if manifest.release == RELEASE:
        kept_releases.choose(kept_releases.BUILT_IN)
        return Offer(RELEASE, True, RELEASE)
    release.keep(fetch(manifest.file, release.MOST_DOCUMENT), manifest, signed, check.check)
    kept_releases.choose(manifest.release)
    kept_releases.prune()
    kept_releases.forget()
    return Offer(manifest.release, True, manifest.release)
