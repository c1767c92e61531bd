"""Verify minisign signatures: Ed25519 over the BLAKE2b digest of a text (https://jedisct1.github.io/minisign/).

The form is read here, the curve is PyNaCl's (decision 28). A file of the older form, which signs the text itself, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from gyakusan.errors import BadSetting, SourceError
from gyakusan.message import Message, say

_KEY, _SIGNED = b"Ed", b"ED"
_TRUSTED = "trusted comment: "


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature file says.

    key: number of the key that signed [8 bytes]
    text: signature of the digest of what is signed [64 bytes]
    comment: its trusted comment
    whole: signature of the first signature and the comment [64 bytes]
    """

    key: bytes
    text: bytes
    comment: str
    whole: bytes


def parse(text: bytes) -> Signature:
    """Return what a signature file says. Raises SourceError."""
    try:
        lines = text.decode("utf-8").splitlines()
        first, whole = (_decoded(lines[n]) for n in (1, 3))
    except (ValueError, IndexError):
        raise _bad(say("its signature file has another form")) from None
    if len(lines) != 4 or len(first) != 74 or len(whole) != 64 or not lines[2].startswith(_TRUSTED):
        raise _bad(say("its signature file has another form"))
    if first[:2] != _SIGNED:
        raise _bad(say("its signature is of an older kind"))
    return Signature(first[2:10], first[10:], lines[2].removeprefix(_TRUSTED), whole)


def public_key(text: str) -> tuple[bytes, bytes]:
    """Return number and bytes of a public key as minisign prints it, 56 letters. Raises BadSetting."""
    try:
        raw = _decoded(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != 42 or raw[:2] != _KEY:
        raise BadSetting(
            '"{text}" is not a public key of minisign.', text=text[:80], mend="It has 56 letters and begins with RW."
        )
    return raw[2:10], raw[10:]


def verify(text: bytes, signature: bytes, key: str) -> str:
    """Return the trusted comment of a signature of `text`. Raises SourceError, BadSetting for a key of another form.

    signature: the text of the signature file
    key: public key as minisign prints it
    """
    number, raw = public_key(key)
    signed = parse(signature)
    if signed.key != number:
        raise _bad(say("another key signed it"))
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError:
        raise BadSetting(
            "Signatures are verified with PyNaCl, and it is not installed.", mend="Run: pip install 'gyakusan[update]'."
        ) from None
    try:
        VerifyKey(raw).verify(hashlib.blake2b(text).digest(), signed.text)
        VerifyKey(raw).verify(signed.text + signed.comment.encode(), signed.whole)
    except BadSignatureError:
        raise _bad(say("its signature does not match")) from None
    return signed.comment


def _decoded(line: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _bad(why: Message) -> SourceError:
    return SourceError("The release is not signed by its publisher ({why}).", why=why, mend="Nothing was changed.")
