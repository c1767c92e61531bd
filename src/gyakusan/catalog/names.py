"""Fold names as people type them, so that "rtx5090" finds "NVIDIA GeForce RTX 5090"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from gyakusan.patterns import late

_WORD = late(r"[a-z]+|\d+(?:\.\d+)?|\+|[^\x00-\x7f]+")
_SIZE = late(r"(?<![\d.])(\d{1,4})(?:\s*gib|\s*gb|(?<![a-z]\d)(?<![a-z]\d\d)\s*g)(?![a-z0-9])")
"""A bare g after a letter and digits is part of a name: A10G."""
_MARKS = late(r"\((?:tm|r|c)\)|[™®©]")
_SILENT = frozenset(
    {"nvidia", "geforce", "amd", "radeon", "apple", "intel", "gpu", "graphics", "generation", "laptops"}
)
_JAPANESE = (
    ("マックブックプロ", "macbook pro "),
    ("マックブックエアー", "macbook air "),
    ("マックブックエア", "macbook air "),
    ("マックブック", "macbook "),
    ("マックスタジオ", "mac studio "),
    ("マックミニ", "mac mini "),
    ("マックス", "max "),
    ("マック", "mac "),
    ("スタジオ", "studio "),
)
"""Names that people write in Japanese, the longer before those that they begin with."""
_SAME = {"mobile": "laptop", "notebook": "laptop"}


class DeviceName(Struct, frozen=True):
    """A typed name of a device.

    key: folded: no vendor words, spaces and punctuation
    size: memory that the name tells, None if it tells none [GiB]
    """

    key: str
    size: int | None = None


def parse_device_name(text: str) -> DeviceName:
    """Fold a name: "Mac Studio M4 Max 128 GB" -> DeviceName("macstudiom4max", 128). Of two sizes the last counts."""
    plain = _MARKS.sub(" ", text[:200].casefold())
    for japanese, english in _JAPANESE:
        plain = plain.replace(japanese, english)
    sizes = _SIZE.findall(plain)
    words = _WORD.findall(_SIZE.sub(" ", plain))
    key = "".join(_SAME.get(w, w) for w in words if w not in _SILENT)
    return DeviceName(key, int(sizes[-1]) if sizes else None)


def squeezed(text: str) -> str:
    """Drop case, spaces and punctuation but the dot from a model's name: "GPT-OSS:20B" -> "gptoss20b"."""
    return re.sub(r"[^a-z0-9.]+", "", text[:200].casefold())


_TAIL = late(r"(?:instruct|chat|it|gguf|latest)+$")


def model_key(text: str) -> str:
    """Fold a model's name. Repository ids keep their owner; other names lose endings such as -instruct."""
    if "/" in text:
        return text.strip().casefold()[:200]
    plain = squeezed(text)
    return _TAIL.sub("", plain) or plain


def keys(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the folded names that find a record. kind: one of entry.PLACES; names: its name and aliases."""
    if kind in ("device", "machine"):
        return tuple(dict.fromkeys(parse_device_name(n).key for n in names))
    return tuple(dict.fromkeys(model_key(n) if kind in ("model", "embedding") else n for n in names))
