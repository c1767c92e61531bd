"""From a repository of the hub back to the catalogue's model and the file that is meant: offline, from data/artifacts.jsonl."""

from __future__ import annotations

import json
from functools import cache

from msgspec import Struct

from gyakusan.catalog.artifacts import FILE, Artifact, artifacts
from gyakusan.doors.files import packaged
from gyakusan.errors import BadReference
from gyakusan.message import quoted

WITHOUT_TAG = ("Q4_K_M", "Q8_0")
"""What llama.cpp takes of a repository where nobody names a tag; then the first file."""
NEAR = 0.8
"""Similarity of names from which one is offered for another (difflib)."""
LISTED = 5
"""From so many files of a listing on, a tag that is not among them is not there."""


class Published(Struct, frozen=True):
    """A repository that is known, and what of it is meant.

    model: name in the catalogue
    repository: owner/name, as the hub spells it
    artifact: the file or checkpoint, None if nobody saw one with this tag
    tag: what was typed behind the colon, "" = nothing
    """

    model: str
    repository: str
    artifact: Artifact | None
    tag: str

    @property
    def quantization(self) -> str:
        """The format that is meant, "" if the repository does not tell."""
        return self.artifact.quantization if self.artifact else self.tag


def find_published(text: str) -> Published | None:
    """Return what owner/name[:TAG] means, None for a repository that is not known. Raises BadReference for a wrong tag."""
    repository, _, tag = text.strip().partition(":")
    model = _models().get(repository.casefold())
    if model is None:
        return None
    files = [a for a in artifacts(model) if a.repository.casefold() == repository.casefold()]
    if not files:
        return None
    found = _tagged(files, tag) if tag else _usual(files)
    listed = [a.quantization for a in files if a.quantization and a.confidence == "listing"]
    if tag and found is None and len(listed) >= LISTED:
        raise BadReference(
            "{repository} has no {tag}.", repository=files[0].repository, tag=quoted(tag, 80, mark='"'), known=", ".join(listed),
            mend="It has {known}.",
        )  # fmt: skip
    return Published(model, files[0].repository, found, tag)


def known_repositories() -> tuple[str, ...]:
    """Return every repository of the table, in its order."""
    return tuple(dict.fromkeys(name for name, _ in _pairs()))


def model_of_repository(repository: str) -> str:
    """Return the catalogue's model of a repository, "" for one that is not known."""
    return _models().get(repository.casefold(), "")


def nearest_repositories(text: str, n: int = 3) -> tuple[str, ...]:
    """Return the repositories whose names are nearest to a typed one: the same name of another owner, else a similar one."""
    wanted = text.partition(":")[0].casefold().rpartition("/")[2][:96]
    names: dict[str, list[str]] = {}
    for name in known_repositories():
        names.setdefault(name.casefold().rpartition("/")[2], []).append(name)
    if wanted in names:
        return tuple(names[wanted][:n])
    import difflib  # only where something was misspelt

    near = difflib.get_close_matches(wanted, list(names), n=n, cutoff=NEAR)
    return tuple(name for key in near for name in names[key][:1])


def _tagged(files: list[Artifact], tag: str) -> Artifact | None:
    """Return the file of a tag, or the one whose path has it with a dot or a hyphen behind, as llama.cpp looks for it."""
    wanted = tag.casefold()
    exact = next((a for a in files if a.quantization.casefold() == wanted), None)
    named = (a for a in files if any(f"{wanted}{end}" in f.casefold() for f in a.files for end in ".-"))
    own_name = (a for a in files if any(f.casefold().rpartition("/")[2] == wanted for f in a.files))
    return exact or next(named, None) or next(own_name, None)


def _usual(files: list[Artifact]) -> Artifact:
    for tag in WITHOUT_TAG:
        found = _tagged(files, tag)
        if found is not None:
            return found
    return next((a for a in files if a.quantization), files[0])


@cache
def _models() -> dict[str, str]:
    """Return the model of every repository, by its name in lower case."""
    return {name.casefold(): model for name, model in reversed(_pairs())}


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    """Return every repository of the hub with its model, in the order of the table."""
    lines = packaged(FILE).split(b"\n")[1:]
    rows = [json.loads(line) for line in lines if line]
    return tuple((r[0], model) for model, found in rows for r in found if "/" in r[0] and ":" not in r[0])
