"""GGUF bytes made by hand, right or wrong on purpose, and a Source over bytes."""

from __future__ import annotations

import struct
from typing import Any, Self

from gyakusan.core.dtypes import dtype
from gyakusan.errors import BadReference, Truncated

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}


class Memory:
    """A Source over bytes; `reads` records what was asked for, `others` are the files beside it."""

    def __init__(self, data: bytes, name: str = "made.gguf", others: dict[str, bytes] | None = None) -> None:
        self.data = data
        self.name = self.file = name
        self.size: int | None = len(data)
        self.others = others or {}
        self.reads: list[tuple[int, int]] = []

    def read(self, at: int, n: int) -> bytes:
        self.reads.append((at, n))
        if at + n > len(self.data):
            raise Truncated("{file} ends too early.", file=self.name, mend="Download it again.")
        return self.data[at : at + n]

    def beside(self, name: str) -> Memory:
        if name not in self.others:
            raise BadReference("The file {file} does not exist.", file=name, mend="Check the spelling.")
        return Memory(self.others[name], name, self.others)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Raw(bytes):
    """Bytes that are put into the file as they are."""


def text(value: str | bytes, order: str = "<") -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack(order + "Q", len(raw)) + raw


def number(value: int | float, kind: int, order: str = "<") -> bytes:
    return struct.pack(order + FORMS[kind], value)


def array(kind: int, values: list[Any], order: str = "<", count: int | None = None) -> bytes:
    """The body of an array value: element kind, count, elements."""
    head = struct.pack(order + "IQ", kind, len(values) if count is None else count)
    return head + b"".join(text(v, order) if kind == STRING else number(v, kind, order) for v in values)


def pair(key: str | bytes, kind: int, value: Any, order: str = "<") -> bytes:
    """One key-value pair. value: a number, a text, or for an array its body."""
    if isinstance(value, Raw) or kind == ARRAY:
        body = bytes(value)
    else:
        body = text(value, order) if kind == STRING else number(value, kind, order)
    return text(key, order) + struct.pack(order + "I", kind) + body


def tensor(name: str | bytes, shape: tuple[int, ...], code: int, offset: int, order: str = "<") -> bytes:
    dims = struct.pack(f"{order}I{len(shape)}Q", len(shape), *shape)
    return text(name, order) + dims + struct.pack(order + "IQ", code, offset)


def header(
    pairs: list[bytes],
    tensors: list[bytes],
    *,
    order: str = "<",
    version: int = 3,
    magic: bytes = b"GGUF",
    keys: int | None = None,
    count: int | None = None,
) -> bytes:
    counts = (len(tensors) if count is None else count, len(pairs) if keys is None else keys)
    return magic + struct.pack(order + "IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)


def padded(data: bytes, data_bytes: int, alignment: int = 32) -> bytes:
    """`data`, padding, and `data_bytes` zeros."""
    return data + bytes(-len(data) % alignment) + bytes(data_bytes)


def small(order: str = "<", version: int = 3) -> bytes:
    """A valid file with every kind of value and three tensors."""
    pairs = [
        pair("general.architecture", STRING, "llama", order),
        pair("llama.block_count", U32, 1, order),
        pair("llama.rope.freq_base", F32, 10000.0, order),
        pair("a.u8", U8, 200, order),
        pair("a.i8", I8, -3, order),
        pair("a.u16", U16, 60000, order),
        pair("a.i16", I16, -300, order),
        pair("a.i32", I32, -70000, order),
        pair("a.bool", BOOL, True, order),
        pair("a.u64", U64, 2**63 + 1, order),
        pair("a.i64", I64, -(2**40), order),
        pair("a.f64", F64, 0.1, order),
        pair("a.kept", ARRAY, array(I32, [1, -2, 3], order), order),
        pair("a.flags", ARRAY, array(BOOL, [True, False], order), order),
        pair("a.tags", ARRAY, array(STRING, ["x", "日本"], order), order),
        pair("a.none", ARRAY, array(U32, [], order), order),
        pair("tokenizer.ggml.tokens", ARRAY, array(STRING, ["<s>", "a", "日本"], order), order),
        pair("tokenizer.ggml.scores", ARRAY, array(F32, [0.0, 1.0, 2.0], order), order),
        pair("a.big", ARRAY, array(U8, [7] * 5000, order), order),
    ]
    tensors = [
        tensor("token_embd.weight", (64, 3), 8, 0, order),
        tensor("output_norm.weight", (64,), 0, 224, order),
        tensor("blk.0.attn_q.weight", (256, 2), 12, 480, order),
    ]
    return padded(header(pairs, tensors, order=order, version=version), 480 + 288)


def recreated(entry: dict[str, Any], kind: str, codes: dict[int, str]) -> tuple[bytes, int]:
    """(header, size of the whole file) of a recorded model: what a sparse file of it begins with. [B]"""
    pairs = [_recorded(k, v) for k, v in entry["kv"].items()]
    tensors = []
    offset = 0
    for (name, shape), code in zip(entry["tensors"], entry["types"][kind], strict=True):
        tensors.append(tensor(name, tuple(shape), code, offset))
        size = dtype(codes[code]).row(shape[0])
        for n in shape[1:]:
            size *= n
        offset += (size + 31) // 32 * 32
    head = header(pairs, tensors)
    return head, (len(head) + 31) // 32 * 32 + offset


def _recorded(key: str, value: Any) -> bytes:
    if isinstance(value, list):
        kind = _kind(value[0]) if value else I32
        return pair(key, ARRAY, array(kind, value))
    return pair(key, _kind(value), value)


def _kind(value: Any) -> int:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, str):
        return STRING
    if isinstance(value, float):
        return F32
    return U32 if 0 <= value < 2**32 else I64 if value < 0 else U64
