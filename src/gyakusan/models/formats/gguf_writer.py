"""Write a GGUF file with everything but the numbers: header, tensor directory, and a hole for the tensors."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gyakusan.core.broadcast import round_up
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Tensor
from gyakusan.errors import Malformed, SourceError, Unsupported
from gyakusan.message import quoted

ALIGNMENT = 32
"""Of tensor data, unless general.alignment says otherwise. [B]"""
_U32, _I32, _F32, _BOOL, _STRING, _ARRAY, _U64, _I64 = 4, 5, 6, 7, 8, 9, 10, 11
_FORMS = {_U32: "<I", _I32: "<i", _F32: "<f", _BOOL: "<?", _U64: "<Q", _I64: "<q"}


def write(path: str | Path, metadata: Mapping[str, Any], tensors: Sequence[Tensor]) -> int:
    """Write the sparse file and return its apparent size [B]. Raises Unsupported, Malformed, SourceError.

    metadata: texts, truth values, numbers, or sequences of one of them; `general.alignment` is not written.
    """
    head, data = header(metadata, tensors)
    try:
        with open(path, "wb") as file:
            file.write(head)
            file.truncate(len(head) + data)
    except OSError as error:
        raise SourceError(
            "{path} cannot be written: {why}.",
            path=str(path),
            why=os.strerror(error.errno or 0),
            mend="Let TMPDIR name a folder that takes files with holes.",
        ) from error
    return len(head) + data


def header(metadata: Mapping[str, Any], tensors: Sequence[Tensor]) -> tuple[bytes, int]:
    """Return (bytes up to the tensor data, size of the tensor data [B])."""
    pairs = [_text(key) + _value(key, value) for key, value in metadata.items() if key != "general.alignment"]
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(pairs)), *pairs]
    offset = 0
    for tensor in tensors:
        code = dtype(tensor.type).code
        if code < 0:
            raise Unsupported("{name} is of type {type}, which GGUF does not have.", name=tensor.name, type=tensor.type)
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        parts += [_text(tensor.name), shape, struct.pack("<IQ", code, offset)]
        offset += int(round_up(tensor.bytes, ALIGNMENT))
    head = b"".join(parts)
    return head.ljust(int(round_up(len(head), ALIGNMENT)), b"\0"), offset


def _value(key: str, value: Any) -> bytes:
    """Return kind and body of one value."""
    if isinstance(value, list | tuple):
        kind = _kind(key, value)
        return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(_body(key, kind, v) for v in value)
    kind = _kind(key, (value,))
    return struct.pack("<I", kind) + _body(key, kind, value)


def _kind(key: str, values: Sequence[Any]) -> int:
    """Return the one kind that holds all `values`; whole numbers among others become floating-point numbers."""
    kinds = {type(v) for v in values} or {int}
    if kinds == {bool}:
        return _BOOL
    if kinds == {str}:
        return _STRING
    if kinds == {int}:
        least, most = min(values, default=0), max(values, default=0)
        if least >= 0:
            return _U32 if most < 2**32 else _U64
        return _I32 if least >= -(2**31) and most < 2**31 else _I64
    if kinds <= {int, float}:
        return _F32
    raise Malformed("{key} cannot hold {value}.", key=quoted(key, 80), value=quoted(values, 80))


def _body(key: str, kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _text(value)
    try:
        return struct.pack(_FORMS[kind], value)
    except (struct.error, OverflowError) as error:
        raise Malformed("{key} cannot hold {value}.", key=quoted(key, 80), value=quoted(value, 80)) from error


def _text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(raw)) + raw
