"""Hugging Face: the hub, a mirror of it, and the cache on this computer."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gyakusan.doors import files
from gyakusan.errors import BadReference, Malformed, SourceError, did_you_mean
from gyakusan.message import quoted
from gyakusan.models.sources import Source
from gyakusan.models.sources.watch import PATIENCE, Clock

LONGEST = 32 * 1024 * 1024
"""Longest answer of the API, and longest config.json or index. [B]"""
FILES = 100_000
FIRST = 64 * 1024
"""First request for a safetensors file: most headers are shorter. [B]"""
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}")
_COMMIT = re.compile(r"[\w.-]{1,255}")
_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_ON = ("1", "on", "yes", "true")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of Hugging Face, as a person names it.

    id: org/name
    at: branch, tag or commit
    wanted: what follows the colon: a file or a quantisation
    """

    id: str
    wanted: str = ""
    at: str = "main"

    def __str__(self) -> str:
        return f"hf:{self.id}" + (f"@{self.at}" if self.at != "main" else "")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository.

    repository: whose files they are
    files: sizes by path, None where the hub does not say [B]
    folder: the snapshot in the cache, None if it is on the hub
    commit: of these files, "" if nobody said
    digests: sha256 of large files and git's sha1 of small ones, by path, as far as the hub says
    clock: one patience for all files
    """

    repository: Repository
    files: Mapping[str, int | None]
    folder: Path | None = None
    commit: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=lambda: Clock(PATIENCE), compare=False, repr=False)

    def where(self, file: str) -> str:
        """Return the path or the address of a file."""
        return str(self.folder / file) if self.folder else address(self.repository, file)

    def open(self, file: str, first: int = 512 * 1024) -> Source:
        """Open a file. Raises Malformed if it has another size than was listed, BadReference, SourceError."""
        return self._checked(file, self.opener(first)(self.where(file)))

    def opener(self, first: int = 512 * 1024) -> Any:
        """Return the function that opens the address or the path of a file."""
        if self.folder is not None:
            return files.open
        from gyakusan.models.sources import http

        return partial(
            _opened, self.repository, partial(http.open, headers=authorization(), first=first, patience=self.clock)
        )

    def document(self, file: str) -> bytes:
        """Return a whole small file."""
        if self.folder is None:
            return _document(self.repository, address(self.repository, file))
        with files.open(self.folder / file) as source:
            if (source.size or 0) > LONGEST:
                raise _bad(self.repository, f"{file}: {source.size} B")
            return source.read(0, source.size or 0)

    def _checked(self, file: str, source: Source) -> Source:
        said = self.files.get(file)
        if said is None or source.size == said:
            return source
        source.close()
        raise Malformed(
            "The hub lists {file} with {said} bytes, and sends {size}.", file=file, said=said, size=source.size,
            mend="Do not trust it: use another copy, or try again later.",
        )  # fmt: skip


def parse(text: str) -> Repository:
    """Parse org/name[@revision][:file or quantisation]. Raises BadReference."""
    before, _, wanted = text.strip().partition(":")
    name, _, at = before.partition("@")
    sound = not any(part in ("", ".", "..") for part in wanted.split("/")) or not wanted
    if not is_id(name) or not _COMMIT.fullmatch(at or "main") or ".." in at or not sound or not text.isprintable():
        raise BadReference(
            "A Hugging Face repository was expected, not {text}.", text=quoted(text, 120),
            mend="It must look like hf:org/name, hf:org/name:Q4_K_M or hf:org/name:file.gguf.",
        )  # fmt: skip
    return Repository(name, wanted, at or "main")


def is_id(text: str) -> bool:
    """Return True for what looks like org/name."""
    return bool(_ID.fullmatch(text)) and ".." not in text and "--" not in text


def endpoint() -> str:
    """Return the hub or the mirror that HF_ENDPOINT names, without a slash at the end."""
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"


def address(repository: Repository, file: str) -> str:
    """Return the address of a file of a repository."""
    return f"{endpoint()}/{repository.id}/resolve/{quote(repository.at, safe='')}/{quote(file)}"


def offline() -> bool:
    """Return True if the user told Hugging Face's programs to stay off the network."""
    return any(os.environ.get(n, "").strip().lower() in _ON for n in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def authorization() -> dict[str, str]:
    """Return the user's token as a header, for the endpoint's host: HF_TOKEN, else the file of `hf auth login`."""
    token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or ""
    if not token.strip():
        path = Path(os.environ.get("HF_TOKEN_PATH") or _home() / "token")
        try:
            token = files.head(path, 4096).decode()
        except (OSError, UnicodeDecodeError, ValueError):
            token = ""
    return {"Authorization": f"Bearer {token.strip()}"} if token.strip() else {}


def cached(repository: Repository, root: Path | None = None) -> Listing | None:
    """Return the files of the revision in the cache on this computer, None if there are none. root: another cache."""
    folder = (root or cache()) / f"models--{repository.id.replace('/', '--')}"
    try:
        commit = files.head(folder / "refs" / repository.at, 256).decode("ascii").strip()
    except (OSError, ValueError):
        commit = repository.at
    snapshot = folder / "snapshots" / commit
    if not _COMMIT.fullmatch(commit) or ".." in commit or not snapshot.is_dir():
        return None
    found = {p.relative_to(snapshot).as_posix(): p.stat().st_size for p in sorted(snapshot.rglob("*")) if p.is_file()}
    return Listing(repository, found, snapshot, commit) if found else None


def listed(repository: Repository) -> Listing:
    """Return the files on the hub. Raises BadReference for an unknown repository, Malformed, SourceError."""
    from gyakusan.models.formats import json_text

    at = "" if repository.at == "main" else f"/revision/{quote(repository.at, safe='')}"
    url = f"{endpoint()}/api/models/{repository.id}{at}?blobs=true"
    found = json_text.loads(_document(repository, url), str(repository), FILES + 1000)
    siblings = found.get("siblings") if isinstance(found, dict) else None
    if not isinstance(siblings, list) or len(siblings) > FILES:
        raise _bad(repository, "siblings")
    commit = found.get("sha")
    return Listing(
        repository,
        dict(_sibling(repository, s) for s in siblings),
        commit=commit if isinstance(commit, str) and _SHA1.fullmatch(commit) else "",
        digests={s["rfilename"]: digest for s in siblings if (digest := _digest(s))},
    )


def tree(repository: Repository) -> Mapping[str, int | None]:
    """Return the files of a repository in the order in which the hub lists them, with sizes [B].

    The list that llama.cpp reads. Raises BadReference, Malformed, SourceError.
    """
    from gyakusan.models.formats import json_text

    url = f"{endpoint()}/api/models/{repository.id}/tree/{quote(repository.at, safe='')}?recursive=true"
    found = json_text.loads(_document(repository, url), str(repository), FILES + 1000)
    if not isinstance(found, list) or len(found) > FILES:
        raise _bad(repository, "tree")
    files = [e for e in found if isinstance(e, dict) and e.get("type") != "directory"]
    return dict(_sibling(repository, {"rfilename": e.get("path"), "size": e.get("size")}) for e in files)


def missing(listing: Listing, file: str) -> BadReference:
    """Return the error for a file that the repository does not have."""
    near = did_you_mean(file, listing.files, n=3)
    return BadReference(
        "{name} has no {file}.", name=str(listing.repository), file=quoted(file, 120), near=", ".join(near) or "-",
        mend="Did you mean {near}?",
    )  # fmt: skip


def _sibling(repository: Repository, entry: Any) -> tuple[str, int | None]:
    name = entry.get("rfilename") if isinstance(entry, dict) else None
    size = entry.get("size") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.isprintable() or any(p in ("", ".", "..") for p in name.split("/")):
        raise _bad(repository, repr(entry)[:60])
    if size is not None and (type(size) is not int or not 0 <= size < 2**50):
        raise _bad(repository, f"{name[:60]}: {size!r}"[:100])
    return name, size


def _digest(entry: Mapping[str, Any]) -> str:
    """Return the sha256 of a large file, git's sha1 of a small one, "" if the hub names none that is one."""
    large = entry.get("lfs")
    said = large.get("sha256") if isinstance(large, dict) else entry.get("blobId")
    form = _SHA256 if isinstance(large, dict) else _SHA1
    return said if isinstance(said, str) and form.fullmatch(said) else ""


def _document(repository: Repository, url: str) -> bytes:
    from gyakusan.models.sources import http

    return bytes(_opened(repository, partial(http.document, headers=authorization(), most=LONGEST), url))


def _opened(repository: Repository, opener: Any, url: str) -> Any:
    """Return `opener(url)`, its errors in the words of the hub."""
    try:
        return opener(url)
    except BadReference as error:
        if error.message.facts.get("status") in (404, 410):
            raise _absent(repository, url) from None
        raise
    except SourceError as error:
        if error.message.facts.get("status") in (401, 403):
            raise _closed(repository, int(error.message.facts["status"])) from None
        raise


def _absent(repository: Repository, url: str) -> BadReference:
    if "/resolve/" in url:
        file = url.rpartition("/")[2]
        mend = "The repository needs config.json or GGUF files to be read."
        return BadReference("{name} has no {file}.", name=str(repository), file=file, mend=mend)
    return BadReference(
        "{endpoint} has no repository {name}.", endpoint=endpoint(), name=repository.id,
        mend="Check the spelling of owner and name; a private one also needs HF_TOKEN.",
    )  # fmt: skip


def _closed(repository: Repository, status: int) -> SourceError:
    """Return the error for 401 (private, gated, or not there at all) and 403 (a token without the right)."""
    facts = {"name": repository.id, "url": f"{endpoint()}/{repository.id}", "status": status}
    if status == 403:
        mend = "Ask for access at {url}, and set HF_TOKEN to a token with access."
        return SourceError("{name} is gated: the hub refuses access (403).", **facts, mend=mend)
    if authorization():
        mend = "Check the spelling, and at {url} whether your token has access."
        return SourceError("{name} does not exist, or your token has no access (401).", **facts, mend=mend)
    mend = "Check the spelling; if it is gated, ask for access at {url} and set HF_TOKEN."
    return SourceError("{name} does not exist, or is private or gated (401).", **facts, mend=mend)


def _home() -> Path:
    named = os.environ.get("HF_HOME")
    if named:
        return files.expanded(named)
    return files.expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"


def cache() -> Path:
    """Return the folder of the cache: HF_HUB_CACHE, else hub in HF_HOME, usually ~/.cache/huggingface/hub."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return files.expanded(named) if named else _home() / "hub"


def _bad(repository: Repository, what: str) -> Malformed:
    return Malformed(
        "The hub's answer about {name} cannot be read: {what}.", name=repository.id, what=what, mend="Try again later."
    )
