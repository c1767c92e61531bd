"""What was typed, read as its writer meant it: full-width letters, words of another language, amounts without a currency."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from gyakusan import numerals
from gyakusan.choices import choice
from gyakusan.patterns import late

_FULL = late(r"[ -~\u3000\uff01-\uff5e]+")
"""Letters, digits and signs as an input method of Japanese writes them, beside usual ones."""


_TAKEN = frozenset({
    "--users", "--context", "--prompt", "--answer", "--arrivals", "--requests", "--tokens", "--max-tokens",
    "--rate", "--seconds", "--depths", "--limit", "--lines", "--every", "--budget", "--computer", "--currency",
    "--rates", "--price", "--power", "--outlet", "--gpus", "--count", "--hours", "--months", "--tariff", "--pue",
    "--upkeep", "--resale", "--speed", "--first", "--quality", "--memory", "--ram", "--bandwidth", "--reserve",
    "--link", "--replicas", "--most-replicas", "--spare", "--api-input", "--api-output", "--device", "--brand",
    "--model", "--families", "--without", "--engine", "--quant", "--kv-type", "--key-type", "--value-type",
    "--batch", "--ubatch", "--threads", "--port", "--task", "--prefer", "--os", "--language", "--lang",
    "--licenses", "--details", "--command", "--compose", "--systemd", "--why-not", "--also", "--key-slots",
    "--key-requests", "--key-tokens", "--models-max",
})  # fmt: skip
"""Options that take counts, amounts, devices, models and words of ours. Paths, names of people and texts stay as typed."""
_NAMED = frozenset({"inspect", "compare", "get", "serve", "deploy", "export"})
"""Commands whose own words are models, devices or numbers of plans."""
_OPTION = late(r"--[a-z]")


def read_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command: its name, options and their counts, amounts, devices and models in usual letters."""
    read: list[str] = []
    before, command = "", ""
    for place, word in enumerate(words):
        if word == "--":
            return [*read, *words[place:]]
        name, mark, value = half_width(word).partition("=")
        if _OPTION.match(name):
            typed_value = re.split("[=＝]", word, maxsplit=1)[-1]
            given = choice(name, value if name in _TAKEN else typed_value)
            read.append(f"{name}{mark}{given}" if mark else name)
            before = "" if mark else name
            continue
        own = not before and (not command or command in _NAMED)
        read.append(choice(before, half_width(word) if own or before in _TAKEN else word))
        command, before = command or ("" if before else read[-1]), ""
    return read


MONEY = ("--budget", "--computer", "--price")
"""Options that take an amount of money."""
_BARE = late(rf"[\d,. ]*[{numerals.KANJI}][\d,. {numerals.KANJI}]*")
"""A number with kanji and no currency: 100万, 百万."""


def in_yen(words: Sequence[str]) -> list[str]:
    """Return words in which an amount such as 100万, without a currency, is one of yen: so a Japanese screen reads it."""
    if any(word.partition("=")[0] == "--currency" for word in words):
        return list(words)
    read: list[str] = []
    for word in words:
        name, mark, value = word.partition("=")
        amount = value if mark and name in MONEY else word if read and read[-1] in MONEY else ""
        read.append(f"{word}円" if _BARE.fullmatch(amount) and numerals.number(amount.replace(" ", "")) else word)
    return read


def half_width(word: str) -> str:
    """Return "RTX 4090" for a word in full-width letters; sentences of Japanese, and files of that name, stay as they are."""
    if word.isascii() or not _FULL.fullmatch(word) or os.path.exists(word):
        return word
    return numerals.half_width(word)
