"""Resolve what a person types for a model, and load it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gyakusan.core.model import Model
from gyakusan.doors.files import expanded
from gyakusan.doors.scope import sees_files
from gyakusan.errors import BadReference, SourceError, UnknownName
from gyakusan.message import quoted, say
from gyakusan.models import given
from gyakusan.models.offers import instead, off, offer
from gyakusan.patterns import late

if TYPE_CHECKING:
    from gyakusan.catalog.repositories import Published
    from gyakusan.catalog.tags import Tag
    from gyakusan.models.repository import Choice
    from gyakusan.models.sources.hub import Listing, Repository

EMBEDDED = "smollm2"
_PAGE = late(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/\s:?#]{1,96}/[^/\s:?#]{1,96})"
    r"(?:/(?:tree|blob)/[^/\s]{1,255}(?:/([^\s?#]{1,500}))?|:([^/\s?#]{1,96}))?/?(?:[?#]\S{0,500})?",
    re.IGNORECASE,
)
"""The page of a repository or of a file in it, and what Ollama writes: hf.co/owner/name:TAG."""
_FILE_OF = late(r"[\w.-]{1,96}/[\w.-]{1,96}:[^:\s]{1,500}")
"""A file or a tag of a repository: owner/name:FILE.gguf."""
_OPTION = late(r"-(?:hf|hfr)\s+|--hf-repo\s+")
"""What stands before a reference in the command of llama-server."""
PREFIXES = {"ollama": "ollama", "hf": "hub", "huggingface": "hub", "hf.co": "hub"}


class Reference(Struct, frozen=True):
    """A resolved reference.

    kind: where to look; a repository named by its page is looked up in the catalogue before the hub is asked
    target: path, address or name, without its prefix
    """

    kind: Literal["file", "directory", "url", "ollama", "hub", "repository", "catalog"]
    target: str


def resolve(text: str) -> Reference:
    """Return what `text` refers to. Raises BadReference; a bare name is looked up in the catalogue later."""
    if not text or len(text) > 4096 or "\0" in text:
        raise BadReference("The model reference is empty or too long.", mend="Give a file, an address or a name.")
    text = _OPTION.sub("", text.strip(), count=1) if _OPTION.match(text.strip()) else text
    _check_tag(text)
    page = None if _exists(text) else _PAGE.fullmatch(text)
    if page:
        return Reference("repository", page[1] + (f":{page[2] or page[3]}" if page[2] or page[3] else ""))
    before, _, after = text.partition(":")
    kind = PREFIXES.get(before.strip().casefold())
    if kind and not _exists(text):
        return Reference("ollama" if kind == "ollama" else "hub", after.strip())
    scheme, sep, _ = text.partition("://")
    if sep:
        if scheme.casefold() in ("http", "https"):
            return Reference("url", text)
        raise BadReference("{scheme}:// is not supported.", scheme=scheme[:20], mend="Use https://, or a path.")
    if _FILE_OF.fullmatch(text) and not _exists(text):
        return Reference("catalog", text)
    if not sees_files() and not text.endswith((".gguf", ".safetensors")) and not text.startswith((".", "/", "~")):
        return Reference("catalog", text)
    path = expanded(text)
    if _is_dir(path):
        return Reference("directory", str(path))
    if _exists(path) or text.endswith((".gguf", ".safetensors")) or text.startswith((".", "/", "~")):
        return Reference("file", str(path))
    return Reference("catalog", text)


def _check_tag(text: str) -> None:
    """Raise BadReference for a name that ends where a tag, or a revision, should follow."""
    plain, end = text.strip()[:-1].strip(), text.strip()[-1:]
    if end in (":", "@") and plain.casefold() not in PREFIXES and not _exists(text):
        raise BadReference(
            "A tag is missing after {text}.", text=quoted(text.strip()[-120:], mark='"'), name=plain[-120:] or "?",
            mend="Write {name}, or {name}:TAG.",
        )  # fmt: skip


def _exists(path: str | os.PathLike[str]) -> bool:
    """Return True if there is such a file, and a question may see it."""
    return sees_files() and os.path.lexists(path)


def load(text: str, quantization: str | None = None, *, offline: bool = False) -> Model:
    """Return the Model behind a reference, or as it would be at another `quantization`.

    offline: stay off the network whatever the reference says. Raises UnknownName, BadReference, BadModel, SourceError.
    """
    model = given.find(text)
    if model is None:
        reference = resolve(text)
        model = _found(reference, offline) if sees_files() else None
        if model is None:
            return _of_catalogue(reference, quantization)
    if quantization is None:
        return model
    from gyakusan.core import recipe

    return replace(recipe.apply(quantization, model), stored=None, checkpoint=None)


def _found(reference: Reference, offline: bool) -> Model | None:
    """Return what a reference means on this computer or on the network, None where the catalogue answers."""
    match reference.kind:
        case "catalog":
            return _here(reference.target)
        case "ollama":
            return _ollama(reference.target, offline)
        case "repository":
            model = _in_cache(reference.target)
            return _hub(reference.target, offline) if model is None and not _is_known(reference.target) else model
        case "hub":
            return _hub(reference.target, offline)
        case _:
            return _read(reference, offline)


def _is_known(name: str) -> bool:
    """Return True if the catalogue has a model of this repository."""
    try:
        _catalog(name, None)
    except UnknownName:
        return False
    return True


def _of_catalogue(reference: Reference, quantization: str | None) -> Model:
    """Return what a reference means in the catalogue, whatever is on this computer. Raises BadReference, UnknownName."""
    match reference.kind:
        case "file" | "directory" | "url":
            raise BadReference(
                "{name} is a file or an address, and a page opens none.", name=quoted(reference.target, 80),
                mend="Give a name of the catalogue, or use gyakusan inspect.",
            )  # fmt: skip
        case "ollama":
            return _tagged(reference.target, quantization)
        case _:
            return _catalog(reference.target, quantization)


def quantizations(text: str, *, offline: bool = False) -> tuple[Choice, ...]:
    """Return every quantisation that a Hugging Face repository offers as GGUF, smallest first; () for other references.

    Raises BadReference, BadModel, SourceError.
    """
    from gyakusan.models import repository
    from gyakusan.models.sources import hub

    reference = resolve(text)
    if reference.kind not in ("hub", "repository"):
        return ()
    found = listing(hub.parse(reference.target), offline)
    return repository.choices(found)


def _read(reference: Reference, offline: bool) -> Model:
    from gyakusan.models.assemble import from_directory, from_gguf

    if reference.kind == "directory":
        return from_directory(reference.target)
    if reference.kind == "url" and offline:
        raise off(say("An address needs the network"), say("give a path, or a catalogue name"))
    return from_gguf(reference.target, remote=reference.kind == "url")


def _here(name: str) -> Model | None:
    """Return what a bare name means on this computer: the embedded model, a tag in Ollama's store, a cached repository."""
    from gyakusan.models.assemble import from_gguf

    path = _embedded(name)
    if path is not None:
        return from_gguf(str(path), remote=False)
    return _in_cache(name) if "/" in name else _in_store(name)


def _in_store(name: str) -> Model | None:
    from gyakusan.models.sources import ollama

    try:
        found = ollama.local(ollama.parse(name))
    except BadReference:
        return None
    if found is None:
        return None
    from gyakusan.models.ollama import from_manifest

    return from_manifest(found)


def _in_cache(name: str) -> Model | None:
    found = cached(name) if sees_files() else None
    if found is None:
        return None
    from gyakusan.models import repository

    return repository.read(found)


def cached(name: str) -> Listing | None:
    """Return the files of a repository that Hugging Face's cache holds completely enough, None for all else."""
    from gyakusan.models.sources import hub

    try:
        found = hub.cached(hub.parse(name))
    except BadReference:
        return None
    return found if found is not None and _enough(found) else None


def _enough(listing: Listing) -> bool:
    """Return True if a cached snapshot is complete enough: a download of another part may have left only a tokenizer."""
    wanted = listing.repository.wanted.casefold()
    files = [f for f in listing.files if f.lower().endswith(".gguf") or f == "config.json"]
    return any(wanted in f.casefold() for f in files) if wanted else bool(files)


def _ollama(target: str, offline: bool) -> Model | None:
    """Return the manifest from the store, else from the registry; None if only the catalogue may answer."""
    from gyakusan.models.ollama import from_manifest
    from gyakusan.models.sources import ollama

    name = ollama.parse(target)
    found = ollama.local(name)
    if found is None and not offline:
        try:
            found = ollama.remote(name)
        except SourceError as error:
            raise instead(error, target) from None
    return from_manifest(found) if found else None


def _hub(target: str, offline: bool) -> Model:
    from gyakusan.models import repository
    from gyakusan.models.sources import hub

    return repository.read(listing(hub.parse(target), offline))


def listing(wanted: Repository, offline: bool = False) -> Listing:
    """Return the files of a repository: from the cache if it is complete, else from the hub.

    Raises SourceError, at once if offline.
    """
    from gyakusan.models.sources import hub

    found = hub.cached(wanted)
    if found is not None and _enough(found):
        return found
    if offline or hub.offline():
        what = say("{name} is not in Hugging Face's cache on this computer", name=str(wanted))
        raise off(what, offer(wanted.id))
    try:
        return hub.listed(wanted)
    except SourceError as error:
        raise instead(error, wanted.id) from None


def _embedded(name: str) -> Path | None:
    """Return the small model's file if it is asked for and installed."""
    if name.casefold() != EMBEDDED:
        return None
    from gyakusan.models.embedded import embedded

    try:
        return embedded()
    except SourceError:
        return None


def _catalog(name: str, quantization: str | None) -> Model:
    """Return a tag of Ollama's library by its publisher's mix, else a record. Raises UnknownName."""
    from gyakusan import catalog
    from gyakusan.catalog.repositories import find_published
    from gyakusan.models.assemble import from_record

    published = find_published(name) if "/" in name else None
    if published is not None:
        return from_record(catalog.model(published.model), quantization or _gguf_quantization(published))
    tag, wrong = _tag(name)
    if tag is not None and ":" in name:
        return _as_tagged(tag, quantization)
    try:
        record = catalog.model(name)
    except UnknownName as error:
        if tag is None:
            raise wrong or _unknown(name, error) from None
        return _as_tagged(tag, quantization)
    return from_record(record, quantization)


def _as_tagged(tag: Tag, quantization: str | None) -> Model:
    from gyakusan.models.tags import from_tag

    return from_tag(tag, quantization)


def published_quantization(text: str) -> str | None:
    """Return the format that a repository of the catalogue's table tells: of its tag, or of all its files.

    None for other references, for a repository in the cache, and for a 16-bit original, which every engine may convert.
    """
    from gyakusan.catalog.repositories import find_published

    reference = resolve(text)
    if reference.kind not in ("catalog", "repository") or "/" not in reference.target:
        return None
    found = find_published(reference.target)
    if found is None or not found.quantization or (found.artifact and found.artifact.format == "bf16"):
        return None
    return None if _in_cache(reference.target) else found.quantization


def _gguf_quantization(found: Published) -> str | None:
    """Return the quantisation of a GGUF repository, None for one of another kind."""
    return found.quantization or None if found.artifact is None or found.artifact.format == "gguf" else None


def _tag(name: str) -> tuple[Tag | None, UnknownName | None]:
    """Return the tag, or say why a known name has none of that kind: the catalogue may still have a record."""
    from gyakusan.catalog import tags

    try:
        return tags.find(name), None
    except UnknownName as error:
        return None, error


def _tagged(target: str, quantization: str | None) -> Model:
    """Return `ollama:` from the catalogue's tags and records: offline, and not in the store."""
    try:
        return _catalog(target, quantization)
    except UnknownName:
        what = say("{name} is not in Ollama's store on this computer", name=f"ollama:{target[:120]}")
        raise off(what, offer(target)) from None


def _unknown(name: str, error: UnknownName) -> UnknownName:
    from gyakusan.catalog.repositories import nearest_repositories
    from gyakusan.models.sources import hub

    mend = (
        error.mend
        or "Give a path, an address (https://...) or a name; for the names see `gyakusan catalog list models`."
    )
    if hub.is_id(name.partition(":")[0]):
        template = "{name} is neither in the catalogue nor in Hugging Face's cache on this computer."
        near = ", ".join(nearest_repositories(name))
        mend = "To read it from the network, write hf:{name}."
        if near:
            mend = "Nearest: {near}. To read it from the network, write hf:{name}."
        return UnknownName(template, name=name[:200], near=near, mend=mend)
    return UnknownName("{first}", first=error.message, mend=mend)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
