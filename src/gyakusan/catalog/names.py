"""Names as people type: "rtx5090", "NVIDIA GeForce RTX 5090", "M4 Max 128GB" -> a key, and a size if one is said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?|\+|[^\x00-\x7f]+")
_SIZE = re.compile(r"(?<![\d.])(\d{1,4})(?:\s*gib|\s*gb|(?<![a-z]\d)(?<![a-z]\d\d)\s*g)(?![a-z0-9])")
"""A bare g after a letter and digits is part of a name: A10G."""
_MARKS = re.compile(r"\((?:tm|r|c)\)|[™®©]")
_SILENT = frozenset(
    {"nvidia", "geforce", "amd", "radeon", "apple", "intel", "gpu", "graphics", "generation", "laptops"}
)
_SAME = {"mobile": "laptop", "notebook": "laptop"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was typed. key: without vendor words, spaces, punctuation; size: memory named in it, None if none [GiB]."""

    key: str
    size: int | None = None


def spoken(text: str) -> Spoken:
    """ "Mac Studio M4 Max 128 GB" -> Spoken("macstudiom4max", 128). Two sizes in one name: the last one counts."""
    plain = _MARKS.sub(" ", text[:200].casefold())
    sizes = _SIZE.findall(plain)
    words = _WORD.findall(_SIZE.sub(" ", plain))
    key = "".join(_SAME.get(w, w) for w in words if w not in _SILENT)
    return Spoken(key, int(sizes[-1]) if sizes else None)


def squeezed(text: str) -> str:
    """A model's name without case, spaces and punctuation but the dot: "gpt-oss 20b", "GPT-OSS:20B" -> "gptoss20b"."""
    return re.sub(r"[^a-z0-9.]+", "", text[:200].casefold())


_TAIL = re.compile(r"(?:instruct|chat|it|gguf|latest)+$")


def model_key(text: str) -> str:
    """What names one model. Repository ids keep their owner; other names lose what does not tell models apart."""
    if "/" in text:
        return text.strip().casefold()[:200]
    plain = squeezed(text)
    return _TAIL.sub("", plain) or plain


def keys(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """What finds a record of `kind` that goes by `names`."""
    if kind in ("device", "machine"):
        return tuple(dict.fromkeys(spoken(n).key for n in names))
    return tuple(dict.fromkeys(model_key(n) if kind in ("model", "embedding") else n for n in names))
