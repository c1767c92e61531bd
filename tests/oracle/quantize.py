"""llama.cpp's own quantiser as an oracle: its dry run on a file of the right names and shapes, with a hole for data.

The library comes from the wheel `llama-cpp-py-sync` (xllamacpp links no quantiser), or from the folder that the
environment variable GYAKUSAN_LIBLLAMA names. The wheel needs glibc 2.38 (Debian 13, Ubuntu 24.04). Tests only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from gyakusan.core.dtypes import BY_CODE, DTYPES
from gyakusan.core.model import Tensor

_LINE = re.compile(r"\[ *\d+/ *\d+\] +(\S+) +- \[.*?\], type = +(\w+), size = .*?(?:-> .*\((\w+)\))?\s*$")
_NAMES = {name.casefold(): name for name in DTYPES}
_PARTS = ("libggml-base", "libggml-cpu", "libggml-rpc", "libggml", "libllama")


class Params(ctypes.Structure):
    """struct llama_model_quantize_params of include/llama.h, b11413 to b11548."""

    _fields_ = (
        ("nthread", ctypes.c_int32),
        ("ftype", ctypes.c_int32),
        ("output_tensor_type", ctypes.c_int32),
        ("token_embedding_type", ctypes.c_int32),
        ("allow_requantize", ctypes.c_bool),
        ("quantize_output_tensor", ctypes.c_bool),
        ("only_copy", ctypes.c_bool),
        ("pure", ctypes.c_bool),
        ("keep_split", ctypes.c_bool),
        ("dry_run", ctypes.c_bool),
        ("imatrix", ctypes.c_void_p),
        ("kv_overrides", ctypes.c_void_p),
        ("tt_overrides", ctypes.c_void_p),
        ("prune_layers", ctypes.c_void_p),
        ("max_buf_size", ctypes.c_size_t),
    )


class Matrix(ctypes.Structure):
    """struct llama_model_imatrix_data of include/llama.h."""

    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t))


def folder() -> Path | None:
    """Where the libraries lie, or None."""
    if named := os.environ.get("GYAKUSAN_LIBLLAMA"):
        return Path(named)
    found = importlib.util.find_spec("llama_cpp_py_sync")
    return Path(found.origin).parent if found and found.origin else None


@cache
def library() -> ctypes.CDLL | None:
    """libllama with a quantiser whose parameters are laid out as we think, or None where it cannot be loaded."""
    if (where := folder()) is None:
        return None
    try:
        loaded = [ctypes.CDLL(str(next(where.glob(f"{p}.so*"))), mode=ctypes.RTLD_GLOBAL) for p in _PARTS]
    except (OSError, StopIteration):
        return None
    lib = loaded[-1]
    lib.llama_model_quantize_default_params.restype = Params
    lib.llama_model_quantize.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params))
    lib.llama_model_quantize.restype = ctypes.c_uint32
    _check(lib.llama_model_quantize_default_params())
    lib.llama_backend_init()
    return lib


def _check(p: Params) -> None:
    """Fail loudly if the defaults do not look like the struct that we know."""
    count = p.output_tensor_type
    plain = not (p.allow_requantize or p.only_copy or p.pure or p.keep_split or p.dry_run)
    pointers = (p.imatrix, p.kv_overrides, p.tt_overrides, p.prune_layers)
    known = (p.nthread, p.ftype, p.token_embedding_type) == (0, 7, count) and max(BY_CODE) < count < 64
    ours = known and plain and p.quantize_output_tensor and not any(pointers)
    assert ours, "llama_model_quantize_params is laid out in another way than we think"


def chosen(path: Path, file_type: int, *, matrix: bool = False) -> dict[str, str]:
    """Type of each tensor of the file at `path` if it were quantised to `general.file_type` = `file_type`."""
    lib = library()
    assert lib is not None
    log: list[str] = []
    callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
        lambda level, text, data: log.append(text.decode("utf-8", "replace"))
    )
    lib.llama_log_set(callback, None)
    params = lib.llama_model_quantize_default_params()
    params.ftype, params.dry_run, params.nthread = file_type, True, 1
    one = ctypes.c_float(1)
    entries = (Matrix * 2)(Matrix(b"any", ctypes.pointer(one), 1), Matrix(None, None, 0))
    params.imatrix = ctypes.addressof(entries) if matrix else None
    failed = lib.llama_model_quantize(str(path).encode(), b"", ctypes.byref(params))
    # Before the callback is freed. The library has no other use for logs.
    lib.llama_log_set(_SILENT, None)
    lines = "".join(log).splitlines()
    assert not failed, lines[-3:]
    return _types(lines)


_SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda level, text, data: None)


def _types(lines: list[str]) -> dict[str, str]:
    # A fall-back warning stands between a tensor's name and its size only in the first pass; the second is whole.
    found = (_LINE.search(line) for line in lines)
    return {m[1]: _NAMES[(m[3] or m[2]).casefold()] for m in found if m}


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _pair(key: str, value: Any) -> bytes:
    match value:
        case bool():
            return _text(key) + struct.pack("<I?", 7, value)
        case str():
            return _text(key) + struct.pack("<I", 8) + _text(value)
        case float():
            return _text(key) + struct.pack("<If", 6, value)
        case int():
            return _text(key) + (struct.pack("<II", 4, value) if 0 <= value < 2**32 else struct.pack("<Iq", 11, value))
        case _:
            return _text(key) + _array(value)


def _array(values: Sequence[Any]) -> bytes:
    code, form = {bool: (7, "?"), float: (6, "f"), int: (5, "i"), str: (8, "")}[type(values[0]) if values else int]
    head = struct.pack("<IIQ", 9, code, len(values))
    return head + (struct.pack(f"<{len(values)}{form}", *values) if form else b"".join(map(_text, values)))


def write(path: Path, pairs: Mapping[str, Any], tensors: Sequence[Tensor]) -> None:
    """A GGUF file with these key-values and tensors; the data are a hole. Lengths are multiples of 32 B."""
    parts, at = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs))], 0
    parts += [_pair(k, v) for k, v in pairs.items()]
    for t in tensors:
        shape, kind = t.shape, DTYPES[t.type]
        parts.append(_text(t.name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind.code, at))
        at += -(-kind.row(prod(shape)) // 32) * 32
    head = b"".join(parts)
    path.write_bytes(head)
    os.truncate(path, -(-len(head) // 32) * 32 + at)
