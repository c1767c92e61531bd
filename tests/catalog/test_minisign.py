"""Signatures: those of minisign itself, of a key made here, and everything that is none."""

from __future__ import annotations

import builtins
import sys

import pytest

from gyakusan.catalog import minisign
from gyakusan.errors import BadSetting, SourceError

TEXT = b"a text that minisign 0.11 signed\n"
KEY = "RWSddHtw55fmQTJWftLGJVmPs1uKHFigTmAqm8PLuyGcJ/SP3OrlW8jO"
SIGNED = """untrusted comment: signature from minisign secret key
RUSddHtw55fmQb7SQPZcLeS27vQl5W1cD5TUoJ27RCpfshzP2kpRAUg+/jFQY9WaNOevDgISEqgfD5wTuidNV23GksnB5nMmTwg=
trusted comment: of 2026
8jm3icw+TkcniLD/cuDmbiGt6zAoGjFbAZccokV2vRBqPvLobsq38o+EJLX0GbOnfZQ5uwZFOjUI6ocLEgkbDw==
"""
OLDER = """untrusted comment: signature from minisign secret key
RWSddHtw55fmQbvPZSayQjk0A9yV4xEZ8ZZb8nh7VhwBGIlQgECAO3W4qS6luZt93GICDoAwkaP/021BJebw2jXiQiuD92TQAAM=
trusted comment: old
4yYSJJHTqRfQt44HqTuebq8OEG3FRyNDjQNjwR+if4VcYCRMJxa0pxyN0PJr/U7owiE+IVyPkycDrN0AollLBg==
"""
OTHER = "RWQ/t1/zG4ZLb5o3TncXKXDLCYZiNDBVOEYZk+xd8l2FDH53DjdzvSGc"


def test_what_minisign_signed() -> None:
    assert minisign.verify(TEXT, SIGNED.encode(), KEY) == "of 2026"


def changed(line: int, text: str) -> str:
    lines = SIGNED.splitlines()
    lines[line] = text
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "signature", "key", "why"),
    [
        (TEXT + b" ", SIGNED, KEY, "does not match"),
        (b"", SIGNED, KEY, "does not match"),
        (TEXT, changed(2, "trusted comment: of 2027"), KEY, "does not match"),
        (TEXT, changed(2, "comment: of 2026"), KEY, "another form"),
        (TEXT, changed(3, "AAAA"), KEY, "another form"),
        (TEXT, changed(3, "A" * 86 + "=="), KEY, "does not match"),
        (TEXT, changed(1, "日本"), KEY, "another form"),
        (TEXT, SIGNED + "more\n", KEY, "another form"),
        (TEXT, "", KEY, "another form"),
        (TEXT, OLDER, KEY, "older kind"),
        (TEXT, SIGNED, OTHER, "another key"),
    ],
)
def test_what_is_no_signature_of_it(text: bytes, signature: str, key: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        minisign.verify(text, signature.encode(), key)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(SourceError, match="another form"):
        minisign.parse(b"\xff\n" * 4)


@pytest.mark.parametrize("key", ["", "RW", KEY[:-2], "x" * 56, KEY.replace("RW", "QQ"), "日" * 56])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(BadSetting, match="is not a public key of minisign"):
        minisign.verify(TEXT, SIGNED.encode(), key)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("nacl"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [n for n in sys.modules if n.startswith("nacl")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BadSetting, match=r"gyakusan\[update\]"):
        minisign.verify(TEXT, SIGNED.encode(), KEY)
