"""From what is wanted to files on this computer: looked for, listed, measured against the disk, fetched, checked, kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct, field, structs

from gyakusan.doors.files import expanded
from gyakusan.engines.downloads import Loaded, Skipped, index_file, is_projector, loaded_files
from gyakusan.errors import BadReference, GyakusanError, Malformed, SourceError, Unreachable
from gyakusan.fetching import pull
from gyakusan.fetching.copies import hub_caches
from gyakusan.fetching.find import Found, find, weights_of
from gyakusan.fetching.places import Folder, HubCache, Place, free_bytes
from gyakusan.fetching.transfer import Patience, Remote, Transfer
from gyakusan.fetching.wanted import Wanted
from gyakusan.message import quoted
from gyakusan.models.sources import hub, ollama

MARGIN = 256 * 2**20
"""What stays free on the disk [B]."""
State = Literal["here", "planned", "fetched"]


class Progress(Struct, frozen=True):
    """How far it is.

    file: the one that is fetched, "" = none yet
    place: its number, from 1
    files: how many are fetched
    done: bytes of all files that are there [B]
    total: bytes of all files, None = not known [B]
    checking: True while the sum of a file is compared
    """

    file: str = ""
    place: int = 0
    files: int = 0
    done: int = 0
    total: int | None = None
    checking: bool = False


Report = Callable[[Progress], None]


class Ask(Struct, frozen=True):
    """What is to be fetched, before anything is.

    wanted: what was asked for
    files: those that a server loads
    skipped: what is left out, and why
    place: where they go, None for Ollama
    missing: bytes that have to be fetched, None = not known [B]
    free: bytes that are free there, None = not known [B]
    """

    wanted: Wanted
    files: tuple[Remote, ...]
    skipped: tuple[Skipped, ...]
    place: Place | None
    missing: int | None
    free: int | None


class Got(Struct, frozen=True):
    """Files on this computer.

    state: "here" before anything was asked, "fetched", or "planned" if nothing was to be done
    wanted: what was asked for
    program: who keeps them
    path: what a server is given, None if it is not there yet
    files: all files
    bytes: of all files, None = not known [B]
    projector: file of the image part, None if there is none
    skipped: what was left out, and why
    checked: True if every fetched file has the checksum that the hub lists
    seconds: the fetching took [s]
    missing: bytes that would be fetched, 0 if all is here [B]
    by_catalogue: True if the hub could not be asked: the size is that of the weights alone, as published or as a plan counts them
    """

    state: State
    wanted: Wanted
    program: str
    path: Path | None
    files: tuple[Path, ...]
    bytes: int | None
    projector: Path | None = None
    skipped: tuple[Skipped, ...] = ()
    checked: bool = False
    seconds: float = 0.0
    missing: int | None = 0
    by_catalogue: bool = False


class Getter(Struct, frozen=True):
    """One call of get.

    to: the folder that a person names, None = the hub's cache
    dry_run: say what would be fetched, and fetch nothing
    offline: stay off the network
    on_ask: called before the first byte
    report: called with the progress
    patience: how long a server is waited for
    """

    to: Path | None = None
    dry_run: bool = False
    offline: bool = False
    on_ask: Callable[[Ask], None] = lambda _: None
    report: Report = lambda _: None
    patience: Patience = field(default_factory=Patience)

    def get(self, wanted: Wanted) -> Got:
        """Return the files, fetched if need be. Raises GyakusanError; what is not whole stays and is gone on with."""
        found = find(wanted) if self.to is None else None
        if found is not None:
            return _here(wanted, found)
        if self.offline or (hub.offline() and wanted.repository is not None):
            if self.dry_run and _size_known(wanted) is not None:
                return self._by_catalogue(wanted)
            raise SourceError(
                "The files of {name} are not on this computer, and the network is switched off.", name=wanted.reference,
                mend="Leave out --offline (or HF_HUB_OFFLINE).",
            )  # fmt: skip
        if wanted.repository is None:
            return self._pull(wanted)
        try:
            ask = self._ask(wanted, wanted.repository)
        except Unreachable as error:
            if not self.dry_run or _size_known(wanted) is None:
                raise Unreachable(
                    "Hugging Face, from where models are downloaded, cannot be reached. {problem}", problem=error.message,
                    mend="Without a network copy the file to this computer and start it: gyakusan serve FILE.gguf; "
                    "or start the small model that is installed: gyakusan serve smollm2" if wanted.storage == "gguf" else
                    "Without a network copy the folder of the model into the same cache of that computer: "
                    "~/.cache/huggingface/hub",
                ) from error  # fmt: skip
            return self._by_catalogue(wanted)
        self.on_ask(ask)
        if self.dry_run:
            return _planned(ask)
        _check_room(ask)
        return self._fetch(ask)

    def _by_catalogue(self, wanted: Wanted) -> Got:
        """Return what would be fetched where the hub cannot be asked: the weights, by the size that the catalogue knows."""
        program = (
            "Ollama" if wanted.repository is None else "Hugging Face" if self.to is None else str(expanded(self.to))
        )
        size = _size_known(wanted)
        return Got("planned", wanted, program, None, (), size, missing=size, by_catalogue=True)

    def _ask(self, wanted: Wanted, repository: hub.Repository) -> Ask:
        """Ask the hub for the list of files, and choose those that a server loads."""
        listing = hub.listed(repository)
        if not listing.commit:
            raise Malformed(
                "The hub's answer about {name} cannot be read: {what}.", name=repository.id, what="sha", mend="Try again later."
            )  # fmt: skip
        fixed = hub.Repository(repository.id, at=listing.commit)
        loaded, wanted = _chosen(wanted, listing)
        files = tuple(
            Remote(f, hub.address(fixed, f), listing.files[f], listing.digests.get(f, "")) for f in loaded.files
        )
        root = _root(wanted)
        place = HubCache(root, repository, listing.commit) if self.to is None else Folder(expanded(self.to))
        missing = [_missing(place, r) for r in files]
        known = None if None in missing else sum(m or 0 for m in missing)
        return Ask(wanted, files, loaded.skipped, place, known, free_bytes(place.root))

    def _fetch(self, ask: Ask) -> Got:
        """Fetch one file after the other."""
        place, begun = ask.place, time.monotonic()
        assert place is not None
        headers = hub.authorization()
        total = None if any(r.bytes is None for r in ask.files) else sum(r.bytes or 0 for r in ask.files)
        before, kept, checked = 0, [], True
        for number, remote in enumerate(ask.files, 1):
            state = Progress(remote.name, number, len(ask.files), before, total)
            try:
                kept.append(self._one(place, remote, headers, state))
            except GyakusanError as error:
                raise _told(error, ask) from None
            before += remote.bytes or kept[-1].stat().st_size
            checked = checked and bool(remote.digest)
        path = kept[0] if ask.wanted.storage == "gguf" else place.folder
        image = next((k for k, r in zip(kept, ask.files, strict=True) if is_projector(r.name)), None)
        size = sum(k.stat().st_size for k in kept)
        taken = time.monotonic() - begun
        return Got("fetched", ask.wanted, _keeper(place), path, tuple(kept), size, image, ask.skipped, checked, taken)

    def _one(self, place: Place, remote: Remote, headers: dict[str, str], state: Progress) -> Path:
        """Fetch one file, unless it is there."""
        if place.has(remote):
            self.report(structs.replace(state, done=state.done + (remote.bytes or 0)))
            return place.path(remote)
        with place.lock(remote):

            def came(done: int) -> None:
                whole = remote.bytes is not None and done >= remote.bytes
                self.report(structs.replace(state, done=state.done + done, checking=whole))

            digest = Transfer(remote, place.part(remote), headers, came, self.patience).run()
            return place.keep(remote, digest)

    def _pull(self, wanted: Wanted) -> Got:
        """Let Ollama fetch its tag."""
        if self.to is not None:
            raise BadReference(
                "Ollama keeps {tag} in its own store: --to does not move it.", tag=wanted.tag, mend="Leave out --to."
            )
        store = next((s for s in ollama.stores() if s.is_dir()), ollama.stores()[0])
        ask = Ask(wanted, (), (), None, wanted.bytes, free_bytes(store))
        self.on_ask(ask)
        if self.dry_run:
            return _planned(ask)
        _check_room(ask)
        begun = time.monotonic()
        last = [0, 0]

        def came(done: int, total: int) -> None:
            last[:] = [done, total]
            self.report(Progress(wanted.tag, 1, 1, done, total))

        pull.pull(wanted.tag, came)
        found = find(wanted)
        seconds = time.monotonic() - begun
        if found is None:  # on another computer, or in a store that only Ollama may read
            return Got("fetched", wanted, "Ollama", None, (), last[1] or None, checked=True, seconds=seconds)
        return structs.replace(_here(wanted, found), state="fetched", checked=True, seconds=seconds)


def _size_known(wanted: Wanted) -> int | None:
    """Return the bytes of the weights without a question to the hub: as published, else as a plan counts them."""
    return wanted.counted if wanted.bytes is None else wanted.bytes


def _here(wanted: Wanted, found: Found) -> Got:
    if found.quantization:
        wanted = structs.replace(wanted, quantization=found.quantization, tag=found.quantization)
    return Got("here", wanted, found.program, found.path, found.files, found.bytes, found.projector)


def _planned(ask: Ask) -> Got:
    """Return what would be fetched."""
    sizes = [r.bytes for r in ask.files]
    size = ask.wanted.bytes if not sizes else None if None in sizes else sum(s or 0 for s in sizes)
    program = "Ollama" if ask.place is None else _keeper(ask.place)
    paths = () if ask.place is None else tuple(ask.place.path(r) for r in ask.files)
    return Got("planned", ask.wanted, program, None, paths, size, skipped=ask.skipped, missing=ask.missing)


def _keeper(place: Place) -> str:
    """Return who keeps the files of a place."""
    return "Hugging Face" if isinstance(place, HubCache) else str(place.root)


def _root(wanted: Wanted) -> Path:
    """Return the cache that files go to: llama.cpp's own where LLAMA_CACHE names one, else Hugging Face's."""
    caches = hub_caches()
    return (caches[-1] if wanted.storage == "gguf" else caches[0])[1]


def _missing(place: Place, remote: Remote) -> int | None:
    """Return what has to be fetched of a file, None if its size is not known [B]."""
    if place.has(remote):
        return 0
    try:
        there = place.part(remote).stat().st_size
    except OSError:
        there = 0
    return None if remote.bytes is None else max(0, remote.bytes - there)


def _check_room(ask: Ask) -> None:
    """Raise SourceError where the disk has no room for what is missing."""
    if ask.missing is None or ask.free is None or ask.missing + MARGIN <= ask.free or not ask.missing:
        return
    root = ask.place.root if ask.place is not None else ollama.stores()[0]
    raise SourceError(
        "{need} are to be fetched, and {free} are free in {folder}.", need=gigabytes(ask.missing, up=True),
        free=gigabytes(ask.free), folder=str(root), mend="Make room, or name another folder with --to.",
    )  # fmt: skip


def gigabytes(size: int, *, up: bool = False) -> str:
    """Return a size as download pages say it: GB with one decimal; rounded up or down, so that it can be trusted."""
    tenths = -(-size // 10**8) if up else size // 10**8
    if tenths < 10:
        return f"{-(-size // 10**6) if up else size // 10**6} MB"
    return f"{tenths / 10:.1f} GB" if tenths < 1000 else f"{tenths // 10} GB"


def held(size: int) -> str:
    """Return a size of files that are here, as download pages say it, to the nearest: "98 MB", "12.2 GB"."""
    return gigabytes(round(size, -8 if size >= 10**9 else -6))


def _chosen(wanted: Wanted, listing: hub.Listing) -> tuple[Loaded, Wanted]:
    """Return the files that a server loads of a listing. Raises BadReference, SourceError."""
    names = list(listing.files)
    index = index_file(wanted.storage, names)
    listed = weights_of(listing.document(index)) if index else ()
    loaded = loaded_files(wanted.storage, names, wanted.tag, projector=wanted.projector, indexed=listed)
    if loaded is None and wanted.storage == "gguf" and not wanted.tag and not any(n.endswith(".gguf") for n in names):
        return _chosen(structs.replace(wanted, storage="checkpoint"), listing)
    if loaded is None:
        raise _none(wanted, names)
    return loaded, wanted


def _none(wanted: Wanted, names: list[str]) -> BadReference:
    """Return the error for a repository without what is asked for, with what it has."""
    from gyakusan.models import repository

    assert wanted.repository is not None
    if wanted.storage != "gguf":
        return BadReference(
            "{name} has no complete safetensors files.", name=wanted.repository.id, mend="Name another repository."
        )
    listing = hub.Listing(wanted.repository, dict.fromkeys(names))
    try:
        tags = [c.name for c in repository.choices(listing)]
    except GyakusanError:
        tags = []
    return BadReference(
        "{name} has no {wanted}.", name=wanted.repository.id, wanted=quoted(wanted.tag[:80] or "GGUF"),
        known=", ".join(tags[:40]) or "-", mend="It has {known}.",
    )  # fmt: skip


def _told(error: GyakusanError, ask: Ask) -> GyakusanError:
    """Return an error of the hub in the words that help: what is gated, and what to do."""
    status = error.message.facts.get("status")
    if ask.wanted.repository is None or status not in (401, 403):
        return error
    return gated(ask.wanted.repository.id)


def gated(name: str) -> SourceError:
    """Return the error of a repository whose licence has to be agreed to first."""
    url = f"{hub.endpoint()}/{name}"
    if hub.authorization():
        return SourceError(
            "{name} is gated: its maker wants you to agree to a licence first, and your token has no access.", name=name,
            url=url, mend="Agree at {url}, and check that the token may read gated repositories.",
        )  # fmt: skip
    return SourceError(
        "{name} is gated: its maker wants you to agree to a licence first.", name=name, url=url,
        mend="1. Agree at {url}. 2. hf auth login. 3. Run the same command again.",
    )  # fmt: skip
