"""Read the header of one GGUF file, item by item. `gguf` offers it to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from struct import Struct
from types import MappingProxyType
from typing import Any, Literal, NoReturn

from gyakusan.core.broadcast import round_up
from gyakusan.core.dtypes import BY_CODE
from gyakusan.core.model import Tensor
from gyakusan.errors import Malformed, Truncated, Unsupported
from gyakusan.message import Message, Quoted, quoted, say
from gyakusan.models.formats.magic import ENOUGH, not_gguf
from gyakusan.models.formats.window import BUDGET, Window
from gyakusan.models.sources import Source

VERSIONS = (2, 3)
KEYS = 16_384
"""Most key-value pairs; real files have fewer than 100."""
TENSORS = 65_536
"""Most tensors, of all parts together; real models have fewer than 3,000."""
NAME = 1_024
"""Longest name of a key or a tensor. [B] llama.cpp stops at 64 for tensors."""
TEXT = 1024 * 1024
"""Longest string that is kept. [B] Chat templates reach 100 KiB; whole tokenizers in one string are skipped."""
KEPT = 4_096
"""Longest array that is kept. [values]"""
STRINGS = 2**22
"""Most strings in all arrays together; real vocabularies with their merges stay under 10^6."""
ROOM = 16 * 1024 * 1024
"""What all kept values together may take. [B]"""
DIMENSIONS = 4

Endian = Literal["little", "big"]
STRING, ARRAY = 8, 9
_NUMBERS: Mapping[int, tuple[str, str]] = {
    0: ("u8", "B"), 1: ("i8", "b"), 2: ("u16", "H"), 3: ("i16", "h"), 4: ("u32", "I"), 5: ("i32", "i"),
    6: ("f32", "f"), 7: ("bool", "?"), 10: ("u64", "Q"), 11: ("i64", "q"), 12: ("f64", "d"),
}  # fmt: skip
_KINDS = {code: name for code, (name, _) in _NUMBERS.items()} | {STRING: "string", ARRAY: "array"}
_FORMS: Mapping[Endian, Mapping[int, Struct]] = {
    "little": {code: Struct("<" + form) for code, (_, form) in _NUMBERS.items()},
    "big": {code: Struct(">" + form) for code, (_, form) in _NUMBERS.items()},
}
_MEND = say("The file is damaged or of another kind than it claims: download it again.")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A value that was skipped, not stored.

    count: entries of an array, or bytes of a string
    kind: element type of an array
    """

    count: int
    kind: str


Value = bool | int | float | str | tuple[bool | int | float | str, ...] | Skipped


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a GGUF file.

    name: of the source
    version: of the format
    endian: byte order
    alignment: of tensor data [B]
    metadata: key-values; long ones are `Skipped`
    kinds: GGUF's number of the type of each value
    tensors: in the order of the file
    offsets: of each tensor, from data_at of its part [B]
    data_at: where tensor data begins in the (first) file [B]
    size: of all parts, None if unknown [B]
    parts: number of files
    """

    name: str
    version: int
    endian: Endian
    alignment: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...] = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)
    data_at: int
    size: int | None
    parts: int = 1
    kinds: Mapping[str, int] = field(default_factory=dict, repr=False)

    def count(self, key: str) -> int | None:
        """Return the entries of the array `key`, stored or skipped; None if there is no such array."""
        value = self.metadata.get(key)
        if isinstance(value, Skipped):
            return value.count
        return len(value) if isinstance(value, tuple) else None


class Totals:
    """What the headers of all parts of a model together may still take.

    room: of kept values [B]
    strings: in arrays
    tensors: entries
    bytes: that are read [B]
    """

    __slots__ = ("bytes", "room", "strings", "tensors")

    def __init__(self) -> None:
        self.room, self.strings, self.tensors, self.bytes = ROOM, STRINGS, TENSORS, BUDGET


class Reader:
    """One pass over one header."""

    __slots__ = ("_endian", "_forms", "_name", "_source", "_totals", "_u32", "_u64", "_window")

    def __init__(self, source: Source, totals: Totals | None = None) -> None:
        """totals: of the model that the file is a part of, None = its only file."""
        self._source = source
        self._name = source.name
        self._totals = totals or Totals()
        self._window = Window(source, self._totals.bytes)
        self._set_endian("little")

    def _set_endian(self, endian: Endian) -> None:
        self._endian: Endian = endian
        self._forms = _FORMS[endian]
        self._u32, self._u64 = self._forms[4], self._forms[10]

    def header(self) -> Header:
        """Read magic, version, counts, key-values and tensors. Raises Truncated, Malformed, Unsupported, SourceError."""
        version = self._version()
        tensors = self._count(say("tensors"), TENSORS, least=24)
        self._totals.tensors -= tensors
        if self._totals.tensors < 0:
            self._bad("The parts of {file} have more than {limit} tensors.", limit=TENSORS)
        keys = self._count(say("keys"), KEYS, least=13)
        metadata, kinds = self._metadata(keys)
        alignment = self._alignment(metadata)
        entries, offsets = self._tensors(tensors)
        self._totals.bytes = self._window.left
        data_at = round_up(self._window.position, alignment)
        self._check_data(entries, offsets, data_at, alignment)
        self._check_order(entries, offsets, alignment)
        return Header(
            name=self._name,
            version=version,
            endian=self._endian,
            alignment=alignment,
            metadata=MappingProxyType(metadata),
            tensors=entries,
            offsets=offsets,
            data_at=data_at,
            size=self._source.size,
            kinds=MappingProxyType(kinds),
        )

    def _version(self) -> int:
        """Read the version and set the byte order, which no file names: a version with a zero low half is swapped."""
        head = self._window.take(min(4, self._window.rest))
        if head != b"GGUF":
            raise not_gguf(self._name, head + self._window.take(min(ENOUGH - len(head), self._window.rest)))
        raw = self._window.take(4)
        version = int.from_bytes(raw, "little")
        if version & 0xFFFF == 0:
            self._set_endian("big")
            version = int.from_bytes(raw, "big")
        if version in VERSIONS:
            return version
        mend = "Convert the model again, or download a newer copy." if version < 2 else "Update gyakusan."
        raise Unsupported(
            "{file} is GGUF version {version}; versions 2 and 3 are supported.",
            file=self._name,
            version=version,
            mend=mend,
        )

    def _count(self, what: Message, limit: int, least: int) -> int:
        """Read a number of `what`, each at least `least` bytes long in the file."""
        n = self._take(self._u64)
        if n > limit:
            self._bad("{file} claims {n} {what}; the limit is {limit}.", n=n, what=what, limit=limit)
        if n * least > self._window.rest:
            self._cut("{file} claims {n} {what}, but only {rest} bytes follow.", n=n, what=what, rest=self._window.rest)
        return n

    def _metadata(self, keys: int) -> tuple[dict[str, Value], dict[str, int]]:
        found: dict[str, Value] = {}
        kinds: dict[str, int] = {}
        for _ in range(keys):
            key = self._label(say("key"))
            if key in found:
                self._bad("{file} has the key {key} twice.", key=_short(key))
            kinds[key] = self._take(self._u32)
            found[key] = self._value(key, kinds[key])
        return found, kinds

    def _value(self, key: str, kind: int) -> Value:
        if kind == STRING:
            return self._text(key)
        if kind == ARRAY:
            return self._array(key, self._take(self._u32), self._take(self._u64))
        form = self._forms.get(kind)
        if form is None:
            self._bad("{file}: the type {kind} of {key} is unknown.", key=_short(key), kind=kind)
        return self._window.number(form)

    def _text(self, key: str) -> str | Skipped:
        """Read a string value; a very long one is skipped."""
        n = self._length(key)
        if n > TEXT:
            self._window.skip(n)
            return Skipped(n, "string")
        self._charge(n)
        return self._decode(self._window.take(n), key)

    def _array(self, key: str, kind: int, count: int) -> Value:
        """Read an array: stored if it is short and no part of a tokenizer, else only counted."""
        if kind == ARRAY or kind not in _KINDS:
            self._bad(
                "{file}: {key} is an array of {kind}, which GGUF does not allow.",
                key=_short(key),
                kind=say("arrays") if kind == ARRAY else say("unknown type {n}", n=kind),
            )
        width = 8 if kind == STRING else self._forms[kind].size
        if count * width > self._window.rest:
            self._cut(
                "{file}: {key} claims {n} values, but only {rest} bytes follow.",
                key=_short(key), n=count, rest=self._window.rest,
            )  # fmt: skip
        kept = count <= KEPT and not key.startswith("tokenizer.")
        if kind == STRING:
            return self._strings_of(key, count, kept)
        if not kept:
            self._window.skip(count * width)
            return Skipped(count, _KINDS[kind])
        self._charge(32 * count)
        raw = self._window.take(count * width)
        return tuple(value for (value,) in self._forms[kind].iter_unpack(raw))

    def _strings_of(self, key: str, count: int, kept: bool) -> Value:
        self._totals.strings -= count
        if self._totals.strings < 0:
            self._bad("{file} has more than {limit} strings in its header.", limit=STRINGS)
        if not kept:
            self._window.skip_strings(count, self._u64)
            return Skipped(count, "string")
        found = []
        for _ in range(count):
            n = self._length(key)
            self._charge(n + 64)
            found.append(self._decode(self._window.take(n), key))
        return tuple(found)

    def _alignment(self, metadata: Mapping[str, Value]) -> int:
        value = metadata.get("general.alignment", 32)
        if type(value) is not int or value <= 0 or value & (value - 1) or value >= 2**32:
            self._bad("{file}: general.alignment is {value}, not a power of two.", value=_short(value))
        return value

    def _tensors(self, count: int) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        entries: dict[str, Tensor] = {}
        offsets = []
        for _ in range(count):
            name = self._label(say("tensor"))
            if name in entries:
                self._bad("{file} has the tensor {name} twice.", name=_short(name))
            shape = self._shape(name)
            entries[name] = Tensor(name, shape, self._type(name, shape, self._take(self._u32)))
            offsets.append(self._take(self._u64))
        return tuple(entries.values()), tuple(offsets)

    def _shape(self, name: str) -> tuple[int, ...]:
        n = self._take(self._u32)
        if not 1 <= n <= DIMENSIONS:
            self._bad(
                "{file}: tensor {name} has {n} dimensions, outside 1 to {limit}.",
                name=_short(name), n=n, limit=DIMENSIONS,
            )  # fmt: skip
        shape = tuple(self._take(self._u64) for _ in range(n))
        if 0 in shape or prod(shape) >= 2**63:
            self._bad("{file}: the shape {shape} of tensor {name} is out of range.", name=_short(name), shape=shape)
        return shape

    def _type(self, name: str, shape: tuple[int, ...], code: int) -> str:
        kind = BY_CODE.get(code)
        if kind is None:
            raise Unsupported(
                "{file}: the element type {code} of tensor {name} is unknown.",
                file=self._name, name=_short(name), code=code,
                mend="If the file is newer than gyakusan, update gyakusan; otherwise download the file again.",
            )  # fmt: skip
        if shape[0] % kind.block:
            self._bad(
                (
                    "{file}: rows of tensor {name} have {n} values, which is not a multiple of {block}, the "
                    "block size of {type}."
                ),
                name=_short(name), n=shape[0], block=kind.block, type=kind.name,
            )  # fmt: skip
        return kind.name

    def _check_data(self, entries: tuple[Tensor, ...], offsets: tuple[int, ...], data_at: int, alignment: int) -> None:
        """Check that tensors are at aligned offsets, one after the other, inside the file."""
        end, before = 0, ""
        for offset, size, name in sorted((o, t.bytes, t.name) for o, t in zip(offsets, entries, strict=True)):
            if offset % alignment:
                self._bad(
                    "{file}: tensor {name} begins at byte {offset}, which is not a multiple of {alignment}.",
                    name=_short(name), offset=offset, alignment=alignment,
                )  # fmt: skip
            if offset < end:
                self._bad("{file}: tensors {a} and {b} overlap.", a=_short(before), b=_short(name))
            end, before = offset + size, name
        there = self._source.size
        if entries and there is not None and data_at + end > there:
            raise Truncated(
                "{file} has {there} bytes, but its tensors end at byte {end}: {short} bytes are missing.",
                file=self._name, there=there, end=data_at + end, short=data_at + end - there,
                mend="The file is incomplete: download it again, or finish the download.",
            )  # fmt: skip

    def _check_order(self, entries: tuple[Tensor, ...], offsets: tuple[int, ...], alignment: int) -> None:
        """Check that each tensor begins where the one before it ends: the loader takes no holes and no other order."""
        expected = 0
        for offset, tensor in zip(offsets, entries, strict=True):
            if offset != expected:
                self._bad(
                    "{file}: tensor {name} begins at byte {offset}, and {expected} follows the one before it.",
                    name=_short(tensor.name), offset=offset, expected=expected,
                )  # fmt: skip
            expected += round_up(tensor.bytes, alignment)

    def _label(self, what: Message) -> str:
        """Read the name of a key or a tensor."""
        n = self._length("")
        if not 0 < n <= NAME:
            self._bad("{file} has a {what} with a name of {n} bytes.", what=what, n=n)
        self._charge(n)
        return self._decode(self._window.take(n), "")

    def _length(self, key: str) -> int:
        """Read the length of a string that must still fit into the file [B]."""
        n = self._take(self._u64)
        if n > self._window.rest:
            self._cut(
                "{file}: a string at byte {at} claims {n} bytes, but only {rest} follow.",
                at=self._window.position, n=n, rest=self._window.rest,
            )  # fmt: skip
        return n

    def _decode(self, raw: bytes, key: str) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            what = say("the value of {key}", key=_short(key)) if key else say("a name")
            self._bad("{file}: {what} at byte {at} is not UTF-8.", what=what, at=self._window.position - len(raw))

    def _charge(self, n: int) -> None:
        """Count what is stored against ROOM."""
        self._totals.room -= n
        if self._totals.room < 0:
            self._bad("{file} has more than {limit} MiB of metadata.", limit=ROOM >> 20)

    def _take(self, form: Struct) -> int:
        return int(self._window.number(form))

    def _bad(self, template: str, **facts: Any) -> NoReturn:
        raise Malformed(template, file=self._name, mend=_MEND, **facts)

    def _cut(self, template: str, **facts: Any) -> NoReturn:
        raise Truncated(template, file=self._name, mend=_MEND, **facts)


def _short(value: object) -> Quoted | str:
    """Return a name or value from the file on one line, quoted."""
    if isinstance(value, str):
        return quoted(value if len(value) <= 78 else value[:75] + "...")
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
