"""Ask the hub whether the files that we know of are still there, and as large. Nothing is written.

Of each repository one answer is read, its list of files (GET api/models/NAME/tree/main?recursive=true), by the reader that
trusts no server. GGUF tags are looked up by llama.cpp's own rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from gyakusan.catalog.artifacts import BESIDE, Artifact, artifacts
from gyakusan.catalog.repositories import known_repositories, model_of_repository
from gyakusan.engines.llamacpp.hub_reference import find_model, find_parts
from gyakusan.errors import BadModel, BadReference, Failure, SourceError
from gyakusan.message import Message
from gyakusan.models.sources import hub

FindingKind = Literal["gone", "closed", "tag", "size", "unread"]
"""No such repository; private or gated; no file of this tag; a file of another size; no readable answer."""
AT_ONCE = 4
"""Requests at once."""
FAILURES = 8
"""After so many repositories in a row without an answer the network is given up."""
ROUNDED = 0.005
"""What a size that was written down rounded may differ by. [ratio]"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the catalogue has it.

    kind: what is wrong
    model: name in the catalogue
    repository: owner/name
    quantization: the tag, "" for the whole repository
    known: size in the catalogue, None = not known [B]
    found: size on the hub, None = not known [B]
    reason: why there is no readable answer
    """

    kind: FindingKind
    model: str
    repository: str
    quantization: str = ""
    known: int | None = None
    found: int | None = None
    reason: Message | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What the hub says of the files that we know of.

    endpoint: the hub or the mirror that was asked
    repositories: number that were asked for
    references: number of files and checkpoints that were compared
    findings: what differs, in the order of the catalogue
    """

    endpoint: str
    repositories: int
    references: int
    findings: tuple[Finding, ...]


def verify(model: str = "", *, limit: int = 0, on_progress: Callable[[int, int], None] | None = None) -> Verification:
    """Compare the catalogue's files with the hub. Raises SourceError if the network is off or does not answer.

    model: name of the catalogue, "" = all; limit: most repositories, 0 = all; on_progress: called with done and all
    """
    if hub.offline():
        raise SourceError("The network is switched off (HF_HUB_OFFLINE).", mend="Unset HF_HUB_OFFLINE.")
    names = [n for n in known_repositories() if not model or model_of_repository(n) == model]
    asked = names[:limit] if limit > 0 else names
    done, silent, findings, compared = 0, 0, list[Finding](), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(asked), 2 * AT_ONCE):
            for found, count in pool.map(_one, asked[start : start + 2 * AT_ONCE]):
                done, compared = done + 1, compared + count
                findings += found
                silent = silent + 1 if any(f.kind == "unread" for f in found) else 0
                if on_progress is not None:
                    on_progress(done, len(asked))
            if silent >= min(FAILURES, len(asked)):
                raise SourceError(
                    "{endpoint} does not answer: {why}", endpoint=hub.endpoint(), why=findings[-1].reason,
                    mend="Check the network, HF_ENDPOINT and HF_TOKEN.",
                )  # fmt: skip
    return Verification(hub.endpoint(), done, compared, tuple(findings))


def _one(repository: str) -> tuple[list[Finding], int]:
    """Return what differs in one repository, and how many references were compared."""
    model = model_of_repository(repository)
    known = [a for a in artifacts(model) if a.repository == repository and a.format not in BESIDE]
    try:
        files = hub.tree(hub.Repository(repository))
    except BadReference:
        return [Finding("gone", model, repository)], len(known)
    except SourceError as error:
        closed = error.message.facts.get("status") in (401, 403)
        return [Finding("closed" if closed else "unread", model, repository, reason=error.message)], 0
    except (BadModel, Failure) as error:
        return [Finding("unread", model, repository, reason=error.message)], 0
    return [f for a in known for f in compare(a, files)], len(known)


def compare(artifact: Artifact, files: Mapping[str, int | None]) -> Iterable[Finding]:
    """Yield what differs between one file or checkpoint and the hub's list [B]. files: sizes by path, in the hub's order."""
    about = (artifact.model, artifact.repository, artifact.quantization)
    paths = _paths(artifact, tuple(files))
    if not paths:
        yield Finding("tag", *about, known=artifact.bytes)
        return
    sizes = [files[p] for p in paths]
    if artifact.bytes is None or None in sizes or not sizes:
        return
    found = sum(s or 0 for s in sizes)
    open_ = ROUNDED * artifact.bytes if artifact.rounded else 0
    if abs(found - artifact.bytes) > open_:
        yield Finding("size", *about, known=artifact.bytes, found=found)


def _paths(artifact: Artifact, files: Sequence[str]) -> tuple[str, ...]:
    """Return the files that the artifact means, () if there are none."""
    if artifact.format != "gguf":
        return tuple(f for f in files if f.endswith(".safetensors")) or tuple(f for f in files if f.endswith(".bin"))
    if not artifact.quantization:
        return tuple(f for f in files if f.endswith(".gguf"))[:1]
    first = find_model(files, artifact.quantization)
    return find_parts(files, first) if first else ()
