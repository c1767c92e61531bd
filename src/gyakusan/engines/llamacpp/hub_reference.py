"""Which files `-hf owner/name:TAG` fetches: llama.cpp's own rule, over the files of a repository in the hub's order.

Source: llama.cpp common/download.cpp@0216dab364b8 (common_download_split_repo_tag, gguf_filename_is_model,
find_best_model, get_split_files, find_best_sibling, common_download_get_hf_plan).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gyakusan.errors import BadReference
from gyakusan.message import quoted

Draft = Literal["", "mtp", "eagle3", "dflash", "dspark"]
"""Kind of draft that --spec-type asks for, "" = none."""
NO_TAG = ("Q4_K_M", "Q8_0")
"""Tags that are tried where none is given; then the first model file is taken."""
NO_MODEL = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
"""A file is no model if its name holds one of these; case counts."""
PRESET = "preset.ini"
"""If the root of a repository has this file, nothing else is fetched."""
_OWNER = re.compile(r"[^/:\s]{1,96}/[^/:\s]{1,96}")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,96}")
_SPLIT = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})", re.IGNORECASE | re.DOTALL)
_ENDING = re.compile(r"[-.]([A-Z0-9_]+)\Z", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class HubReference:
    """What follows `-hf`.

    repository: owner/name
    tag: what follows the colon, "" = none
    """

    repository: str
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}" if self.tag else self.repository


@dataclass(frozen=True, slots=True)
class Download:
    """The files that llama.cpp fetches, by their paths in the repository.

    model: the parts of the model in order, () = none was found
    projector: the part for images and sound, "" = none
    draft: the draft that --spec-type asks for, "" = none
    preset: preset.ini, which replaces all others, "" = none
    """

    model: tuple[str, ...] = ()
    projector: str = ""
    draft: str = ""
    preset: str = ""

    @property
    def found(self) -> bool:
        """True if llama.cpp goes on with these files."""
        return bool(self.model or self.draft or self.preset)


@dataclass(frozen=True, slots=True)
class _Part:
    """What the path of a GGUF file tells: what precedes the part's number, its number, how many parts, and its type."""

    stem: str
    index: int
    count: int
    tag: str


def parse_hub_reference(text: str) -> HubReference:
    """Return what `owner/name[:TAG]` means to `-hf`; of several colons the last one counts. Raises BadReference."""
    pieces = text.strip().split(":")
    tag = pieces[-1] if len(pieces) > 1 else ""
    if len(text) > 400 or not _OWNER.fullmatch(pieces[0]) or (tag and not _TAG.fullmatch(tag)):
        raise BadReference(
            "-hf takes owner/name or owner/name:TAG, not {text}.", text=quoted(text, 120, mark='"'),
            mend="Write for example ggml-org/gpt-oss-20b-GGUF:MXFP4.",
        )  # fmt: skip
    return HubReference(pieces[0], tag)


def is_model_file(path: str) -> bool:
    """Return True if llama.cpp takes the file for a model, by its ending and its name."""
    name = path.rpartition("/")[2]
    return path.endswith(".gguf") and not any(word in name for word in NO_MODEL)


def find_model(paths: Sequence[str], tag: str = "") -> str:
    """Return the first part of the model that a tag means, "" if there is none. paths: in the hub's order.

    The tag stands anywhere in the path, case ignored, with a dot or a hyphen behind it: Q4_K_M finds UD-Q4_K_M, F16 finds
    BF16, and Q4_K does not find Q4_K_M.
    """
    models = [p for p in paths if is_model_file(p) and _part(p).index == 1]
    for one in (tag,) if tag else NO_TAG:
        pattern = _pattern(one)
        found = next((p for p in models if pattern.search(p)), "")
        if found:
            return found
    return "" if tag else next(iter(models), "")


def find_parts(paths: Sequence[str], model: str) -> tuple[str, ...]:
    """Return all parts of a model in order: the files with the same beginning and the same number of parts."""
    own = _part(model)
    if own.count <= 1:
        return (model,)
    parts = {p: _part(p) for p in paths if p.endswith(".gguf")}
    same = [p for p, part in parts.items() if (part.stem, part.count) == (own.stem, own.count)]
    return tuple(sorted(same, key=lambda p: parts[p].index))


def find_projector(paths: Sequence[str], model: str) -> str:
    """Return the projector that llama-server loads with a model, "" if there is none."""
    return _sibling(paths, model, "mmproj", "")


def find_draft(paths: Sequence[str], model: str, kind: Draft, tag: str = "") -> str:
    """Return the draft of a kind for a model, "" if there is none. A file of exactly the tag precedes the nearest bits."""
    return _sibling(paths, model, f"{kind}-", tag) if kind else ""


def resolve_hub_reference(
    paths: Sequence[str], tag: str = "", *, file: str = "", projector: bool = True, draft: Draft = ""
) -> Download:
    """Return the files that `-hf owner/name:TAG` fetches. Raises BadReference for a tag that is no word.

    paths: of the repository, in the hub's order
    file: what -hff gives: the path itself, case ignored
    projector: False with --no-mmproj, --mmproj or --mmproj-url, and for programs without images
    draft: what --spec-type asks for
    """
    if PRESET in paths:
        return Download(preset=PRESET)
    if file:
        model = next((p for p in paths if p.lower() == file.lower()), "")
        if not model:
            return Download()
    else:
        model = find_model(paths, tag)
    return Download(
        model=find_parts(paths, model) if model else (),
        projector=find_projector(paths, model) if projector and model else "",
        draft=find_draft(paths, model, draft, tag),
    )


def _pattern(tag: str) -> re.Pattern[str]:
    """Return the expression of a tag. llama.cpp takes any; we take words, whose search is linear. Raises BadReference."""
    if not _TAG.fullmatch(tag):
        raise BadReference(
            "A tag has letters, digits, dots, hyphens and underscores, unlike {tag}.", tag=quoted(tag, 80, mark='"'),
            mend="Write for example Q4_K_M.",
        )  # fmt: skip
    words = (re.escape(word) for word in tag.split("."))
    return re.compile(".".join(words) + "[.-]", re.IGNORECASE | re.ASCII)


def _part(path: str) -> _Part:
    stem, index, count = path.removesuffix(".gguf"), 1, 1
    split = _SPLIT.fullmatch(stem)
    if split:
        stem, index, count = split[1], int(split[2]), int(split[3])
    ending = _ENDING.search(stem)
    return _Part(stem, index if count > 1 else 1, count, ending[1].upper() if ending else "")


def _bits(tag: str) -> int:
    """Return the first number in a type's name: 4 of Q4_K_M, 16 of BF16, 0 without one."""
    found = _DIGITS.search(tag)
    return int(found[0]) if found else 0


def _sibling(paths: Sequence[str], model: str, word: str, tag: str) -> str:
    """Return the best file of a kind in the model's folder or above: deepest, then of the tag, then nearest in bits."""
    bits = _bits(tag) if tag else _bits(_part(model).tag)
    folders = model.split("/")[:-1]
    exact = f"-{tag.upper()}."
    found: dict[str, tuple[int, bool, int]] = {}
    for path in paths:
        above = path.split("/")[:-1]
        if path.endswith(".gguf") and word in path and above == folders[: len(above)]:
            fits = bool(tag) and exact in path.upper()
            found.setdefault(path, (len(above), fits, -abs(_bits(_part(path).tag) - bits)))
    return max(found, key=lambda p: found[p], default="")
