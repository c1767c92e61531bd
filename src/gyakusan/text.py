"""Translate sentences into the reader's language. Only show/, web/ and cli/ use this.

A translation is found by its English template in locale/<language>.json; facts that are sentences are translated too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from gyakusan.choices import in_japanese
from gyakusan.doors.files import packaged
from gyakusan.doors.text import line
from gyakusan.message import Choices, Listed, Message, Quoted
from gyakusan.patterns import late

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


SYSTEM_TEXTS = (
    "Address already in use",
    "Bad file descriptor",
    "Broken pipe",
    "Cannot allocate memory",
    "Cannot assign requested address",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Device or resource busy",
    "Disk quota exceeded",
    "Exec format error",
    "File exists",
    "File name too long",
    "File too large",
    "Input/output error",
    "Invalid argument",
    "Is a directory",
    "Name or service not known",
    "Network is unreachable",
    "No route to host",
    "No space left on device",
    "No such device or address",
    "No such file or directory",
    "Not a directory",
    "Operation not permitted",
    "Operation timed out",
    "Permission denied",
    "Read-only file system",
    "Temporary failure in name resolution",
    "Text file busy",
    "Too many levels of symbolic links",
    "Too many open files",
    "timed out",
)
"""What operating systems call their errors, in English whatever the reader's language. Source: glibc, sysdeps/gnu/errlist.c."""
ANSWERED_TEXTS = (
    "The server is busy with other requests",
    "The server is still loading the model. Ask again in a few seconds",
    "no reason given",
)
"""What our front answers to programs, in English as all of that API, where it is told to a person."""
_KNOWN = frozenset((*SYSTEM_TEXTS, *ANSWERED_TEXTS))
_ERRNO = late(r"\[Errno -?\d+\] ([^:]+)(?:: '[^']*')?")
"""How Python writes such an error."""
LISTS = frozenset(
    (
        *("candidates", "choices", "columns", "computers", "engines", "formats", "keys", "known", "metrics", "models"),
        *("names", "near", "options", "rows", "sizes", "types", "values", "worst"),
    )
)
"""Facts that hold several names with ", " between them: Japanese has 、 there."""


def choose(asked: str | None = None, environment: Mapping[str, str] | None = None) -> Language:
    """Return the language asked for, else that of GYAKUSAN_LANG, LC_ALL, LC_MESSAGES or LANG, else English."""
    env = os.environ if environment is None else environment
    for value in (asked, *(env.get(k) for k in ("GYAKUSAN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if value:
            return "ja" if value.casefold().startswith("ja") else "en"
    return "en"


def tell(message: Message | str, language: Language) -> str:
    """Return the sentence in `language`; English where there is no translation."""
    if isinstance(message, str):
        message = Message(message)
    template = message.template if language == "en" else _table(language).get(message.template, message.template)
    facts = {k: _fact(v, language) for k, v in message.facts.items()}
    if language == "ja":
        facts = {k: _listed(v) if k in LISTS and isinstance(v, str) else v for k, v in facts.items()}
    return template.format(**facts) if facts else template.replace("{{", "{").replace("}}", "}")


def _listed(names: str) -> str:
    """Return names with 、 between them; a comma between quotation marks is part of what is typed."""
    return names if set("\"'") & set(names) else names.replace(", ", "、")


def _fact(value: Any, language: Language) -> Any:
    if isinstance(value, Listed):
        return ("、" if language == "ja" else ", ").join(tell(m, language) for m in value.messages)
    if isinstance(value, Message):
        return tell(value, language)
    if isinstance(value, Choices):
        return _named(value) if language == "ja" else line(str(value))
    if isinstance(value, Quoted):
        return _in_japanese_marks(line(value.text)) if language == "ja" else line(str(value))
    return _outside(value, language) if isinstance(value, str) else value


def _named(choices: Choices) -> str:
    """Return 品質(quality)、速度(speed): what can be typed in Japanese, and what documents call it."""
    names = [(line(value), in_japanese(choices.option, value)) for value in choices.values]
    return "、".join(f"{name}({value})" if name else value for value, name in names)


def _in_japanese_marks(text: str) -> str:
    """Return text in 「」, in 『』 where it has such a mark itself: 「「x」 reads as two."""
    return f"『{text}』" if "「" in text or "」" in text else f"「{text}」"


def _outside(text: str, language: Language) -> str:
    """Return text from outside on one line; an error of the system without its number, and in the reader's language."""
    match = _ERRNO.fullmatch(text)
    words = match[1] if match else text
    return tell(words, language) if words in _KNOWN else line(words)


def knows(template: str, language: Language) -> bool:
    """Return True if there is a translation."""
    return language == "en" or template in _table(language)


@cache
def _table(language: Language) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(packaged(Path(__file__).parent / "locale" / f"{language}.json"))
    return found
