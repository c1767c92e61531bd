"""Tell from its first bytes what a file looks like, so that a message can say what was given instead."""

from __future__ import annotations

from gyakusan.errors import Malformed, Truncated, Unsupported
from gyakusan.message import Message, say

ENOUGH = 64
"""Bytes that `likeness` wants to see. [B]"""

_PREFIXES: tuple[tuple[bytes, Message, Message], ...] = (
    (
        b"version https://git-lfs",
        say("a Git LFS pointer"),
        say("Download the file it points to: git lfs pull."),
    ),
    (b"PK\x03\x04", say("a zip archive or PyTorch checkpoint"), say("Convert it to GGUF or give a GGUF file.")),
    (b"\x80\x02", say("a Python pickle"), say("Convert it to GGUF or give a GGUF file.")),
    (b"\x1f\x8b", say("a gzip archive"), say("Unpack it first.")),
    (b"\x28\xb5\x2f\xfd", say("a zstd archive"), say("Unpack it first.")),
    (b"\xfd7zXZ\x00", say("an xz archive"), say("Unpack it first.")),
    (b"7z\xbc\xaf\x27\x1c", say("a 7z archive"), say("Unpack it first.")),
    (b"BZh", say("a bzip2 archive"), say("Unpack it first.")),
    (b"lmgg", say("a GGML file from before GGUF"), say("Download the model again as GGUF.")),
    (b"fmgg", say("a GGMF file from before GGUF"), say("Download the model again as GGUF.")),
    (b"tjgg", say("a GGJT file from before GGUF"), say("Download the model again as GGUF.")),
    (b"algg", say("a GGLA adapter from before GGUF"), say("Download the model again as GGUF.")),
    (b"FUGG", say("a GGUF file with its bytes swapped"), say("Download the file again.")),
    (b"\x7fELF", say("a program"), say("Give the path of the model file.")),
    (b"MZ", say("a program"), say("Give the path of the model file.")),
    (b"\x89HDF", say("an HDF5 file"), say("Convert it to GGUF or give a GGUF file.")),
)
_WEB = (
    say("a web page"),
    say("Give the address of the file itself; on huggingface.co it contains /resolve/, not /blob/."),
)
_JSON = say("JSON text"), say("Give the model file, or the folder with config.json.")
_SAFETENSORS = say("a safetensors file"), say("Give the folder with it and config.json.")
_ZEROS = say("zeros only"), say("The download is incomplete: download it again.")
_UNKNOWN = say("an unknown kind of file"), say("Give a GGUF file, or a folder with config.json and safetensors files.")


def likeness(head: bytes) -> tuple[Message, Message]:
    """Return (what the file looks like, what to do about it). head: its first ENOUGH bytes, or all of them."""
    for prefix, what, mend in _PREFIXES:
        if head.startswith(prefix):
            return what, mend
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")):
        return _WEB
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32:
        return _SAFETENSORS
    if text.startswith((b"{", b"[")):
        return _JSON
    return _ZEROS if not any(head) else _UNKNOWN


def not_gguf(name: str, head: bytes) -> Malformed | Truncated | Unsupported:
    """Return the error for a file that does not begin with GGUF."""
    if not head:
        return Truncated("{file} is empty.", file=name, mend="Download it again.")
    if b"GGUF".startswith(head[:4]):
        return Truncated("{file} ends after {n} bytes.", file=name, n=len(head), mend="Download it again.")
    what, mend = likeness(head)
    kind = Malformed if what in (_ZEROS[0], _UNKNOWN[0]) else Unsupported
    return kind("{file} is not a GGUF file; it looks like {what}.", file=name, what=what, mend=mend)
